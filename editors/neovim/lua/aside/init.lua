--- What other plugins and a user's configuration may call.
local M = {}

--- Not needed: it sets what it is given in `vim.g.aside`.
---@param options? aside.Config
function M.setup(options)
  local given = vim.g.aside
  vim.g.aside = vim.tbl_deep_extend('force', type(given) == 'table' and given or {}, options or {})
end

--- One line for a statusline, such as `%{%v:lua.require'aside'.status()%}`; costs nothing before the first use.
---@return string
function M.status()
  if not package.loaded['aside.chat'] then
    return ''
  end
  return (require('aside.status').line():gsub('%%', '%%%%'))
end

--- The same as a table; nil where there is no conversation.
---@return aside.Status?
function M.info()
  local chat = package.loaded['aside.chat'] and require('aside.chat').current()
  return chat and require('aside.status').of(chat) or nil
end

--- Says something to the agent, in the conversation in front or a new one.
---@param text string
function M.ask(text)
  require('aside.command').ask(text)
end

return M
