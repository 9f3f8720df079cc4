--- Questions that wait for the user: may a tool do this, and forms. They are shown in every tab page, above all
--- windows, and take no key and no cursor away from what the user is doing.
local client = require('aside.client')
local float = require('aside.float')

local M = {}

---@class aside.Question
---@field id string
---@field request aside.RequestPermissionParams
---@field reply aside.Reply
---@field out table<string, true> hunks that the user leaves out

---@type aside.Question[]
local waiting = {}
---@type { win: integer, buf: integer, tab: integer }?
local shown
local watched = false

local WORDS = {
  allowOnce = 'once',
  allowSession = 'session',
  allowAlways = 'always',
  rejectOnce = 'reject',
  rejectAlways = 'never',
}
local KEYS = { allowOnce = 'o', allowSession = 's', allowAlways = 'a', rejectOnce = 'r', rejectAlways = 'n' }
local DETAIL_LINES = 12

---@return integer
function M.count()
  return #waiting
end

---@param question aside.Question
---@return string[] lines
---@return { [1]: integer, [2]: string, [3]?: string }[] marks row, colour and the hunk that begins there
local function lines_of(question)
  local request = question.request
  local lines, marks = {}, {}
  local function add(line, group, hunk)
    for index, piece in ipairs(vim.split(line, '\n', { plain = true })) do
      lines[#lines + 1] = piece
      if group then
        marks[#marks + 1] = { #lines - 1, group, index == 1 and hunk or nil }
      end
    end
  end
  add(request.title, 'AsideQuestion')
  for number, option in ipairs(request.options) do
    local key = KEYS[option.kind]
    add((' %d %s  %s'):format(number, key or ' ', option.label))
  end
  local hint =
    '`:Aside answer` comes here; `:Aside allow once|session|always` and `:Aside reject [reason]` work anywhere'
  add(hint, 'AsideHint')
  local change = request.change
  if change then
    add('')
    for _, hunk in ipairs(change.hunks) do
      local out = question.out[hunk.id]
      local head = ('@@ line %d @@ %s'):format(
        hunk.oldStart,
        out and 'left out' or #change.hunks > 1 and 'x leaves it out' or ''
      )
      add(head, 'AsideDiffHunk', hunk.id)
      for _, line in ipairs(hunk.lines) do
        local kind = line:sub(1, 1)
        add(line, out and 'AsideHint' or kind == '+' and 'AsideDiffAdd' or kind == '-' and 'AsideDiffDelete' or nil)
      end
    end
  elseif request.detail and request.detail ~= '' and request.detail ~= request.title then
    add('')
    local detail = vim.split(vim.trim(request.detail):gsub('\n\n\n+', '\n\n'), '\n', { plain = true })
    for index, line in ipairs(detail) do
      -- What is too long is left out in the middle, never at its end.
      if #detail <= DETAIL_LINES or index <= DETAIL_LINES / 2 or index > #detail - DETAIL_LINES / 2 then
        add('  ' .. line)
      elseif index == DETAIL_LINES / 2 + 1 then
        add(('  … %d lines; `K` here shows all of it …'):format(#detail - DETAIL_LINES))
      end
    end
  end
  return lines, marks
end

local function hide()
  if shown then
    local was = shown
    shown = nil
    if vim.api.nvim_win_is_valid(was.win) then
      vim.api.nvim_win_close(was.win, true)
    end
  end
end

---@param question aside.Question
---@param option aside.PermissionOption
---@param reason? string
local function answer(question, option, reason)
  for index, each in ipairs(waiting) do
    if each == question then
      table.remove(waiting, index)
      local allowed = vim.startswith(option.kind, 'allow')
      local out = allowed and next(question.out) and vim.tbl_keys(question.out) or nil
      question.reply({ optionId = option.id, reason = reason, rejectedHunks = out })
      client.emit('QuestionEnd', { questionId = question.id, option = option.kind })
      break
    end
  end
  M.show()
end

---@param question aside.Question
---@param option aside.PermissionOption
local function choose(question, option)
  if option.kind ~= 'rejectOnce' then
    return answer(question, option)
  end
  vim.ui.input({ prompt = 'Why not? (the model is told; empty for no reason) ' }, function(reason)
    if reason then
      answer(question, option, reason ~= '' and reason or nil)
    end
  end)
end

---@param buf integer
---@param question aside.Question
local function map_keys(buf, question)
  local function map(key, run, desc)
    vim.keymap.set('n', key, run, { buffer = buf, nowait = true, desc = 'aside: ' .. desc })
  end
  for number, option in ipairs(question.request.options) do
    local function take()
      choose(question, option)
    end
    map(tostring(number), take, option.label)
    if KEYS[option.kind] then
      map(KEYS[option.kind], take, option.label)
    end
  end
  map('x', function()
    local row = vim.api.nvim_win_get_cursor(0)[1] - 1
    local hunk
    for _, mark in ipairs(select(2, lines_of(question))) do
      hunk = mark[3] and mark[1] <= row and mark[3] or hunk
    end
    if hunk then
      question.out[hunk] = not question.out[hunk] or nil
      M.show()
      vim.api.nvim_win_set_cursor(0, { row + 1, 0 })
    end
  end, 'leave out the change under the cursor, or take it in again')
  map('K', function()
    float.open({
      lines = vim.split(question.request.detail, '\n', { plain = true }),
      title = ' All of it ',
      enter = true,
    })
  end, 'show all of it')
end

local function watch()
  if watched then
    return
  end
  watched = true
  vim.api.nvim_create_autocmd({ 'TabEnter', 'VimResized' }, {
    group = vim.api.nvim_create_augroup('aside_question', { clear = true }),
    callback = function()
      -- Not within the event: windows cannot be opened in all of them.
      vim.schedule(M.show)
    end,
  })
end

--- Shows the first question that waits in this tab page, or takes away what is shown.
function M.show()
  local back = shown and vim.api.nvim_get_current_win() == shown.win
  hide()
  local question = waiting[1]
  if not question then
    return
  end
  watch()
  local title = #waiting > 1 and (' Aside asks (1 of %d) '):format(#waiting) or ' Aside asks '
  local lines, marks = lines_of(question)
  local buf, win = float.open({ lines = lines, title = title, corner = true, enter = back })
  shown = { win = win, buf = buf, tab = vim.api.nvim_get_current_tabpage() }
  vim.wo[win].winhighlight = 'FloatBorder:AsideQuestion,FloatTitle:AsideQuestion'
  for _, mark in ipairs(marks) do
    local opts = { end_row = mark[1] + 1, hl_group = mark[2], hl_eol = true, strict = false }
    vim.api.nvim_buf_set_extmark(buf, require('aside.draw').ns, mark[1], 0, opts)
  end
  map_keys(buf, question)
  for _, key in ipairs({ 'q', '<Esc>' }) do
    -- It cannot be closed, only left: it waits.
    vim.keymap.set('n', key, '<C-w>p', { buffer = buf, nowait = true, desc = 'aside: back' })
  end
  vim.cmd.redraw()
end

--- The server asks whether a tool may do something.
---@param params aside.RequestPermissionParams
---@param reply aside.Reply
---@return fun() close
function M.permission(params, reply)
  local question = { id = params.questionId, request = params, reply = reply, out = {} }
  waiting[#waiting + 1] = question
  local chat = client.chats[params.sessionId]
  if chat then
    -- What led to it is seen first.
    chat.document:flush()
  end
  client.emit('Question', { sessionId = params.sessionId, questionId = params.questionId, title = params.title })
  M.show()
  return function()
    M.resolved(params.questionId)
    reply({})
  end
end

--- A question needs no answer any more.
---@param id string
function M.resolved(id)
  local before = #waiting
  waiting = vim.tbl_filter(function(question)
    return question.id ~= id
  end, waiting)
  if #waiting ~= before then
    client.emit('QuestionEnd', { questionId = id })
    M.show()
  end
end

--- The server that asked is gone.
---@param chat aside.Chat
function M.forget(chat)
  waiting = vim.tbl_filter(function(question)
    return question.request.sessionId ~= chat.id
  end, waiting)
  M.show()
end

--- A conversation was opened again: what it asks now is what holds.
---@param chat aside.Chat
---@param questions aside.PendingQuestion[]
function M.reopened(chat, questions)
  local still = {}
  for _, question in ipairs(questions) do
    still[question.request.questionId] = true
  end
  for _, question in ipairs(vim.list_extend({}, waiting)) do
    if question.request.sessionId == chat.id and not still[question.id] then
      M.resolved(question.id)
    end
  end
end

--- Goes to the question that is shown.
function M.enter()
  if not waiting[1] then
    return client.tell('nothing is asked', vim.log.levels.INFO)
  end
  if not shown or not vim.api.nvim_win_is_valid(shown.win) or shown.tab ~= vim.api.nvim_get_current_tabpage() then
    M.show()
  end
  vim.cmd.stopinsert()
  vim.api.nvim_set_current_win(shown.win)
  -- In front it may be as large as it needs.
  M.show()
end

--- Answers the first question by a word: once, session, always, reject or never.
---@param word string
---@param reason? string
function M.say(word, reason)
  local question = waiting[1]
  if not question then
    return client.tell('nothing is asked', vim.log.levels.INFO)
  end
  for _, option in ipairs(question.request.options) do
    if WORDS[option.kind] == word then
      if word == 'reject' and reason ~= nil then
        return answer(question, option, reason ~= '' and reason or nil)
      end
      return choose(question, option)
    end
  end
  local offered = vim.tbl_map(function(option)
    return WORDS[option.kind] or option.kind
  end, question.request.options)
  client.tell(('`%s` is not offered here, only %s'):format(word, table.concat(offered, ', ')), vim.log.levels.WARN)
end

-- Forms -----------------------------------------------------------------------------------------------------------

--- Asks for one line that is not shown. Unlike `inputsecret()` it can be taken back, and stops nothing.
---@param title string
---@param message string what it is about, shown below
---@param done fun(text: string?)
---@return fun() close
function M.secret(title, message, done)
  local finished = false
  local win
  local function finish(text)
    if not finished then
      finished = true
      vim.cmd.stopinsert()
      -- The register of what was typed last would still have it.
      vim.schedule(function()
        local blank = vim.api.nvim_create_buf(false, true)
        vim.api.nvim_buf_call(blank, function()
          vim.cmd('normal! ix')
        end)
        vim.api.nvim_buf_delete(blank, { force = true })
      end)
      if win and vim.api.nvim_win_is_valid(win) then
        vim.api.nvim_win_close(win, true)
      end
      done(text)
    end
  end
  local buf
  local width = math.min(60, vim.o.columns - 8)
  buf, win = float.open({
    lines = { (' '):rep(width) },
    title = (' %s '):format(title),
    enter = true,
    modifiable = true,
    height = 1,
  })
  vim.bo[buf].undolevels, vim.bo[buf].swapfile = -1, false
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, { '' })
  local about, line = {}, ''
  for word in message:gmatch('%S+') do
    if line ~= '' and vim.fn.strdisplaywidth(line .. ' ' .. word) > width then
      about[#about + 1] = { { line, 'AsideHint' } }
      line = word
    else
      line = line == '' and word or line .. ' ' .. word
    end
  end
  if line ~= '' then
    about[#about + 1] = { { line, 'AsideHint' } }
  end
  vim.api.nvim_buf_set_extmark(buf, require('aside.draw').ns, 0, 0, { virt_lines = about })
  vim.api.nvim_win_set_height(win, math.min(1 + #about, vim.o.lines - 6))
  vim.fn.matchadd('Conceal', '.', 10, -1, { conceal = '*', window = win })
  vim.wo[win].conceallevel, vim.wo[win].concealcursor, vim.wo[win].wrap = 2, 'nvic', false
  -- Plugins that complete, or keep what was typed, see nothing here.
  vim.b[buf].completion = false
  vim.keymap.set({ 'n', 'i' }, '<CR>', function()
    -- What was pasted may have been broken into lines.
    finish(vim.trim(table.concat(vim.api.nvim_buf_get_lines(buf, 0, -1, false))))
  end, { buffer = buf })
  vim.keymap.set('i', '<C-c>', function()
    finish(nil)
  end, { buffer = buf })
  vim.keymap.set('n', '<Esc>', function()
    finish(nil)
  end, { buffer = buf })
  vim.api.nvim_create_autocmd('BufLeave', {
    buffer = buf,
    once = true,
    callback = function()
      vim.schedule(function()
        finish(nil)
      end)
    end,
  })
  vim.cmd.startinsert()
  return function()
    finish(nil)
  end
end

---@param params aside.PromptUserParams
---@param reply aside.Reply
---@return fun() close
function M.form(params, reply)
  local values, closed, close_field = {}, false, nil
  local function finish(result)
    if not closed then
      closed = true
      reply({ values = result })
    end
  end
  local function ask(index)
    local field = params.fields[index]
    if closed then
      return
    elseif not field then
      return finish(next(values) and values or vim.empty_dict())
    end
    -- A message of its own could have to be confirmed first. What it is about is said once.
    local message = index == 1 and params.message ~= '' and params.message .. ': ' or ''
    local function take(value)
      if closed then
        return
      elseif value == nil or (field.required and value == '') then
        return finish(nil)
      end
      values[field.name] = value
      ask(index + 1)
    end
    if field.kind == 'secret' then
      close_field = M.secret(field.label, message, take)
    elseif field.kind == 'choice' or field.kind == 'boolean' then
      local choices = field.kind == 'boolean' and { 'yes', 'no' } or field.choices
      vim.ui.select(choices, { prompt = message .. field.label, kind = 'aside_form' }, function(choice)
        if choice and field.kind == 'boolean' then
          choice = choice == 'yes' and 'true' or 'false'
        end
        take(choice)
      end)
    else
      vim.ui.input({ prompt = message .. field.label .. ': ' }, take)
    end
  end
  ask(1)
  return function()
    closed = true
    if close_field then
      close_field()
    end
    reply({})
  end
end

return M
