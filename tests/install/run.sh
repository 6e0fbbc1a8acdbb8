#!/bin/bash
# SPDX-License-Identifier: MIT
#
# make install, into a DESTDIR and into a PREFIX: the files are there, a program built with what pkg-config says
# runs (shared, static, C++), runs under the shim named by pkg-config, and make uninstall leaves nothing.
. "$(dirname "$0")/../lib.sh"

make_quietly() {
    "$MAKE" --no-print-directory -s -C "$ROOT" CC="$CC" SANITIZE="$SANITIZE" OPT="$OPT" CONTEXT="${CONTEXT:-native}" \
        LDCONFIG=: "$@"
}
files() { (cd "$1" && find . ! -type d | sort); }

# ---- packagers: DESTDIR and a library directory of their own

check "make install with DESTDIR" make_quietly install DESTDIR="$scratch/dest" PREFIX=/usr LIBDIR=/usr/lib/here
expected='./usr/include/aiort.h
./usr/include/aiort_tls.h
./usr/lib/here/libaiodebug.so
./usr/lib/here/libaiort.a
./usr/lib/here/libaiort.so
./usr/lib/here/libaiort.so.0
./usr/lib/here/libaiort.so.0.1.0
./usr/lib/here/pkgconfig/libaiodebug.pc
./usr/lib/here/pkgconfig/libaiort.pc'
if pkg-config --exists openssl; then
    expected="$expected
./usr/lib/here/libaiort-tls.so
./usr/lib/here/libaiort-tls.so.0
./usr/lib/here/libaiort-tls.so.0.1.0
./usr/lib/here/pkgconfig/libaiort-tls.pc"
fi
scripts=$(cd "$ROOT/scripts" && find aiodebug_lib -name '*.py' -o -path '*/page/*' -type f)
expected=$(sort <<< "$expected
./usr/bin/aiodebug
./usr/share/bash-completion/completions/aiodebug
./usr/share/man/man1/aiodebug.1
./usr/share/man/man3/libaiort.3
./usr/share/man/man7/libaiodebug.7
./usr/share/zsh/site-functions/_aiodebug
$(sed 's,^,./usr/share/aiodebug/,' <<< "$scripts")")
same "the files" "$expected" "$(files "$scratch/dest")"
check "no file names DESTDIR" bash -c "! grep -rIl '$scratch' '$scratch/dest'"
check "make uninstall" make_quietly uninstall DESTDIR="$scratch/dest" PREFIX=/usr LIBDIR=/usr/lib/here
same "nothing is left" "" "$(files "$scratch/dest")"

# ---- users: a prefix, pkg-config, a program

prefix=$scratch/prefix
check "make install with PREFIX" make_quietly install PREFIX="$prefix" DESTDIR=
export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
same "pkg-config's preload" "$prefix/lib/libaiodebug.so" "$(pkg-config --variable=preload libaiodebug)"
same "pkg-config's version" 0.1.0 "$(pkg-config --modversion libaiort)"

# ---- the command, as installed: its own modules, the shim beside it

same "aiodebug, installed" "aiodebug 0.1.0" "$(cd / && "$prefix/bin/aiodebug" --version)"
same "aiodebug finds the shim" "AIODEBUG_LOG" "$(cd / && "$prefix/bin/aiodebug" env --names | grep -x AIODEBUG_LOG)"
# Elsewhere than where it was installed: a stage, a container.
cp -r "$prefix" "$scratch/moved"
same "aiodebug finds the shim, moved" "LD_PRELOAD=$scratch/moved/lib/libaiodebug.so" \
    "$(cd / && "$scratch/moved/bin/aiodebug" run --dry-run -- true | grep -o "LD_PRELOAD=[^ ]*")"
rm -rf "$scratch/moved"
check "man pages: the command's options, the shim's variables" bash -c \
    'grep -q "^.fB.-.-fail" "$1/man1/aiodebug.1" && grep -q "slow.*callback" "$1/man1/aiodebug.1" &&
    grep -q "^.BR AIODEBUG_LOG " "$1/man7/libaiodebug.7" && grep -q "^.BR loop.-hang " "$1/man7/libaiodebug.7"' - "$prefix/share/man"

cat > "$scratch/program.c" <<'C'
#include <aiort.h>
#include <stdio.h>

static int answer(void *arg, void **result)
{
    *result = arg;
    return aiort_sleep(0.001);
}

int main(void)
{
    void *result = NULL;
    int number = 42;
    int err = aiort_run(AIORT_CORO(answer, &number), &result);
    printf("%s: %d\n", aiort_version(), err < 0 ? err : *(int *)result);
    return err < 0;
}
C
cp "$scratch/program.c" "$scratch/program.cc"

cflags=$(pkg-config --cflags libaiort) libs=$(pkg-config --libs libaiort)
sanitize=${SANITIZE:+-fsanitize=$SANITIZE}
preload=${SANITIZE_PRELOAD:+$SANITIZE_PRELOAD:}$(pkg-config --variable=preload libaiodebug)
compilers="$CC"
[ -n "$SANITIZE" ] || compilers="gcc clang"
for compiler in $compilers; do
    have "$compiler" || continue
    check "$compiler, pkg-config" $compiler $sanitize $cflags "$scratch/program.c" -o "$scratch/shared" $libs
    same "$compiler: runs" "0.1.0: 42" "$(LD_LIBRARY_PATH=$prefix/lib "$scratch/shared" 2>&1)"
    # A clean program: the shim says nothing, and the program says the same.
    same "$compiler: runs under the shim" "0.1.0: 42" \
        "$(LD_LIBRARY_PATH=$prefix/lib LD_PRELOAD=$preload "$scratch/shared" 2>&1)"
    check "$compiler, the static library" $compiler $sanitize $cflags "$scratch/program.c" -o "$scratch/static" \
        "$prefix/lib/libaiort.a" $(pkg-config --libs libuv) -pthread -lm
    same "$compiler: runs, static" "0.1.0: 42" "$("$scratch/static" 2>&1)"
done
if [ -z "$SANITIZE" ] && have g++; then
    check "g++, pkg-config" g++ -std=c++17 $cflags "$scratch/program.cc" -o "$scratch/cxx" $libs
    same "g++: runs" "0.1.0: 42" "$(LD_LIBRARY_PATH=$prefix/lib "$scratch/cxx" 2>&1)"
fi

check "make uninstall with PREFIX" make_quietly uninstall PREFIX="$prefix" DESTDIR=
same "nothing is left in PREFIX" "" "$(files "$prefix")"
finish
