#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The runtime's unit tests under the shim: whatever a program may see of the runtime stays as it is, but for what
# differs.txt lists. Programs with the shim's or the runtime's own objects inside (test_shim_*, test_internal_*)
# have nothing to say here.
. "$(dirname "$0")/../lib.sh"

"$MAKE" --no-print-directory -s -C "$ROOT" unit CC="$CC" SANITIZE="$SANITIZE" OPT="$OPT" \
    CONTEXT="${CONTEXT:-native}" > "$scratch/make" 2>&1 < /dev/null \
    || check "the unit tests are built" cat "$scratch/make" /nonexistent

differs=$(grep -v '^#' "$ROOT/tests/shimmed/differs.txt")
preload=${SANITIZE_PRELOAD:+${SANITIZE_PRELOAD// /:}:}$BUILD/libaiodebug.so
stale=$differs
skipped=0
# LeakSanitizer misreads the thread-local variables of libraries opened later, as libdw's, and crashes itself. What
# the cases leak is seen without the shim.
export ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0

# libuv closes its own descriptors by a bare system call: whoever opens the next of such a number is said to race.
# No waiting for other threads at the end of a case, a second each: the reporter's is always there.
printf 'race:%s\n' epoll_create1 eventfd > "$scratch/suppressions"
export TSAN_OPTIONS=${TSAN_OPTIONS:+$TSAN_OPTIONS:}suppressions=$scratch/suppressions:atexit_sleep_ms=0

for program in "$BUILD"/unit/test_*; do
    name=$(basename "$program")
    [ -f "$program" ] && [ -x "$program" ] && [ -e "$ROOT/tests/unit/$name.c" ] || continue
    case $name in test_shim_* | test_internal_*) continue ;; esac
    # A preloaded ThreadSanitizer crashes the shell that these start.
    [[ $SANITIZE != *thread* || $name != test_process ]] || { echo "skipped: $name"; continue; }
    cases=$("$program" -l)
    mapfile -t wanted < <(grep -vxFf <(sed -n "s/^$name //p" <<< "$differs") <<< "$cases")
    stale=$(grep -vxFf <(sed "s/^/$name /" <<< "$cases") <<< "$stale")
    [ ${#wanted[@]} -gt 0 ] || continue
    # A busy machine is not a slow callback; what is logged is not the question here.
    output=$(LD_PRELOAD=$preload AIODEBUG_LOG=/dev/null AIODEBUG_SLOW_CALLBACK=60 "$program" "${wanted[@]}" 2>&1 \
        < /dev/null)
    status=$?
    last=${output##*$'\n'}
    if [[ $last =~ ([0-9]+)\ passed,\ ([0-9]+)\ failed(,\ ([0-9]+)\ skipped)?$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
        skipped=$((skipped + ${BASH_REMATCH[4]:-0}))
        [ $status -eq 0 ] || sed '$d' <<< "$output"
    else
        failed=$((failed + 1))
        echo "FAILED  $name ended with status $status and no total:"
        echo "$output"
    fi
done

same "every case in differs.txt exists" "" "$stale"
[ $skipped -eq 0 ] || echo "$skipped skipped"
finish
