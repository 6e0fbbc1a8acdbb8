#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The short form of `make bench` for `make check`: every benchmark runs, a fiftieth of its operations
# once, and gives each figure that the table has. What the figures are is not judged: machines differ.
set -euo pipefail
cd "${ROOT:-$(dirname "$0")/../..}"

if [ -n "${SANITIZE:-}" ]; then
    echo "tests/bench: left out under a sanitizer"
    echo "0 passed, 0 failed"
    exit 0
fi
"${MAKE:-make}" --no-print-directory -s CC="${CC:-gcc}" CONTEXT="${CONTEXT:-}" bench-programs
figures=$(mktemp)
trap 'rm -f "$figures"' EXIT
AIORT_BENCH_SCALE=50 tests/bench/run -n 1 --json "$figures" > /dev/null 2>&1 || true

"${PYTHON:-python3}" - "$figures" <<'END'
import json, sys
wanted = {
    "aiort": "switch context yield2 yield1000 spawn pingpong handover call_soon call_later threadsafe sleeping_bytes",
    "+shim": "yield2 yield1000 spawn pingpong handover call_soon call_later threadsafe sleeping_bytes",
    "libuv": "call_soon call_later threadsafe",
    "boost": "switch context",
    "st": "yield2 yield1000 spawn pingpong handover",
    "asyncio": "yield2 yield1000 spawn pingpong call_soon call_later threadsafe",
    "debug": "yield2 yield1000 spawn pingpong call_soon call_later threadsafe",
}
try:
    with open(sys.argv[1]) as file:
        figures = json.load(file)
except ValueError:
    figures = {}
passed = failed = 0
for column, names in wanted.items():
    for name in names.split():
        if figures.get(column, {}).get(name, 0) > 0:
            passed += 1
        else:
            failed += 1
            print("FAILED: %s gave no figure for %s" % (column, name))
print("%d passed, %d failed" % (passed, failed))
sys.exit(failed != 0)
END
