#!/bin/bash
# SPDX-License-Identifier: MIT
#
# lua-luv: libuv brought in by dlopen() behind a plugin, under Lua's own allocator, driven from scripts.
. "$(dirname "$0")/client.bash"

package lua5.1 lua-luv
control "luv" lua5.1 "$here/short.lua"
client "everything" lua5.1 "$here/everything.lua"
client "a busy callback is told" lua5.1 "$here/busy.lua"
ends_with=255 client "an error in a callback" lua5.1 "$here/fails.lua"
finish_client
