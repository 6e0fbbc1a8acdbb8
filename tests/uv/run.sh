#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Programs on plain libuv that make the mistakes people report, and their correct twins (see run). About 40 s.
exec "${PYTHON:-python3}" "$(dirname "$0")/run" "$@"
