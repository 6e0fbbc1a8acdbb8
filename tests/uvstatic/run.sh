#!/bin/bash
# SPDX-License-Identifier: MIT
#
# A program with a libuv of its own inside: its slow turns are seen from its polls, one line at INFO says
# what could not be watched, and nothing else is said or changed. The same program on libuv.so is the twin.
. "$(dirname "$0")/../lib.sh"

archive=$(pkg-config --variable=libdir libuv)/libuv_a.a
[ -r "$archive" ] || archive=$(pkg-config --variable=libdir libuv)/libuv.a
if [ -n "$SANITIZE" ]; then
    echo "skipped: a program without the sanitizer cannot preload what has it"
    finish
fi
check "libuv's archive is installed" test -r "$archive"
"$CC" -g "$ROOT/tests/uvstatic/program.c" "$archive" -lpthread -ldl -o "$scratch/inside" || exit 1
"$CC" -g "$ROOT/tests/uvstatic/program.c" -luv -o "$scratch/shared" || exit 1
"$CC" -g "$ROOT/tests/uvstatic/other.c" -o "$scratch/other" || exit 1

# watched LEVEL COMMAND...: the log of a run, and the status in $status.
watched() {
    local level=$1
    shift
    LD_PRELOAD=$BUILD/libaiodebug.so AIODEBUG_LEVEL=$level "$@" 2>&1
}

# says PATTERN [TIMES]: the log has it; so many lines of the log do.
says() {
    local count
    count=$(printf '%s\n' "$log" | grep -c -e "$1")
    [ "$count" -gt 0 ] && [ "$count" -eq "${2:-$count}" ] || { printf '%s\n' "$log"; false; }
}

slow="Loop iteration took 0\.[0-9]* seconds after 1 event, in callbacks that cannot be seen: libuv is inside inside \[slow-iteration\]"
log=$(watched WARNING "$scratch/inside"); status=$?
check "the program ends as without the shim" test $status -eq 0
check "the slow turn is said" says "WARNING:aiodebug:$slow"
check "once" says "aiodebug:" 1
check "with where the loop runs" says 'program.c", line .*, in main'
same "a quick one is not" "" "$(watched WARNING "$scratch/inside" quick)"

hidden="libuv is inside inside, where its calls do not pass through the debug mode: of its loops only slow iterations were looked for"
log=$(watched INFO "$scratch/inside" quick)
check "at INFO one line says what was not watched" says "INFO:aiodebug:$hidden"
check "and no other" says "" 1
same "switched off, nothing" "" "$(AIODEBUG=0 watched INFO "$scratch/inside")"

log=$(watched INFO "$scratch/shared")
check "on libuv.so the callback itself is named" says "Executing <uv_async_t .* cb=wake() at .*program.c:"
check "and nothing is hidden" says "aiodebug:" 1

# libuv's code under another library's name, as in one that has linked the archive and exports its functions.
sed 's/libuv\.so\.1/libxx.so.1/g' "$(pkg-config --variable=libdir libuv)/libuv.so.1" > "$scratch/libxx.so.1"
"$CC" -g -O2 "$ROOT/tests/uvstatic/program.c" "$scratch/libxx.so.1" -Wl,-rpath,"$scratch" -o "$scratch/other_name" || exit 1
log=$(watched INFO "$scratch/other_name"); status=$?
check "within another library too" says "Executing <uv_async_t .* cb=wake() at .*program.c:"
check "and nothing else is said" says "aiodebug:" 1
check "nor changed" test $status -eq 0
same "an epoll loop that is not libuv's" "" "$(watched INFO "$scratch/other")"
finish
