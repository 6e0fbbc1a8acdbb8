#!/bin/bash
# SPDX-License-Identifier: MIT
#
# What the two libraries show to the dynamic linker: their names, what they need, what they export, and that
# they are hardened.
. "$(dirname "$0")/../lib.sh"

runtime=$BUILD/libaiort.so shim=$BUILD/libaiodebug.so

dynamic() { # FILE TAG: the values of that tag, one a line
    readelf -dW "$1" | sed -n "s/.*($2).*\[\(.*\)\]/\1/p" | sort
}

exported() { # FILE: defined dynamic symbols, without versions
    nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u
}

declared() { # every function that the public header exports
    $CC -std=gnu11 -E -I"$ROOT/runtime/include" $(pkg-config --cflags libuv) "$ROOT/runtime/include/aiort.h" \
        | tr '\n' ' ' | grep -oE '__attribute__\(\(visibility\("default"\)\)\)[^;{]*;' \
        | sed -E 's/__attribute__\(\([^)]*\)\)+//; s/ __attribute__.*//' \
        | grep -oE '\baiort_[a-z0-9_]+ ?\(' | sed 's/ *($//' | awk '!/_t$/' | sort -u
}

all_of() { # LIST-A LIST-B: every line of A is in B
    local lacking
    lacking=$(comm -23 <(sort -u <<< "$1") <(sort -u <<< "$2"))
    [ -z "$lacking" ] || { echo "$lacking"; return 1; }
}

none_but() { # PATTERN LIST
    local others
    others=$(grep -vE "$1" <<< "$2" | grep .)
    [ -z "$others" ] || { echo "$others"; return 1; }
}

# Symbols that the sanitizers' and the C runtime add are not ours to judge.
ours() { grep -vE '^(__asan|__ubsan|__tsan|__sanitizer|__odr_asan|_init$|_fini$|_edata$|_end$|__bss_start$)'; }

check "both libraries are built" test -e "$runtime" -a -e "$shim"
[ $failed -eq 0 ] || finish

same "libaiort's soname" libaiort.so.0 "$(dynamic "$runtime" SONAME)"
check "libaiort.so leads to libaiort.so.0.1.0" test "$(basename "$(readlink -f "$runtime")")" = libaiort.so.0.1.0
header=$(declared)
check "the header declares functions" test "$(wc -l <<< "$header")" -gt 50
check "libaiort exports what the header declares" all_of "$header" "$(exported "$runtime")"
check "libaiort exports nothing else" all_of "$(exported "$runtime" | ours | grep -v '^LIBAIORT_')" "$header"
check "libaiort exports no internal name" none_but '^aiort_[^_]' "$(exported "$runtime" | ours | grep -v '^LIBAIORT_')"

same "libaiodebug's soname" libaiodebug.so "$(dynamic "$shim" SONAME)"
if [ -z "$SANITIZE" ]; then
    check "libaiodebug needs libc alone" none_but '^(libc\.so|ld-linux|libdl\.so|libpthread\.so)' "$(dynamic "$shim" NEEDED)"
    # The compiler's own library: cleanups when a C++ exception leaves a callback.
    check "libaiort needs libuv and libc alone" \
        none_but '^(libuv\.so|libc\.so|libm\.so|ld-linux|libdl\.so|libpthread\.so|libgcc_s\.so)' \
        "$(dynamic "$runtime" NEEDED)"
fi
same "libaiodebug hides its own names" "" "$(exported "$shim" | grep -E '^aiodebug' || true)"
check "libaiodebug defines seams, and all that it defines exist" \
    all_of "$(exported "$shim" | grep '^aiort_' || echo none)" "$(grep '^aiort_instrument_' <<< "$header")"
check "libaiodebug is never unloaded" grep -q NODELETE <(readelf -dW "$shim")

for library in "$runtime" "$shim"; do
    name=$(basename "$library")
    check "$name: relocations are read-only and resolved at start" \
        awk '/GNU_RELRO/ { relro = 1 } /BIND_NOW|FLAGS.*NOW/ { now = 1 } END { exit !(relro && now) }' \
        <(readelf -lW "$library"; readelf -dW "$library")
    check "$name: the stack is not executable" awk '/GNU_STACK/ { exit !($7 !~ /E/) }' <(readelf -lW "$library")
    check "$name: no text relocations" test -z "$(readelf -dW "$library" | grep TEXTREL)"
done
finish
