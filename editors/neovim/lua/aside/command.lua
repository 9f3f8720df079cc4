--- `:Aside` and its words.
local chats = require('aside.chat')
local client = require('aside.client')
local config = require('aside.config')

local M = {}

---@class aside.Call
---@field args string what follows the word
---@field words string[]
---@field range? integer[] first and last line

--- The chat in front, or one that is begun.
---@param enter boolean
---@return aside.Chat
local function chat(enter)
  local found = chats.current() or chats.new()
  found:show(enter)
  return found
end

--- Says something in the conversation in front or a new one.
---@param text string
function M.ask(text)
  local found = chat(false)
  found:ready(function()
    found:say({ lines = vim.split(text, '\n', { plain = true }), images = {} })
  end)
end

--- Asks for what is missing in a command.
---@param given string
---@param prompt string
---@param run fun(text: string)
local function text(given, prompt, run)
  if given ~= '' then
    return run(given)
  end
  vim.ui.input({ prompt = prompt }, function(said)
    if said and said ~= '' then
      run(said)
    end
  end)
end

---@type table<string, { run: fun(call: aside.Call), about: string, words?: string[]|fun(): string[] }>
local COMMANDS = {
  open = {
    about = 'shows the chat and goes there',
    run = function()
      chat(true).prompt:enter()
    end,
  },
  toggle = {
    about = 'shows or hides the chat',
    run = function()
      local found = chats.current()
      if found then
        found:toggle()
      else
        chat(true).prompt:enter()
      end
    end,
  },
  new = {
    about = 'begins a conversation',
    run = function()
      local old = chats.current()
      local win = old and old:window()
      local fresh = chats.new()
      if win then
        vim.api.nvim_set_current_win(win)
        vim.api.nvim_win_set_buf(win, fresh.buf)
      end
      fresh:show(true)
      fresh.prompt:enter()
    end,
  },
  ask = {
    about = 'says something; with a range about those lines',
    run = function(call)
      local block = call.range and require('aside.context').lines(0, unpack(call.range))
      text(call.args, 'Ask: ', function(said)
        if not block then
          return M.ask(said)
        end
        local found = chat(false)
        found:ready(function()
          found:say({ lines = vim.split(said, '\n', { plain = true }), images = {}, blocks = { block } })
        end)
      end)
    end,
  },
  edit = {
    about = 'has the lines of the range, or the whole file, changed as you say',
    run = function(call)
      local buf = vim.api.nvim_get_current_buf()
      local name = vim.api.nvim_buf_get_name(buf)
      if vim.bo[buf].buftype ~= '' or name == '' then
        return client.tell('only a file can be edited: write this one first', vim.log.levels.WARN)
      end
      local first, last = unpack(call.range or { 1, vim.api.nvim_buf_line_count(buf) })
      local block = require('aside.context').lines(buf, first, last)
      text(call.args, 'Edit: ', function(said)
        local found = chats.current() or chats.new()
        local order = ('In %s, change lines %d to %d and nothing else, as follows. Edit the file.'):format(
          name,
          first,
          last
        )
        found:ready(function()
          found:say({ lines = { order, '', said }, images = {}, blocks = { block } })
        end)
      end)
    end,
  },
  add = {
    about = 'puts the lines of the range, or the file, into the prompt',
    run = function(call)
      local name = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(0), ':.')
      if name == '' then
        return client.tell('this buffer is no file', vim.log.levels.WARN)
      end
      local said = '@' .. name
      if call.range then
        local lines = vim.api.nvim_buf_get_lines(0, call.range[1] - 1, call.range[2], false)
        said = ('%s lines %d to %d:\n```%s\n%s\n```\n'):format(
          name,
          call.range[1],
          call.range[2],
          vim.bo.filetype,
          table.concat(lines, '\n')
        )
      end
      chat(true).prompt:insert(said .. (call.range and '' or ' '))
    end,
  },
  image = {
    about = 'attaches the picture in the clipboard',
    run = function()
      require('aside.context').paste_image(chat(true))
    end,
  },
  send = {
    about = 'sends what is written',
    run = function()
      chat(false):send()
    end,
  },
  steer = {
    about = 'tells the turn that runs: what follows, or what is written',
    run = function(call)
      local found = chat(false)
      if call.args ~= '' then
        return found:say({ lines = { call.args }, images = {} }, 'steer')
      end
      found:send('steer')
    end,
  },
  queue = {
    about = 'queues what follows, or what is written, behind the turn that runs; `list` shows what waits',
    words = { 'list' },
    run = function(call)
      local found = chat(false)
      if call.args == 'list' then
        return require('aside.queue').list(found)
      elseif call.args ~= '' then
        return found:say({ lines = { call.args }, images = {} }, 'queue')
      end
      found:send('queue')
    end,
  },
  shell = {
    about = 'runs a command of yours; the model sees what it prints',
    run = function(call)
      text(call.args, '$ ', function(line)
        local found = chat(false)
        found:ready(function()
          client.request('runShell', { sessionId = found.id, command = line })
        end)
      end)
    end,
  },
  cancel = {
    about = 'ends the turn that runs',
    run = function()
      local found = chats.current()
      if found then
        found:cancel()
      end
    end,
  },
  answer = {
    about = 'goes to the question that is asked',
    run = function()
      require('aside.question').enter()
    end,
  },
  allow = {
    about = 'answers yes: once, for the session or always',
    words = { 'once', 'session', 'always' },
    run = function(call)
      require('aside.question').say(call.words[1] or 'once')
    end,
  },
  reject = {
    about = 'answers no, with the reason that follows',
    run = function(call)
      require('aside.question').say('reject', call.args)
    end,
  },
  review = {
    about = 'shows a changed file beside what it was',
    run = function()
      require('aside.review').review()
    end,
  },
  hunk = {
    about = 'next, previous, accept [all], reject [all]: changes that wait to be judged',
    words = { 'next', 'previous', 'accept', 'reject' },
    run = function(call)
      local review = require('aside.review')
      local word, all = call.words[1], call.words[2] == 'all'
      if word == 'accept' or word == 'reject' then
        if all then
          review.all(word)
        else
          review.hunk(word)
        end
      else
        review.jump(word == 'previous' and -1 or 1)
      end
    end,
  },
  model = {
    about = 'chooses the model',
    run = function(call)
      require('aside.pick').model(call.words[1])
    end,
  },
  thinking = {
    about = 'chooses how much the model thinks',
    words = { 'off', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max' },
    run = function(call)
      require('aside.pick').thinking(call.words[1])
    end,
  },
  mode = {
    about = 'chooses what tools may do unasked',
    words = { 'plan', 'ask', 'acceptEdits', 'full' },
    run = function(call)
      require('aside.pick').mode(call.words[1])
    end,
  },
  sessions = {
    about = 'lists conversations of this folder, or of all folders',
    words = { 'all' },
    run = function(call)
      require('aside.pick').sessions(call.words[1] == 'all')
    end,
  },
  fork = {
    about = 'goes on with a copy of the conversation, up to what is under the cursor',
    run = function()
      require('aside.pick').fork()
    end,
  },
  rename = {
    about = 'names the conversation',
    run = function(call)
      require('aside.pick').rename(call.args ~= '' and call.args or nil)
    end,
  },
  delete = {
    about = 'removes a conversation for good',
    run = function()
      require('aside.pick').delete()
    end,
  },
  login = {
    about = 'signs in to a provider; `cancel` ends a sign-in',
    words = { 'cancel' },
    run = function(call)
      if call.words[1] == 'cancel' then
        return require('aside.login').cancel()
      end
      require('aside.login').login(call.words[1], call.words[2])
    end,
  },
  logout = {
    about = 'forgets what is stored of a provider',
    run = function(call)
      require('aside.login').logout(call.words[1])
    end,
  },
  trust = {
    about = 'trusts this folder: the agent may do more than read, after asking',
    run = function()
      local folder = vim.fn.getcwd()
      if not require('aside.trust').allow(folder) then
        return client.tell(
          folder .. ' could not be trusted: `vim.g.aside.trust` says otherwise, or Neovim cannot write its list',
          vim.log.levels.WARN
        )
      end
      client.tell(folder .. ' is trusted', vim.log.levels.INFO)
      for _, each in pairs(client.chats) do
        if each.session and each.session.cwd == folder and each.session.permissionMode == 'plan' then
          each:configure({ permissionMode = config.get().permission_mode or 'ask' })
        end
      end
    end,
  },
  restart = {
    about = 'ends the server and begins it again',
    run = function()
      client.restart()
    end,
  },
}
M.COMMANDS = COMMANDS

---@param call vim.api.keyset.create_user_command.command_args
function M.run(call)
  local word, rest = call.args:match('^%s*(%S*)%s*(.-)%s*$')
  local command = COMMANDS[word == '' and 'toggle' or word]
  if not command then
    return client.tell(
      ('`%s` is no word of :Aside; there are %s'):format(word, table.concat(M.names(), ', ')),
      vim.log.levels.ERROR
    )
  end
  command.run({
    args = rest,
    words = vim.split(rest, '%s+', { trimempty = true }),
    range = call.range > 0 and { call.line1, call.line2 } or nil,
  })
end

---@return string[]
function M.names()
  local names = vim.tbl_keys(COMMANDS)
  table.sort(names)
  return names
end

---@param lead string
---@param line string
---@return string[]
function M.complete(lead, line)
  local word = line:match('Aside!?%s+(%S+)%s')
  local words = word == nil and M.names() or COMMANDS[word] and COMMANDS[word].words or {}
  if type(words) == 'function' then
    words = words()
  end
  return vim.tbl_filter(function(each)
    return vim.startswith(each, lead)
  end, words)
end

return M
