#!/bin/bash
# SPDX-License-Identifier: MIT
#
# libaiort-tls: its cases plain, under the shim (which has nothing to say) and under Valgrind; and that
# programs without TLS do not load OpenSSL.
. "$(dirname "$0")/../lib.sh"

if ! pkg-config --exists openssl; then
    echo "skipped: no OpenSSL to build libaiort-tls with"
    finish
fi
flags=(-std=gnu11 -g -O1 -Wall -Wextra -Werror -I"$ROOT/runtime/include")
[ -z "$SANITIZE" ] || flags+=(-fsanitize="$SANITIZE")
# shellcheck disable=SC2046
"$CC" "${flags[@]}" "$ROOT/tests/tls/program.c" -o "$scratch/program" -L"$BUILD" -Wl,-rpath,"$BUILD" \
    -laiort-tls -laiort $(pkg-config --cflags --libs openssl libuv) || exit 1

cases=$(sed -n 's/^static int \([a-z_]*\)(pair_t \*pair)$/\1/p' "$ROOT/tests/tls/program.c" | grep -v '^join$' | sort)

# all_ok COMMAND...: it ends well and every case of the source passed.
all_ok() {
    local output
    output=$("$@") || { echo "$output"; return 1; }
    [ "$(sed -n 's/^ok //p' <<< "$output" | sort)" = "$cases" ] || { echo "$output"; return 1; }
}

check "every case" all_ok "$scratch/program"
if [ -z "$SANITIZE" ]; then
    check "under the shim" all_ok env LD_PRELOAD="$BUILD/libaiodebug.so" AIODEBUG_RESOURCE=1 \
        AIODEBUG_LOG="$scratch/log" AIODEBUG_SLOW_CALLBACK=5 AIODEBUG_SLOW_ITERATION=5 "$scratch/program"
    same "which says nothing" "" "$(cat "$scratch/log" 2> /dev/null)"
    # Valgrind 3.19 does not read clang's debug information.
    [[ $CC == *clang* ]] || check "under Valgrind" all_ok valgrind -q --error-exitcode=9 --leak-check=full \
        --errors-for-leak-kinds=definite "$scratch/program"
    check "libaiort does not need OpenSSL" test "$(readelf -d "$BUILD/libaiort.so" | grep -c 'libssl\|libcrypto')" -eq 0
fi
finish
