--- What goes with a prompt: files, the selection, diagnostics, pictures; and its completion.
local M = {}

local IMAGES = { png = 'image/png', jpg = 'image/jpeg', jpeg = 'image/jpeg', gif = 'image/gif', webp = 'image/webp' }
-- A picture that is larger is more than any model takes.
local IMAGE_BYTES = 20 * 1024 * 1024
local SEVERITIES = { 'error', 'warning', 'info', 'hint' }

--- The window with a file that the user was last in.
---@return integer? win
local function file_window()
  local windows = { vim.api.nvim_get_current_win(), vim.fn.win_getid(vim.fn.winnr('#')) }
  vim.list_extend(windows, vim.api.nvim_tabpage_list_wins(0))
  for _, win in ipairs(windows) do
    if win ~= 0 and vim.api.nvim_win_is_valid(win) then
      local buf = vim.api.nvim_win_get_buf(win)
      if vim.bo[buf].buftype == '' and vim.api.nvim_buf_get_name(buf) ~= '' then
        return win
      end
    end
  end
end

---@param buf integer
---@param first integer 1-based
---@param last integer
---@return aside.ContentBlock.resource
function M.lines(buf, first, last)
  local name = vim.api.nvim_buf_get_name(buf)
  local text = table.concat(vim.api.nvim_buf_get_lines(buf, first - 1, last, false), '\n')
  return {
    type = 'resource',
    resource = { uri = vim.uri_from_fname(name) .. ('#L%d-L%d'):format(first, last), text = text },
  }
end

--- What was last selected in the file that the user was last in.
---@return aside.ContentBlock.resource?
function M.selection()
  local win = file_window()
  if not win then
    return nil
  end
  local buf = vim.api.nvim_win_get_buf(win)
  local first, last = vim.api.nvim_buf_get_mark(buf, '<'), vim.api.nvim_buf_get_mark(buf, '>')
  if first[1] == 0 then
    return nil
  end
  local block = M.lines(buf, first[1], last[1])
  if first[1] == last[1] or vim.fn.visualmode() == 'v' then
    local lines = vim.api.nvim_buf_get_lines(buf, first[1] - 1, last[1], false)
    lines[#lines] = lines[#lines]:sub(1, last[2] + 1)
    lines[1] = lines[1]:sub(first[2] + 1)
    block.resource.text = table.concat(lines, '\n')
  end
  return block
end

--- What language servers and linters complain about in the file that the user was last in.
---@return aside.ContentBlock.resource?
function M.diagnostics()
  local win = file_window()
  if not win then
    return nil
  end
  local buf = vim.api.nvim_win_get_buf(win)
  local name = vim.api.nvim_buf_get_name(buf)
  local lines = {}
  for _, each in ipairs(vim.diagnostic.get(buf)) do
    lines[#lines + 1] = ('%s:%d:%d: %s: %s'):format(
      name,
      each.lnum + 1,
      each.col + 1,
      SEVERITIES[each.severity] or 'error',
      (each.message:gsub('\n', ' '))
    )
  end
  if #lines == 0 then
    lines[1] = name .. ': no diagnostics'
  end
  return {
    type = 'resource',
    resource = { uri = vim.uri_from_fname(name) .. '#diagnostics', text = table.concat(lines, '\n') },
  }
end

---@param path string
---@return aside.ContentBlock?
local function file(path)
  local full = vim.fs.normalize(vim.fn.fnamemodify(vim.fn.expand(path), ':p'))
  local stat = vim.uv.fs_stat(full)
  if not stat then
    return nil
  end
  local mime = IMAGES[(full:match('%.(%w+)$') or ''):lower()]
  if mime and stat.size <= IMAGE_BYTES then
    local handle = io.open(full, 'rb')
    if handle then
      local data = handle:read('*a')
      handle:close()
      return { type = 'image', data = vim.base64.encode(data), mimeType = mime, uri = vim.uri_from_fname(full) }
    end
  end
  return { type = 'resource_link', uri = vim.uri_from_fname(full), name = path }
end

--- A draft as the server takes it. Words that begin with `@` and mean nothing are left as they are.
---@param draft aside.Draft
---@return aside.ContentBlock[]
function M.content(draft)
  local text = vim.trim(table.concat(draft.lines, '\n'))
  local blocks, seen = vim.list_extend({}, draft.blocks or {}), {}
  for word in (' ' .. text):gmatch('%s@(%S+)') do
    local name = word:gsub('[,.;:!?)]+$', '')
    if not seen[name] then
      seen[name] = true
      local block
      if name == 'selection' then
        block = M.selection()
      elseif name == 'diagnostics' then
        block = M.diagnostics()
      else
        block = file(word) or file(name)
      end
      blocks[#blocks + 1] = block
    end
  end
  for _, image in ipairs(draft.images) do
    blocks[#blocks + 1] = { type = 'image', data = image.data, mimeType = image.mimeType }
  end
  if text ~= '' then
    table.insert(blocks, 1, { type = 'text', text = text })
  end
  return blocks
end

--- Completes `@` and, where the server has commands, `/`. blink and nvim-cmp have sources for omnifuncs.
---@param findstart 0|1
---@param base string
function M.omnifunc(findstart, base)
  if findstart == 1 then
    local before = vim.api.nvim_get_current_line():sub(1, vim.api.nvim_win_get_cursor(0)[2])
    local at = before:find('@%S*$') or before:find('^/%S*$')
    return at and at - 1 or -3
  end
  local found = {}
  local function add(word, menu)
    if vim.startswith(word:lower(), base:lower()) then
      found[#found + 1] = { word = word, menu = menu, icase = 1, dup = 0 }
    end
  end
  if base:sub(1, 1) == '/' then
    local info = require('aside.client').info()
    for _, command in ipairs(info and info.capabilities.commands or {}) do
      add('/' .. command.name, command.description)
    end
    return found
  end
  add('@selection', 'what is selected')
  add('@diagnostics', 'what is complained about')
  local seen = {}
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    local name = vim.api.nvim_buf_get_name(buf)
    if vim.bo[buf].buflisted and vim.bo[buf].buftype == '' and name ~= '' then
      local short = vim.fn.fnamemodify(name, ':.')
      seen[short] = true
      add('@' .. short, 'open')
    end
  end
  for _, path in ipairs(vim.fn.getcompletion(base:sub(2), 'file')) do
    if not seen[path] then
      add('@' .. path, path:sub(-1) == '/' and 'folder' or 'file')
    end
  end
  return found
end

-- What prints the picture in the clipboard, by the system's program.
local CLIPBOARDS = {
  { 'wl-paste', '--no-newline', '--type', 'image/png' },
  { 'xclip', '-selection', 'clipboard', '-target', 'image/png', '-out' },
  { 'pngpaste', '-' },
  {
    'powershell.exe',
    '-NoProfile',
    '-Command',
    'Add-Type -AssemblyName System.Windows.Forms; $i = [Windows.Forms.Clipboard]::GetImage(); if ($i) { '
      .. '$m = New-Object IO.MemoryStream; $i.Save($m, [Drawing.Imaging.ImageFormat]::Png); '
      .. '$o = [Console]::OpenStandardOutput(); $o.Write($m.ToArray(), 0, $m.Length) }',
  },
}

--- The programs that can read a picture from the clipboard here.
---@return string[][]
function M.clipboards()
  return vim.tbl_filter(function(command)
    local needs = command[1] == 'wl-paste' and 'WAYLAND_DISPLAY' or command[1] == 'xclip' and 'DISPLAY'
    return vim.fn.executable(command[1]) == 1 and (not needs or vim.env[needs] ~= nil)
  end, CLIPBOARDS)
end

--- Attaches the picture in the clipboard to what is written.
---@param chat aside.Chat
function M.paste_image(chat)
  local client = require('aside.client')
  local command = M.clipboards()[1]
  if not command then
    return client.tell(
      'no program can read pictures from the clipboard: install wl-clipboard, xclip or pngpaste',
      vim.log.levels.WARN
    )
  end
  vim.system(command, { timeout = 10000 }, function(result)
    vim.schedule(function()
      local data = result.stdout or ''
      if result.code ~= 0 or data:sub(1, 8) ~= '\137PNG\r\n\26\n' then
        return client.tell('there is no picture in the clipboard', vim.log.levels.WARN)
      elseif #data > IMAGE_BYTES then
        return client.tell('the picture in the clipboard is larger than 20 MiB: make it smaller', vim.log.levels.WARN)
      end
      table.insert(chat.prompt.images, { data = vim.base64.encode(data), mimeType = 'image/png' })
      chat.prompt:draw()
    end)
  end)
end

return M
