#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Memory given back while a handle in it is open: every way of C and C++, with glibc's allocator and with others,
# preloaded and linked; before main() and after it; in programs with an allocator or operators of their own; with
# the sanitizers; with the shim switched off. The figures are `make bench-uv`'s.
. "$(dirname "$0")/../lib.sh"

[ -z "$SANITIZE" ] || { echo "skipped: tests/unit has the table under a sanitizer"; finish; }
unset "${!AIODEBUG@}" LD_PRELOAD
# Stacks are the business of tests/uv, and take most of the time.
export AIODEBUG_SLOW_CALLBACK=60 AIODEBUG_LOG=$scratch/log AIODEBUG_STACK_DEPTH=0
ulimit -c 0
cp "$BUILD/libaiodebug.so" "$scratch"
here=$ROOT/tests/memory shim=$scratch/libaiodebug.so
cd "$scratch" || exit 1

uv=$(pkg-config --cflags --libs libuv)
# shellcheck disable=SC2086 # $uv is words
{
    c() { local in=$1 out=$2; shift 2; $CC -std=gnu11 -O2 -g -Wall -Wextra -D_GNU_SOURCE= "$here/$in" -o "$out" "$@" $uv -pthread; }
    cxx() { local in=$1 out=$2; shift 2; $CXX -std=c++17 -fsized-deallocation -O2 -g -Wall -Wextra "$here/$in" -o "$out" "$@" $uv; }
}
check "blocks compiles" c blocks.c blocks
check "deletes compiles" cxx deletes.cc deletes
# clang leaves out what operator delete does when it can see it.
seen=()
[[ $CXX != *clang* ]] || seen=(-O0)
check "libpool compiles" cxx pool.cc libpool.so -shared -fPIC "${seen[@]}"
check "libplugin compiles" cxx pool.cc libplugin.so -DPLUGIN -shared -fPIC
check "plugin compiles" c plugin.c plugin -ldl
check "own_malloc compiles" c own_malloc.c own_malloc -fno-builtin -lstdc++
check "early compiles" cxx early.cc early
[ "$failed" = 0 ] || finish

# run PRELOAD COMMAND...: its stdout in `out`, what the shim said of memory in `said`, its status returned.
run() {
    local preload=$1 status=0
    shift
    rm -f log
    LD_PRELOAD=$preload timeout -s KILL 60 "$@" > out 2> err < /dev/null || status=$?
    said=$(sed -n 's/^memory: [0-9]* bytes at 0x[0-9a-f]*,\{0,1\} //p' log 2> /dev/null)
    records=$(grep -c '\[handle-destroyed-active\]$' log 2> /dev/null)
    [ "$status" = 0 ] || echo "status $status" >> out
    cat err >> out
    return 0
}

# one PRELOAD COMMAND...: it says itself what is to be found.
one() {
    run "$@"
    local expected
    expected=$(cat out)
    if [ "$expected" = nothing ]; then
        [ -z "$said" ] && [ "${records:-0}" = 0 ]
    else
        # The text may end in what is expected: the offset in an array is the compiler's affair.
        [ "$records" = 1 ] && [[ $said == *"$expected" ]]
    fi || { echo "expected: $expected"; echo "said: $said"; cat log; return 1; }
}

all_cases() {
    local name=$1 preload=$2 suffix=$3 program case
    for program in blocks deletes; do
        for case in $("./$program$suffix" -l); do
            check "$name: $program $case" one "$preload" "./$program$suffix" "$case"
        done
    done
}

all_cases glibc "$shim" ""

# ------------------------------------------------------------------------------------- other allocators

# All of them tell malloc_usable_size(). The shim must come first: what stands before it does not ask it.
found=
for library in libjemalloc.so.2 libtcmalloc_minimal.so.4 libmimalloc.so.2; do
    path=$(ldconfig -p | sed -n "s,.*$library .*=> ,,p" | head -1)
    [ -n "$path" ] || { echo "skipped: no $library"; continue; }
    found=1
    all_cases "$library" "$shim $path" ""
    run "$path $shim" ./blocks free_in_a_struct
    same "$library before the shim: the program runs" "the handle 1000 bytes into it, given to free()" "$(cat out)"
    check "$library, linked: compiles" c blocks.c "blocks-$library" -Wl,--no-as-needed "$path"
    check "$library, linked: compiles as C++" cxx deletes.cc "deletes-$library" -Wl,--no-as-needed "$path"
    for case in blocks/free_second_of_an_arena blocks/realloc_grows blocks/silent_neighbours deletes/array \
        deletes/over_aligned_sized; do
        check "$library, linked: $case" one "$shim" "./${case%/*}-$library" "${case#*/}"
    done
done
[ -n "$found" ] || echo "skipped: no other allocator is installed"

# ------------------------------------------------------------------------------------ operators of others

run "$shim" ./plugin ./libpool.so
same "a pool's own operators are called in their own form" "2100 deleted" "$(cat out)"
same "a pool's block, found by the size that delete is given" "the handle 16 bytes into it, given to operator delete()" "$said"
run "$shim" ./plugin ./libplugin.so
same "a C++ library of a C program finds its own operators" "0 deleted" "$(cat out)"
same "and is told that delete was called" "the handle 16 bytes into it, given to operator delete()" "$said"
run "$shim $PWD/libpool.so" ./deletes plain
same "a preloaded pool" "given to operator delete()" "$(cat out)"

run "$shim" ./own_malloc
same "an allocator in the program: each block is freed once" "3 freed" "$(cat out)"
same "its blocks are not looked into, but for their beginning" "given to operator delete()" "$said"

# ------------------------------------------------------------------------------------- early, late, never

run "$shim" ./early
same "before main() and after it" "main" "$(cat out)"
same "an open handle deleted after main()" "given to operator delete()" "$said"

for case in free realloc_grows munmap mremap_moves; do
    rm -f log
    plain=$(./blocks $case)
    same "switched off: $case as without the shim" "$plain" "$(AIODEBUG=0 LD_PRELOAD=$shim ./blocks $case 2>&1)"
    check "switched off: $case writes no log" test ! -e log
done

# --------------------------------------------------------------------------------- programs with sanitizers

# gcc's runtime is a library and wants to be the first; what it frees is its own affair, and so is the report.
# clang's is in the program, and its free() with it; libuv's calls go through the shim all the same.
asan() { env ASAN_OPTIONS=detect_leaks=0 LD_PRELOAD="$1" "${@:2}" > out 2>&1; }
sanitized() {
    local cc=$1 cxx=$2 kind=$3 preload=$4
    CC=$cc c blocks.c "blocks-$cc-$kind" -fsanitize="$kind" && CXX=$cxx cxx deletes.cc "deletes-$cc-$kind" -fsanitize="$kind" || return
    local program
    for program in blocks/silent_closed blocks/silent_neighbours blocks/realloc_grows blocks/munmap blocks/free_in_a_struct \
        deletes/closed deletes/aligned_array deletes/sized; do
        asan "$preload$shim" "./${program%/*}-$cc-$kind" "${program#*/}" || { echo "$program"; cat out; return 1; }
        ! grep -q Sanitizer: out || { cat out; return 1; }
    done
}
for kind in address thread; do
    runtime=$(gcc -print-file-name="lib${kind:0:1}san.so")
    [ "$kind" = address ] || runtime=$(gcc -print-file-name=libtsan.so)
    check "gcc's ${kind}sanitizer" sanitized gcc g++ $kind "$runtime "
    ! have clang || check "clang's ${kind}sanitizer" sanitized clang clang++ $kind ""
done
finish
