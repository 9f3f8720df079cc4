--- What the user writes below the rule, with its own undo: the buffer's undo is off, because lines of the server
--- above would be in it. A hidden buffer mirrors the text, and undo and redo happen there.
local draw = require('aside.draw')

local M = {}

---@class aside.Draft
---@field lines string[]
---@field images { data: string, mimeType: string }[]
---@field blocks? aside.ContentBlock[] what else goes with it

---@class aside.Prompt
---@field chat aside.Chat
---@field images { data: string, mimeType: string }[]
---@field private shadow integer
---@field private placeholder integer?
local Prompt = {}
Prompt.__index = Prompt

---@param chat aside.Chat
---@return aside.Prompt
function M.new(chat)
  local shadow = vim.api.nvim_create_buf(false, true)
  vim.bo[shadow].bufhidden, vim.bo[shadow].undolevels = 'hide', 1000
  return setmetatable({ chat = chat, images = {}, shadow = shadow }, Prompt)
end

---@return integer row of the first line
function Prompt:first()
  return self.chat.document.count + 1
end

---@return string[]
function Prompt:lines()
  return vim.api.nvim_buf_get_lines(self.chat.buf, self:first(), -1, false)
end

---@param lines string[]
function Prompt:set(lines)
  self.chat.document:write(self:first(), -1, #lines > 0 and lines or { '' })
  self:changed(true)
end

--- The user has written.
---@param step boolean whether undo goes back to here
function Prompt:changed(step)
  vim.bo[self.chat.buf].modified = false
  self:draw()
  local lines = self:lines()
  if step and not vim.deep_equal(lines, vim.api.nvim_buf_get_lines(self.shadow, 0, -1, false)) then
    vim.api.nvim_buf_call(self.shadow, function()
      vim.api.nvim_buf_set_lines(self.shadow, 0, -1, false, lines)
      -- Setting it ends the step.
      vim.bo[self.shadow].undolevels = 1000
    end)
  end
end

--- Undo or redo, with a count.
---@param command 'undo'|'redo'
function Prompt:travel(command)
  self:changed(true)
  local row, column
  local count = vim.v.count1
  vim.api.nvim_buf_call(self.shadow, function()
    for _ = 1, count do
      vim.cmd('silent! ' .. command)
    end
    row, column = unpack(vim.api.nvim_win_get_cursor(0))
  end)
  local lines = vim.api.nvim_buf_get_lines(self.shadow, 0, -1, false)
  if vim.deep_equal(lines, self:lines()) then
    return vim.api.nvim_echo({ { 'aside: nothing more to ' .. command } }, false, {})
  end
  self.chat.document:write(self:first(), -1, lines)
  self:draw()
  vim.bo[self.chat.buf].modified = false
  local at = math.min(self:first() + row, vim.api.nvim_buf_line_count(self.chat.buf))
  vim.api.nvim_win_set_cursor(0, { at, column })
end

---@return boolean
function Prompt:empty()
  return #self.images == 0 and not table.concat(self:lines()):find('%S')
end

--- What is written, which is gone from the buffer then; nil where it is nothing.
---@return aside.Draft?
function Prompt:take()
  if self:empty() then
    return nil
  end
  local draft = { lines = self:lines(), images = self.images }
  self.images = {}
  self:set({})
  return draft
end

--- Puts back what could not be sent, before what was written since.
---@param draft aside.Draft
function Prompt:give_back(draft)
  if not vim.api.nvim_buf_is_valid(self.chat.buf) then
    -- Its buffer is gone: it can still be pasted.
    vim.fn.setreg('"', draft.lines)
    return
  end
  local lines = vim.list_extend({}, draft.lines)
  local since = self:lines()
  if table.concat(since) ~= '' then
    vim.list_extend(lines, since)
  end
  self.images = vim.list_extend(draft.images, self.images)
  self:set(lines)
end

--- Puts text where the cursor is, or at the end.
---@param text string
function Prompt:insert(text)
  local lines = self:lines()
  local new = vim.split(text, '\n', { plain = true })
  local win = self.chat:window()
  local cursor = win and vim.api.nvim_win_get_cursor(win)
  local row = cursor and cursor[1] - 1 - self:first() or -1
  if row < 0 then
    row = #lines - 1
  end
  local column = cursor and cursor[1] - 1 >= self:first() and cursor[2] or #lines[row + 1]
  local line = lines[row + 1]
  if column < #line and vim.fn.mode() ~= 'i' then
    column = column + 1
  end
  local before, after = line:sub(1, column), line:sub(column + 1)
  if before ~= '' and not before:find('%s$') then
    before = before .. ' '
  end
  local last = #new == 1 and before .. new[1] or new[#new]
  new[1] = before .. new[1]
  new[#new] = new[#new] .. after
  table.remove(lines, row + 1)
  for index = #new, 1, -1 do
    table.insert(lines, row + 1, new[index])
  end
  self:set(lines)
  if win then
    vim.api.nvim_win_set_cursor(win, { self:first() + row + #new, #last })
  end
end

--- Moves the cursor to where text goes, and begins to write.
function Prompt:enter()
  local last = vim.api.nvim_buf_line_count(self.chat.buf)
  vim.bo[self.chat.buf].modifiable = true
  vim.api.nvim_win_set_cursor(0, { last, #vim.fn.getline(last) })
  vim.cmd('startinsert!')
end

--- Draws what is not text: what to do where nothing is written, and what is attached.
function Prompt:draw()
  local buf = self.chat.buf
  if not vim.api.nvim_buf_is_valid(buf) then
    return
  end
  local row = self:first()
  local lines = vim.api.nvim_buf_get_lines(buf, row, row + 2, false)
  local chunks = {}
  if #lines == 1 and lines[1] == '' then
    chunks[1] = { 'Ask, with @file, @selection or @diagnostics. <CR> sends, g? helps.', 'AsideHint' }
  end
  if #self.images > 0 then
    table.insert(chunks, 1, { ('[%d image%s] '):format(#self.images, #self.images > 1 and 's' or ''), 'AsideKey' })
  end
  if #lines == 0 or #chunks == 0 then
    if self.placeholder then
      vim.api.nvim_buf_del_extmark(buf, draw.ns, self.placeholder)
      self.placeholder = nil
    end
    return
  end
  self.placeholder = vim.api.nvim_buf_set_extmark(buf, draw.ns, row, 0, {
    id = self.placeholder,
    virt_text = chunks,
    virt_text_pos = lines[1] == '' and 'overlay' or 'eol',
    strict = false,
  })
end

function Prompt:close()
  if vim.api.nvim_buf_is_valid(self.shadow) then
    vim.api.nvim_buf_delete(self.shadow, { force = true })
  end
end

return M
