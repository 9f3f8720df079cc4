--- A conversation and the buffer that shows it. What it is stands in the server; here is only what is drawn of it.
local client = require('aside.client')
local config = require('aside.config')
local draw = require('aside.draw')
local prompt = require('aside.prompt')

local M = {}

---@class aside.Chat
---@field buf integer
---@field id? string the conversation; nil until the server has made it
---@field session? aside.SessionInfo
---@field state aside.SessionState|'starting'|'lost'
---@field document aside.Document
---@field prompt aside.Prompt
---@field queue aside.QueueEntry[]
---@field usage? { cost?: aside.Money, contextTokens: integer, contextWindow: integer }
---@field started_ms? integer
---@field note? string what is going on, such as a retry
---@field private sending? string|boolean what is written is to be sent
---@field private sent table<string, aside.Draft>
---@field private after_open (fun())[]
---@field private timer uv.uv_timer_t?
---@field private rule integer?
local Chat = {}
Chat.__index = Chat

---@type table<integer, aside.Chat>
local by_buf = {}
---@type aside.Chat?
local latest

local SPIN_MS = 120
local serial = 0

---@param buf? integer
---@return aside.Chat?
function M.of(buf)
  return by_buf[buf or vim.api.nvim_get_current_buf()]
end

--- The chat in front, else the one that was last in front.
---@return aside.Chat?
function M.current()
  local chat = M.of() or latest
  return chat and vim.api.nvim_buf_is_valid(chat.buf) and chat or nil
end

local function window_options(win)
  for name, value in pairs({
    foldmethod = 'manual',
    foldenable = true,
    foldlevel = 0,
    foldminlines = 0,
    foldtext = '',
    foldcolumn = '0',
    fillchars = 'fold: ,eob: ',
    wrap = true,
    linebreak = true,
    breakindent = true,
    number = false,
    relativenumber = false,
    signcolumn = 'no',
    spell = false,
    list = false,
    winfixbuf = false,
  }) do
    vim.api.nvim_set_option_value(name, value, { scope = 'local', win = win })
  end
end

local function in_prompt(chat)
  return vim.api.nvim_win_get_cursor(0)[1] > chat.document.count + 1
end

---@param chat aside.Chat
local function watch(chat)
  local group = vim.api.nvim_create_augroup('aside_chat_' .. chat.buf, { clear = true })
  local function on(events, callback)
    vim.api.nvim_create_autocmd(events, { group = group, buffer = chat.buf, callback = callback })
  end
  -- Only what is below the rule is the user's to change.
  on({ 'CursorMoved', 'CursorMovedI', 'BufEnter', 'InsertEnter' }, function()
    local mine = in_prompt(chat)
    if vim.bo[chat.buf].modifiable ~= mine then
      vim.bo[chat.buf].modifiable = mine
    end
  end)
  on({ 'TextChanged', 'TextChangedI', 'TextChangedP', 'InsertLeave' }, function(event)
    chat.prompt:changed(event.event ~= 'TextChangedI' and event.event ~= 'TextChangedP')
  end)
  on('BufWinEnter', function()
    local win = vim.api.nvim_get_current_win()
    window_options(win)
    chat.document:enter(win)
    chat:draw_rule()
  end)
  on('BufEnter', function()
    latest = chat
  end)
  on('BufWinLeave', function()
    chat.document:leave(vim.api.nvim_get_current_win())
  end)
  on('BufWriteCmd', function()
    chat:send()
  end)
  on('BufWipeout', function()
    vim.schedule(function()
      chat:close()
    end)
  end)
end

---@param buf integer
---@return aside.Chat
local function new(buf)
  draw.highlights()
  local self = setmetatable({ buf = buf, state = 'starting', queue = {}, sent = {}, after_open = {} }, Chat)
  by_buf[buf], latest = self, self
  local bo = vim.bo[buf]
  -- Neither a file nor forgotten by `:mksession`; `:w` sends what is written.
  bo.buftype, bo.bufhidden, bo.swapfile, bo.buflisted = 'acwrite', 'hide', false, false
  bo.modeline, bo.undolevels, bo.textwidth = false, -1, 0
  self.document = draw.new(buf, function()
    self:reopen()
  end)
  self.prompt = prompt.new(self)
  bo.modified = false
  bo.filetype = 'aside'
  bo.omnifunc = "v:lua.require'aside.context'.omnifunc"
  if config.get().markdown then
    vim.treesitter.language.register('markdown', 'aside')
    if not pcall(vim.treesitter.start, buf, 'markdown') then
      bo.syntax = 'markdown'
    end
  end
  require('aside.keys').chat(self)
  watch(self)
  for _, win in ipairs(vim.fn.win_findbuf(buf)) do
    window_options(win)
    self.document:enter(win)
  end
  self:draw_rule()
  return self
end

---@param answer { document?: aside.LayoutDocument, session: aside.SessionInfo, snapshot?: aside.Snapshot }
local function adopt(self, answer)
  self.session, self.id, self.state = answer.session, answer.session.sessionId, answer.session.state
  client.chats[self.id] = self
  if answer.document then
    self.document:reset(answer.document)
  end
  if answer.snapshot then
    self.queue = answer.snapshot.queue or {}
    for _, item in ipairs(answer.snapshot.items or {}) do
      require('aside.review').take(self, item)
    end
  end
  local name = 'aside://session/' .. self.id
  if vim.api.nvim_buf_get_name(self.buf) ~= name then
    vim.api.nvim_buf_set_name(self.buf, name)
  end
  vim.bo[self.buf].modified = false
  self:changed()
  local after = self.after_open
  self.after_open = {}
  for _, callback in ipairs(after) do
    callback()
  end
end

---@param self aside.Chat
---@param fault aside.RpcError
local function failed(self, fault)
  self.state = 'lost'
  self.note = fault.message .. (fault.hint and ': ' .. fault.hint or '')
  self:changed()
  client.tell(fault)
end

--- Begins a conversation.
---@return aside.Chat
function M.new()
  local buf = vim.api.nvim_create_buf(false, false)
  vim.api.nvim_buf_set_name(buf, 'aside://new/' .. buf)
  local self = new(buf)
  self:create()
  return self
end

function Chat:create()
  local options = config.get()
  local folder = vim.fn.getcwd()
  local trusted = require('aside.trust').ask(folder)
  client.request('newSession', {
    cwd = folder,
    model = options.model,
    permissionMode = trusted and options.permission_mode or (not trusted and 'plan' or nil),
    layout = 'lines',
  }, function(fault, answer)
    if not vim.api.nvim_buf_is_valid(self.buf) then
      return
    elseif fault then
      return failed(self, fault)
    end
    adopt(self, answer)
    client.emit('Session', { sessionId = self.id, buf = self.buf })
  end)
end

--- Fills a buffer `aside://session/ID`: after `:e`, `gf` or a restored session.
---@param buf integer
---@param name string
function M.read(buf, name)
  local id = name:match('^aside://session/(.+)$')
  local known = client.chats[id]
  if known and vim.api.nvim_buf_is_valid(known.buf) and known.buf ~= buf then
    -- The conversation has a buffer already: there is one, so that nothing is written twice.
    return vim.schedule(function()
      for _, win in ipairs(vim.fn.win_findbuf(buf)) do
        vim.api.nvim_win_set_buf(win, known.buf)
      end
      if vim.api.nvim_buf_is_valid(buf) then
        vim.api.nvim_buf_delete(buf, { force = true })
      end
    end)
  end
  local self = by_buf[buf]
  if not self then
    self = new(buf)
    self.id = id
    client.chats[id] = self
  end
  self:reopen()
end

--- Shows a conversation that is kept.
---@param id string
---@return aside.Chat
function M.open(id)
  local known = client.chats[id]
  if known and vim.api.nvim_buf_is_valid(known.buf) then
    known:show(true)
    return known
  end
  local buf = vim.fn.bufadd('aside://session/' .. id)
  vim.fn.bufload(buf)
  local chat = by_buf[buf] or by_buf[client.chats[id].buf]
  chat:show(true)
  return chat
end

--- Asks for the whole document: of a conversation that is kept, or because something was lost.
function Chat:reopen()
  if not self.id then
    return self:create()
  end
  client.request('openSession', { sessionId = self.id, layout = 'lines' }, function(fault, answer)
    if not vim.api.nvim_buf_is_valid(self.buf) then
      return
    elseif fault and fault.kind == 'busy' then
      client.tell(
        'another process holds this conversation, so it can only be read; `:Aside fork` goes on with a copy',
        vim.log.levels.WARN
      )
      return client.request(
        'openSession',
        { sessionId = self.id, layout = 'lines', readOnly = true },
        function(again, read)
          if again then
            return failed(self, again)
          end
          adopt(self, read)
        end
      )
    elseif fault then
      return failed(self, fault)
    end
    self.note = nil
    adopt(self, answer)
    local session = answer.session
    if session.permissionMode ~= 'plan' and not session.readOnly and not require('aside.trust').ask(session.cwd) then
      self:configure({ permissionMode = 'plan' })
    end
    require('aside.question').reopened(self, answer.snapshot and answer.snapshot.questions or {})
  end)
end

--- Runs when the conversation is there.
---@param callback fun()
function Chat:ready(callback)
  if self.id and self.state ~= 'starting' and self.state ~= 'lost' then
    callback()
  else
    self.after_open[#self.after_open + 1] = callback
    if self.state == 'lost' then
      self.state = 'starting'
      self:reopen()
    end
  end
end

---@return integer? win of this tab page that shows it
function Chat:window()
  for _, win in ipairs(vim.api.nvim_tabpage_list_wins(0)) do
    if vim.api.nvim_win_get_buf(win) == self.buf then
      return win
    end
  end
end

--- Shows the chat.
---@param enter? boolean whether the cursor goes there
function Chat:show(enter)
  local win = self:window()
  if not win then
    local options = config.get()
    local before = vim.api.nvim_get_current_win()
    local function share(whole)
      return math.floor(options.size < 1 and whole * options.size or options.size)
    end
    local openers = {
      right = ('botright vertical %dsplit'):format(share(vim.o.columns)),
      left = ('topleft vertical %dsplit'):format(share(vim.o.columns)),
      top = ('topleft %dsplit'):format(share(vim.o.lines)),
      bottom = ('botright %dsplit'):format(share(vim.o.lines)),
      tab = 'tab split',
    }
    if openers[options.position] then
      vim.cmd(openers[options.position])
    end
    win = vim.api.nvim_get_current_win()
    vim.wo[win].winfixbuf = false
    vim.api.nvim_win_set_buf(win, self.buf)
    window_options(win)
    self.document:enter(win)
    vim.api.nvim_win_set_cursor(win, { vim.api.nvim_buf_line_count(self.buf), 0 })
    if not enter and vim.api.nvim_win_is_valid(before) then
      vim.api.nvim_set_current_win(before)
    end
  end
  if enter then
    vim.api.nvim_set_current_win(win)
  end
  latest = self
end

--- Takes the chat out of this tab page; its work goes on.
function Chat:hide()
  local win = self:window()
  if win then
    if #vim.api.nvim_list_wins() == 1 then
      vim.cmd.enew()
    else
      vim.api.nvim_win_close(win, false)
    end
  end
end

function Chat:toggle()
  if self:window() then
    self:hide()
  else
    self:show(true)
  end
end

--- The server does not run any more.
function Chat:lost()
  self.state = 'starting'
  require('aside.question').forget(self)
  self:changed()
end

--- The buffer is gone. What runs is left to run.
function Chat:close()
  by_buf[self.buf] = nil
  if latest == self then
    latest = nil
  end
  if self.id and client.chats[self.id] == self then
    client.chats[self.id] = nil
  end
  self.document:close()
  self.prompt:close()
  self:still()
end

-- Sending ---------------------------------------------------------------------------------------------------------

--- Sends what is written below the rule.
---@param how? 'steer'|'queue'
function Chat:send(how)
  if self.prompt:empty() then
    return
  end
  self.sending = how or true
  self:ready(function()
    -- It stays where it was written until it can be sent, and it is sent once.
    local draft = self.sending and self.prompt:take()
    self.sending = nil
    if draft then
      self:say(draft, how)
    end
  end)
end

---@param draft aside.Draft
---@param how? 'steer'|'queue'
function Chat:say(draft, how)
  how = how or config.get().busy
  local content = require('aside.context').content(draft)
  local running = self.state == 'running' or self.state == 'waiting'
  local function give_back(fault)
    self.prompt:give_back(draft)
    client.tell(fault)
  end
  if running and how == 'steer' then
    return client.request('steer', { sessionId = self.id, content = content }, function(fault)
      if fault and fault.kind ~= 'ended' and self.state == 'idle' then
        -- The turn ended in the same moment: it becomes one of its own.
        self:say(draft)
      elseif fault then
        give_back(fault)
      end
    end)
  elseif running then
    return client.request(
      'queue',
      { sessionId = self.id, action = { type = 'add', content = content } },
      function(fault)
        if fault then
          give_back(fault)
        end
      end
    )
  end
  serial = serial + 1
  local mark = ('nvim-%d-%d-%d'):format(vim.uv.os_getpid(), vim.uv.hrtime(), serial)
  self.sent[mark] = draft
  client.request('prompt', {
    sessionId = self.id,
    content = content,
    idempotencyId = mark,
    whenBusy = 'queue',
  }, function(fault, result)
    local unheard = self.sent[mark]
    self.sent[mark] = nil
    if fault and unheard and fault.kind ~= 'cancelled' then
      give_back(fault)
    elseif result then
      for _, warning in ipairs(result.warnings or {}) do
        client.tell(warning, vim.log.levels.WARN)
      end
      if result.error and result.error.kind == 'authRequired' then
        client.tell(result.error)
      end
    end
  end)
end

--- Ends the turn that runs.
function Chat:cancel()
  if self.id then
    client.notify('cancel', { sessionId = self.id })
  end
end

--- Changes model, thinking or mode.
---@param change table
function Chat:configure(change)
  self:ready(function()
    change.sessionId = self.id
    client.request('configureSession', change, function(fault, result)
      if fault then
        return client.tell(fault)
      end
      self.session = result.session
      for _, warning in ipairs(result.warnings or {}) do
        client.tell(warning, vim.log.levels.WARN)
      end
      self:changed()
    end)
  end)
end

-- Events ----------------------------------------------------------------------------------------------------------

local EVENTS = {}

function EVENTS.layoutChanged(self, event)
  self.note = nil
  if event.item then
    require('aside.review').take(self, event.item)
  end
end

function EVENTS.turnStarted(self, event)
  if event.idempotencyId then
    self.sent[event.idempotencyId] = nil
  end
  self.started_ms = vim.uv.now()
  client.emit('TurnStart', { sessionId = self.id, turnId = event.turnId })
end

function EVENTS.turnEnded(self, event)
  self.note = nil
  self.document:flush()
  self:settle()
  client.emit(
    'TurnEnd',
    { sessionId = self.id, turnId = event.turnId, stopReason = event.stopReason, error = event.error }
  )
  -- Files that are open and were written by others. One with changes of the user would be asked about.
  for _, buf in ipairs(vim.api.nvim_list_bufs()) do
    if vim.api.nvim_buf_is_loaded(buf) and vim.bo[buf].buftype == '' and not vim.bo[buf].modified then
      vim.cmd('silent! checktime ' .. buf)
    end
  end
end

function EVENTS.stateChanged(self, event)
  self.state = event.state
  if event.state == 'idle' then
    self:settle()
  end
end

function EVENTS.sessionChanged(self, event)
  self.session = event.session
end

function EVENTS.queueChanged(self, event)
  self.queue = event.queue
end

function EVENTS.usageChanged(self, event)
  self.usage = { cost = event.cost, contextTokens = event.contextTokens, contextWindow = event.contextWindow }
end

function EVENTS.retry(self, event)
  self.note = ('again in %.0f s (%d of %d): %s'):format(
    event.delayMs / 1000,
    event.attempt,
    event.maxAttempts,
    event.error.message
  )
end

function EVENTS.stalled(self, event)
  self.note = ('nothing has come for %.0f s'):format(event.sinceMs / 1000)
end

function EVENTS.questionResolved(_, event)
  require('aside.question').resolved(event.questionId)
end

---@param event aside.Event
function Chat:event(event)
  -- What is drawn comes with whatever has changed it.
  if event.patches then
    self.document:push(event.patches)
  end
  local handle = EVENTS[event.type]
  if handle then
    handle(self, event)
    if event.type ~= 'layoutChanged' then
      self:changed()
    end
  end
end

--- The turn is over: what it has not said is known.
function Chat:settle()
  self.started_ms = nil
end

-- The rule --------------------------------------------------------------------------------------------------------

--- Something that is shown of the conversation has changed.
function Chat:changed()
  self:draw_rule()
  if self.state == 'running' or self.state == 'waiting' or self.state == 'starting' then
    self:spin()
  else
    self:still()
  end
  client.emit('Status', { sessionId = self.id, buf = self.buf })
end

function Chat:spin()
  if not self.timer then
    self.timer = vim.uv.new_timer()
    self.timer:start(
      SPIN_MS,
      SPIN_MS,
      vim.schedule_wrap(function()
        if self.timer and #vim.fn.win_findbuf(self.buf) > 0 then
          self:draw_rule()
        end
      end)
    )
  end
end

function Chat:still()
  if self.timer then
    self.timer:stop()
    self.timer:close()
    self.timer = nil
  end
end

--- The line between the conversation and what the user writes.
function Chat:draw_rule()
  if not vim.api.nvim_buf_is_valid(self.buf) then
    return
  end
  local chunks = { { '── ', 'AsideRule' } }
  local function add(text, group)
    chunks[#chunks + 1] = { text, group or 'AsideHint' }
  end
  local status = require('aside.status').of(self)
  if self.state == 'running' or self.state == 'starting' then
    local spinner = config.get().spinner
    add(spinner[math.floor(vim.uv.now() / SPIN_MS) % #spinner + 1] .. ' ', 'AsideBusy')
  end
  local word = ({ idle = '', starting = 'starting', lost = 'no server', waiting = 'waits for your answer' })[self.state]
    or self.state
  add(word, (self.state == 'waiting' or self.state == 'lost') and 'AsideQuestion' or 'AsideBusy')
  if self.started_ms then
    add((' %d s'):format((vim.uv.now() - self.started_ms) / 1000))
  end
  if #self.queue > 0 then
    add(' · ' .. #self.queue .. ' queued', 'AsideBusy')
  end
  if self.note then
    add(' · ' .. self.note, 'AsideQuestion')
  end
  add((#chunks > 2 and word ~= '' and ' · ' or '') .. status.text)
  add(' ', 'AsideRule')
  add(('─'):rep(vim.o.columns), 'AsideRule')
  self.rule = vim.api.nvim_buf_set_extmark(self.buf, draw.ns, self.document.count, 0, {
    id = self.rule,
    virt_text = chunks,
    virt_text_pos = 'overlay',
    right_gravity = true,
    priority = 200,
    strict = false,
  })
  self.prompt:draw()
end

return M
