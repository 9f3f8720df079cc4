--- What waits behind the turn that runs: to be seen, changed and taken away.
local client = require('aside.client')

local M = {}

---@param entry aside.QueueEntry
---@return string
local function words(entry)
  for _, block in ipairs(entry.content) do
    if block.type == 'text' then
      return block.text
    end
  end
  return '(' .. (entry.content[1] and entry.content[1].type or 'nothing') .. ')'
end

---@param chat aside.Chat
function M.list(chat)
  if #chat.queue == 0 then
    return client.tell('nothing is queued', vim.log.levels.INFO)
  end
  vim.ui.select(chat.queue, {
    prompt = 'Queued',
    kind = 'aside_queue',
    format_item = function(entry)
      return (words(entry):gsub('\n.*', ' …'))
    end,
  }, function(entry)
    if not entry then
      return
    end
    vim.ui.select(
      { 'change it', 'send it first', 'take it away' },
      { prompt = words(entry), kind = 'aside_queue_entry' },
      function(_, number)
        local action
        if number == 1 then
          return vim.ui.input({ prompt = 'Queued: ', default = words(entry) }, function(text)
            if text and text ~= '' then
              local content = vim.tbl_filter(function(block)
                return block.type ~= 'text'
              end, entry.content)
              table.insert(content, 1, { type = 'text', text = text })
              client.request(
                'queue',
                { sessionId = chat.id, action = { type = 'edit', id = entry.id, content = content } }
              )
            end
          end)
        elseif number == 2 then
          action = { type = 'move', id = entry.id, before = chat.queue[1].id }
        elseif number == 3 then
          action = { type = 'remove', id = entry.id }
        end
        if action then
          client.request('queue', { sessionId = chat.id, action = action })
        end
      end
    )
  end)
end

return M
