#!/bin/bash
# SPDX-License-Identifier: MIT
#
# neovim without a screen: timers, jobs with pipes, a terminal, channels and servers, threads, its own copy of libuv's
# API in Lua, and an embedded neovim that speaks a protocol on its standard streams.
. "$(dirname "$0")/client.bash"

package neovim
export NVIM_LOG_FILE=/dev/null HOME=$scratch XDG_DATA_HOME=$scratch XDG_CONFIG_HOME=$scratch XDG_STATE_HOME=$scratch
nvim=(nvim --headless -u NONE -i NONE -n)

control "nvim" "${nvim[@]}" +'call timer_start(5, {-> execute("qall!")})'
for lua in jobs loop terminal; do
    client "$lua" "${nvim[@]}" -c "luafile $here/$lua.lua"
done
ends_with=3 client "an exit status" "${nvim[@]}" +'call timer_start(1, {-> execute("cquit 3")})'
client "a busy callback is told" "${nvim[@]}" -c "luafile $here/busy.lua"
finish_client
