-- SPDX-License-Identifier: MIT
-- libuv's API as neovim hands it to Lua, on neovim's own loop.
local uv = vim.loop
local function say(...)
    io.stdout:write(table.concat(vim.tbl_map(tostring, { ... }), ' '), '\n')
end
local function wait(condition)
    assert(vim.wait(10000, condition, 5))
end

local server, got = uv.new_tcp(), 0
server:bind('127.0.0.1', 0)
server:listen(64, function()
    local peer = uv.new_tcp()
    server:accept(peer)
    peer:read_start(function(_, data)
        if data then peer:write(data) else peer:close() end
    end)
end)
local port = server:getsockname().port
for i = 1, 30 do
    local client, length = uv.new_tcp(), 0
    client:connect('127.0.0.1', port, function()
        client:write(string.rep('x', i * 1000))
        client:read_start(function(_, data)
            length = length + #(data or '')
            if length == i * 1000 then
                got = got + length
                client:close()
            end
        end)
    end)
end
wait(function() return got == 465000 end)
server:close()
say('tcp', got)

local name, done = vim.fn.getcwd() .. '/file', 0
uv.fs_open(name, 'w+', 384, function(_, fd)
    uv.fs_write(fd, 'hello', 0, function()
        uv.fs_read(fd, 3, 1, function(_, data)
            say('fs', data)
            uv.fs_close(fd, function() done = 1 end)
        end)
    end)
end)
wait(function() return done == 1 end)
local events = 0
local watcher, poller = uv.new_fs_event(), uv.new_fs_poll()
watcher:start(name, {}, function() events = 1; watcher:close() end)
poller:start(name, 20, function() poller:close(); done = 2 end)
vim.defer_fn(function() uv.fs_unlink(name) end, 30)
wait(function() return events == 1 and done == 2 end)
say('watched', events)

local worked = 0
for i = 1, 12 do
    uv.new_work(function(n) return n * 2 end, function(n) worked = worked + n end):queue(i)
end
wait(function() return worked == 156 end)
local async
async = uv.new_async(function() async:close(); done = 3 end)
local thread = uv.new_thread(function(a) a:send() end, async)
wait(function() return done == 3 end)
thread:join()
uv.getaddrinfo('127.0.0.1', nil, {}, function(_, found) done = found and 4 end)
wait(function() return done == 4 end)
say('pool', worked)

local turns = { idle = 0, prepare = 0, check = 0 }
for kind in pairs(turns) do
    local handle = uv['new_' .. kind]()
    handle:start(function()
        turns[kind] = turns[kind] + 1
        if turns[kind] == 10 then handle:close() end
    end)
end
wait(function() return turns.idle == 10 and turns.prepare == 10 and turns.check == 10 end)
local out, ended = uv.new_pipe(), nil
local process = uv.spawn('sh', { args = { '-c', 'echo child; exit 7' }, stdio = { nil, out, nil } }, function(code) ended = code end)
out:read_start(function(_, data) if data then say('spawn', vim.trim(data)) else out:close() end end)
wait(function() return ended ~= nil and out:is_closing() end)
process:close()
say('ended with', ended)

local signal = uv.new_signal()
signal:start('sigusr2', function() signal:close(); done = 5 end)
uv.kill(uv.os_getpid(), 'sigusr2')
wait(function() return done == 5 end)
local a, b, packets = uv.new_udp(), uv.new_udp(), 0
b:bind('127.0.0.1', 0)
b:recv_start(function(_, data) if data then packets = packets + 1 end end)
for _ = 1, 50 do a:send('x', '127.0.0.1', b:getsockname().port) end
wait(function() return packets == 50 end)
a:close()
b:close()
say('udp', packets)
vim.cmd('qall!')
