#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Builds the stacks and the clock of shim/track/ into a library of their own and runs the programs here against it. Prints what does not
# hold, a few figures, and last "N passed, N failed". By hand: tests/track/run.sh; ROOT, BUILD, CC, CXX, OPT and
# SANITIZE as make check gives them. TRACK_STRESS: seconds of stress (10).

set -u
ROOT=${ROOT:-$(cd "$(dirname "$0")/../.." && pwd)}
CC=${CC:-gcc} CXX=${CXX:-g++} OPT=${OPT:--O2} SANITIZE=${SANITIZE:-}
out=${BUILD:-$ROOT/build/by-hand}/track
slow=${AIORT_TEST_SLOW:-1}
here=$ROOT/tests/track
passed=0 failed=0 skipped=0

rm -rf "$out" && mkdir -p "$out" && cd "$ROOT" || exit 2
unset AIORT_TEST_LIBUNWIND LD_PRELOAD
ulimit -c 0

sources=
for name in other_stack again clock coarse stacks stackcopy threads unwind unwind_quiet; do
    sources="$sources shim/track/$name.c"
done
sanitize=${SANITIZE:+-fsanitize=$SANITIZE}
warnings='-Wall -Wextra -Wpedantic -Werror'
library="-std=gnu11 $OPT -g -fPIC -fsemantic-interposition -fexceptions -fasynchronous-unwind-tables
    -ftls-model=initial-exec -fno-plt -pthread $warnings $sanitize"

fail()
{
    failed=$((failed + 1))
    echo "not ok $1"
}

# name, command...: counts its lines; a crash or a time-out is a failure of its own.
run()
{
    name=$1
    shift
    timeout -k 5 $((60 * slow)) "$@" > "$out/log" 2>&1
    status=$?
    passed=$((passed + $(grep -c '^ok ' "$out/log")))
    skipped=$((skipped + $(grep -c '^skip ' "$out/log")))
    bad=$(grep -c '^not ok ' "$out/log")
    failed=$((failed + bad))
    grep -v '^ok ' "$out/log" | sed "s|^|$name: |"
    if [ $status -ne 0 ] && { [ $status -ne 1 ] || [ "$bad" = 0 ]; }; then
        fail "$name: exit status $status"
    fi
}

# name, compiler, flags: a program of this directory.
build()
{
    # shellcheck disable=SC2086
    $2 -std=gnu11 -g -D_GNU_SOURCE= $warnings -Ishim $3 $sanitize "$here/$1.c" -o "$out/$1" -rdynamic -pthread \
        -L"$out" -ltrack -Wl,-rpath,"$out" -lm || { fail "$1 does not build with $2 $3"; return 1; }
}

# shellcheck disable=SC2086
$CC $library -D_GNU_SOURCE= -Ishim -shared -Wl,-z,now $sources -o "$out/libtrack.so" ||
    { echo '0 passed, 1 failed'; exit 1; }

other=
case $CC in
*clang*) command -v gcc > /dev/null && other=gcc ;;
*) command -v clang > /dev/null && other=clang ;;
esac
[ -z "$SANITIZE" ] || other=

for compiler in $CC $other; do
    for flags in '-O0' '-O2' '-O2 -fno-omit-frame-pointer' '-O0 -fomit-frame-pointer'; do
        build chain "$compiler" "$flags" && run "chain $compiler $flags" "$out/chain"
        build again "$compiler" "$flags" && run "again $compiler $flags" "$out/again"
    done
done

build table "$CC" "$OPT" && run table "$out/table" && run table "$out/table" bounded
build clock "$CC" "$OPT" && run clock "$out/clock"
build coarse "$CC" "$OPT" && run coarse "$out/coarse"
build harm "$CC" "$OPT" && run harm "$out/harm" &&
    run harm env AIORT_TEST_LIBUNWIND=libnothing.so.8 "$out/harm" missing

# ThreadSanitizer keeps signals back until the thread makes a call of its own: a thread that computes never
# gets them.
case $SANITIZE in
*thread*) skipped=$((skipped + 2)) ;;
*)
    build others "$CC" -O2 && run "others $CC -O2" "$out/others"
    if [ -n "$other" ]; then
        build others "$other" -O0 && run "others $other -O0" "$out/others"
        build others "$CC" '-O2 -fno-omit-frame-pointer' && run "others $CC with frame pointers" "$out/others"
    fi
    for i in 1 2; do
        # shellcheck disable=SC2086
        $CC -shared -fPIC -O2 $sanitize "$here/library.c" -o "$out/library$i.so" || fail "library$i"
    done
    build stress "$CC" "$OPT" &&
        run stress "$out/stress" "${TRACK_STRESS:-10}" "$out/library1.so" "$out/library2.so"
    ;;
esac

# C++ exceptions: from libgcc still, and as fast as they were.
if [ -z "$SANITIZE" ] && command -v "$CXX" > /dev/null; then
    # shellcheck disable=SC2086
    $CC $library -D_GNU_SOURCE= -Ishim -shared "$here/preload.c" -o "$out/preload.so" -L"$out" -ltrack \
        -Wl,-rpath,"$out" && $CXX -O2 "$here/exceptions.cc" -o "$out/exceptions" || fail 'exceptions do not build'
    plain=$("$out/exceptions" where) loaded=$(LD_PRELOAD=$out/preload.so "$out/exceptions" where)
    if [ -n "$plain" ] && [ "$plain" = "$loaded" ]; then
        passed=$((passed + 1))
    else
        fail "exceptions: unwinder $loaded, not $plain"
    fi
    # By turns, the best of each: the machine is not quiet. Another unwinder would take ten times as long.
    a=1000000 b=1000000
    for turn in 1 2 3 4 5 6; do
        t=$("$out/exceptions") && [ "$t" -lt $a ] && a=$t
        t=$(LD_PRELOAD=$out/preload.so "$out/exceptions") && [ "$t" -lt $b ] && b=$t
    done
    echo "# throw and catch: $a ns, with the stacks loaded $b ns"
    if [ $b -lt 1000000 ] && [ $((b * 2)) -le $((a * 3)) ]; then
        passed=$((passed + 1))
    else
        fail 'exceptions are slower'
    fi
fi

if [ -z "$SANITIZE" ]; then
    build figures "$CC" "$OPT" && run figures "$out/figures"
fi

echo "$passed passed, $failed failed$([ $skipped -eq 0 ] || echo ", $skipped skipped")"
[ $failed -eq 0 ]
