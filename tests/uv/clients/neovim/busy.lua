-- SPDX-License-Identifier: MIT
-- A callback that computes for a third of a second: the one thing here that has to be reported.
local timer = vim.loop.new_timer()
timer:start(5, 0, function()
    local start = vim.loop.hrtime()
    while vim.loop.hrtime() - start < 3e8 do end
    timer:close()
    io.stdout:write('done\n')
    vim.schedule(function() vim.cmd('qall!') end)
end)
