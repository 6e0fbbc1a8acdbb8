#!/bin/bash
# SPDX-License-Identifier: MIT
#
# scripts/aiodebug: what each subcommand prints (golden/NAME.txt) about logs that the programs of tests/examples write
# here and now under the shim, and about such logs after damage; how `run` starts, watches and ends a program; and the
# arithmetic behind it (arithmetic.py). About half a minute.
#
# UPDATE=1 writes the golden files instead of comparing them.
. "$(dirname "$0")/../lib.sh"
here=$(cd "$(dirname "$0")" && pwd)
golden=$here/golden
aiodebug=$ROOT/scripts/aiodebug
shim=$BUILD/libaiodebug.so
export LD_LIBRARY_PATH=$BUILD${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} NO_COLOR=1 COLUMNS=100 LC_ALL=C.UTF-8 PYTHONDONTWRITEBYTECODE=1
unset "${!AIODEBUG@}" LD_PRELOAD

if [ -n "$SANITIZE" ]; then # a sanitizer's runtime would have to be preloaded into Python's children too
    echo "skipped: SANITIZE=$SANITIZE"
    finish
fi

# ---- programs and logs

work=$scratch/work
mkdir "$work"
cd "$work" || exit 1
cp "$ROOT"/tests/examples/{chain,never_awaited,never_retrieved,slow,wrong_thread}.c "$here/again.c" .
for program in chain never_awaited never_retrieved slow wrong_thread again; do
    check "$program.c" "$CC" -g -I"$ROOT/runtime/include" $(pkg-config --cflags libuv) "$program.c" -o "$program" \
        -L"$BUILD" -laiort $(pkg-config --libs libuv)
done

# log FORMAT FILE PROGRAM...: appends what the programs log. A step is slow from one second on, except where a program
# is about that: this machine may be busy.
patient="AIODEBUG_SLOW_ITERATION=60 AIODEBUG_SLOW_POLL=60 AIODEBUG_SLOW_QUEUE=60 AIODEBUG_BLOCKING=off AIODEBUG_HANG=off"
log() {
    local format=$1 file=$2 program
    shift 2
    for program in "$@"; do
        local slow=1
        [[ $program != slow* ]] || slow=0.1
        env $patient AIODEBUG_FORMAT="$format" AIODEBUG_LOG="$PWD/$file" AIODEBUG_SLOW_CALLBACK=$slow LD_PRELOAD="$shim" \
            "./$program" > /dev/null 2>&1
    done
}
log json all.jsonl chain never_awaited never_retrieved slow wrong_thread again
log text all.log chain never_awaited never_retrieved slow wrong_thread again
log json old.jsonl chain slow
log json new.jsonl slow never_retrieved again
# Plain libuv, nothing of ours: the same log.
for program in busy_many run_in_callback slow_repeating_timer; do
    cp "$ROOT/tests/uv/$program.c" "$ROOT/tests/uv/program.h" .
    check "$program.c" "$CC" -g $(pkg-config --cflags libuv) "$program.c" -o "$program" $(pkg-config --libs libuv) -pthread
done
log json uv.jsonl busy_many run_in_callback slow_repeating_timer
same "records in JSON" 9 "$(wc -l < all.jsonl)"

# ---- golden files

# What differs from run to run: times, process and thread numbers, durations and the shares made of them.
normal() {
    sed -E -e 's/[0-9]{4}-[0-9]{2}-[0-9]{2}[ T][0-9:]{8}(\.[0-9]+Z)?/DAY TIME/g' -e 's/\b[0-9]{2}:[0-9]{2}:[0-9]{2}\b/TIME/g' \
        -e 's/\b[0-9.]+ (s|ms|us|ns|min [0-9]+ s)\b/N s/g' -e 's/\[[0-9]+\]/[PID]/g' -e 's/thread [0-9]+/thread TID/g' \
        -e "s,$work/,,g; s,$scratch/,,g; s,$shim,SHIM,g; s,$ROOT/,ROOT/,g" \
        -e 's/([^ ]) +/\1 /g; s/ $//' -e 's/aiodebug-([a-z]+)-[0-9]+/aiodebug-\1-N/'
}
# golden NAME STATUS COMMAND...: standard output, then standard error, and the status.
golden() {
    local name=$1 status=$2 file=$golden/$1.txt got output
    shift 2
    output=$("$@" 2> stderr < "${input:-/dev/null}")
    got=$?
    output=$({ printf '%s\n' "$output"; [ ! -s stderr ] || { echo "---- stderr"; cat stderr; }; } | normal)
    same "$name: status" "$status" "$got"
    if [ -n "${UPDATE:-}" ]; then
        printf '%s\n' "$output" > "$file"
    else
        same "$name" "$(cat "$file")" "$output"
    fi
}
. "$here/commands.bash"
. "$here/damaged.bash"
. "$here/running.bash"
. "$here/completion.bash"

# ---- arithmetic

output=$("$PYTHON" "$here/arithmetic.py" "$work" 2>&1)
line=$(tail -n 1 <<< "$output")
if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
    ((passed += BASH_REMATCH[1], failed += BASH_REMATCH[2]))
    sed '$d' <<< "$output"
else
    check "arithmetic.py" false
    echo "$output"
fi
finish
