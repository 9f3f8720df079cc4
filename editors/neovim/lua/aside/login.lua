--- Signing in and out. The server does it; here the user is asked and shown what it needs.
local client = require('aside.client')
local float = require('aside.float')

local M = {}

local METHODS = { apiKey = 'an API key', browser = 'a page in the browser', deviceCode = 'a code, typed on any device' }

---@type { cancel: fun(), name: string, request?: string, page?: integer, code?: { close: fun() } }?
local current

---@param text string
local function copy(text)
  pcall(vim.fn.setreg, '+', text)
  vim.fn.setreg('"', text)
end

--- Opens a page. Whatever happens, its address can be read and pasted elsewhere: this may be another machine than the
--- one with the browser.
---@param url string
---@param message string
---@return boolean opened
function M.open_url(url, message)
  if not url:find('^https?://') then
    return false
  end
  if not current then
    vim.notify(('aside: %s: %s'):format(message, url), vim.log.levels.INFO)
  elseif not current.code then
    -- With a code its address is shown already, and the code is what is pasted.
    copy(url)
    if current.page and vim.api.nvim_win_is_valid(current.page) then
      vim.api.nvim_win_close(current.page, true)
    end
    local lines = { url, '', 'It is in the clipboard. `:Aside login cancel` ends the sign-in.' }
    local _, win = float.open({ lines = lines, title = (' %s '):format(message), corner = true })
    current.page = win
  end
  local fine, process = pcall(vim.ui.open, url)
  return fine and process ~= nil
end

--- Shows a code until it was typed.
---@param params aside.ShowDeviceCodeParams
---@param reply aside.Reply
---@return fun() close
function M.device_code(params, reply)
  local minutes = math.max(math.floor((params.expiresAtMs - os.time() * 1000) / 60000), 0)
  local lines = {
    '',
    '  On this page:   ' .. params.url,
    '  type the code:  ' .. params.code,
    '',
    ('  good for %d minutes; it is in the clipboard'):format(minutes),
    '',
    '  o opens the page   y copies the code   c cancels   q hides this',
    '',
  }
  copy(params.code)
  local closed = false
  local buf, win
  local function close()
    if not closed then
      closed = true
      if vim.api.nvim_win_is_valid(win) then
        vim.api.nvim_win_close(win, true)
      end
      if current then
        current.code = nil
      end
      reply({})
    end
  end
  buf, win = float.open({ lines = lines, title = ' Sign in ', enter = vim.fn.mode() ~= 'i' })
  if current then
    current.code = { close = close }
  end
  local function map(key, run, desc)
    vim.keymap.set('n', key, run, { buffer = buf, nowait = true, desc = 'aside: ' .. desc })
  end
  map('o', function()
    M.open_url(params.url, 'Sign in')
  end, 'open the page')
  map('y', function()
    copy(params.code)
  end, 'copy the code')
  map('c', function()
    M.cancel()
  end, 'cancel the sign-in')
  local row = 2
  vim.api.nvim_buf_set_extmark(
    buf,
    require('aside.draw').ns,
    row,
    18,
    { end_col = #lines[row + 1], hl_group = 'AsideKey' }
  )
  return close
end

--- The server says how a sign-in goes on.
---@param params aside.LoginProgress
function M.progress(params)
  if current and current.request == params.requestId then
    -- Pages and codes come as questions too, with more to do than read.
    if not params.message:find('https?://') then
      vim.notify('aside: ' .. params.message, vim.log.levels.INFO)
    end
  end
end

function M.cancel()
  if current then
    current.cancel()
  else
    client.tell('no sign-in is under way', vim.log.levels.INFO)
  end
end

---@param provider aside.ProviderInfo
---@param method aside.LoginMethod?
local function begin(provider, method)
  client.request('login', { provider = provider.id, method = method }, function(fault, result)
    local was = current
    current = nil
    if was and was.code then
      was.code.close()
    end
    if was and was.page and vim.api.nvim_win_is_valid(was.page) then
      vim.api.nvim_win_close(was.page, true)
    end
    if fault and fault.kind == 'cancelled' then
      return client.tell('the sign-in to ' .. provider.name .. ' was cancelled', vim.log.levels.INFO)
    elseif fault then
      return client.tell(fault)
    end
    local account = result.account
    local who = account.identity and ' as ' .. account.identity or ''
    client.tell(
      'signed in to ' .. provider.name .. who .. (account.hint and ': ' .. account.hint or ''),
      vim.log.levels.INFO
    )
  end, function(id, cancel)
    current = { name = provider.name, request = tostring(id), cancel = cancel }
  end)
end

---@param id? string a provider's; asked for where it is missing
---@param method? string
function M.login(id, method)
  if current then
    return client.tell(
      ('a sign-in to %s is under way; `:Aside login cancel` ends it'):format(current.name),
      vim.log.levels.WARN
    )
  end
  client.request('listProviders', {}, function(fault, result)
    if fault then
      return client.tell(fault)
    end
    local function choose_method(provider)
      local methods = provider.loginMethods
      if #methods == 0 then
        client.tell(provider.name .. ' needs no sign-in', vim.log.levels.INFO)
      elseif method and not vim.list_contains(methods, method) then
        client.tell(
          ('%s has no sign-in by %s, only %s'):format(provider.name, method, table.concat(methods, ', ')),
          vim.log.levels.WARN
        )
      elseif method or #methods == 1 then
        begin(provider, method or methods[1])
      else
        vim.ui.select(methods, {
          prompt = 'Sign in to ' .. provider.name .. ' with',
          kind = 'aside_login_method',
          format_item = function(each)
            return METHODS[each] or each
          end,
        }, function(each)
          if each then
            begin(provider, each)
          end
        end)
      end
    end
    local providers = vim.tbl_filter(function(provider)
      return #provider.loginMethods > 0
    end, result.providers)
    for _, provider in ipairs(result.providers) do
      if provider.id == id then
        return choose_method(provider)
      end
    end
    if id then
      client.tell(('there is no provider `%s`; `:Aside login` lists them'):format(id), vim.log.levels.WARN)
    end
    vim.ui.select(providers, {
      prompt = 'Sign in to',
      kind = 'aside_provider',
      format_item = function(provider)
        return ('%s %s'):format(provider.available and '✓' or ' ', provider.name)
      end,
    }, function(provider)
      if provider then
        choose_method(provider)
      end
    end)
  end)
end

---@param id? string
function M.logout(id)
  local function out(provider)
    client.request('logout', { provider = provider }, function(fault, result)
      if fault then
        return client.tell(fault)
      end
      client.tell(
        result.removed and 'signed out of ' .. provider or 'nothing is stored for ' .. provider,
        vim.log.levels.INFO
      )
    end)
  end
  if id then
    return out(id)
  end
  client.request('authStatus', {}, function(fault, result)
    if fault then
      return client.tell(fault)
    end
    local accounts = vim.tbl_filter(function(account)
      return account.source == 'authFile'
    end, result.accounts)
    if #accounts == 0 then
      return client.tell('nothing is stored', vim.log.levels.INFO)
    end
    vim.ui.select(accounts, {
      prompt = 'Sign out of',
      kind = 'aside_account',
      format_item = function(account)
        return account.provider .. (account.identity and '  ' .. account.identity or '')
      end,
    }, function(account)
      if account then
        out(account.provider)
      end
    end)
  end)
end

return M
