-- Run as `nvim --headless -u NONE -l document.lua PLUGIN`: what needs neither a server nor a screen.
vim.opt.runtimepath:prepend(vim.fn.fnamemodify(arg[1], ':p'))
vim.g.aside = { trust = true, cmd = { 'no-such-program' } }

local failed, held = 0, 0
local function holds(claim, truth, seen)
  if truth then
    held = held + 1
    print('  ok      ' .. claim)
  else
    failed = failed + 1
    print('  BROKEN  ' .. claim .. ': ' .. vim.inspect(seen))
  end
end

local function same(claim, got, wanted)
  holds(claim, vim.deep_equal(got, wanted), { got = got, wanted = wanted })
end

-- The rules of the line layout, written down plainly: what the drawn document must agree with.
local Model = {}
Model.__index = Model

function Model.apply(self, patch)
  local lines, marks = self.lines, self.marks
  if patch.type == 'append' then
    lines[patch.line + 1] = lines[patch.line + 1] .. patch.text
    for index, line in ipairs(patch.lines or {}) do
      table.insert(lines, patch.line + 1 + index, line)
    end
    local n = #(patch.lines or {})
    for _, mark in pairs(marks) do
      if mark.from > patch.line then
        mark.from, mark.to = mark.from + n, mark.to + n
      elseif mark.to > patch.line then
        mark.to = mark.to + n
      end
    end
  elseif patch.type == 'insert' then
    for index, line in ipairs(patch.lines) do
      table.insert(lines, patch.line + index, line)
    end
    for _, mark in pairs(marks) do
      if mark.from >= patch.line then
        mark.from, mark.to = mark.from + #patch.lines, mark.to + #patch.lines
      elseif mark.to > patch.line then
        mark.to = mark.to + #patch.lines
      end
    end
  elseif patch.type == 'replace' then
    for _ = patch.from, patch.to - 1 do
      table.remove(lines, patch.from + 1)
    end
    for index, line in ipairs(patch.lines) do
      table.insert(lines, patch.from + index, line)
    end
    local d = #patch.lines - (patch.to - patch.from)
    for id, mark in pairs(marks) do
      if patch.from <= mark.from and mark.to <= patch.to then
        marks[id] = nil
      elseif mark.from <= patch.from and mark.to >= patch.to then
        mark.to = mark.to + d
      elseif mark.from >= patch.to then
        mark.from, mark.to = mark.from + d, mark.to + d
      end
    end
  elseif patch.type == 'mark' then
    marks[patch.mark.id] =
      { from = patch.mark.from, to = patch.mark.to, kind = patch.mark.kind, name = patch.mark.name }
  else
    marks[patch.id] = nil
  end
end

local WORDS = { '', 'a', 'two words', 'ümlaut ❯', ('long '):rep(30) }
local function words(at_least)
  local lines = {}
  for _ = 1, math.random(at_least, 3) do
    lines[#lines + 1] = WORDS[math.random(#WORDS)]
  end
  return lines
end

-- A patch that may come in this state: marks never overlap a replaced range partly.
local function patch(model, serial)
  local count, kind = #model.lines, math.random(5)
  if kind == 1 and count > 0 then
    -- Mostly at the end, as text streams.
    local line = math.random(3) > 1 and count - 1 or math.random(0, count - 1)
    return {
      type = 'append',
      line = line,
      text = WORDS[math.random(#WORDS)],
      lines = math.random(2) == 1 and words(1) or nil,
    }
  elseif kind == 2 and count > 1 then
    local from = math.random(0, count - 2)
    local to = math.random(from + 1, count)
    for _, mark in pairs(model.marks) do
      local within = from <= mark.from and mark.to <= to
      local around = mark.from <= from and mark.to >= to
      if not within and not around and mark.from < to and mark.to > from then
        return nil
      end
    end
    return { type = 'replace', from = from, to = to, lines = words(0) }
  elseif kind == 3 and count > 1 then
    local from = math.random(0, count - 1)
    local kinds = { 'item', 'fold', 'highlight' }
    return {
      type = 'mark',
      mark = {
        id = 'm' .. math.random(serial),
        kind = kinds[math.random(3)],
        name = 'thinking',
        from = from,
        to = math.random(from + 1, count),
      },
    }
  elseif kind == 4 and next(model.marks) then
    return math.random(4) == 1 and { type = 'unmark', id = (next(model.marks)) } or nil
  end
  return { type = 'insert', line = math.random(2) == 1 and count or math.random(0, count), lines = words(1) }
end

local draw = require('aside.draw')

local function random_documents(seed)
  math.randomseed(seed)
  local buf = vim.api.nvim_create_buf(false, true)
  vim.bo[buf].undolevels = -1
  vim.api.nvim_set_current_buf(buf)
  vim.wo.foldmethod, vim.wo.foldminlines = 'manual', 0
  local document = draw.new(buf, function() end)
  document:enter(vim.api.nvim_get_current_win())
  document:write(-2, -1, { 'what the user writes', 'and more' })
  vim.api.nvim_win_set_cursor(0, { vim.api.nvim_buf_line_count(buf), 3 })
  local model = setmetatable({ lines = {}, marks = {} }, Model)
  for serial = 1, 60 do
    local batch = {}
    for _ = 1, math.random(6) do
      local one = patch(model, serial)
      if one then
        model:apply(one)
        batch[#batch + 1] = one
      end
    end
    document:push(batch)
    document:flush()
    local got = vim.api.nvim_buf_get_lines(buf, 0, document.count, false)
    if not vim.deep_equal(got, model.lines) then
      return 'lines', seed, serial, batch, got, model.lines
    end
    for id, mark in pairs(model.marks) do
      local from, to = document:extent(id)
      if from ~= mark.from or to ~= mark.to then
        return 'mark', seed, serial, batch, id, mark, { from, to }
      end
    end
    local rest = vim.api.nvim_buf_get_lines(buf, document.count, -1, false)
    if not vim.deep_equal(rest, { '', 'what the user writes', 'and more' }) then
      return 'the user text', seed, serial, batch, rest
    end
    local cursor = vim.api.nvim_win_get_cursor(0)
    if cursor[1] ~= vim.api.nvim_buf_line_count(buf) or cursor[2] ~= 3 then
      return 'cursor', seed, serial, batch, cursor
    end
  end
  -- A whole document in the place of it, as after a server has died.
  local lines = vim.list_extend({ 'before' }, model.lines)
  local marks = {}
  for id, mark in pairs(model.marks) do
    marks[#marks + 1] = vim.tbl_extend('force', mark, { id = id, from = mark.from + 1, to = mark.to + 1 })
  end
  document:reset({ lines = lines, marks = marks, revision = 1 })
  if not vim.deep_equal(vim.api.nvim_buf_get_lines(buf, 0, document.count, false), lines) then
    return 'reset', seed
  end
  for _, mark in ipairs(marks) do
    local from, to = document:extent(mark.id)
    if from ~= mark.from or to ~= mark.to then
      return 'mark after reset', seed, mark, { from, to }
    end
  end
  if #vim.fn.undotree(buf).entries > 0 then
    return 'undo', seed
  end
  document:close()
  vim.api.nvim_buf_delete(buf, { force = true })
end

local fault
for seed = 1, 60 do
  fault = { random_documents(seed) }
  if #fault > 0 then
    break
  end
end
local wrong_buf, told = vim.api.nvim_create_buf(false, true), false
local wrong = draw.new(wrong_buf, function()
  told = true
end)
vim.notify = function() end
wrong:push({ { type = 'append', line = 7, text = 'where is no line' } })
wrong:flush()
vim.wait(1000, function()
  return told
end)
holds('patches that do not fit ask for the whole document', told and wrong.broken)
wrong:reset({ lines = { 'all of it' }, marks = {}, revision = 2 })
same('which is then drawn', vim.api.nvim_buf_get_lines(wrong_buf, 0, -1, false), { 'all of it', '', '' })
same('random patches draw what the rules say: lines, marks, the cursor and what the user wrote', fault, {})

-- Configuration.
local config = require('aside.config')
local _, faults =
  config.check({ siez = 3, position = 'middle', keys = { send = 1, sned = 'x' }, size = 0.5, env = { A = 1 } })
same(
  'each wrong option is told, each with its name',
  vim.tbl_map(function(text)
    return text:match('^vim%.g%.aside%.([%w_.]+):')
  end, faults),
  { 'env', 'keys.send', 'keys.sned', 'position', 'siez' }
)
local good, none = config.check(function()
  return { size = 80, keys = { close = false } }
end)
same('a function may say it', { none, good.size, good.keys.close, good.keys.send }, { {}, 80, false, '<C-s>' })
same('anything else is told', #select(2, config.check('yes')), 1)

-- The command.
local command = require('aside.command')
same('words of the command are completed', command.complete('se', 'Aside se'), { 'send', 'sessions' })
same('and what may follow them', command.complete('a', "'<,'>Aside allow a"), { 'always' })

-- Completion and what goes with a prompt.
local context = require('aside.context')
local folder = vim.fn.tempname()
vim.fn.mkdir(folder, 'p')
vim.fn.writefile({ 'one', 'two', 'three' }, folder .. '/notes.txt')
vim.fn.writefile({ 'x' }, folder .. '/dot.png')
vim.cmd.cd(folder)
vim.cmd.edit('notes.txt')
same('@n completes files', context.omnifunc(0, '@n')[1].word, '@notes.txt')
same('@s completes the selection', context.omnifunc(0, '@se')[1].word, '@selection')
vim.api.nvim_buf_set_mark(0, '<', 2, 0, {})
vim.api.nvim_buf_set_mark(0, '>', 3, 2, {})
local blocks = context.content({
  lines = { 'look at @notes.txt, @selection and @dot.png; mail me@example.com, @nobody' },
  images = {},
})
same(
  'a prompt takes files, the selection and pictures along, and nothing else',
  vim.tbl_map(function(block)
    return block.type
  end, blocks),
  { 'text', 'resource_link', 'resource', 'image' }
)
same('the selection is its text', blocks[3].resource.text, 'two\nthree')
vim.diagnostic.set(
  vim.api.nvim_create_namespace('test'),
  0,
  { { lnum = 1, col = 0, message = 'wrong\nhere', severity = 1 } }
)
holds(
  'diagnostics are told one a line',
  context.diagnostics().resource.text:find('notes.txt:2:1: error: wrong here', 1, true) ~= nil,
  context.diagnostics()
)

-- Files.
local files = require('aside.files')
local path = vim.uv.fs_realpath(folder .. '/notes.txt')
local function undo_steps()
  return vim.fn.undotree().seq_last
end
vim.api.nvim_buf_set_lines(0, 0, 1, false, { 'ONE' })
local read = files.read(path)
same('what is not written yet is read', read.text, 'ONE\ntwo\nthree\n')
same('a file that is not open is the disk', files.read(folder .. '/other'), {})
local before = undo_steps()
local edit = {
  { startLine = 2, startByte = 0, endLine = 2, endByte = 5, text = 'THREE\nfour' },
  { startLine = 1, startByte = 0, endLine = 2, endByte = 0, text = '' },
}
same('edits are made', files.apply({ path = path, version = read.version, edits = edit }), { applied = true })
same('in descending order', vim.api.nvim_buf_get_lines(0, 0, -1, false), { 'ONE', 'THREE', 'four' })
same('in one step of undo', undo_steps() - before, 1)
holds('a buffer with changes of the user is not written', vim.bo.modified)
vim.cmd('silent undo')
same('that goes back by one undo', vim.api.nvim_buf_get_lines(0, 0, -1, false), { 'ONE', 'two', 'three' })
told = nil
vim.notify = function(text)
  told = text
end
local refused = files.apply({ path = path, version = read.version, edits = edit })
same(
  'a buffer that was changed under an edit is left alone',
  vim.api.nvim_buf_get_lines(0, 0, -1, false),
  { 'ONE', 'two', 'three' }
)
vim.wait(1000, function()
  return told ~= nil
end)
holds(
  'and says what to do',
  refused.applied == false and refused.reason:find('read it again') and told:find('read it again'),
  { refused, told }
)
vim.cmd('silent write')
for _, case in ipairs({
  {
    'an empty file',
    {},
    { { startLine = 0, startByte = 0, endLine = 0, endByte = 0, text = 'a\nb\n' } },
    { 'a', 'b' },
  },
  { 'the end', { 'a' }, { { startLine = 1, startByte = 0, endLine = 1, endByte = 0, text = 'b\n' } }, { 'a', 'b' } },
  { 'all of it', { 'a', 'b' }, { { startLine = 0, startByte = 0, endLine = 2, endByte = 0, text = '' } }, { '' } },
}) do
  vim.api.nvim_buf_set_lines(0, 0, -1, false, case[2])
  vim.cmd('silent write')
  local version = files.read(path).version
  same('an edit of ' .. case[1], {
    files.apply({ path = path, version = version, edits = case[3] }).applied,
    vim.api.nvim_buf_get_lines(0, 0, -1, false),
  }, { true, case[4] })
  holds('is on the disk, as the buffer was', not vim.bo.modified)
end
same(
  'an edit outside of the text is refused',
  files.apply({
    path = path,
    version = files.read(path).version,
    edits = { { startLine = 9, startByte = 0, endLine = 9, endByte = 1, text = '' } },
  }).applied,
  false
)
vim.cmd('edit! ++ff=dos notes.txt')
vim.api.nvim_buf_set_lines(0, 0, -1, false, { 'a', 'b' })
vim.bo.fileformat = 'dos'
read = files.read(path)
same("ends of lines are the file's", read.text, 'a\r\nb\r\n')
files.apply({
  path = path,
  version = read.version,
  edits = { { startLine = 0, startByte = 0, endLine = 1, endByte = 0, text = 'A\r\nC\r\n' } },
})
same('and stay out of the buffer', vim.api.nvim_buf_get_lines(0, 0, -1, false), { 'A', 'C', 'b' })

io.stdout:write(('\n%d claims hold, %d do not\n'):format(held, failed))
os.exit(failed == 0 and held > 0 and 0 or 1)
