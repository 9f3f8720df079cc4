--- Draws a conversation that the server sends as patches of lines.
---
--- The buffer holds the document, one empty line that a rule is drawn over, and what the user writes. All that is
--- above the rule is the server's. Patches are gathered and written in as few calls as their order allows.
local config = require('aside.config')

local M = {}

---@class aside.Document
---@field buf integer
---@field count integer lines of the document; the rule is on the line after them
---@field writing boolean
---@field broken boolean the user has changed what is the server's
---@field on_broken fun()
---@field private faults? integer
---@field private waiting aside.LayoutPatch[]
---@field private timer uv.uv_timer_t?
---@field private marks table<string, { kind: string, name: string, mark: integer }>
---@field private by_extmark table<integer, string>
---@field private drawn_folds table<integer, table<string, boolean>>
---@field private pause integer
local Document = {}
Document.__index = Document

M.ns = vim.api.nvim_create_namespace('aside')

-- The longest that what comes is kept from the screen, however slow drawing is.
local SLOWEST_MS = 250
local MAX_FAULTS = 3

local GROUPS = {
  user = 'AsideUser',
  assistant = 'AsideAssistant',
  thinking = 'AsideThinking',
  toolCall = 'AsideToolCall',
  toolRunning = 'AsideToolRunning',
  toolFailed = 'AsideToolFailed',
  output = 'AsideOutput',
  diffAdd = 'AsideDiffAdd',
  diffDelete = 'AsideDiffDelete',
  diffHunk = 'AsideDiffHunk',
  notice = 'AsideNotice',
  warning = 'AsideWarning',
  error = 'AsideError',
  usage = 'AsideUsage',
  heading = 'AsideHeading',
}
-- Those that reach to the edge of the window.
local WHOLE_LINES = { user = true, diffAdd = true, diffDelete = true }

--- The colours, each a link that a colour scheme or the user may set.
function M.highlights()
  for name, link in pairs({
    User = 'CursorLine',
    Assistant = 'Normal',
    Thinking = 'Comment',
    ToolCall = 'Function',
    ToolRunning = 'DiagnosticInfo',
    ToolFailed = 'DiagnosticError',
    Output = 'NonText',
    DiffAdd = 'DiffAdd',
    DiffDelete = 'DiffDelete',
    DiffHunk = 'DiffText',
    Notice = 'DiagnosticHint',
    Warning = 'DiagnosticWarn',
    Error = 'DiagnosticError',
    Usage = 'Comment',
    Heading = 'Title',
    Rule = 'WinSeparator',
    Busy = 'DiagnosticInfo',
    Question = 'DiagnosticWarn',
    Hint = 'NonText',
    Fold = 'Folded',
    Key = 'Special',
  }) do
    vim.api.nvim_set_hl(0, 'Aside' .. name, { link = link, default = true })
  end
end

--- Keeps the end of the document in sight in windows whose cursor is below it. Neovim scrolls by itself only for the
--- window in front, and leaves room below the text when lines come above what it shows.
---@param windows integer[]
local function follow(windows)
  for _, win in ipairs(windows) do
    if vim.api.nvim_win_is_valid(win) then
      if win ~= vim.api.nvim_get_current_win() then
        vim.api.nvim_win_set_cursor(win, vim.api.nvim_win_get_cursor(win))
      end
      local top = vim.fn.line('w0', win)
      local height = vim.api.nvim_win_get_height(win)
      if top > 1 and vim.api.nvim_win_text_height(win, { start_row = top - 1 }).all < height then
        vim.api.nvim_win_call(win, function()
          local view = vim.fn.winsaveview()
          vim.cmd('keepjumps normal! Gzb')
          view.topline, view.topfill, view.skipcol = nil, nil, nil
          vim.fn.winrestview(view)
        end)
      end
    end
  end
end

---@param buf integer an empty buffer
---@param on_broken fun() hears when the user has changed what is the server's
---@return aside.Document
function M.new(buf, on_broken)
  local self = setmetatable({
    buf = buf,
    count = 0,
    writing = false,
    broken = false,
    on_broken = on_broken,
    waiting = {},
    marks = {},
    by_extmark = {},
    drawn_folds = {},
    pause = config.get().flush_ms,
  }, Document)
  self:write(0, -1, { '', '' })
  vim.api.nvim_buf_attach(buf, false, {
    on_lines = function(_, _, _, first, old_last, new_last)
      self:changed(first, old_last, new_last)
    end,
    on_reload = function()
      self:changed(0, self.count + 1, 0)
    end,
  })
  return self
end

--- Somebody changed lines. Where they are the server's, the document is asked for anew; what the user wrote stays.
---@param first integer
---@param old_last integer
---@param new_last integer
function Document:changed(first, old_last, new_last)
  if self.writing or first > self.count then
    if not self.writing and vim.api.nvim_buf_line_count(self.buf) < self.count + 2 then
      vim.schedule(function()
        self:complete()
      end)
    end
    return
  end
  if old_last <= self.count then
    self.count = self.count + new_last - old_last
  else
    -- The rule is gone with it: what follows is what the user has written.
    self.count = first
    self.ruleless = true
  end
  if not self.broken then
    self.broken = true
    vim.schedule(function()
      if vim.api.nvim_buf_is_valid(self.buf) then
        if self.ruleless then
          self.ruleless = nil
          self:write(self.count, self.count, { '' })
        end
        self:complete()
        self.on_broken()
      end
    end)
  end
end

--- There is always a line to write on.
function Document:complete()
  if vim.api.nvim_buf_is_valid(self.buf) and vim.api.nvim_buf_line_count(self.buf) < self.count + 2 then
    self:write(-1, -1, { '' })
  end
end

--- Changes lines although they are not the user's to change.
---@param change fun()
function Document:unlocked(change)
  local bo = vim.bo[self.buf]
  local was = bo.modifiable
  self.writing = true
  if not was then
    bo.modifiable = true
  end
  change()
  if not was then
    bo.modifiable = false
  end
  -- Nothing in it is ever to be saved.
  bo.modified = false
  self.writing = false
end

--- Writes lines in the place of others.
---@param first integer
---@param last integer
---@param lines string[]
function Document:write(first, last, lines)
  self:unlocked(function()
    vim.api.nvim_buf_set_lines(self.buf, first, last, false, lines)
  end)
end

--- Writes text at the end of a line, and lines behind it.
---@param row integer
---@param lines string[]
function Document:append(row, lines)
  self:unlocked(function()
    -- Marks that begin at an empty line would go along with the text, like those before which lines are put.
    local at = vim.api.nvim_buf_get_offset(self.buf, row)
    local held = vim.api.nvim_buf_get_offset(self.buf, row + 1) - at <= 1 and self:around(row) or {}
    vim.api.nvim_buf_set_text(self.buf, row, -1, row, -1, lines)
    self.count = self.count + #lines - 1
    for id, extent in pairs(held) do
      if extent[1] == row then
        local mark = self.marks[id]
        local to = extent[2] + #lines - 1
        self:set_mark({ id = id, kind = mark.kind, name = mark.name, from = row, to = to })
      end
    end
  end)
end

--- Takes patches; they are drawn a little later.
---@param patches aside.LayoutPatch[]
function Document:push(patches)
  local waiting = self.waiting
  for _, patch in ipairs(patches) do
    waiting[#waiting + 1] = patch
  end
  if not self.timer then
    self.timer = vim.uv.new_timer()
  end
  if not self.timer:is_active() then
    self.timer:start(
      self.pause,
      0,
      vim.schedule_wrap(function()
        self:flush()
      end)
    )
  end
end

---@param mark aside.LayoutMark
function Document:set_mark(mark)
  local known = self.marks[mark.id]
  local opts = {
    id = known and known.mark,
    end_row = math.min(mark.to, self.count),
    end_col = 0,
    right_gravity = true,
    end_right_gravity = false,
    strict = false,
  }
  if mark.kind == 'highlight' then
    opts.hl_group = GROUPS[mark.name]
    opts.hl_eol = WHOLE_LINES[mark.name]
    opts.priority = 110
  end
  local id = vim.api.nvim_buf_set_extmark(self.buf, M.ns, math.min(mark.from, self.count), 0, opts)
  self.marks[mark.id] = { kind = mark.kind, name = mark.name, mark = id }
  self.by_extmark[id] = mark.id
end

---@param id string
function Document:unset_mark(id)
  local known = self.marks[id]
  if known then
    vim.api.nvim_buf_del_extmark(self.buf, M.ns, known.mark)
    self.marks[id], self.by_extmark[known.mark] = nil, nil
  end
end

--- Lines of a mark, half open.
---@param id string
---@return integer? from
---@return integer? to
function Document:extent(id)
  local known = self.marks[id]
  local found = known and vim.api.nvim_buf_get_extmark_by_id(self.buf, M.ns, known.mark, { details = true })
  if found and found[1] then
    return found[1], found[3].end_row
  end
end

--- Marks that touch lines.
---@param first integer
---@param kind? string
---@param last? integer
---@return table<string, integer[]> extents by the mark's id
function Document:around(first, kind, last)
  local found = vim.api.nvim_buf_get_extmarks(
    self.buf,
    M.ns,
    { first, 0 },
    { last or first, -1 },
    { overlap = true, details = true }
  )
  local extents = {}
  for _, mark in ipairs(found) do
    local id = self.by_extmark[mark[1]]
    local known = self.marks[id]
    if known and (not kind or known.kind == kind) then
      extents[id] = { mark[2], mark[4].end_row }
    end
  end
  return extents
end

--- The innermost mark of a kind on a line.
---@param row integer
---@param kind string
---@param pattern? string that its name matches
---@return string? name
---@return integer? from
---@return integer? to
function Document:at(row, kind, pattern)
  local best, from, to
  for id, extent in pairs(self:around(row, kind)) do
    local name = self.marks[id].name
    if extent[2] > row and (not pattern or name:find(pattern)) then
      if not from or extent[2] - extent[1] <= to - from then
        best, from, to = name, extent[1], extent[2]
      end
    end
  end
  return best, from, to
end

--- Draws what waits. What cannot be drawn is no reason to draw wrongly: then the whole document is asked for.
function Document:flush()
  local patches = self.waiting
  self.waiting = {}
  if #patches == 0 or self.broken or not vim.api.nvim_buf_is_valid(self.buf) then
    return
  end
  local fine, fault = xpcall(self.draw, debug.traceback, self, patches)
  if not fine then
    self.writing, self.broken = false, true
    self.faults = (self.faults or 0) + 1
    vim.notify('aside: the conversation is drawn anew: ' .. fault, vim.log.levels.WARN)
    -- One that fails again and again is left as it is.
    if self.faults <= MAX_FAULTS then
      vim.schedule(self.on_broken)
    end
  end
end

---@param patches aside.LayoutPatch[]
function Document:draw(patches)
  local begun = vim.uv.hrtime()
  local followers = self:followers()
  local folds = {}
  -- Text for the end of a line and the lines behind it; the last of them in pieces.
  local row, lines, last

  local function settle()
    if not row then
      return
    end
    lines[#lines] = table.concat(last)
    self:append(row, lines)
    if #lines > 1 then
      for id in pairs(self:around(row, 'fold')) do
        folds[id] = true
      end
    end
    row = nil
  end

  for _, patch in ipairs(patches) do
    local kind = patch.type
    if kind == 'append' then
      if not row or patch.line ~= row + #lines - 1 then
        settle()
        row, lines, last = patch.line, { '' }, {}
      end
      last[#last + 1] = patch.text
      for _, line in ipairs(patch.lines or {}) do
        lines[#lines], last = table.concat(last), { line }
        lines[#lines + 1] = ''
      end
    else
      settle()
      if kind == 'insert' then
        self:write(patch.line, patch.line, patch.lines)
        self.count = self.count + #patch.lines
        for id in pairs(self:around(patch.line, 'fold')) do
          folds[id] = true
        end
      elseif kind == 'replace' then
        self:replace(patch.from, patch.to, patch.lines, folds)
      elseif kind == 'mark' then
        self:set_mark(patch.mark)
        if patch.mark.kind == 'fold' then
          folds[patch.mark.id] = true
        end
      elseif kind == 'unmark' then
        self:unset_mark(patch.id)
      end
    end
  end
  settle()
  self:fold(vim.tbl_keys(folds))
  follow(followers)
  local took = (vim.uv.hrtime() - begun) / 1e6
  self.pause = math.min(math.max(config.get().flush_ms, math.floor(took * 4)), SLOWEST_MS)
end

--- Puts other lines in the place of some. Marks within them are gone, and those around them grow or shrink.
---@param from integer
---@param to integer
---@param lines string[]
---@param folds table<string, boolean>
function Document:replace(from, to, lines, folds)
  local added = #lines - (to - from)
  local around = {}
  for id, extent in pairs(self:around(from, nil, to)) do
    if extent[1] >= from and extent[2] <= to then
      self:unset_mark(id)
    elseif extent[1] <= from and extent[2] >= to then
      around[id] = { extent[1], extent[2] + added }
    elseif extent[1] >= to then
      around[id] = { extent[1] + added, extent[2] + added }
    end
  end
  self:write(from, to, lines)
  self.count = self.count + added
  for id, extent in pairs(around) do
    local mark = self.marks[id]
    self:set_mark({ id = id, kind = mark.kind, name = mark.name, from = extent[1], to = extent[2] })
    if mark.kind == 'fold' then
      folds[id] = true
    end
  end
end

--- Draws a whole document. Lines that stay are not touched, so that no cursor moves that need not.
---@param document aside.LayoutDocument
function Document:reset(document)
  self.waiting = {}
  if not vim.api.nvim_buf_is_valid(self.buf) then
    return
  end
  local followers = self:followers()
  local old = vim.api.nvim_buf_get_lines(self.buf, 0, self.count, false)
  local new = document.lines
  local first, behind = 0, 0
  while first < #old and first < #new and old[first + 1] == new[first + 1] do
    first = first + 1
  end
  while behind < #old - first and behind < #new - first and old[#old - behind] == new[#new - behind] do
    behind = behind + 1
  end
  if first + behind < #old or first + behind < #new then
    self:write(first, #old - behind, vim.list_slice(new, first + 1, #new - behind))
  end
  self.count, self.broken = #new, false
  local kept = {}
  for _, mark in ipairs(document.marks) do
    kept[mark.id] = true
  end
  for id in pairs(self.marks) do
    if not kept[id] then
      self:unset_mark(id)
    end
  end
  local folds = {}
  for _, mark in ipairs(document.marks) do
    self:set_mark(mark)
    if mark.kind == 'fold' then
      folds[#folds + 1] = mark.id
    end
  end
  self:fold(folds)
  follow(followers)
end

---@return integer[] windows whose cursor is where the user writes
function Document:followers()
  local windows = {}
  for _, win in ipairs(vim.fn.win_findbuf(self.buf)) do
    if vim.api.nvim_win_get_cursor(win)[1] > self.count then
      windows[#windows + 1] = win
    end
  end
  return windows
end

--- Folds again what has changed, in every window. What the user has opened stays open.
---@param ids string[]
---@param only? integer the window that is new
function Document:fold(ids, only)
  if #ids == 0 then
    return
  end
  for _, win in ipairs(only and { only } or vim.fn.win_findbuf(self.buf)) do
    local drawn = self.drawn_folds[win] or {}
    self.drawn_folds[win] = drawn
    vim.api.nvim_win_call(win, function()
      local view = vim.fn.winsaveview()
      for _, id in ipairs(ids) do
        local from, to = self:extent(id)
        if from and to > from then
          local open = false
          if drawn[id] and vim.fn.foldlevel(from + 1) > 0 then
            open = vim.fn.foldclosed(from + 1) == -1
            vim.api.nvim_win_set_cursor(0, { from + 1, 0 })
            vim.cmd('normal! zd')
          end
          vim.cmd(('%d,%dfold'):format(from + 1, to))
          if open then
            vim.cmd(('%dfoldopen'):format(from + 1))
          end
          drawn[id] = true
        end
      end
      vim.fn.winrestview(view)
    end)
  end
end

--- Folds everything in a window that has just begun to show the buffer.
---@param win integer
function Document:enter(win)
  if self.drawn_folds[win] then
    return
  end
  local ids = {}
  for id, mark in pairs(self.marks) do
    if mark.kind == 'fold' then
      ids[#ids + 1] = id
    end
  end
  self.drawn_folds[win] = {}
  self:fold(ids, win)
end

--- A window does not show the buffer any more, and its folds are gone with it.
---@param win integer
function Document:leave(win)
  self.drawn_folds[win] = nil
end

function Document:close()
  if self.timer then
    self.timer:stop()
    self.timer:close()
    self.timer = nil
  end
end

return M
