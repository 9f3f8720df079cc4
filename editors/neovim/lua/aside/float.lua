--- Small windows above the others.
local M = {}

---@class aside.FloatOptions
---@field lines string[]
---@field title string
---@field enter? boolean
---@field corner? boolean at the right, above or below the cursor, instead of in the middle
---@field on_close? fun() hears when the user closes it
---@field modifiable? boolean
---@field height? integer

---@param options aside.FloatOptions
---@return table
local function place(options)
  local width = vim.fn.strdisplaywidth(options.title) + 2
  for _, line in ipairs(options.lines) do
    width = math.max(width, vim.fn.strdisplaywidth(line) + 1)
  end
  width = math.max(math.min(width, vim.o.columns - 6), 10)
  local rows = 0
  for _, line in ipairs(options.lines) do
    rows = rows + math.max(1, math.ceil(vim.fn.strdisplaywidth(line) / width))
  end
  -- One that nobody is in is small, and away from where the cursor is.
  local most = options.corner and not options.enter and math.max(math.floor(vim.o.lines * 0.4), 6) or vim.o.lines - 6
  local height = math.max(math.min(options.height or rows, most), 1)
  local low = vim.o.lines - vim.o.cmdheight - (vim.o.laststatus > 0 and 1 or 0) - height - 2
  local away = vim.fn.screenrow() > vim.o.lines / 2 and 1 or math.max(low, 0)
  return {
    relative = 'editor',
    width = width,
    height = height,
    row = options.corner and away or math.max(math.floor((vim.o.lines - height) / 2) - 1, 0),
    col = options.corner and vim.o.columns - width - 2 or math.floor((vim.o.columns - width) / 2),
  }
end

---@param options aside.FloatOptions
---@return integer buf
---@return integer win
function M.open(options)
  require('aside.draw').highlights()
  local buf = vim.api.nvim_create_buf(false, true)
  vim.bo[buf].bufhidden = 'wipe'
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, options.lines)
  vim.bo[buf].modifiable = options.modifiable == true
  local win = vim.api.nvim_open_win(
    buf,
    options.enter == true,
    vim.tbl_extend('error', place(options), {
      style = 'minimal',
      border = 'rounded',
      title = options.title,
      title_pos = 'left',
      zindex = options.corner and 60 or 70,
      noautocmd = not options.enter,
    })
  )
  vim.wo[win].wrap, vim.wo[win].linebreak = true, true
  local function close()
    if vim.api.nvim_win_is_valid(win) then
      vim.api.nvim_win_close(win, true)
    end
    if options.on_close then
      options.on_close()
    end
  end
  for _, key in ipairs(options.modifiable and { '<Esc>' } or { 'q', '<Esc>' }) do
    vim.keymap.set('n', key, close, { buffer = buf, nowait = true, desc = 'aside: close' })
  end
  return buf, win
end

--- Puts other lines into a float, and sizes it for them.
---@param win integer
---@param options aside.FloatOptions
function M.update(win, options)
  local buf = vim.api.nvim_win_get_buf(win)
  vim.bo[buf].modifiable = true
  vim.api.nvim_buf_set_lines(buf, 0, -1, false, options.lines)
  vim.bo[buf].modifiable = false
  vim.api.nvim_win_set_config(win, place(options))
end

return M
