--- Whether the agent may do more than read in a folder. The answers are Neovim's own: see `:help vim.secure`.
local config = require('aside.config')

local M = {}

-- Folders that somebody was asked about since Neovim began, and did not decide.
local asked = {}

---@param folder string
---@return boolean? known nil where nobody has decided
function M.known(folder)
  local trust = config.get().trust
  if type(trust) == 'boolean' then
    return trust
  elseif vim.is_callable(trust) then
    ---@cast trust fun(folder: string): boolean
    return trust(folder) == true
  end
  local real = vim.uv.fs_realpath(folder) or folder
  local file = io.open(vim.fn.stdpath('state') .. '/trust', 'r')
  local found
  if file then
    for line in file:lines() do
      local hash, path = line:match('^(%S+) (.+)$')
      if path == real then
        found = hash == 'directory'
      end
    end
    file:close()
  end
  return found
end

--- Asks once where nobody has decided and somebody is there.
---@param folder string
---@return boolean
function M.ask(folder)
  local known = M.known(folder)
  if known == nil and not asked[folder] and #vim.api.nvim_list_uis() > 0 then
    asked[folder] = true
    known = vim.secure.read(folder) == true
  end
  if not known then
    vim.notify(
      ('aside: %s is not trusted, so the agent may only read there; `:Aside trust` changes that'):format(folder),
      vim.log.levels.WARN
    )
  end
  return known == true
end

--- The user trusts a folder from now on.
---@param folder string
---@return boolean done
function M.allow(folder)
  if config.get().trust ~= 'ask' then
    return M.known(folder) == true
  end
  -- Neovim takes a folder only as a buffer.
  local buf = vim.fn.bufadd(folder)
  local fine, done = pcall(vim.secure.trust, { action = 'allow', bufnr = buf })
  vim.api.nvim_buf_delete(buf, { force = true })
  return fine and done
end

return M
