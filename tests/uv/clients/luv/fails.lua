-- SPDX-License-Identifier: MIT
-- luv prints an error from a callback and ends the program by exit() inside uv_run().
local uv = require('luv')
local timer = uv.new_timer()
timer:start(1, 0, function() error('on purpose') end)
uv.run()
