--- Changes that were made and that nobody has judged yet: shown in their files, kept or taken back hunk by hunk.
---
--- The server carries out what is decided; here is only what stands where.
local client = require('aside.client')
local config = require('aside.config')
local files = require('aside.files')

local M = {}

local ns = vim.api.nvim_create_namespace('aside_review')

---@class aside.Change
---@field chat aside.Chat
---@field item aside.Item.fileChange
---@field rows table<string, integer> extmarks of its hunks

--- In the order in which they were made.
---@type aside.Change[]
local changes = {}
local watched = false
--- What keys meant in a buffer before.
---@type table<integer, table<string, table|false>>
local keys_before = {}

---@param change aside.Change
---@return aside.Hunk[]
local function pending(change)
  return vim.tbl_filter(function(hunk)
    return hunk.decision == 'pending'
  end, change.item.hunks)
end

---@param hunk aside.Hunk
---@return string[] new the lines as they are after the change
local function after(hunk)
  local new = {}
  for _, line in ipairs(hunk.lines) do
    if line:find('^[ +]') then
      new[#new + 1] = (line:sub(2):gsub('\r$', ''))
    end
  end
  return new
end

--- Where lines stand in a buffer, nearest to where they are expected.
---@param buf integer
---@param wanted string[]
---@param guess integer
---@return integer? row
local function find(buf, wanted, guess)
  local lines = vim.api.nvim_buf_get_lines(buf, 0, -1, false)
  local function fits(row)
    for index, line in ipairs(wanted) do
      if lines[row + index] ~= line then
        return false
      end
    end
    return true
  end
  if #wanted == 0 then
    return math.max(math.min(guess, #lines), 0)
  end
  for away = 0, #lines do
    for _, row in ipairs({ guess - away, guess + away }) do
      if row >= 0 and row + #wanted <= #lines and fits(row) then
        return row
      end
    end
  end
end

---@param buf integer
local function map_keys(buf)
  local keys = config.get().keys
  local before = {}
  for name, line in pairs({
    hunk_next = 'next',
    hunk_previous = 'previous',
    hunk_accept = 'accept',
    hunk_reject = 'reject',
    hunk_accept_all = 'accept all',
    hunk_reject_all = 'reject all',
  }) do
    local lhs = keys[name]
    if lhs then
      local was = vim.api.nvim_buf_call(buf, function()
        return vim.fn.maparg(lhs, 'n', false, true)
      end)
      before[lhs] = was.buffer == 1 and was or false
      vim.keymap.set(
        'n',
        lhs,
        '<Cmd>Aside hunk ' .. line .. '<CR>',
        { buffer = buf, nowait = true, desc = 'aside: ' .. line }
      )
    end
  end
  keys_before[buf] = before
end

---@param buf integer
local function unmap_keys(buf)
  for lhs, was in pairs(keys_before[buf] or {}) do
    pcall(vim.keymap.del, 'n', lhs, { buffer = buf })
    if was then
      vim.api.nvim_buf_call(buf, function()
        vim.fn.mapset('n', false, was)
      end)
    end
  end
  keys_before[buf] = nil
end

---@param buf integer
---@param change aside.Change
---@param hunk aside.Hunk
---@param guess integer
local function draw(buf, change, hunk, guess)
  local row = find(buf, after(hunk), guess)
  if not row then
    -- Its lines were changed since: the chat still has it.
    change.rows[hunk.id] = nil
    return
  end
  local at, first, last, gone = row, nil, nil, {}
  local count = vim.api.nvim_buf_line_count(buf)
  local function show_gone()
    if #gone > 0 then
      local above = at < count
      vim.api.nvim_buf_set_extmark(
        buf,
        ns,
        above and at or count - 1,
        0,
        { virt_lines = gone, virt_lines_above = above and at > 0 }
      )
      gone = {}
    end
  end
  for _, line in ipairs(hunk.lines) do
    local kind, text = line:sub(1, 1), line:sub(2)
    if kind == '-' then
      first = first or at
      last = at
      gone[#gone + 1] = { { text == '' and ' ' or text, 'AsideDiffDelete' } }
    elseif kind == '+' then
      first = first or at
      last = at
      show_gone()
      vim.api.nvim_buf_set_extmark(buf, ns, at, 0, { line_hl_group = 'AsideDiffAdd', strict = false })
      at = at + 1
    elseif kind == ' ' then
      show_gone()
      at = at + 1
    end
  end
  show_gone()
  first = math.min(first or row, count - 1)
  last = math.max(math.min(last or row, count - 1), first)
  local keys = config.get().keys
  change.rows[hunk.id] = vim.api.nvim_buf_set_extmark(buf, ns, first, 0, {
    end_row = last,
    virt_text = {
      { (' %s keep '):format(keys.hunk_accept or ':Aside hunk accept'), 'AsideKey' },
      { ('%s take back'):format(keys.hunk_reject or ':Aside hunk reject'), 'AsideHint' },
    },
    strict = false,
  })
end

--- Draws what is pending in a file, where it is open.
---@param path string
function M.refresh(path)
  local buf = files.buffer(path)
  if not buf then
    return
  end
  local marks = {}
  for _, change in ipairs(changes) do
    if change.item.path == path then
      for _, hunk in ipairs(pending(change)) do
        local mark = change.rows[hunk.id]
        local at = mark and vim.api.nvim_buf_get_extmark_by_id(buf, ns, mark, {})
        local lead = 0
        for _, line in ipairs(hunk.lines) do
          if not line:find('^ ') then
            break
          end
          lead = lead + 1
        end
        marks[#marks + 1] = { change, hunk, at and at[1] and at[1] - lead or math.max(hunk.newStart - 1, 0) }
      end
    end
  end
  vim.api.nvim_buf_clear_namespace(buf, ns, 0, -1)
  for _, mark in ipairs(marks) do
    draw(buf, unpack(mark))
  end
  if #marks > 0 and not keys_before[buf] then
    map_keys(buf)
  elseif #marks == 0 then
    unmap_keys(buf)
  end
end

local function watch()
  if watched then
    return
  end
  watched = true
  vim.api.nvim_create_autocmd('BufReadPost', {
    group = vim.api.nvim_create_augroup('aside_review', { clear = true }),
    callback = function(event)
      local real = vim.uv.fs_realpath(event.match) or event.match
      for _, change in ipairs(changes) do
        if change.item.path == event.match or vim.uv.fs_realpath(change.item.path) == real then
          return M.refresh(change.item.path)
        end
      end
    end,
  })
end

--- A change has come, or what is known of one is new.
---@param chat aside.Chat
---@param item aside.Item
function M.take(chat, item)
  if item.type ~= 'fileChange' or not config.get().review then
    return
  end
  ---@cast item aside.Item.fileChange
  local rows = {}
  for index, change in ipairs(changes) do
    if change.chat.id == chat.id and change.item.id == item.id then
      rows = change.rows
      table.remove(changes, index)
      break
    end
  end
  local change = { chat = chat, item = item, rows = rows }
  if item.status == 'completed' and #pending(change) > 0 then
    watch()
    changes[#changes + 1] = change
  end
  if item.status ~= 'inProgress' then
    local buf = files.buffer(item.path)
    if buf and not vim.bo[buf].modified then
      vim.cmd('silent! checktime ' .. buf)
    end
    M.refresh(item.path)
  end
  client.emit('Review', { sessionId = chat.id, path = item.path, pending = #pending(change) })
end

--- How many hunks of how many files wait.
---@return integer hunks
---@return string[] paths
function M.waiting()
  local count, paths, seen = 0, {}, {}
  for _, change in ipairs(changes) do
    count = count + #pending(change)
    if not seen[change.item.path] then
      seen[change.item.path] = true
      paths[#paths + 1] = change.item.path
    end
  end
  return count, paths
end

--- The hunk under the cursor, in a file or in a chat.
---@return aside.Change?
---@return string? hunk its id
local function under_cursor()
  local buf = vim.api.nvim_get_current_buf()
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local chat = require('aside.chat').of(buf)
  if chat then
    local name = chat.document:at(row, 'item', '#')
    local item, hunk = (name or ''):match('^(.*)#(.*)$')
    for _, change in ipairs(changes) do
      if change.chat == chat and change.item.id == item then
        return change, hunk
      end
    end
    return nil
  end
  for _, change in ipairs(changes) do
    if files.buffer(change.item.path) == buf then
      for _, hunk in ipairs(pending(change)) do
        local mark = change.rows[hunk.id]
        local at = mark and vim.api.nvim_buf_get_extmark_by_id(buf, ns, mark, { details = true })
        if at and at[1] and row >= at[1] and row <= (at[3].end_row or at[1]) then
          return change, hunk.id
        end
      end
    end
  end
end

---@param change aside.Change
---@param hunks? aside.HunkReview[] all that are pending where it is missing
---@param decision 'accept'|'reject'
local function decide(change, hunks, decision)
  client.request('reviewChange', {
    sessionId = change.chat.id,
    itemId = change.item.id,
    hunks = hunks or vim.tbl_map(function(hunk)
      return { id = hunk.id, decision = decision }
    end, pending(change)),
  }, function(fault, result)
    if fault then
      return client.tell(fault)
    end
    for _, refused in ipairs(result.refused or {}) do
      client.tell(
        ('hunk %s of %s: %s'):format(refused.id, vim.fn.fnamemodify(change.item.path, ':~:.'), refused.reason),
        vim.log.levels.WARN
      )
    end
    M.take(change.chat, result.item)
  end)
end

--- Keeps or takes back the hunk under the cursor.
---@param decision 'accept'|'reject'
function M.hunk(decision)
  local change, hunk = under_cursor()
  if not change then
    return client.tell('no change that waits to be judged is under the cursor', vim.log.levels.INFO)
  end
  decide(change, { { id = hunk, decision = decision } }, decision)
end

--- Keeps or takes back all of a file: the one in front, or in a chat all of that conversation.
---@param decision 'accept'|'reject'
function M.all(decision)
  local buf = vim.api.nvim_get_current_buf()
  local chat = require('aside.chat').of(buf)
  local chosen = vim.tbl_filter(function(change)
    return chat and change.chat == chat or not chat and files.buffer(change.item.path) == buf
  end, changes)
  if #chosen == 0 then
    return client.tell('no change waits to be judged here', vim.log.levels.INFO)
  end
  -- The newest first, so that what stands on another goes before it.
  for index = #chosen, 1, -1 do
    decide(chosen[index], nil, decision)
  end
end

--- To the next or previous hunk, here or in the next file that has one.
---@param step 1|-1
function M.jump(step)
  local buf = vim.api.nvim_get_current_buf()
  local row = vim.api.nvim_win_get_cursor(0)[1] - 1
  local rows = {}
  for _, change in ipairs(changes) do
    if files.buffer(change.item.path) == buf then
      for _, hunk in ipairs(pending(change)) do
        local mark = change.rows[hunk.id]
        local at = mark and vim.api.nvim_buf_get_extmark_by_id(buf, ns, mark, {})
        rows[#rows + 1] = at and at[1] or nil
      end
    end
  end
  table.sort(rows, function(one, other)
    return (other - one) * step > 0
  end)
  for _, each in ipairs(rows) do
    if (each - row) * step > 0 then
      vim.cmd("normal! m'")
      return vim.api.nvim_win_set_cursor(0, { each + 1, 0 })
    end
  end
  local _, paths = M.waiting()
  for _, path in ipairs(paths) do
    if files.buffer(path) ~= buf then
      M.edit(path)
      return M.first(path)
    end
  end
  client.tell(rows[1] and 'this was the last change' or 'no change waits to be judged', vim.log.levels.INFO)
end

--- Shows a file in a window that is for files.
---@param path string
function M.edit(path)
  local chat = require('aside.chat').of()
  if chat then
    vim.cmd('wincmd p')
    if require('aside.chat').of() then
      vim.cmd('topleft vertical new')
    end
  end
  vim.cmd.edit(vim.fn.fnameescape(path))
  M.refresh(path)
end

--- To the first hunk of the file in front.
---@param path string
---@param id? string a hunk's
function M.first(path, id)
  local buf = vim.api.nvim_get_current_buf()
  local best
  for _, change in ipairs(changes) do
    if change.item.path == path then
      for hunk, mark in pairs(change.rows) do
        local at = vim.api.nvim_buf_get_extmark_by_id(buf, ns, mark, {})
        if at[1] and (not id or id == hunk) and (not best or at[1] < best) then
          best = at[1]
        end
      end
    end
  end
  if best then
    vim.api.nvim_win_set_cursor(0, { best + 1, 0 })
  end
end

--- From a hunk in the chat to its file.
---@param chat aside.Chat
---@param name string as the document names it
---@return boolean gone there
function M.go(chat, name)
  local item, hunk = name:match('^(.*)#(.*)$')
  for _, change in ipairs(changes) do
    if change.chat == chat and change.item.id == item then
      M.edit(change.item.path)
      M.first(change.item.path, hunk)
      return true
    end
  end
  return false
end

--- The text of a file as it was before what is pending in it.
---@param path string
---@param buf integer
---@return string[]
local function base(path, buf)
  local lines = vim.api.nvim_buf_get_lines(buf, 0, -1, false)
  local scratch = vim.api.nvim_create_buf(false, true)
  vim.api.nvim_buf_set_lines(scratch, 0, -1, false, lines)
  for index = #changes, 1, -1 do
    local change = changes[index]
    if change.item.path == path then
      local hunks = pending(change)
      for number = #hunks, 1, -1 do
        local hunk = hunks[number]
        local new, old = after(hunk), {}
        for _, line in ipairs(hunk.lines) do
          if line:find('^[ -]') then
            old[#old + 1] = (line:sub(2):gsub('\r$', ''))
          end
        end
        local row = find(scratch, new, math.max(hunk.newStart - 1, 0))
        if row then
          vim.api.nvim_buf_set_lines(scratch, row, row + #new, false, old)
        end
      end
    end
  end
  lines = vim.api.nvim_buf_get_lines(scratch, 0, -1, false)
  vim.api.nvim_buf_delete(scratch, { force = true })
  return lines
end

---@param path string
local function diff(path)
  vim.cmd.tabedit(vim.fn.fnameescape(path))
  local buf, win = vim.api.nvim_get_current_buf(), vim.api.nvim_get_current_win()
  M.refresh(path)
  vim.cmd('leftabove vertical new')
  local left = vim.api.nvim_get_current_buf()
  vim.bo[left].buftype, vim.bo[left].bufhidden, vim.bo[left].swapfile = 'nofile', 'wipe', false
  vim.api.nvim_buf_set_lines(left, 0, -1, false, base(path, buf))
  vim.bo[left].filetype, vim.bo[left].modifiable = vim.bo[buf].filetype, false
  pcall(vim.api.nvim_buf_set_name, left, 'aside://before/' .. path)
  vim.cmd.diffthis()
  vim.api.nvim_set_current_win(win)
  vim.cmd.diffthis()
  M.first(path)
end

--- Shows a changed file beside what it was, in a tab page of its own. Closing it decides nothing.
function M.review()
  local _, paths = M.waiting()
  if #paths == 0 then
    return client.tell('no change waits to be judged', vim.log.levels.INFO)
  elseif #paths == 1 then
    return diff(paths[1])
  end
  vim.ui.select(paths, {
    prompt = 'Review',
    kind = 'aside_review',
    format_item = function(path)
      return vim.fn.fnamemodify(path, ':~:.')
    end,
  }, function(path)
    if path then
      diff(path)
    end
  end)
end

return M
