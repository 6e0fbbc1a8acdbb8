-- SPDX-License-Identifier: MIT
-- A callback that sleeps for a third of a second: the one thing here that has to be reported.
local uv = require('luv')
local timer = uv.new_timer()
timer:start(5, 0, function() uv.sleep(300); timer:close(); print('done') end)
uv.run()
