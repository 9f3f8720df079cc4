--- The one connection of this Neovim with its server: begun at first use, begun anew when it dies.
local config = require('aside.config')
local rpc = require('aside.rpc')

local M = {}

--- The version of the protocol that this plugin speaks.
M.PROTOCOL = 1

--- The command that installs the server: from the checkout that this plugin lies in, where it lies in one.
---@return string
function M.install()
  local root = vim.fn.fnamemodify(debug.getinfo(1, 'S').source:sub(2), ':p:h:h:h:h:h')
  local here = vim.uv.fs_stat(root .. '/Cargo.toml') and vim.uv.fs_stat(root .. '/protocol')
  return 'cargo install --locked ' .. (here and '--path ' .. vim.fn.fnamemodify(root, ':~') or 'aside')
end

-- A server that dies this often within a minute is not begun again unasked.
local DEATHS = 3
local MINUTE_MS = 60000

---@type aside.Rpc?
local server
---@type aside.InitializeResult?
local ready
---@type (fun(fault: aside.RpcError?))[]
local starting = {}
---@type integer[]
local deaths = {}
local watched = false

--- What is open here, by the conversation's id.
---@type table<string, aside.Chat>
M.chats = {}

---@return aside.InitializeResult? info what the server has said of itself; nil while none runs
function M.info()
  return ready
end

---@return integer? pid of the server, while one runs
function M.pid()
  return server and server.pid
end

--- Lets others know, as a `User` autocommand.
---@param name string
---@param data? table
function M.emit(name, data)
  vim.api.nvim_exec_autocmds('User', { pattern = 'Aside' .. name, modeline = false, data = data or {} })
end

--- Says what went wrong and what to do.
---@param fault aside.RpcError|string
---@param level? integer
function M.tell(fault, level)
  local text = type(fault) == 'table' and fault.message or fault --[[@as string]]
  local hint = type(fault) == 'table' and (fault.hint or (fault.kind == 'authRequired' and '`:Aside login` signs in'))
    or nil
  -- Not at once: an error that is told within a command would end the command.
  vim.schedule(function()
    vim.notify('aside: ' .. text .. (hint and ': ' .. hint or ''), level or vim.log.levels.ERROR)
  end)
end

--- What a server answers is checked before it is used.
---@param result aside.InitializeResult
---@return string? fault
function M.unfit(result)
  local version = type(result) == 'table' and result.protocolVersion
  local name = 'the server `' .. table.concat(config.get().cmd, ' ') .. '`'
  local layouts = type(result) == 'table' and type(result.capabilities) == 'table' and result.capabilities.layouts
  if type(version) ~= 'number' then
    return name .. ' does not speak the protocol of Aside: is `vim.g.aside.cmd` right?'
  elseif version > M.PROTOCOL then
    return name .. ' is too new for this plugin: update the plugin'
  elseif version < M.PROTOCOL or not vim.list_contains(layouts or {}, 'lines') then
    return name .. ' is too old for this plugin: update it with `' .. M.install() .. '`'
  end
end

--- Begins the server, and opens again what is open.
---@param done? fun()
local function revive(done)
  M.start(function(fault)
    if fault then
      return M.tell(fault)
    end
    for _, chat in pairs(M.chats) do
      chat:reopen()
    end
    if done then
      done()
    end
  end)
end

local function died(rpc_, code, signal, stderr)
  if rpc_ ~= server then
    return
  end
  server = nil
  local was_ready = ready
  ready = nil
  M.emit('ServerEnd', { code = code, signal = signal })
  local how = signal ~= 0 and 'signal ' .. signal or 'status ' .. code
  local said = stderr ~= '' and ' (' .. stderr:gsub('%s+', ' '):sub(-300) .. ')' or ''
  if not was_ready then
    local waiting = starting
    starting = {}
    local fault = {
      message = ('`%s` ended with %s before it answered%s'):format(table.concat(config.get().cmd, ' '), how, said),
      hint = '`:checkhealth aside` looks for the reason',
      code = 0,
      kind = 'ended',
    }
    for _, callback in ipairs(waiting) do
      callback(fault)
    end
    return
  end
  for _, chat in pairs(M.chats) do
    chat:lost()
  end
  local now = vim.uv.now()
  deaths = vim.tbl_filter(function(at)
    return now - at < MINUTE_MS
  end, deaths)
  deaths[#deaths + 1] = now
  if #deaths > DEATHS then
    M.tell(('the server has died %d times within a minute, at last with %s%s'):format(#deaths, how, said))
    M.tell('nothing that was said is lost; `:Aside restart` begins it again', vim.log.levels.WARN)
  elseif next(M.chats) then
    M.tell(
      ('the server died with %s%s; it is begun again, and nothing that was said is lost'):format(how, said),
      vim.log.levels.WARN
    )
    revive()
  end
end

local function watch()
  if watched then
    return
  end
  watched = true
  local group = vim.api.nvim_create_augroup('aside_client', { clear = true })
  vim.api.nvim_create_autocmd('VimLeavePre', {
    group = group,
    callback = function()
      M.stop(300)
    end,
  })
end

--- Begins the server where none runs. The callback hears when it can be used.
---@param callback fun(fault: aside.RpcError?)
function M.start(callback)
  if ready then
    return callback()
  end
  starting[#starting + 1] = callback
  if server then
    return
  end
  watch()
  local function fail(fault)
    local waiting = starting
    starting = {}
    for _, each in ipairs(waiting) do
      each(fault)
    end
  end
  local options = config.get()
  local program = options.cmd[1]
  if vim.fn.executable(program) == 0 then
    return fail({
      message = ('the server `%s` was not found'):format(program),
      hint = ('install it with `%s`, or name it in `vim.g.aside.cmd`'):format(M.install()),
      code = 0,
      kind = 'missing',
    })
  end
  local fault
  server, fault = rpc.start(options.cmd, options.env, {
    request = function(from, id, method, params)
      require('aside.requests').handle(from, id, method, params)
    end,
    notification = M.heard,
    ended = died,
  })
  if not server then
    return fail({
      message = ('the server `%s` could not be started: %s'):format(program, fault),
      code = 0,
      kind = 'missing',
    })
  end
  local this = server
  this:request('initialize', {
    protocolVersion = M.PROTOCOL,
    clientInfo = { name = 'aside.nvim', version = tostring(vim.version()) },
    processId = vim.uv.os_getpid(),
    capabilities = require('aside.requests').CAPABILITIES,
    settings = next(options.settings) and options.settings or nil,
    cwd = vim.fn.getcwd(),
    workspaceTrusted = require('aside.trust').known(vim.fn.getcwd()),
  }, function(refusal, result)
    if refusal then
      if refusal.kind ~= 'ended' then
        this:stop(100)
        fail(refusal)
      end
      return
    end
    local unfit = M.unfit(result)
    if unfit then
      server = nil
      this:stop(100)
      return fail({ message = unfit, code = 0, kind = 'unfit' })
    end
    ready = result
    for _, problem in ipairs(result.diagnostics or {}) do
      M.tell(('%s:%d: %s'):format(problem.path, problem.line, problem.message), vim.log.levels.WARN)
    end
    M.emit('Ready', { server = result.serverInfo })
    local waiting = starting
    starting = {}
    for _, each in ipairs(waiting) do
      each()
    end
  end)
end

--- Ends the server and forgets it.
---@param patience integer milliseconds
function M.stop(patience)
  local this = server
  server, ready = nil, nil
  if this then
    this:stop(patience)
  end
end

--- Ends the server and begins another; what is open is opened again.
function M.restart()
  deaths = {}
  for _, chat in pairs(M.chats) do
    chat:lost()
  end
  M.stop(1000)
  revive(function()
    M.tell('the server was begun again', vim.log.levels.INFO)
  end)
end

--- Asks the server, which is begun where none runs. Without a callback a refusal is told.
---@param method string
---@param params table
---@param callback? fun(fault: aside.RpcError?, result: any)
---@param on_id? fun(id: integer, cancel: fun()) hears under which id the request went out
function M.request(method, params, callback, on_id)
  callback = callback or function(fault)
    if fault then
      M.tell(fault)
    end
  end
  M.start(function(fault)
    local this = server
    if fault or not this then
      return callback(fault or { message = 'the server has ended', code = 0, kind = 'ended' })
    end
    local id = this:request(method, params, callback)
    if on_id then
      on_id(id, function()
        this:notify('$/cancelRequest', { id = id })
      end)
    end
  end)
end

--- Tells the server, where one runs.
---@param method string
---@param params table
function M.notify(method, params)
  if server and ready then
    server:notify(method, params)
  end
end

--- A notification has come.
---@param method string
---@param params table
function M.heard(method, params)
  if method == 'event' then
    local chat = M.chats[params.sessionId]
    if chat then
      chat:event(params)
    end
  elseif method == 'loginProgress' then
    require('aside.login').progress(params)
  elseif method == '$/cancelRequest' then
    require('aside.requests').cancel(params.id)
  elseif method == 'accountsChanged' then
    M.emit('Accounts', params)
  elseif method == 'modelsChanged' then
    M.emit('Models')
  end
end

return M
