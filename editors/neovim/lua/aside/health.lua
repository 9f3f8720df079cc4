--- `:checkhealth aside`
local M = {}

local OLDEST = 'nvim-0.11'

local function settings()
  vim.health.start('aside: settings')
  local config, faults = require('aside.config').check(vim.g.aside)
  for _, fault in ipairs(faults) do
    vim.health.error(fault)
  end
  if #faults == 0 then
    vim.health.ok(vim.g.aside == nil and 'nothing is set, and nothing has to be' or '`vim.g.aside` is understood')
  end
  return config
end

---@param config aside.Config
---@return boolean found
local function program(config)
  vim.health.start('aside: the server')
  local client = require('aside.client')
  local found = vim.fn.exepath(config.cmd[1])
  if found == '' then
    vim.health.error(('`%s` was not found'):format(config.cmd[1]), {
      'install it: `' .. client.install() .. '`',
      'or name it: `vim.g.aside = { cmd = { "/where/it/is/aside", "serve" } }`',
    })
    return false
  end
  vim.health.ok(found)
  local done, fault = false, nil
  client.start(function(failure)
    done, fault = true, failure
  end)
  if not vim.wait(10000, function()
    return done
  end, 20) then
    vim.health.error(
      'it did not answer within 10 seconds',
      { 'run `' .. table.concat(config.cmd, ' ') .. '` in a terminal' }
    )
    return false
  elseif fault then
    vim.health.error(fault.message, fault.hint)
    return false
  end
  local info = client.info()
  vim.health.ok(
    ('it answers: %s %s, protocol %d'):format(
      info.serverInfo.name,
      info.serverInfo.version or '?',
      info.protocolVersion
    )
  )
  if info.capabilities.storage == 'memory' then
    vim.health.warn(
      'conversations cannot be kept: no folder for them can be written',
      { '`aside doctor` in a terminal says why' }
    )
  else
    vim.health.ok('conversations are kept')
  end
  for _, problem in ipairs(info.diagnostics or {}) do
    vim.health.warn(('%s:%d: %s'):format(problem.path, problem.line, problem.message))
  end
  return true
end

local function accounts()
  vim.health.start('aside: models')
  local done = false
  require('aside.client').request('listModels', { available = true }, function(fault, result)
    done = true
    if fault then
      return vim.health.error(fault.message, fault.hint)
    end
    local real = vim.tbl_filter(function(model)
      return model.provider ~= 'demo'
    end, result.models)
    if #real == 0 then
      vim.health.warn(
        'only the demo model can be used',
        { '`:Aside login` signs in to a provider', '`aside import` takes over what other programs know' }
      )
    else
      vim.health.ok(('%d models can be used; the default is %s'):format(#real, result.defaultModel or 'none'))
    end
  end)
  vim.wait(10000, function()
    return done
  end, 20)
end

local function editor()
  vim.health.start('aside: Neovim')
  for _, parser in ipairs({ 'markdown', 'markdown_inline' }) do
    if pcall(vim.treesitter.language.inspect, parser) then
      vim.health.ok('parser `' .. parser .. '`')
    else
      vim.health.warn(
        'no parser `' .. parser .. '`: the chat is highlighted with less',
        { 'install it, or set `markdown = false`' }
      )
    end
  end
  local clipboard = require('aside.context').clipboards()[1]
  if clipboard then
    vim.health.ok('pictures in the clipboard are read by `' .. clipboard[1] .. '`')
  else
    vim.health.info('no program for pictures in the clipboard: wl-clipboard, xclip or pngpaste')
  end
  local folder = vim.fn.getcwd()
  if require('aside.trust').known(folder) then
    vim.health.ok(folder .. ' is trusted')
  else
    vim.health.info(folder .. ' is not trusted, so the agent only reads there: `:Aside trust` changes that')
  end
end

function M.check()
  vim.health.start('aside')
  if vim.fn.has(OLDEST) == 0 then
    return vim.health.error('Neovim 0.11 or later is needed', { 'update Neovim' })
  end
  vim.health.ok('Neovim ' .. tostring(vim.version()))
  local config = settings()
  if program(config) then
    accounts()
  end
  editor()
end

return M
