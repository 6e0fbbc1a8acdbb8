#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The shim's surroundings, seen from outside with the programs of tests/examples: switched off, in programs it
# has nothing to do with, in set-user-id ones, without the libraries it loads, with a log that cannot be
# written, and the variables that the README shows. (tests/report has each variable's every value.)
. "$(dirname "$0")/../lib.sh"

[ -z "$SANITIZE" ] || { echo "skipped: tests/report has the same under a sanitizer"; finish; }
unset "${!AIODEBUG@}" LD_PRELOAD
export AIODEBUG_SLOW_CALLBACK=60 # a busy machine is not a slow callback
ulimit -c 0
chmod 755 "$scratch"
cp -P "$BUILD"/libaiort.so* "$BUILD/libaiodebug.so" "$scratch" # where another user may read, too
cd "$scratch" || exit 1
shim=$scratch/libaiodebug.so

# build SOURCE OUTPUT LIBRARIES...
build() {
    local source=$1 output=$2
    shift 2
    # shellcheck disable=SC2046
    $CC -std=gnu11 -g -O1 -Wall -I"$ROOT/runtime/include" "$source" -o "$output" -L"$scratch" \
        -Wl,-rpath,"$scratch" "$@" $(pkg-config --cflags --libs libuv)
}
programs="chain kill_me never_awaited never_retrieved slow wrong_thread"
for program in $programs; do
    check "$program compiles" build "$ROOT/tests/examples/$program.c" "$program" -laiort
done
check "inert compiles" build "$ROOT/tests/env/inert.c" inert
check "both compiles" build "$ROOT/tests/examples/never_awaited.c" both -Wl,--no-as-needed -laiodebug -laiort
[ "$failed" = 0 ] || finish

# quiet COMMAND...: its stdout in the file out, its stderr in err; a minute at most.
quiet() { (timeout -s KILL 60 "$@"; exit $?) > out 2> err < /dev/null; }
preloaded() { LD_PRELOAD=$shim quiet "$@"; }
records() { grep -cE ' [A-Z]+:aiodebug:.* \[[a-z-]+\]$' "$@"; }
addresses_away() { sed -E 's/0x[0-9a-f]{5,}/0xADDR/g' "$@"; }

# ------------------------------------------------------------------------------------------- it stays inert

for program in $programs; do
    quiet "./$program"
    plain="$? $(addresses_away out err)"
    AIODEBUG=0 AIODEBUG_LOG=$scratch/off.log AIODEBUG_HANG=bad preloaded "./$program"
    same "AIODEBUG=0: $program as without the shim" "$plain" "$? $(addresses_away out err)"
done
check "AIODEBUG=0: no log file" test ! -e off.log

quiet ./inert
plain="$? $(cat out err)"
AIODEBUG_LOG=$scratch/inert.log preloaded ./inert
same "plain libuv without a mistake: no thread, no descriptor, no word" "$plain" "$? $(cat out err)"
AIODEBUG_LOG=$scratch/inert.log AIODEBUG_WRONG=1 preloaded ./inert
same "what is wrong with the environment is said once libuv is used" \
    "aiodebug: AIODEBUG_WRONG is not a variable of aiodebug; the nearest is AIODEBUG_HANG" "$(cat err)"
same "that program has one thread" "3 turns, 1 threads" "$(grep -o '3 turns, 1 threads' out)"
quiet ls /proc/self/task /proc/self/fd
plain=$(sed '/task:/,/^$/s/[0-9]\+/N/' out err)
AIODEBUG_LOG=$scratch/inert.log AIODEBUG_WRONG=1 preloaded ls /proc/self/task /proc/self/fd
same "neither library: no thread, no descriptor, no word" "$plain" "$(sed '/task:/,/^$/s/[0-9]\+/N/' out err)"
check "neither: no log file" test ! -e inert.log

quiet ./both
same "a program linked with the shim is watched" 1 "$(records err)"
if [ "$(id -u)" = 0 ] && have setpriv; then
    chown 1:1 both && chmod 6755 both
    AIODEBUG_LOG=$scratch/setuid.log quiet setpriv --reuid=65534 --regid=65534 --clear-groups ./both
    status=$?
    check "set-user-id: the runtime's own report is all" grep -q "was never awaited" err
    same "set-user-id: no record, no file" "0 0 " "$status $(records err) $(ls setuid.log 2> /dev/null)"
    AIODEBUG_LOG=$scratch/setuid.log LD_PRELOAD=$shim quiet setpriv --reuid=65534 --regid=65534 --clear-groups ./both
    same "set-user-id, and preloaded: no record, no file" "0 0 " "$? $(records err) $(ls setuid.log 2> /dev/null)"
    rm -f setuid.log
fi

# ------------------------------------------------------------------------------- what it loads is not there

# A file that is no library stands for none: the loader goes no further.
mkdir none-unwind none-dw
: > none-unwind/libunwind.so.8
: > none-dw/libdw.so.1
# without DIRECTORY PROGRAM
without() { LD_LIBRARY_PATH=$scratch/$1 LD_PRELOAD=$shim quiet "./$2"; }

preloaded ./never_retrieved
same "all there: stacks" "0 0 2" "$? $(grep -c '^aiodebug: ' err) $(grep -c '^  File "' err)"
without none-unwind never_retrieved
same "no libunwind: one line says so, the report comes without stacks" "0 1 1 0" \
    "$? $(grep -c '^aiodebug: .*libunwind' err) $(records err) $(grep -cE '^  (Module|Stack)' err)"
check "no libunwind: libdw still names the function" grep -q 'coro=<bug() done, defined at [^ ]*never_retrieved.c:5>' err
for program in $programs; do
    without none-unwind "$program"
    check "no libunwind: $program runs" test $? -eq 0
done
without none-dw never_retrieved
same "no libdw: one line says so, the report comes with modules and names" "0 1 1 1" \
    "$? $(grep -c '^aiodebug: .*libdw' err) $(records err) $(grep -c '^  Module ".*/never_retrieved", offset 0x.*, in bug, build-id' err)"

# ------------------------------------------------------------------------------------------------- the log

AIODEBUG_LOG=$scratch preloaded ./never_awaited
same "a log that cannot be opened: one line, then stderr" \
    "0 aiodebug: cannot open $scratch: Is a directory; the log goes to stderr 1" "$? $(head -n 1 err) $(records err)"
AIODEBUG_LOG=$scratch/no/such preloaded ./never_awaited
same "a log in no directory: one line, then stderr" \
    "0 aiodebug: cannot open $scratch/no/such: No such file or directory; the log goes to stderr 1" \
    "$? $(head -n 1 err) $(records err)"
mkdir logs
for _ in 1 2; do
    # shellcheck disable=SC2016
    LD_PRELOAD=$shim AIODEBUG_LOG=$scratch/logs/%e.%p.100%% sh -c 'echo $$; exec ./never_awaited' < /dev/null
done > pids 2> err
same "%p, %e and %%: a file for each process" "$(sed 's/.*/never_awaited.&.100%/' pids | sort)" "$(ls logs | sort)"
same "and nothing on stderr" "" "$(cat err)"
same "a record in each" "1 1" "$(records -h logs/* | paste -sd' ')"

keys="version time monotonic pid tid thread program level check message loop object seconds threshold count"
keys="$keys context stacks errors hint"
for program in $programs; do
    rm -f log.json
    AIODEBUG_SLOW_CALLBACK=0.1 AIODEBUG_FORMAT=json AIODEBUG_LOG=$scratch/log.json preloaded "./$program"
    lines=0
    while read -r line; do
        lines=$((lines + 1))
        check "json: $program, line $lines" "$PYTHON" -m json.tool <(printf '%s\n' "$line")
        same "json: $program, line $lines: the README's keys in its order" "$keys" \
            "$("$PYTHON" -c 'import json, sys; print(*json.loads(sys.argv[1]))' "$line")"
    done < log.json
    check "json: $program logs" test "$lines" -ge 1
done
AIODEBUG_FORMAT=json preloaded ./chain
check "json on stderr: nothing but JSON" "$PYTHON" -m json.tool err

# --------------------------------------------------------------------------------------- what it may change

AIODEBUG_EXITCODE=86 preloaded ./never_awaited
same "AIODEBUG_EXITCODE after a warning" 86 $?
AIODEBUG_EXITCODE=86 preloaded ./slow
same "AIODEBUG_EXITCODE without one" 0 $?
AIODEBUG_THREAD=warn preloaded ./wrong_thread
same "AIODEBUG_THREAD=warn: reported, let through" "0 1 accepted" \
    "$? $(records err) $(sed -n 's/^aiort_call_soon: //p' out)"
preloaded ./wrong_thread
same "AIODEBUG_THREAD unset: reported, refused" "0 1 EWRONGTHREAD" \
    "$? $(records err) $(sed -n 's/^aiort_call_soon: //p' out)"
AIODEBUG_ABORT=non-thread-safe-call preloaded ./wrong_thread
same "AIODEBUG_ABORT: reported, then aborted" "134 1" "$? $(records err)"
AIODEBUG_ABORT=slow-callback preloaded ./wrong_thread
same "AIODEBUG_ABORT of another check" 0 $?
AIODEBUG_LEVEL=ERROR preloaded ./never_awaited
same "AIODEBUG_LEVEL above it" "0 0" "$? $(records err)"
AIODEBUG_CHECKS=-coroutine-never-awaited preloaded ./never_awaited
same "AIODEBUG_CHECKS without it" "0 0" "$? $(records err)"
echo 'coroutine-never-awaited:main_cor*' > supp
AIODEBUG_SUPPRESS=supp preloaded ./never_awaited
same "AIODEBUG_SUPPRESS of it" "0 0" "$? $(records err)"
AIODEBUG_STACK_DEPTH=0 preloaded ./never_retrieved
same "AIODEBUG_STACK_DEPTH=0: no stacks" "0 1 0" "$? $(records err) $(grep -c 'Object created at' err)"
AIODEBUG=help preloaded true
check "AIODEBUG=help prints the variables" grep -q '^| `AIODEBUG_SLOW_CALLBACK` | 0.1 |' err
AIODEBUG_SLOWCALLBACK=1 preloaded ./slow
check "a misspelt variable is told" grep -q '^aiodebug: AIODEBUG_SLOWCALLBACK is not a variable' err

finish
