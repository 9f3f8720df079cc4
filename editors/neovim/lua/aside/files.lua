--- Files that are open here: the server reads them as they are in their buffers, and changes them there.
local client = require('aside.client')

local M = {}

--- The loaded buffer of a file, however its name is written.
---@param path string
---@return integer?
function M.buffer(path)
  local real = vim.uv.fs_realpath(path) or path
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) and vim.bo[buf].buftype == '' then
      local name = vim.api.nvim_buf_get_name(buf)
      if
        name ~= ''
        and (name == path or vim.fs.normalize(name) == vim.fs.normalize(path) or vim.uv.fs_realpath(name) == real)
      then
        return buf
      end
    end
  end
end

---@param buf integer
---@return string
local function version(buf)
  return buf .. ':' .. vim.api.nvim_buf_get_changedtick(buf)
end

---@param path string
---@return aside.ReadFileResult
function M.read(path)
  local buf = M.buffer(path)
  if not buf then
    return {}
  end
  if not vim.bo[buf].modified then
    -- It may have been written by others meanwhile.
    vim.cmd('silent! checktime ' .. buf)
  end
  local ending = vim.bo[buf].fileformat == 'dos' and '\r\n' or '\n'
  local lines = vim.api.nvim_buf_get_lines(buf, 0, -1, false)
  local text = table.concat(lines, ending)
  if vim.bo[buf].endofline or vim.bo[buf].fixendofline and not vim.bo[buf].binary then
    text = (#lines == 1 and text == '') and '' or text .. ending
  end
  return { text = text, version = version(buf) }
end

--- Ends the step of undo that a buffer is in.
---@param buf integer
local function end_step(buf)
  vim.api.nvim_buf_call(buf, function()
    vim.cmd('let &l:undolevels = &l:undolevels')
  end)
end

--- The text after edits, which come in descending order.
---@param text string
---@param edits aside.TextEdit[]
---@return string
local function edited(text, edits)
  local starts = { 1 }
  for at in text:gmatch('()\n') do
    starts[#starts + 1] = at + 1
  end
  local function offset(line, byte)
    local at = assert(starts[line + 1]) + byte
    assert(at <= (starts[line + 2] or #text + 2) - (starts[line + 2] and 0 or 1))
    return at
  end
  for _, edit in ipairs(edits) do
    local from, to = offset(edit.startLine, edit.startByte), offset(edit.endLine, edit.endByte)
    text = text:sub(1, from - 1) .. edit.text .. text:sub(to)
  end
  return text
end

--- Gives a buffer another text. Only lines that differ are touched, so that marks and cursors stay where they are.
---@param buf integer
---@param text string
function M.set(buf, text)
  local bo = vim.bo[buf]
  if bo.fileformat == 'dos' then
    text = text:gsub('\r\n', '\n')
  end
  local ends = text:sub(-1) == '\n'
  local old = vim.api.nvim_buf_get_lines(buf, 0, -1, false)
  local new = vim.split(ends and text:sub(1, -2) or text, '\n', { plain = true })
  local hunks = vim.diff(table.concat(old, '\n') .. '\n', table.concat(new, '\n') .. '\n', { result_type = 'indices' })
  ---@cast hunks integer[][]
  for index = #hunks, 1, -1 do
    local at, gone, from, come = unpack(hunks[index])
    local first = gone == 0 and at or at - 1
    vim.api.nvim_buf_set_lines(buf, first, first + gone, false, vim.list_slice(new, from, from + come - 1))
  end
  if not ends and text ~= '' and bo.endofline then
    bo.endofline, bo.fixendofline = false, false
  elseif ends and not bo.endofline then
    bo.endofline = true
  end
end

--- Changes a buffer in one step of undo, or says why not.
---@param params aside.ApplyEditParams
---@return aside.ApplyEditResult
function M.apply(params)
  local function refused(reason)
    client.tell(
      ('a change of %s was not made: %s'):format(vim.fn.fnamemodify(params.path, ':~:.'), reason),
      vim.log.levels.WARN
    )
    return { applied = false, reason = reason }
  end
  -- Reading may find that others have written it.
  local text = M.read(params.path).text
  local buf = M.buffer(params.path)
  if not buf or not text then
    return refused('the file is not open in the editor any more; read it again')
  elseif params.version and params.version ~= version(buf) then
    return refused('it was changed in the editor since it was read; read it again')
  elseif not vim.bo[buf].modifiable then
    return refused('the editor does not let this file be changed (nomodifiable)')
  end
  local fine, result = pcall(edited, text, params.edits)
  if not fine then
    return refused('the change does not fit the text in the editor; read it again')
  end
  local was_clean = not vim.bo[buf].modified
  end_step(buf)
  M.set(buf, result)
  end_step(buf)
  if was_clean and not vim.bo[buf].readonly then
    -- What runs next reads the disk.
    local written, why = pcall(vim.api.nvim_buf_call, buf, function()
      vim.cmd('silent write')
    end)
    if not written then
      client.tell(
        ('%s was changed and could not be written: %s'):format(params.path, tostring(why)),
        vim.log.levels.WARN
      )
    end
  end
  return { applied = true }
end

return M
