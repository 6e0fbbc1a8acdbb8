# SPDX-License-Identifier: MIT
# shellcheck shell=bash
#
# Sourced by the scripts beside it. Each takes a program from Debian that uses libuv, as it is, and has it do its
# usual work without and with the shim:
#
#   package NAME...             installs what is missing, or ends the script
#   client NAME COMMAND...      what it prints, what it ends with (0, or $ends_with), and what the log says
#   control NAME COMMAND...     proves that the shim sees this program's callbacks at all: with a threshold of 0
#                               every one of them is slow
#   finish_client               checks that NAME.true has no stale line, and prints the total
#
# A command runs in an empty directory of its own ($PWD), with the client's files in $here. NAME.true beside the
# script lists the records that are true: lines `slug pattern reason`, the pattern a glob for the message, or for the
# function or module of a frame. A line that begins with "? " is for what a quick machine does not show.
. "$(dirname "${BASH_SOURCE[0]}")/../../lib.sh"

unset "${!AIODEBUG@}" LD_PRELOAD
script=$(basename "$0" .sh)
here=$ROOT/tests/uv/clients/$script
expected=$ROOT/tests/uv/clients/$script.true
shim=$BUILD/libaiodebug.so
seen=$scratch/seen
: > "$seen"
ulimit -c 0

[ -z "$SANITIZE" ] || { echo "skipped: a sanitizer's runtime cannot be put into Debian's programs"; finish; }

# Without the network there is no client: a failure only where somebody relies on it.
cannot() {
    echo "skipped: $script: $1"
    [ -z "${CI:-}" ] || failed=$((failed + 1))
    finish
}

as_root() {
    if [ "$(id -u)" = 0 ]; then
        env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 "$@"
    else
        sudo -n env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 "$@"
    fi
}

# package NAME...: RUNLEVEL=1 keeps a server that is installed from being started.
package() {
    local missing=() name
    for name in "$@"; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2> /dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    command -v apt-get > /dev/null || cannot "${missing[*]} not installed, and there is no apt-get"
    apt-cache madison "${missing[0]}" 2> /dev/null | grep . > /dev/null || as_root apt-get -q update > "$scratch/apt" 2>&1 < /dev/null
    as_root apt-get -q -y -o DPkg::Lock::Timeout=300 --no-install-recommends install "${missing[@]}" > "$scratch/apt" 2>&1 \
        < /dev/null || cannot "${missing[*]} cannot be installed ($(grep -E '^(E:|sudo:)' "$scratch/apt" | head -n 1))"
}

# once WHERE COMMAND...: stdout, stderr and status in WHERE.
once() {
    local where=$1
    shift
    rm -rf "$where" "$scratch/place"
    mkdir -p "$where/logs" "$scratch/place"
    # The subshell outlives the program, or bash would say here which signal ended it.
    (cd "$scratch/place" && timeout -k 5 "$((60 * ${AIORT_TEST_SLOW:-1}))" "$@" 2> "$where/err"; exit $?) \
        > "$where/out" 2> /dev/null < /dev/null
    echo "status $?" > "$where/status"
}

# With the shim, and a log for each process. More variables may stand before the command, as for env.
watched() {
    local where=$1
    shift
    once "$where" env LD_PRELOAD="$shim" AIODEBUG_FORMAT=json AIODEBUG_LOG="$where/logs/%e.%p.json" "$@"
}

# What a run did, with what is never the same taken out of stderr (process ids, addresses).
outcome() {
    cat "$1/status" "$1/out"
    sed -E -e 's/0x[0-9a-f]+/ADDRESS/g' -e 's/[0-9]+/N/g' "$1/err"
}

# More than twice as much to do as there are processors: what takes long then says nothing about the program.
busy() {
    awk -v processors="$(nproc)" '{ exit !($1 > 2 * processors) }' /proc/loadavg
}

# again [NAME=VALUE...] COMMAND...: the run under the shim that was just made did what the one without did. The network has
# accidents of its own: what differs is shown and tried twice more, each time both ways.
again() {
    local try
    for try in 1 2; do
        [ "$(outcome "$scratch/plain")" != "$(outcome "$scratch/with")" ] || return 0
        diff <(outcome "$scratch/plain") <(outcome "$scratch/with") | sed 's/^/        differed, tried again: /' | head -n 20
        once "$scratch/plain" "${@:$plain_from}"
        watched "$scratch/with" "$@"
    done
}

client() {
    local name=$1 try status plain_from=1
    shift
    once "$scratch/plain" "$@"
    same "$name: works without the shim" "status ${ends_with:-0}" "$(cat "$scratch/plain/status")"
    watched "$scratch/with" "$@"
    again "$@"
    same "$name: the same as without the shim" "$(outcome "$scratch/plain")" "$(outcome "$scratch/with")"
    # On a busy machine a callback may take long for no reason of its own: what is about time must come each time.
    for try in 1 2 3; do
        "$PYTHON" "$ROOT/tests/uv/clients/records.py" "$expected" "$seen" "$scratch/with/logs" > "$scratch/said"
        status=$?
        [ "$status" -eq 3 ] && [ "$try" -lt 3 ] || break
        watched "$scratch/with" "$@"
    done
    if [ "$status" -eq 3 ] && busy; then
        echo "        $name: the machine is busy; not counted: $(grep -oE '\[[a-z]+-[a-z]+\]$' "$scratch/said" | sort | uniq -c | tr -s ' \n' ' ')"
    else
        same "$name: no record that is not true" "" "$(cat "$scratch/said")"
    fi
    # Everything that can be said is: each callback is slow, each poll is told, what is left open is counted.
    local all=(AIODEBUG_SLOW_CALLBACK=0 AIODEBUG_LEVEL=DEBUG AIODEBUG_RESOURCE=1 AIODEBUG_FORMAT=text)
    watched "$scratch/with" "${all[@]}" "$@"
    plain_from=$((${#all[@]} + 1))
    again "${all[@]}" "$@"
    same "$name: the same with all that can be logged" "$(outcome "$scratch/plain")" "$(outcome "$scratch/with")"
}

control() {
    local name=$1
    shift
    watched "$scratch/with" AIODEBUG_SLOW_CALLBACK=0 "$@"
    check "$name: its callbacks are seen" grep -rq '"check":"slow-callback"' "$scratch/with/logs"
}

finish_client() {
    local stale
    stale=$(grep -vE '^([#?]|$)' "$expected" 2> /dev/null | grep -vxFf "$seen")
    same "every line of $script.true came" "" "$stale"
    finish
}
