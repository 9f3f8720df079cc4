--- What the server asks the editor. Each is answered once; a question that is taken back is closed.
local client = require('aside.client')

local M = {}

---@type aside.ClientCapabilities
M.CAPABILITIES = {
  requestPermission = true,
  promptUser = true,
  readFile = true,
  applyEdit = true,
  openUrl = true,
  showDeviceCode = true,
}

--- What closes a question that is open, by the request's id.
---@type table<any, fun()>
local open = {}

---@alias aside.Reply fun(result: table)

---@type table<string, fun(params: table, reply: aside.Reply): fun()?>
local HANDLERS = {
  requestPermission = function(params, reply)
    return require('aside.question').permission(params, reply)
  end,
  promptUser = function(params, reply)
    return require('aside.question').form(params, reply)
  end,
  readFile = function(params, reply)
    local file = require('aside.files').read(params.path)
    -- That it is not open is said, not left out.
    file.text = file.text or vim.NIL
    reply(file)
  end,
  applyEdit = function(params, reply)
    reply(require('aside.files').apply(params))
  end,
  openUrl = function(params, reply)
    reply({ opened = require('aside.login').open_url(params.url, params.message) })
  end,
  showDeviceCode = function(params, reply)
    return require('aside.login').device_code(params, reply)
  end,
}

---@param from aside.Rpc
---@param id any
---@param method string
---@param params table
function M.handle(from, id, method, params)
  local handler = HANDLERS[method]
  if not handler then
    return from:refuse(id, -32601, 'aside.nvim does not know ' .. method)
  end
  local answered = false
  local function reply(result)
    if not answered then
      answered = true
      open[id] = nil
      from:answer(id, result)
    end
  end
  local fine, close = xpcall(handler, debug.traceback, params, reply)
  if not fine then
    client.tell(tostring(close))
    if not answered then
      answered = true
      from:refuse(id, -32603, 'aside.nvim failed at ' .. method)
    end
  elseif close then
    open[id] = not answered and close or nil
  end
end

--- The server takes a question back.
---@param id any
function M.cancel(id)
  local close = open[id]
  open[id] = nil
  if close then
    close()
  end
end

return M
