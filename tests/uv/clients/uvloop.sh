#!/bin/bash
# SPDX-License-Identifier: MIT
#
# python3-uvloop: Python's own malloc and threads around a libuv that dlopen() brings in late and privately.
. "$(dirname "$0")/client.bash"

package python3-uvloop
python=/usr/bin/python3
# The package belongs to the distribution's python, whatever other there is.
"$python" -c 'import uvloop' 2> /dev/null || cannot "$python has no uvloop"

control "uvloop" "$python" "$here/short.py"
for name in streams processes threads; do
    client "$name" "$python" "$here/$name.py"
done
client "a busy callback is told" "$python" "$here/busy.py"
finish_client
