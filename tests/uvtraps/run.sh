#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The traps for an interposer of libuv that are programs (tests/uv/traps; tests/uv/TRAPS.md says where the others are
# tested). Each is run without and with the shim: what it prints and ends with is the same, and its log holds the
# records that its head comment says, with everything on that is about what is left open.
#
#   @silent             nothing is logged
#   @log SLUG N         so many records of this check; no others
#   @env NAME=VALUE     for the run under the shim
#   @exit N             how it ends
#   @library NAME       the same source with -DLIBRARY is a shared library that the program is linked with
. "$(dirname "$0")/../lib.sh"

unset "${!AIODEBUG@}" LD_PRELOAD
[ -z "$SANITIZE" ] || { echo "skipped: the programs leave things open on purpose"; finish; }
shim=$BUILD/libaiodebug.so
here=$ROOT/tests/uv/traps
ulimit -c 0
cd "$scratch" || exit 1

# build SOURCE OUTPUT FLAGS...
build() {
    local source=$1 output=$2
    shift 2
    # shellcheck disable=SC2046
    $CC -std=gnu11 -g -O2 -Wall -Wextra -D_GNU_SOURCE "$source" -o "$output" "$@" $(pkg-config --cflags --libs libuv) -ldl -pthread
}

# once WHERE COMMAND...: "status N", then what it printed.
once() {
    local where=$1
    shift
    mkdir -p "$where.dir"
    (cd "$where.dir" && timeout -k 5 "$((60 * ${AIORT_TEST_SLOW:-1}))" "$@" 2>&1; echo "status $?") > "$where" 2> /dev/null < /dev/null
}

slugs() {
    cat log.* 2> /dev/null | "$PYTHON" -c '
import collections, json, re, sys
count = collections.Counter()
for line in sys.stdin:
    record = json.loads(line)
    more = re.search(r"repeated (\d+) more", record["message"])
    count[record["check"]] += int(more[1]) if more else 1
print("\n".join(f"{slug} {n}" for slug, n in sorted(count.items())))'
}

for source in "$here"/*.c; do
    name=$(basename "$source" .c)
    [ $# -eq 0 ] || [[ " $* " == *" $name "* ]] || continue
    setting() { sed -n "s/^ \* @$1 \{0,1\}//p" "$source"; }
    library=$(setting library)
    link=()
    if [ -n "$library" ]; then
        check "$name: its library compiles" build "$source" "lib$library.so" -shared -fPIC -DLIBRARY -Wno-unused-function
        link=(-L. -Wl,-rpath,"$scratch" -Wl,--no-as-needed "-l$library")
    fi
    check "$name compiles" build "$source" "$name" "${link[@]}"
    [ -x "$name" ] || continue
    once "$name.plain" "$scratch/$name"
    same "$name: works without the shim" "status $(setting exit | grep . || echo 0)" "$(tail -n 1 "$name.plain")"
    rm -f log.*
    # What a program does not ask for by @env is no question of time: machines may be busy.
    # shellcheck disable=SC2046
    once "$name.with" env LD_PRELOAD="$shim" AIODEBUG_RESOURCE=1 AIODEBUG_FORMAT=json AIODEBUG_LOG="$scratch/log.%p" \
        AIODEBUG_SLOW_CALLBACK=10 AIODEBUG_SLOW_ITERATION=10 AIODEBUG_SLOW_POLL=10 AIODEBUG_BLOCKING=off \
        AIODEBUG_SLOW_QUEUE=60 AIODEBUG_HANG=off $(setting env) "$scratch/$name"
    same "$name: the same under it" "$(cat "$name.plain")" "$(cat "$name.with")"
    same "$name: its records" "$(setting log | sort)" "$(slugs)"
done

# The table says of each trap where it is tested: those programs exist, and each of these is in it.
mapfile -t named < <(grep -oE '`(traps/)?[a-z_]+\.cc?`' "$ROOT/tests/uv/TRAPS.md" | tr -d '`' | sort -u)
for program in "${named[@]}"; do
    check "TRAPS.md: $program exists" test -e "$ROOT/tests/uv/$program"
done
same "TRAPS.md names each trap's program" "$(cd "$ROOT/tests/uv" && echo traps/*.c)" \
    "$(printf '%s\n' "${named[@]}" | grep '^traps/' | tr '\n' ' ' | sed 's/ $//')"
same "TRAPS.md has a row for each of the thirty" "$(seq 30)" "$(sed -nE 's/^\| ([0-9]+) \|.*/\1/p' "$ROOT/tests/uv/TRAPS.md")"
finish
