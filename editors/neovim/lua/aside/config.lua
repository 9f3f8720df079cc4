--- What the user has set in `vim.g.aside`, checked, with what holds where nothing is set.
local M = {}

---@class aside.Keys
---@field send? string|false Sends the prompt; also `<CR>` in normal mode.
---@field queue? string|false Sends it as a turn of its own, behind the one that runs.
---@field cancel? string|false Ends the turn that runs.
---@field close? string|false Closes the window.
---@field help? string|false Shows the keys.
---@field hunk_next? string|false In a changed file: to the next change.
---@field hunk_previous? string|false To the one before.
---@field hunk_accept? string|false Keeps the change under the cursor.
---@field hunk_reject? string|false Takes it back.
---@field hunk_accept_all? string|false Keeps all of the file.
---@field hunk_reject_all? string|false Takes all of the file back.

---@class aside.Config
---@field cmd? string[] The server with its arguments, instead of `aside serve`.
---@field env? table<string, string> Variables for the server, above those of Neovim.
---@field settings? table Settings for the server, above the user's `settings.json`; docs/settings.md lists them.
---@field model? string The model of new conversations: `provider/id`, with `:level` to think more or less.
---@field permission_mode? aside.PermissionMode What tools may do unasked in new conversations.
---@field position? 'right'|'left'|'top'|'bottom'|'tab'|'current' Where the chat opens.
---@field size? number Its share of the screen: between 0 and 1, or a number of columns or lines.
---@field busy? 'steer'|'queue' What sending does while a turn runs.
---@field review? boolean Whether changes are shown in their files, to be kept or taken back hunk by hunk.
---@field markdown? boolean Whether the chat is highlighted as Markdown.
---@field spinner? string[] What turns while a turn runs.
---@field flush_ms? integer Milliseconds for which what comes is gathered before it is drawn.
---@field trust? 'ask'|boolean|fun(folder: string): boolean May it do more than read there? `ask` is `vim.secure`.
---@field keys? aside.Keys

---@type aside.Config
M.defaults = {
  cmd = { 'aside', 'serve' },
  env = {},
  settings = {},
  position = 'right',
  size = 0.4,
  busy = 'steer',
  review = true,
  markdown = true,
  spinner = { '⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏' },
  flush_ms = 50,
  trust = 'ask',
  keys = {
    send = '<C-s>',
    queue = '<M-CR>',
    cancel = '<C-c>',
    close = 'q',
    help = 'g?',
    hunk_next = ']h',
    hunk_previous = '[h',
    hunk_accept = 'ga',
    hunk_reject = 'gr',
    hunk_accept_all = 'gA',
    hunk_reject_all = 'gR',
  },
}

local function one_of(...)
  local words = { ... }
  return function(value)
    return vim.tbl_contains(words, value), 'one of ' .. table.concat(words, ', ')
  end
end

local function strings(value)
  local fine = vim.islist(value) and #value > 0
  for _, word in ipairs(fine and value or {}) do
    fine = fine and type(word) == 'string'
  end
  return fine, 'a list of strings'
end

local function a(kind)
  return function(value)
    return type(value) == kind, kind == 'table' and 'a table' or 'a ' .. kind
  end
end

local CHECKS = {
  cmd = strings,
  env = function(value)
    local fine = type(value) == 'table'
    for name, text in pairs(fine and value or {}) do
      fine = fine and type(name) == 'string' and type(text) == 'string'
    end
    return fine, 'a table of strings'
  end,
  settings = a('table'),
  model = a('string'),
  permission_mode = one_of('plan', 'ask', 'acceptEdits', 'full'),
  position = one_of('right', 'left', 'top', 'bottom', 'tab', 'current'),
  size = function(value)
    return type(value) == 'number' and value > 0, 'a number above 0'
  end,
  busy = one_of('steer', 'queue'),
  review = a('boolean'),
  markdown = a('boolean'),
  spinner = strings,
  flush_ms = function(value)
    return type(value) == 'number' and value >= 10 and value <= 1000, 'a number from 10 to 1000'
  end,
  trust = function(value)
    return value == 'ask' or type(value) == 'boolean' or vim.is_callable(value), "'ask', true, false or a function"
  end,
  keys = a('table'),
}

--- What is set, with the defaults below it, and what is wrong with it. What is wrong is left out.
---@param given any
---@return aside.Config config
---@return string[] faults
function M.check(given)
  local faults, config = {}, vim.deepcopy(M.defaults)
  if type(given) == 'function' then
    local fine, result = pcall(given)
    given = fine and result or {}
    if not fine then
      faults[1] = 'vim.g.aside: the function failed: ' .. tostring(result)
    end
  end
  if given ~= nil and type(given) ~= 'table' then
    faults[#faults + 1] = 'vim.g.aside: a table or a function that returns one is wanted, and this is a ' .. type(given)
    given = {}
  end
  for name, value in vim.spairs(given or {}) do
    local check = CHECKS[name]
    local fine, wanted = (check or function() end)(value)
    if not check then
      faults[#faults + 1] = ('vim.g.aside.%s: there is no such option; `:help aside-config` lists them'):format(name)
    elseif not fine then
      faults[#faults + 1] = ('vim.g.aside.%s: %s is wanted'):format(name, wanted)
    elseif name == 'keys' then
      for key, keys in vim.spairs(value) do
        if M.defaults.keys[key] == nil then
          faults[#faults + 1] = ('vim.g.aside.keys.%s: there is no such key'):format(key)
        elseif type(keys) ~= 'string' and keys ~= false then
          faults[#faults + 1] = ('vim.g.aside.keys.%s: a string or false is wanted'):format(key)
        else
          config.keys[key] = keys
        end
      end
    else
      config[name] = value
    end
  end
  return config, faults
end

local checked, found, told

--- What holds now. Faults are told once.
---@return aside.Config
function M.get()
  local given = vim.g.aside
  if not checked or not vim.deep_equal(given, found) then
    found = given
    local faults
    checked, faults = M.check(given)
    local text = table.concat(faults, '\n')
    if text ~= '' and text ~= told then
      told = text
      vim.notify(text, vim.log.levels.WARN)
    end
  end
  return checked
end

return M
