#!/bin/bash
# SPDX-License-Identifier: MIT
#
# hddemux: a proxy between HTTP and DNS on one socket, which it inherits open (uv_tcp_open()). Each connection has two
# streams, a timer and a lookup in the pool, and its requests are cancelled when either side goes first.
. "$(dirname "$0")/client.bash"

package hddemux
# The proxy says on stderr who went first, which is a race.
control "hddemux" "$PYTHON" "$here/proxied.py" 5
client "proxied" "$PYTHON" "$here/proxied.py" 300
finish_client
