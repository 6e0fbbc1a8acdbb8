-- SPDX-License-Identifier: MIT
-- A terminal with a shell in it, its output as the buffer's text, and one that is deleted while its program runs.
local function say(...)
    io.stdout:write(table.concat(vim.tbl_map(tostring, { ... }), ' '), '\n')
end

local code
vim.cmd('enew')
local id = vim.fn.termopen({ 'sh', '-c', 'read line; echo "got $line"; i=0; while [ $i -lt 200 ]; do echo row $i; i=$((i+1)); done; exit 6' },
    { on_exit = function(_, status) code = status end })
vim.fn.chansend(id, 'typed\n')
assert(vim.wait(10000, function() return code ~= nil end, 5))
local text = table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\n')
say('terminal', code, text:match('got %w+'), text:match('row 199'))

vim.cmd('enew')
local ended
vim.fn.termopen({ 'sleep', '30' }, { on_exit = function() ended = true end })
vim.cmd('bdelete!')
assert(vim.wait(10000, function() return ended end, 5))
say('deleted', ended)
vim.cmd('enew | terminal true')
vim.cmd('qall!')
