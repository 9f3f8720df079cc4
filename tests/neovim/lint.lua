-- luacheck over the Lua of this repository, run by Neovim itself: `nvim --headless -u NONE -l lint.lua LUACHECK`,
-- where LUACHECK is the folder that has `luacheck/` and `argparse.lua`.
package.path = arg[1] .. '/?.lua;' .. arg[1] .. '/?/init.lua;' .. package.path
-- It asks this library only for files, and gets texts.
package.preload.lfs = function()
  return { attributes = function() end, currentdir = vim.uv.cwd }
end
local luacheck = require('luacheck')
local root = vim.fs.dirname(vim.fs.dirname(vim.fs.dirname(vim.fs.abspath(arg[0]))))
local names, texts, options = {}, {}, {}
for _, folder in ipairs({ 'editors/neovim', 'tests/neovim' }) do
  for name in vim.fs.dir(root .. '/' .. folder, { depth = 5 }) do
    if name:find('%.lua$') then
      names[#names + 1] = folder .. '/' .. name
      local file = assert(io.open(root .. '/' .. folder .. '/' .. name))
      texts[#texts + 1] = file:read('*a')
      file:close()
      -- Generated: its lines are as long as what they tell.
      options[#options + 1] = { max_line_length = not name:find('protocol%.lua$') and 120 }
    end
  end
end
local report =
  luacheck.check_strings(texts, vim.tbl_extend('error', { std = 'luajit', read_globals = { 'vim' } }, options))
local function writable(fields)
  return fields.code == '122' and fields.name == 'vim'
end
local faults = 0
for index, name in ipairs(names) do
  for _, fault in ipairs(report[index]) do
    -- `vim.g`, `vim.bo`, `vim.wo` and the like are there to be set.
    if not writable(fault) then
      faults = faults + 1
      print(('%s:%d:%d: %s'):format(name, fault.line, fault.column, luacheck.get_message(fault)))
    end
  end
  if report[index].fatal then
    faults = faults + 1
    print(name .. ': ' .. report[index].fatal)
  end
end
io.stdout:write(('%d files, %d faults\n'):format(#names, faults))
os.exit(faults == 0 and #names > 0 and 0 or 1)
