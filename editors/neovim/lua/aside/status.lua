--- What there is to say of a conversation in few words.
local M = {}

---@class aside.Status
---@field state string
---@field model? string
---@field mode? string
---@field cost? number
---@field context? number the share of the context that is used, from 0 to 1
---@field questions integer questions that wait for an answer
---@field text string all of it

---@param tokens integer
local function short(tokens)
  if tokens >= 999500 then
    return ('%.1fM'):format(tokens / 1e6)
  end
  return tokens >= 1000 and ('%.0fk'):format(tokens / 1000) or tostring(tokens)
end
M.short = short

---@param chat aside.Chat
---@return aside.Status
function M.of(chat)
  local session, usage = chat.session or {}, chat.usage
  local words = {}
  if session.model then
    words[#words + 1] = session.model .. (session.thinking and ':' .. session.thinking or '')
  end
  if session.permissionMode then
    words[#words + 1] = session.permissionMode
  end
  if session.readOnly then
    words[#words + 1] = 'read only'
  end
  if usage and usage.contextWindow > 0 then
    words[#words + 1] = ('%s of %s (%d%%)'):format(
      short(usage.contextTokens),
      short(usage.contextWindow),
      usage.contextTokens * 100 / usage.contextWindow
    )
  end
  if usage and usage.cost then
    words[#words + 1] = ('%s%.2f'):format(
      usage.cost.currency == 'USD' and '$' or usage.cost.currency .. ' ',
      usage.cost.amount
    )
  end
  return {
    state = chat.state,
    model = session.model,
    mode = session.permissionMode,
    cost = usage and usage.cost and usage.cost.amount,
    context = usage and usage.contextWindow > 0 and usage.contextTokens / usage.contextWindow or nil,
    questions = require('aside.question').count(),
    text = table.concat(words, ' · '),
  }
end

--- For a statusline: of the chat in front or that was last in front. Empty where there is none.
---@return string
function M.line()
  local chat = package.loaded['aside.chat'] and require('aside.chat').current()
  if not chat then
    return ''
  end
  local status = M.of(chat)
  local word = status.questions > 0 and '?'
    or ({ running = '●', starting = '…', lost = '✗' })[status.state]
    or '○'
  return word .. ' ' .. status.text
end

return M
