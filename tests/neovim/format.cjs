// stylua over the Lua of this repository: says which files are not as it writes them, or writes them with --write.
//
// Usage: node format.cjs FOLDER_OF_STYLUA [--write]
const fs = require('fs')
const path = require('path')
const { createRequire } = require('module')

const root = path.join(__dirname, '..', '..')
const stylua = createRequire(path.join(path.resolve(process.argv[2]), 'package.json'))('@johnnymorganz/stylua')
const settings = fs.readFileSync(path.join(root, 'editors/neovim/stylua.toml'), 'utf8').split('\n')

// It is used up by one file.
function config() {
  const config = stylua.Config.new()
  config.syntax = stylua.LuaVersion.LuaJIT
  for (const line of settings) {
    const [name, value] = line.split(' = ')
    if (name === 'column_width') config.column_width = Number(value)
    if (name === 'indent_width') config.indent_width = Number(value)
    if (name === 'indent_type') config.indent_type = stylua.IndentType[JSON.parse(value)]
    if (name === 'quote_style') config.quote_style = stylua.QuoteStyle[JSON.parse(value)]
  }
  return config
}

let files = 0
let faults = 0
for (const folder of ['editors/neovim', 'tests/neovim']) {
  for (const name of fs.readdirSync(path.join(root, folder), { recursive: true })) {
    const file = path.join(folder, name)
    // What is generated is as its generator writes it.
    if (!name.endsWith('.lua') || name.endsWith('protocol.lua')) continue
    const text = fs.readFileSync(path.join(root, file), 'utf8')
    const formatted = stylua.formatCode(text, config(), undefined, stylua.OutputVerification.Full)
    files += 1
    if (formatted === text) continue
    if (process.argv[3] === '--write') {
      fs.writeFileSync(path.join(root, file), formatted)
    } else {
      faults += 1
      console.log(`${file} is not formatted: node tests/neovim/format.cjs ${process.argv[2]} --write`)
    }
  }
}
console.log(`${files} files, ${faults} not formatted`)
process.exit(faults === 0 && files > 0 ? 0 : 1)
