-- SPDX-License-Identifier: MIT
-- Vim's own timers and jobs: pipes, a pty, channels over a socket, an embedded neovim, system().
local function say(...)
    io.stdout:write(table.concat(vim.tbl_map(tostring, { ... }), ' '), '\n')
end

local function job(command, options, input)
    local out, code = {}, nil
    options.stdout_buffered = true -- all at once: how it comes in pieces is the kernel's
    options.on_stdout = function(_, data) out = data end
    options.on_exit = function(_, status) code = status end
    local id = vim.fn.jobstart(command, options)
    if input then
        vim.fn.chansend(id, input)
        vim.fn.chanclose(id, 'stdin')
    end
    vim.wait(10000, function() return code ~= nil end, 5)
    return code, table.concat(out, '\n')
end

local ticks, total = 0, 0
local repeating = vim.fn.timer_start(2, function() ticks = ticks + 1 end, { ['repeat'] = 20 })
for i = 1, 100 do
    vim.fn.timer_start(i % 7, function() total = total + i end)
end
vim.wait(10000, function() return ticks == 20 and total == 5050 end, 5)
say('timers', ticks, total, #vim.fn.timer_info(repeating))

say('cat', job({ 'cat' }, {}, { 'one', 'two', 'three' }))
local code, big = job({ 'sh', '-c', 'head -c 300000 /dev/zero | tr "\\0" x' }, {})
say('big', code, #big)
local codes = {}
for i = 1, 10 do
    codes[i] = job({ 'sh', '-c', 'exit ' .. i % 5 }, {})
end
say('codes', unpack(codes))
say('pty', (job({ 'sh', '-c', 'test -t 1 && exit 4' }, { pty = true })))
local killed = vim.fn.jobstart({ 'sleep', '30' })
vim.fn.jobstop(killed)
say('killed', vim.fn.jobwait({ killed }, 10000)[1])
say('system', vim.fn.system('cat; exit 5', 'input'), vim.v.shell_error)
say('none', pcall(vim.fn.jobstart, { '/no/such/program' }))

local path = vim.fn.getcwd() .. '/socket'
vim.fn.serverstart(path)
local channel = vim.fn.sockconnect('pipe', path, { rpc = true })
say('channel', vim.fn.rpcrequest(channel, 'nvim_eval', '6 * 7'))
for i = 1, 100 do
    assert(vim.fn.rpcrequest(channel, 'nvim_eval', tostring(i)) == i)
end
vim.fn.chanclose(channel)
vim.fn.serverstop(path)

local child = vim.fn.jobstart({ vim.v.progpath, '--embed', '--headless', '-u', 'NONE', '-i', 'NONE' }, { rpc = true })
say('embedded', vim.fn.rpcrequest(child, 'nvim_eval', '"x" .. 1'))
vim.fn.rpcnotify(child, 'nvim_command', 'qall!')
say('embedded ended with', vim.fn.jobwait({ child }, 10000)[1])
vim.cmd('qall!')
