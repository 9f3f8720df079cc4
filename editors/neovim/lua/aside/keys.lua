--- The keys of the chat, all of them local to its buffer.
local config = require('aside.config')

local M = {}

---@param chat aside.Chat
---@return boolean
local function in_prompt(chat)
  return vim.api.nvim_win_get_cursor(0)[1] > chat.document.count + 1
end

--- What `<CR>` does on a line of the conversation: opens what is folded, or goes to a changed file.
---@param chat aside.Chat
local function open(chat)
  local row = vim.api.nvim_win_get_cursor(0)[1]
  if vim.fn.foldclosed(row) ~= -1 then
    return vim.cmd('normal! zo')
  end
  local name = chat.document:at(row - 1, 'item', '#')
  if name and require('aside.review').go(chat, name) then
    return
  end
  if vim.fn.foldlevel(row) > 0 then
    vim.cmd('normal! zc')
  end
end

---@param chat aside.Chat
function M.chat(chat)
  local keys = config.get().keys
  local function map(modes, lhs, rhs, desc, opts)
    if lhs then
      opts = vim.tbl_extend('force', { buffer = chat.buf, nowait = true, desc = 'aside: ' .. desc }, opts or {})
      vim.keymap.set(modes, lhs, rhs, opts)
    end
  end
  map({ 'n', 'i' }, keys.send, function()
    chat:send()
  end, 'send the prompt; while a turn runs it is told')
  map({ 'n', 'i' }, keys.queue, function()
    chat:send('queue')
  end, 'queue the prompt behind the turn that runs')
  map({ 'n', 'i' }, keys.cancel, function()
    if chat.state == 'running' or chat.state == 'waiting' then
      chat:cancel()
    else
      vim.cmd.stopinsert()
    end
  end, 'cancel the turn that runs')
  map('n', '<CR>', function()
    if in_prompt(chat) then
      chat:send()
    else
      open(chat)
    end
  end, 'send the prompt; on the conversation open, close or go to what is there')
  map('n', keys.close, function()
    chat:hide()
  end, 'close the window')
  map('n', keys.help, M.help, 'show these keys')
  map('n', 'u', function()
    chat.prompt:travel('undo')
  end, 'undo what you wrote')
  map('n', '<C-r>', function()
    chat.prompt:travel('redo')
  end, 'redo what you wrote')
  map('n', ']]', function()
    vim.fn.search('^## ❯', 'W')
  end, 'to the next prompt')
  map('n', '[[', function()
    vim.fn.search('^## ❯', 'bW')
  end, 'to the prompt before')
  for _, key in ipairs({ 'i', 'a', 'I', 'A', 'o', 'O' }) do
    map('n', key, function()
      return in_prompt(chat) and key or "<Cmd>lua require('aside.chat').of().prompt:enter()<CR>"
    end, 'write below', { expr = true })
  end
end

--- Shows the keys of this buffer.
function M.help()
  local lines = {}
  for _, mode in ipairs({ 'n', 'i', 'x' }) do
    for _, map in ipairs(vim.api.nvim_buf_get_keymap(0, mode)) do
      local what = (map.desc or ''):match('^aside: (.*)')
      if what and what ~= 'write below' then
        lines[#lines + 1] = (' %-3s %-9s %s '):format(mode, map.lhs, what)
      end
    end
  end
  table.sort(lines)
  local _, win = require('aside.float').open({
    lines = lines,
    title = ' Keys: mode, key, what it does ',
    enter = true,
  })
  vim.wo[win].wrap = false
end

return M
