-- SPDX-License-Identifier: MIT
-- One timer.
local uv = require('luv')
local timer = uv.new_timer()
timer:start(5, 0, function() timer:close() end)
uv.run()
