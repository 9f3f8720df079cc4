--- The server's process, and JSON-RPC with it: one message a line.
---
--- What comes is read in libuv's callbacks and handed over in batches, in the order in which it came.
local M = {}

---@class aside.Rpc
---@field pid integer
---@field private process vim.SystemObj
---@field private inbox table[]
---@field private scheduled boolean
---@field private last integer
---@field private waiting table<integer, fun(fault: aside.RpcError?, result: any)>
---@field private stderr string[]
---@field ended boolean
local Rpc = {}
Rpc.__index = Rpc

-- Enough of standard error to say why a server died.
local STDERR_LINES = 20
local DECODING = { luanil = { object = true, array = true } }

---@class aside.Listener
---@field request fun(rpc: aside.Rpc, id: any, method: string, params: table)
---@field notification fun(method: string, params: table)
---@field ended fun(rpc: aside.Rpc, code: integer, signal: integer, stderr: string)

---@param cmd string[]
---@param env table<string, string>
---@param listener aside.Listener
---@return aside.Rpc? rpc
---@return string? fault
function M.start(cmd, env, listener)
  local self = setmetatable({ inbox = {}, scheduled = false, last = 0, waiting = {}, stderr = {}, ended = false }, Rpc)
  -- The pieces of a line that is not whole yet.
  local pieces = {}

  local function take(line)
    local fine, message = pcall(vim.json.decode, line, DECODING)
    if fine and type(message) == 'table' then
      self.inbox[#self.inbox + 1] = message
    elseif line:find('%S') then
      self.stderr[#self.stderr + 1] = line:sub(1, 300)
    end
  end

  local function schedule()
    if not self.scheduled then
      self.scheduled = true
      vim.schedule(function()
        self:drain(listener)
      end)
    end
  end

  local function read(_, data)
    if not data then
      return
    end
    local from = 1
    while true do
      local at = data:find('\n', from, true)
      if not at then
        break
      end
      pieces[#pieces + 1] = data:sub(from, at - 1)
      take(#pieces == 1 and pieces[1] or table.concat(pieces))
      pieces, from = {}, at + 1
    end
    if from <= #data then
      pieces[#pieces + 1] = data:sub(from)
    end
    if #self.inbox > 0 then
      schedule()
    end
  end

  local function complain(_, data)
    for line in vim.gsplit(data or '', '\n', { trimempty = true }) do
      self.stderr[#self.stderr + 1] = line:sub(1, 300)
      if #self.stderr > STDERR_LINES then
        table.remove(self.stderr, 1)
      end
    end
  end

  local fine, process = pcall(vim.system, cmd, {
    stdin = true,
    stdout = read,
    stderr = complain,
    text = false,
    env = next(env) and env or nil,
  }, function(result)
    self.ended = true
    vim.schedule(function()
      self:drain(listener)
      local gone = { message = 'the server has ended', code = 0, kind = 'ended' }
      local waiting = self.waiting
      self.waiting = {}
      for _, callback in pairs(waiting) do
        callback(gone)
      end
      listener.ended(self, result.code, result.signal, table.concat(self.stderr, '\n'))
    end)
  end)
  if not fine then
    return nil, tostring(process)
  end
  self.process, self.pid = process, process.pid
  return self
end

---@param listener aside.Listener
function Rpc:drain(listener)
  self.scheduled = false
  local inbox = self.inbox
  self.inbox = {}
  for _, message in ipairs(inbox) do
    local fine, fault = xpcall(function()
      if message.method and message.id ~= nil then
        listener.request(self, message.id, message.method, message.params or {})
      elseif message.method then
        listener.notification(message.method, message.params or {})
      else
        local callback = self.waiting[message.id]
        self.waiting[message.id or 0] = nil
        if callback then
          local refusal = message.error
          callback(refusal and {
            message = tostring(refusal.message),
            code = refusal.code,
            kind = refusal.data and refusal.data.kind,
            hint = refusal.data and refusal.data.hint,
          }, message.result)
        end
      end
    end, debug.traceback)
    if not fine then
      -- One message that cannot be used takes none of the others with it.
      vim.notify('aside: ' .. tostring(fault), vim.log.levels.ERROR)
    end
  end
end

---@param message table
function Rpc:send(message)
  message.jsonrpc = '2.0'
  if not self.ended then
    pcall(self.process.write, self.process, vim.json.encode(message) .. '\n')
  end
end

---@class aside.RpcError
---@field message string
---@field code integer
---@field kind? string
---@field hint? string

---@param method string
---@param params table
---@param callback? fun(fault: aside.RpcError?, result: any)
---@return integer id
function Rpc:request(method, params, callback)
  self.last = self.last + 1
  self.waiting[self.last] = callback or function() end
  self:send({ id = self.last, method = method, params = next(params) and params or vim.empty_dict() })
  return self.last
end

---@param method string
---@param params table
function Rpc:notify(method, params)
  self:send({ method = method, params = params })
end

---@param id any
---@param result table
function Rpc:answer(id, result)
  self:send({ id = id, result = next(result) and result or vim.empty_dict() })
end

---@param id any
---@param code integer
---@param message string
function Rpc:refuse(id, code, message)
  self:send({ id = id, error = { code = code, message = message } })
end

--- Ends the server: it saves what it has when its input ends, and is ended when it takes too long.
---@param patience integer milliseconds
function Rpc:stop(patience)
  if self.ended then
    return
  end
  pcall(self.process.write, self.process, nil)
  vim.wait(patience, function()
    return self.ended
  end, 5)
  if not self.ended then
    self.process:kill('sigterm')
  end
end

return M
