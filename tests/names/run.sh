#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the shim calls the places of a program, however that was compiled: the six wrong programs of
# tests/examples with and without -g, stripped, PIE and not, with and without frame pointers, -O0 and -O2. A
# sanitizer's program is compiled in one way only, and that is what the golden tests see.
. "$(dirname "$0")/../lib.sh"

[ -z "$SANITIZE" ] || { echo "skipped: names are the same under a sanitizer"; finish; }
export ROOT BUILD CC
exec "$PYTHON" "$ROOT/tests/names/names.py" "$@"
