# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by the tests that are scripts (tests/*/run.sh). A script does its checks and ends with `finish`, which
# prints "N passed, N failed". The Makefile sets ROOT, BUILD, CC, CXX, SANITIZE, SANITIZE_PRELOAD, OPT, MAKE;
# run by hand, they get the values of a plain `make`.
set -uo pipefail

ROOT=${ROOT:-$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)}
BUILD=${BUILD:-$ROOT/build/gcc}
CC=${CC:-gcc} CXX=${CXX:-g++} OPT=${OPT:--O2} MAKE=${MAKE:-make} PYTHON=${PYTHON:-python3}
SANITIZE=${SANITIZE:-} SANITIZE_PRELOAD=${SANITIZE_PRELOAD:-}

passed=0 failed=0
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

# check NAME COMMAND...: passes when the command does; its output is shown when it fails.
check() {
    local name=$1 output status=0
    shift
    output=$("$@" 2>&1 < /dev/null) || status=$?
    if [ $status -eq 0 ]; then
        passed=$((passed + 1))
        [ -z "${V:-}" ] || echo "ok      $name"
    else
        failed=$((failed + 1))
        echo "FAILED  $name (status $status)"
        [ -z "$output" ] || sed 's/^/    /' <<< "$output"
    fi
    return 0
}

# same NAME EXPECTED ACTUAL: passes when the two texts are equal; shows the difference when not.
same() {
    check "$1" diff -u --label expected --label actual <(printf '%s\n' "$2") <(printf '%s\n' "$3")
}

# A system without this command skips what needs it, and says so.
have() {
    command -v "$1" > /dev/null || { echo "skipped: no $1"; return 1; }
}

finish() {
    echo "$passed passed, $failed failed"
    [ "$failed" -eq 0 ]
    exit
}
