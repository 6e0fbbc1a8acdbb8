#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Every public function of <uv.h> is in one class of shim/interpose/uv_list.h, every class that is
# interposed is exported by the shim, nothing else of libuv's names is, and the required ones are all
# in the library at hand. The last line is "N passed, N failed".
exec "${PYTHON:-python3}" "$(dirname "$0")/check.py"
