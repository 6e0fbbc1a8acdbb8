-- SPDX-License-Identifier: MIT
-- Each kind of handle and request, run to its end, then all of it collected.
local uv = require('luv')

local function timers()
    local fired, repeats = 0, 0
    for i = 1, 300 do
        local timer = uv.new_timer()
        timer:start(i % 9, 0, function() fired = fired + 1; timer:close() end)
    end
    local again = uv.new_timer()
    again:start(1, 2, function()
        repeats = repeats + 1
        if repeats == 10 then again:stop(); again:close() else again:again() end
    end)
    uv.run()
    print('timers', fired, repeats)
end

local function tcp()
    local server, total = uv.new_tcp(), 0
    server:bind('127.0.0.1', 0)
    server:listen(128, function()
        local peer = uv.new_tcp()
        server:accept(peer)
        peer:read_start(function(_, data)
            if data then peer:write(data) else peer:shutdown(function() peer:close() end) end
        end)
    end)
    local open = 40
    for i = 1, 40 do
        local client = uv.new_tcp()
        client:connect('127.0.0.1', server:getsockname().port, function()
            client:write({ string.rep('a', i * 100), string.rep('b', 100) })
            client:shutdown()
            client:read_start(function(_, data)
                if data then
                    total = total + #data
                else
                    client:close()
                    open = open - 1
                    if open == 0 then server:close() end
                end
            end)
        end)
    end
    uv.run()
    print('tcp', total)
end

local function files()
    local name = uv.cwd() .. '/luv-file'
    local steps = {}
    uv.fs_open(name, 'w', 420, function(_, fd)
        uv.fs_write(fd, 'twelve bytes', -1, function(_, n)
            steps[#steps + 1] = n
            uv.fs_fsync(fd, function()
                uv.fs_close(fd, function()
                    uv.fs_stat(name, function(_, stat)
                        steps[#steps + 1] = stat.size
                        uv.fs_scandir(uv.cwd(), function(_, found)
                            steps[#steps + 1] = uv.fs_scandir_next(found)
                            uv.fs_unlink(name, function() steps[#steps + 1] = 'unlinked' end)
                        end)
                    end)
                end)
            end)
        end)
    end)
    uv.run()
    print('fs', table.concat(steps, ' '))
    print('sync', uv.fs_stat(name) == nil, uv.fs_realpath('.') == uv.cwd())
end

local function pool()
    local sum, cancelled = 0, 0
    local work = uv.new_work(function(n) return n + 1 end, function(n) sum = sum + n end)
    for i = 1, 50 do work:queue(i) end
    uv.getaddrinfo('127.0.0.1', '80', nil, function(err, found) sum = sum + (err and 0 or #found > 0 and 1 or 0) end)
    uv.getnameinfo({ ip = '127.0.0.1', port = 80 }, function(err) sum = sum + (err and 0 or 1) end)
    uv.random(16, 0, function(_, bytes) sum = sum + #bytes end)
    local requests = {}
    for _ = 1, 30 do
        requests[#requests + 1] = uv.fs_stat('.', function(err) if err then cancelled = cancelled + 1 end end)
    end
    for _, request in ipairs(requests) do request:cancel() end
    uv.run()
    print('pool', sum, cancelled <= 30)
    local async
    async = uv.new_async(function(n) print('async', n); async:close() end)
    local thread = uv.new_thread(function(a) a:send(5) end, async)
    uv.run()
    thread:join()
end

local function children()
    local ended, text = {}, {}
    for i = 0, 9 do
        local out = uv.new_pipe(false)
        local child
        child = uv.spawn('sh', { args = { '-c', 'echo ' .. i .. '; exit ' .. i }, stdio = { nil, out, 2 } }, function(code)
            ended[#ended + 1] = code
            child:close()
        end)
        out:read_start(function(_, data)
            if data then text[#text + 1] = data:gsub('\n', '') else out:close() end
        end)
    end
    local sleeper
    sleeper = uv.spawn('sleep', { args = { '20' } }, function(_, signal) print('killed', signal); sleeper:close() end)
    sleeper:kill('sigkill')
    uv.run()
    table.sort(ended)
    table.sort(text)
    print('children', table.concat(ended, ' '), table.concat(text, ' '))
    print('none', uv.spawn('/no/such/program', {}, function() end))
end

local function rest()
    local turns = 0
    local idle, prepare, check = uv.new_idle(), uv.new_prepare(), uv.new_check()
    prepare:start(function() turns = turns + 1 end)
    check:start(function() turns = turns + 1 end)
    idle:start(function()
        if turns > 20 then
            idle:close()
            prepare:close()
            check:close()
        end
    end)
    uv.run()
    local signal = uv.new_signal()
    signal:start('sigusr1', function(name) print(name); signal:close() end)
    uv.kill(uv.os_getpid(), 'sigusr1')
    uv.run()
    local watched, name = uv.new_fs_event(), uv.cwd() .. '/watched'
    uv.fs_close(uv.fs_open(name, 'w', 420))
    watched:start(name, {}, function() print('event'); watched:close() end)
    local polled = uv.new_fs_poll()
    polled:start(name, 10, function() print('poll'); polled:close() end)
    local timer = uv.new_timer()
    timer:start(20, 0, function() timer:close(); uv.fs_unlink(name) end)
    uv.run()
    local a, b, got = uv.new_udp(), uv.new_udp(), 0
    b:bind('127.0.0.1', 0)
    b:recv_start(function(_, data)
        got = got + (data and 1 or 0)
        if got == 20 then a:close(); b:close(); print('udp', got) end
    end)
    for _ = 1, 20 do a:send('x', '127.0.0.1', b:getsockname().port, function() end) end
    uv.run()
    local fds = uv.socketpair and uv.socketpair('stream', nil, { nonblock = true }, { nonblock = true })
    local poll = uv.new_poll(fds[1])
    poll:start('rw', function(_, events) print('poll', events); poll:close() end)
    uv.run()
    for _ = 1, 5 do uv.new_timer():start(60000, 0, function() end) end
    uv.walk(function(handle) if not handle:is_closing() then handle:close() end end)
    uv.run()
    print('loop', uv.loop_close())
end

timers()
tcp()
files()
pool()
children()
rest()
collectgarbage()
