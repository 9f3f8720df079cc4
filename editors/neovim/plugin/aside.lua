-- The command, the `<Plug>` mappings and the names of conversations as files. Nothing else runs before the first use.

if vim.g.loaded_aside then
  return
end
vim.g.loaded_aside = true

if vim.fn.has('nvim-0.11') == 0 then
  vim.api.nvim_create_user_command('Aside', function()
    local found = tostring(vim.version())
    vim.notify(
      'aside: this is Neovim ' .. found .. ', and 0.11 or later is needed: update Neovim',
      vim.log.levels.ERROR
    )
  end, { nargs = '*', range = true, desc = 'Aside needs Neovim 0.11 or later' })
  return
end

vim.api.nvim_create_user_command('Aside', function(call)
  require('aside.command').run(call)
end, {
  nargs = '*',
  range = true,
  desc = 'The agent beside the editor',
  complete = function(...)
    return require('aside.command').complete(...)
  end,
})

for name, line in pairs({
  toggle = 'toggle',
  new = 'new',
  ask = 'ask',
  cancel = 'cancel',
  answer = 'answer',
  allow = 'allow once',
  ['allow-session'] = 'allow session',
  ['allow-always'] = 'allow always',
  reject = 'reject',
  sessions = 'sessions',
  model = 'model',
  thinking = 'thinking',
  review = 'review',
  ['hunk-next'] = 'hunk next',
  ['hunk-previous'] = 'hunk previous',
  ['hunk-accept'] = 'hunk accept',
  ['hunk-reject'] = 'hunk reject',
}) do
  vim.keymap.set('n', '<Plug>(aside-' .. name .. ')', '<Cmd>Aside ' .. line .. '<CR>', { desc = 'aside: ' .. line })
end
-- With a colon, so that the lines that are selected are the range.
vim.keymap.set('x', '<Plug>(aside-edit)', ':Aside edit<CR>', { silent = true, desc = 'aside: edit the selection' })
vim.keymap.set(
  'x',
  '<Plug>(aside-add)',
  ':Aside add<CR>',
  { silent = true, desc = 'aside: put the selection into the prompt' }
)

local group = vim.api.nvim_create_augroup('aside', { clear = true })
vim.api.nvim_create_autocmd('BufReadCmd', {
  group = group,
  pattern = 'aside://session/*',
  callback = function(event)
    require('aside.chat').read(event.buf, event.match)
  end,
})
-- `:mksession` gives a buffer of this kind its name back, and not its content.
vim.api.nvim_create_autocmd('SessionLoadPost', {
  group = group,
  callback = function()
    for _, buf in ipairs(vim.api.nvim_list_bufs()) do
      local name = vim.api.nvim_buf_get_name(buf)
      if vim.startswith(name, 'aside://session/') and vim.bo[buf].buftype == '' then
        require('aside.chat').read(buf, name)
      end
    end
  end,
})
