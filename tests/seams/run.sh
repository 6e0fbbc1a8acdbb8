#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Every seam is interposable from inside the runtime: for gcc and clang, -O0 and -O2, a preloaded library that
# defines all of them (generated from the public header) is called by libaiort.so itself, once at least, for
# each of them.
. "$(dirname "$0")/../lib.sh"

here=$ROOT/tests/seams header=$ROOT/runtime/include/aiort.h
uv=$(pkg-config --cflags libuv)

has() { # PATTERN TEXT
    grep -qE "$1" <<< "$2"
}

has_not() { ! has "$@"; }

seams=$("$PYTHON" "$here/interposer.py" --list "$header")
check "the header declares seams" test "$(wc -l <<< "$seams")" -ge 10

"$PYTHON" "$here/interposer.py" "$header" > "$scratch/interposer.c"
check "the interposer compiles" gcc -std=gnu11 -O1 -g -fPIC -shared -I"$ROOT/runtime/include" $uv \
    "$scratch/interposer.c" -o "$scratch/interposer.so" -ldl

for compiler in gcc clang; do
    have $compiler || continue
    for opt in -O0 -O2; do
        variant=$compiler
        [ $opt = -O2 ] || variant+=$opt
        build=$ROOT/build/$variant
        check "$compiler $opt: builds" "$MAKE" --no-print-directory -s -C "$ROOT" runtime CC=$compiler OPT=$opt \
            SANITIZE= CONTEXT=native
        check "$compiler $opt: the program" $compiler -std=gnu11 -g $opt -I"$ROOT/runtime/include" $uv \
            "$here/exercise.c" -o "$scratch/exercise" -L"$build" -Wl,-rpath,"$build" -laiort -pthread

        # So nobody but the runtime can be the caller.
        check "$compiler $opt: the program calls no seam itself" has_not aiort_instrument_ "$(nm "$scratch/exercise")"

        # Who refers to a symbol through the dynamic linker has a relocation for it; a call bound at build
        # time has none.
        relocations=$(readelf -rW "$build/libaiort.so")
        rm -f "$scratch/log"
        SEAMS_LOG=$scratch/log LD_PRELOAD=$scratch/interposer.so timeout 60 "$scratch/exercise" \
            > "$scratch/output" 2>&1 < /dev/null
        check "$compiler $opt: the program ends well" test $? -eq 0
        calls=$(cat "$scratch/log" 2> /dev/null)
        for seam in $seams; do
            check "$compiler $opt: $seam is bound at run time" has " $seam(@| |\$)" "$relocations"
            check "$compiler $opt: $seam is called by the runtime" has "^$seam\$" "$calls"
        done
    done
done
finish
