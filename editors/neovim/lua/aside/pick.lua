--- Lists to choose from, through `vim.ui.select`: models, thinking levels, modes and conversations.
local chats = require('aside.chat')
local client = require('aside.client')
local short = require('aside.status').short

local M = {}

local MODES = {
  plan = 'plan: nothing that has an effect',
  ask = 'ask: reads in the folder, everything else asks',
  acceptEdits = 'acceptEdits: edits in the folder too',
  full = 'full: everything that no rule asks about or denies',
}

---@param model aside.ModelInfo
---@return string
function M.format_model(model)
  local cost = model.cost
  local price = (cost.input == 0 and cost.output == 0) and 'free' or ('$%g in, $%g out'):format(cost.input, cost.output)
  local words = { ('%s/%s'):format(model.provider, model.id), short(model.contextWindow) .. ' context', price }
  if #model.thinkingLevels > 0 then
    words[#words + 1] = 'thinks: ' .. table.concat(model.thinkingLevels, ' ')
  end
  if not model.available then
    words[#words + 1] = model.reason or 'not available'
  end
  return table.concat(words, '  ')
end

---@param list fun(callback: fun(chat: aside.Chat))
local function with_chat(list)
  local chat = chats.current()
  if not chat then
    chat = chats.new()
    chat:show(true)
  end
  list(chat)
end

--- Chooses a model, or takes the one that is named.
---@param name? string
function M.model(name)
  with_chat(function(chat)
    if name then
      return chat:configure({ model = name })
    end
    client.request('listModels', { available = true }, function(fault, result)
      if fault then
        return client.tell(fault)
      end
      vim.ui.select(
        result.models,
        { prompt = 'Model', kind = 'aside_model', format_item = M.format_model },
        function(model)
          if model then
            chat:configure({ model = model.provider .. '/' .. model.id })
          end
        end
      )
    end)
  end)
end

---@param level? string
function M.thinking(level)
  with_chat(function(chat)
    if level then
      return chat:configure({ thinking = level })
    end
    chat:ready(function()
      client.request(
        'listModels',
        { patterns = chat.session.model and { chat.session.model } or nil },
        function(fault, result)
          if fault then
            return client.tell(fault)
          end
          local levels = result.models[1] and result.models[1].thinkingLevels or {}
          if #levels == 0 then
            return client.tell(
              (chat.session.model or 'this model') .. ' has no levels of thinking',
              vim.log.levels.INFO
            )
          end
          vim.ui.select(levels, { prompt = 'Thinking', kind = 'aside_thinking' }, function(choice)
            if choice then
              chat:configure({ thinking = choice })
            end
          end)
        end
      )
    end)
  end)
end

---@param mode? string
function M.mode(mode)
  with_chat(function(chat)
    local function set(choice)
      if not choice then
        return
      end
      local folder = chat.session and chat.session.cwd or vim.fn.getcwd()
      if choice ~= 'plan' and not require('aside.trust').known(folder) then
        return client.tell(
          ('%s is not trusted, so only `plan` is possible there; `:Aside trust` changes that'):format(folder),
          vim.log.levels.WARN
        )
      end
      chat:configure({ permissionMode = choice })
    end
    if mode then
      return set(mode)
    end
    vim.ui.select({ 'plan', 'ask', 'acceptEdits', 'full' }, {
      prompt = 'Permission mode',
      kind = 'aside_mode',
      format_item = function(each)
        return MODES[each]
      end,
    }, set)
  end)
end

---@param session aside.SessionSummary
---@return string
function M.format_session(session)
  local when = os.date('%Y-%m-%d %H:%M', math.floor(session.updatedAtMs / 1000))
  return ('%s %s  %s'):format(session.open and '●' or ' ', when, (session.title or 'no title'):gsub('\n.*', ''))
end

--- Chooses a conversation of this folder, or of all.
---@param all boolean
---@param prompt string
---@param chosen fun(session: aside.SessionSummary)
function M.session(all, prompt, chosen)
  client.request('listSessions', { cwd = not all and vim.fn.getcwd() or nil, limit = 200 }, function(fault, result)
    if fault then
      return client.tell(fault)
    elseif #result.sessions == 0 then
      return client.tell(
        'no conversation is kept' .. (all and '' or ' of this folder; `:Aside sessions all` looks everywhere'),
        vim.log.levels.INFO
      )
    end
    vim.ui.select(
      result.sessions,
      { prompt = prompt, kind = 'aside_session', format_item = M.format_session },
      function(session)
        if session then
          chosen(session)
        end
      end
    )
  end)
end

---@param all boolean
function M.sessions(all)
  M.session(all, 'Conversation', function(session)
    chats.open(session.sessionId)
  end)
end

--- Goes on with a copy of the conversation, up to the item under the cursor where that is one of an older prompt.
function M.fork()
  local chat = chats.current()
  if not chat or not chat.id then
    return client.tell('no conversation is open; `:Aside sessions` lists them', vim.log.levels.INFO)
  end
  local item
  if chats.of() == chat then
    local row = vim.api.nvim_win_get_cursor(0)[1] - 1
    if row < chat.document.count then
      item = chat.document:at(row, 'item', '^[^#]*$')
    end
  end
  client.request('forkSession', { sessionId = chat.id, itemId = item }, function(fault, result)
    if fault then
      return client.tell(fault)
    end
    chats.open(result.sessionId)
  end)
end

---@param title? string
function M.rename(title)
  local chat = chats.current()
  if not chat or not chat.id then
    return client.tell('no conversation is open; `:Aside sessions` lists them', vim.log.levels.INFO)
  end
  local function set(text)
    if text and text ~= '' then
      client.request('renameSession', { sessionId = chat.id, title = text })
    end
  end
  if title then
    return set(title)
  end
  vim.ui.input({ prompt = 'Title: ', default = chat.session and chat.session.title or '' }, set)
end

--- Removes a conversation for good, after a question.
function M.delete()
  M.session(true, 'Delete for good', function(session)
    vim.ui.select({ 'keep it', 'delete it for good' }, {
      prompt = session.title or 'no title',
      kind = 'aside_delete',
    }, function(_, number)
      if number ~= 2 then
        return
      end
      client.request('deleteSession', { sessionId = session.sessionId }, function(fault)
        if fault then
          return client.tell(fault)
        end
        local chat = client.chats[session.sessionId]
        if chat then
          client.chats[session.sessionId] = nil
          vim.api.nvim_buf_delete(chat.buf, { force = true })
        end
        client.tell('deleted', vim.log.levels.INFO)
      end)
    end)
  end)
end

return M
