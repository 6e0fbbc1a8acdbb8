#!/bin/bash
# SPDX-License-Identifier: MIT
#
# libuv's own test suite under the shim: subset.txt, or everything with `all` (`make check-libuv`).
. "$(dirname "$0")/../lib.sh"

[ -z "$SANITIZE" ] || { echo "skipped: a sanitizer's runtime changes what libuv's tests see"; finish; }
here=$ROOT/tests/uvsuite
libuv=$(dirname "$BUILD")/libuv
if ! why=$("$here/fetch.sh" "$libuv" 2>&1); then
    # Without a network there is nothing to compare with: a failure only where somebody relies on it.
    echo "$why"
    [ -z "${CI:-}" ] || failed=1
    finish
fi

suite() {
    $PYTHON "$here/suite.py" --program "$libuv/run-tests" --source "$libuv/source" "$@"
}

# First that the comparison can fail: with shims that misbehave, all of a few tests must be found to differ.
cc -g -shared -fPIC "$here/fake.c" -o "$scratch/fake.so" -ldl || check "the fake shim compiles" false
few=timer_init,loop_alive,strscpy
fake() {
    local name=$1 fake=$2 expected=$3
    shift 3
    same "$name" "$expected" "$(FAKE=$fake suite --shim "$scratch/fake.so" --only $few --tries 1 "$@" | tail -n 1)"
}
echo "loop_alive request-reused 1 it is not there" > "$scratch/one"
fake "a shim that does nothing passes" silent "3 passed, 0 failed"
fake "a word on stdout is found" prints "1 passed, 2 failed"
fake "a call refused is found" refuses "1 passed, 2 failed"
fake "a crash is found" crashes "1 passed, 2 failed"
fake "a hang is found" hangs "1 passed, 2 failed" --timeout 1
fake "a record that is not listed is found" reports "1 passed, 2 failed"
fake "a record that is none is found" garbles "1 passed, 2 failed" --modes json
fake "a listed record that does not come is found" silent "2 passed, 1 failed" --records "$scratch/one"

# compare NAME ARGUMENTS...: adds the total of one run of the suite.
compare() {
    local name=$1
    shift
    echo "---- $name"
    suite --shim "$BUILD/libaiodebug.so" --records "$here/records.txt" "$@" | tee "$scratch/out"
    if [[ $(tail -n 1 "$scratch/out") =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
    else
        check "$name: the suite's runner ended with a total" false
    fi
}

if [ "${1:-}" != all ]; then
    compare "the subset" --only "$here/subset.txt"
    finish
fi
compare "every test"
# Debian's libuv calls its own functions through the PLT, where a shim sees them; as others link it, it does not.
if have cmake; then
    {
        cmake -S "$libuv/source" -B "$libuv/symbolic" -DCMAKE_C_FLAGS="-O2 -g" -DBUILD_TESTING=OFF -DLIBUV_BUILD_TESTS=OFF \
            -DCMAKE_SHARED_LINKER_FLAGS=-Wl,-Bsymbolic-functions && cmake --build "$libuv/symbolic" --target uv
    } > "$scratch/cmake" 2>&1 || check "libuv is built with -Bsymbolic-functions" cat "$scratch/cmake" /nonexistent
    plt=$(objdump -d "$libuv/symbolic/libuv.so.1" | grep -c 'call.*<uv_.*@plt>')
    same "with -Bsymbolic-functions it calls itself directly" 0 "$plt"
    compare "on a libuv linked with -Bsymbolic-functions" --only "$here/subset.txt" --library "$libuv/symbolic/libuv.so.1"
fi
finish
