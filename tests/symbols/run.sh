#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Naming of frames (shim/report/symbols*.c): the same programs compiled in every way, and what each frame must
# be called. Where a name cannot be known, the module's offset must lead to the right one elsewhere.
. "$(dirname "$0")/../lib.sh"

here=$ROOT/tests/symbols
src=$scratch/src bin=$scratch/bin
mkdir -p "$src" "$bin" "$scratch/debug"
cp "$here"/*.c "$here"/*.cc "$here"/*.h "$src"
cd "$src" || exit 1

# Build-ids and so on as asked for below; nothing is looked up in the machine's own debug files.
export PROBE_DEBUG_DIR=$scratch/debug LD_LIBRARY_PATH=$bin
unset DEBUGINFOD_URLS PROBE_LIBDW PROBE_COLUMNS PROBE_SOURCE PROBE_MODULE

instrument=${SANITIZE:+-fsanitize=$SANITIZE}
defs=$([ -n "$SANITIZE" ] || echo -Wl,-z,defs)
# LeakSanitizer misreads the thread-local variables of libraries opened later, as libdw's, and crashes itself;
# without them it takes the loader's own memory for lost.
echo leak:ld-linux > "$scratch/leaks"
export LSAN_OPTIONS=use_tls=0:print_suppressions=0:suppressions=$scratch/leaks${LSAN_OPTIONS:+:$LSAN_OPTIONS}
export TSAN_OPTIONS=die_after_fork=0${TSAN_OPTIONS:+:$TSAN_OPTIONS}
# shellcheck disable=SC2086
$CC -std=gnu11 -O2 -g -D_GNU_SOURCE= -fPIC -fvisibility=hidden $instrument $defs -shared -pthread -I"$ROOT/shim" \
    "$src/probe.c" "$ROOT"/shim/report/symbols*.c -o "$bin/libprobe.so" -ldl || exit 1

# build OUTPUT COMPILER FLAGS...: a program of FLAGS that uses libprobe. A sanitizer's runtime has to be in the
# program, so then all are of the compiler that libprobe is of.
build() {
    local out=$1 compiler=$2
    shift 2
    [ -z "$SANITIZE" ] || compiler="$CC $instrument"
    # shellcheck disable=SC2086
    $compiler -Wl,--build-id "$@" -o "$out" -L"$bin" -lprobe -Wl,-rpath,"$bin" -pthread -ldl 2> "$scratch/build.log" \
        || { cat "$scratch/build.log"; return 1; }
}

line() { # MARK [FILE]
    grep -n "/\* @$1 \*/" "${2:-$src/program.c}" | cut -d: -f1
}

# The stack of `program stack` with all debug information, FILE being how program.c was named.
full_stack() {
    local f
    for f in "innermost $1:$(line innermost) inlined" "middle $1:$(line middle) inlined" "hidden $1:$(line hidden)" \
        "exported_after $1:$(line exported_after)"; do echo "stack: $f"; done
}

# run() may have been inlined into main(), which is a matter of the compiler: both frames are compared without.
without_run() { sed -E '/: run |: main /s/ inlined$//'; }

tail_of() { # MARK FILE
    printf '%s: run %s:%s\n%s: main %s:%s\n' "$3" "$2" "$(line "$1")" "$3" "$2" "$(line main)"
}

expected_stack() { full_stack "$1"; tail_of run_stack "$1" stack; }

# ------------------------------------------------------------------- compilers, optimisation, kinds of program

for compiler in gcc clang; do
    have "$compiler" || continue
    [ -z "$SANITIZE" ] || [ "$compiler" = "$CC" ] || continue
    build "$bin/libplugin.so" "$compiler" -g -O2 -fPIC -shared plugin.c
    for flags in "-O0 -fPIE -pie" "-O2 -fPIE -pie" "-O0 -fno-pie -no-pie" "-O2 -fno-pie -no-pie" "-O2 -gdwarf-4" \
        "-O2 -gdwarf-5 -gz" "-O2 -flto" "-O2 -gsplit-dwarf" "-O1 -fdebug-types-section" "-O3 -ffunction-sections -Wl,--gc-sections"; do
        name="$compiler $flags"
        [ "$compiler $flags" != "clang -O2 -flto" ] || continue # needs a linker plugin of LLVM's
        # shellcheck disable=SC2086
        build "$bin/program" "$compiler" -g $flags program.c -L"$bin" -lplugin || { failed=$((failed + 1)); continue; }
        same "$name: stack" "$(expected_stack program.c)" "$("$bin/program" stack | without_run)"
        same "$name: functions" "static: hidden program.c:$(line hidden_definition)
global: exported_before program.c:$(line exported_before_definition)
library: plugin_enter plugin.c:$(( $(line plugin_enter_definition plugin.c) - 1 ))
libc: getpgid
inside: hidden program.c:$(line hidden_definition)" "$("$bin/program" functions)"
        same "$name: library" "library: from_library program.c:$(line from_library)
library: helper plugin.c:$(line helper plugin.c)
library: plugin_enter plugin.c:$(line plugin_enter plugin.c)
$(tail_of run_library program.c library)" "$("$bin/program" library | without_run)"
        same "$name: thread" "thread: thread program.c:$(line thread)" "$("$bin/program" thread)"
    done
done

# Functions inside functions, which clang has not; twice, so that the second time the cache answers.
if [ "${SANITIZE:+$CC}" != clang ]; then
    build "$bin/program" gcc -g -O1 nested.c
    once="nested: within nested.c:$(line within nested.c)
nested: within nested.c:$(line deeper nested.c)
nested: outside nested.c:$(line outside nested.c)
nested: main nested.c:$(line nested_main nested.c)
again: main nested.c:$(line again nested.c)"
    same "nested functions" "$once
$once" "$("$bin/program" | sed 's/ inlined$//; s/within\.[0-9]*/within/')"
fi

# Addresses all over libprobe's code, as binutils names them. Between functions it guesses; we do not.
by_addr2line() { # FILE, addresses on standard input
    addr2line -a -f -i -e "$1" | awk '/^0x/ { if (out) print out; sub(/^0x0+/, "0x"); out = $1; next }
        { sub(/ \(discriminator.*/, ""); sub(/.*\//, ""); sub(/:\?$/, ":0"); out = out " " $0 } END { print out }'
}
# shellcheck disable=SC2086
if [ -z "$SANITIZE" ] && check "sweep compiles" $CC -std=gnu11 -O1 -g -D_GNU_SOURCE= -I"$ROOT/shim" "$here/sweep.c" \
    "$ROOT"/shim/report/symbols*.c -o "$bin/sweep" -ldl; then
    gcc -std=gnu11 -O2 -g -D_GNU_SOURCE= -fPIC -shared -I"$ROOT/shim" "$ROOT"/shim/report/symbols*.c -o "$bin/libsweep.so"
    "$bin/sweep" "$bin/libsweep.so" 3000 | grep -v ' ??' > "$scratch/ours"
    cut -d' ' -f1 "$scratch/ours" | by_addr2line "$bin/libsweep.so" > "$scratch/theirs"
    check "addresses named: $(wc -l < "$scratch/ours") of 3000" [ "$(wc -l < "$scratch/ours")" -gt 2500 ]
    check "named as addr2line does" diff "$scratch/theirs" "$scratch/ours"
fi

# --------------------------------------------------------------------------------------- how files are called

mkdir -p "$src/sub" "$scratch/elsewhere"
cp program.c sub/
named() { # NAME EXPECTED-FILE ARGUMENTS-TO-THE-COMPILER...
    local name=$1 file=$2
    shift 2
    build "$bin/program" gcc -g -O0 -I. "$@" -L"$bin" -lplugin
    same "file $name" "$(expected_stack "$file")" "$("$bin/program" stack)"
}
named "below the compilation directory" sub/program.c sub/program.c
named "given as ./" program.c ./program.c
named "given absolute, below the compilation directory" sub/program.c "$src/sub/program.c"
named "with a directory mapped away" sub/program.c -ffile-prefix-map="$src"=. sub/program.c
(cd "$scratch/elsewhere" && named "given absolute, elsewhere" "$src/program.c" -I"$src" "$src/program.c"
    named "given with .." ../src/program.c -I"$src" ../src/program.c
    echo "$passed $failed" > "$scratch/counts")
read -r passed failed < "$scratch/counts"

build "$bin/program" gcc -g -O0 program.c -L"$bin" -lplugin
same "columns" "before: exported_before program.c:$(line exported_before):5
before: run program.c:$(line run_before):9
before: main program.c:$(line main):9" "$(PROBE_COLUMNS=1 "$bin/program" before)"
expected_source="before: exported_before program.c:$(line exported_before) | probe_stack(tag); /* @exported_before */
before: run program.c:$(line run_before) | exported_before(what); /* @run_before */
before: main program.c:$(line main) | run(argv[i]); /* @main */"
same "source lines" "$expected_source" "$(PROBE_SOURCE=1 "$bin/program" before)"
build "$bin/program" gcc -g -O0 -I. sub/program.c -L"$bin" -lplugin
same "source lines of a file in a directory below" "${expected_source//program.c/sub/program.c}" \
    "$(cd / && PROBE_SOURCE=1 "$bin/program" before)"
build "$bin/program" gcc -g -O0 program.c -L"$bin" -lplugin
same "source lines from another directory" "$expected_source" "$(cd / && PROBE_SOURCE=1 "$bin/program" before)"
touch -d '1 hour' program.c
same "source changed after the build" "$(sed 's/|.*/| -/' <<< "$expected_source")" \
    "$(PROBE_SOURCE=1 "$bin/program" before)"
touch program.c

# ---------------------------------------------------------------------------------- without debug information

# What somebody else makes of the offsets in a log: `TAG: MODULE+OFFSET` becomes `TAG: FUNCTION FILE:LINE`.
symbolise() { # UNSTRIPPED-FILE
    local tag place name at
    while read -r tag place; do
        [[ $place =~ \+(0x[0-9a-f]+)$ ]] || { echo "$tag $place"; continue; }
        addr2line -f -i -e "$1" "${BASH_REMATCH[1]}" | while read -r name && read -r at _; do
            echo "$tag $name ${at##*/}"
        done
    done
}
plain_stack() { expected_stack program.c | sed 's/ inlined$//'; }

for kind in "-fPIE -pie" "-fno-pie -no-pie"; do
    # shellcheck disable=SC2086
    build "$bin/unstripped" gcc -g -O2 -fno-inline -rdynamic $kind program.c -L"$bin" -lplugin
    strip --strip-debug -o "$bin/program" "$bin/unstripped"
    same "symbols only ($kind): stack" "stack: hidden
stack: exported_after
stack: run
stack: main" "$("$bin/program" stack)"
    same "symbols only ($kind): functions" "static: hidden
global: exported_before
library: plugin_enter plugin.c:$(( $(line plugin_enter_definition plugin.c) - 1 ))
libc: getpgid
inside: hidden" "$("$bin/program" functions)"
    strip -o "$bin/program" "$bin/unstripped"
    out=$("$bin/program" stack)
    same "stripped ($kind): only exported names" "stack: program
stack: exported_after
stack: program
stack: main" "$(sed 's/+0x.*//' <<< "$out")"
    out=$("$bin/program" functions)
    same "stripped ($kind): functions" "static: program+0x
global: exported_before
library: plugin_enter plugin.c:$(( $(line plugin_enter_definition plugin.c) - 1 ))
libc: getpgid
inside: program+0x" "$(sed 's/+0x.*/+0x/' <<< "$out")"
    # shellcheck disable=SC2086
    build "$bin/unstripped" gcc -g -O2 -fno-inline $kind program.c -L"$bin" -lplugin
    strip -o "$bin/program" "$bin/unstripped"
    out=$("$bin/program" stack)
    same "nothing exported ($kind): no names" "" "$(grep -v '^stack: program+0x' <<< "$out")"
    same "nothing exported ($kind): offsets lead there" "$(plain_stack)" "$(symbolise "$bin/unstripped" <<< "$out")"
    # A sanitizer's own frame below a thread has no name either then.
    [ -z "$SANITIZE" ] || continue
    out=$("$bin/program" thread)
    same "nothing exported ($kind): thread" "thread: thread program.c:$(line thread)" \
        "$(symbolise "$bin/unstripped" <<< "$out")"
done

# ------------------------------------------------------------------------------- debug information kept apart

separate() { # FLAGS...: $bin/program without, $scratch/program.debug with the debug information
    build "$bin/program" gcc -g -O2 "$@" program.c -L"$bin" -lplugin
    objcopy --only-keep-debug "$bin/program" "$scratch/program.debug"
    strip "$bin/program"
}
build_id() { readelf -n "$1" | sed -n 's/.*Build ID: //p'; }
by_build_id() { # DEBUG-FILE ID
    mkdir -p "$PROBE_DEBUG_DIR/.build-id/${2:0:2}"
    cp "$1" "$PROBE_DEBUG_DIR/.build-id/${2:0:2}/${2:2}.debug"
}
stack_of() { "$bin/program" stack; }
unnamed() { grep -v '^stack: program+0x' <<< "$(stack_of)"; } # the lines that do have a name

separate
(cd "$scratch" && objcopy --add-gnu-debuglink=program.debug "$bin/program")
same "debug link: file absent" "" "$(unnamed)"
cp "$scratch/program.debug" "$bin"
same "debug link: beside the program" "$(expected_stack program.c)" "$(stack_of | without_run)"
mkdir "$bin/.debug" && mv "$bin/program.debug" "$bin/.debug"
same "debug link: in .debug" "$(expected_stack program.c)" "$(stack_of | without_run)"
mkdir -p "$PROBE_DEBUG_DIR$bin" && mv "$bin/.debug/program.debug" "$PROBE_DEBUG_DIR$bin"
same "debug link: under the debug directory" "$(expected_stack program.c)" "$(stack_of | without_run)"
rm "$PROBE_DEBUG_DIR$bin/program.debug"

by_build_id "$scratch/program.debug" "$(build_id "$bin/program")"
same "build-id directory" "$(expected_stack program.c)" "$(stack_of | without_run)"
same "build-id directory: build-id" "$(build_id "$bin/program")" \
    "$(PROBE_MODULE=1 "$bin/program" stack | awk '$(NF - 1) == "'"$bin/program"'" { print $NF }' | sort -u)"
id=$(build_id "$bin/program")
separate -DSOMETHING_ELSE -fno-inline
by_build_id "$scratch/program.debug" "$id"
cp "$bin/program" "$scratch/other"
separate
same "build-id directory: another program's file" "" "$(unnamed)"
truncate -s 3000 "$PROBE_DEBUG_DIR/.build-id/${id:0:2}/${id:2}.debug"
same "build-id directory: a truncated file" "" "$(unnamed)"

separate -Wl,--build-id=none
(cd "$scratch" && objcopy --add-gnu-debuglink=program.debug "$bin/program" && cp program.debug "$bin")
same "debug link without build-id: checksum right" "$(expected_stack program.c)" "$(stack_of | without_run)"
echo >> "$bin/program.debug"
same "debug link without build-id: checksum wrong" "" "$(unnamed)"
rm "$bin/program.debug"

# ------------------------------------------------------------------------------ files deleted and replaced

for id in --build-id --build-id=none; do
    build "$bin/program" gcc -g -O0 -Wl,$id program.c -L"$bin" -lplugin
    cp "$bin/program" "$scratch/copy"
    same "deleted program ($id)" "$(expected_stack program.c)" "$("$bin/program" "$bin/program" stack)"
    cp "$scratch/copy" "$bin/program"
    same "program started by the loader itself ($id)" "$(expected_stack program.c)" \
        "$("$(readelf -p .interp "$bin/program" | sed -n 's/.*\(\/lib.*\)$/\1/p')" "$bin/program" stack)"
done

build "$bin/reload" gcc -g -O0 reload.c
library() { # OUTPUT FLAGS...
    local out=$1
    shift
    build "$out" gcc -g -O1 -fPIC -shared "$@" plugin.c
}
here_line=$(grep -n 'probe_stack(tag)' reload.c | cut -d: -f1)
rest() { # LINE-MARK-TEXT TAG
    echo "$2: main reload.c:$(grep -n "$1" reload.c | cut -d: -f1)"
}
in_library() { # TAG HELPER
    echo "$1: $2 plugin.c:$(line helper plugin.c)
$1: plugin_enter plugin.c:$(line plugin_enter plugin.c)"
}

library "$bin/one.so"
same "opened later, by a relative name" "before: here reload.c:$here_line
$(rest 'here("before")' before)
later: here reload.c:$here_line
$(in_library later helper)
$(rest 'enter(here, "later")' later)" "$(cd "$bin" && ./reload later ./one.so)"

for id in --build-id --build-id=none; do
    library "$bin/one.so" -Wl,$id
    library "$bin/two.so" -Wl,$id -DHELPER=other -DPADDING
    cp "$bin/one.so" "$scratch/one.so"
    out=$("$bin/reload" replaced "$bin/one.so" "$bin/two.so")
    same "library replaced on disk ($id)" "replaced: here reload.c:$here_line
replaced: one.so
replaced: plugin_enter
$(rest 'enter(here, "replaced")' replaced)
function: plugin_enter" "$(sed 's/+0x.*//' <<< "$out")"
    same "library replaced on disk ($id): offset" "replaced: helper plugin.c:$(line helper plugin.c)" \
        "$(grep one.so+ <<< "$out" | symbolise "$scratch/one.so")"
done

library "$bin/one.so"
same "stack of a library that is closed" "$(in_library old helper | head -1)" "$("$bin/reload" gone "$bin/one.so")"
same "library closed and opened again" "same place: yes
new: here reload.c:$here_line
$(in_library new helper)
$(rest 'other(here' new)
$(in_library old helper | head -1)" "$("$bin/reload" again "$bin/one.so" "$bin/one.so")"
library "$bin/two.so" -DHELPER=other -DPADDING
out=$("$bin/reload" other "$bin/one.so" "$bin/two.so")
same "another library at the same place" "same place: yes
new: here reload.c:$here_line
$(in_library new other)
$(rest 'other(here' new)
$(in_library old helper | head -1)" "$out"
# The same code but for a name: nothing tells the two apart, so neither may be named.
library "$bin/two.so" -DHELPER=hlpr22
same "another library of the same layout" "old: unknown" "$("$bin/reload" other "$bin/one.so" "$bin/two.so" | grep old)"

# --------------------------------------------------------------------------------------------- C++, libdw

cxx_line() { grep -n "// @$1$" names.cc | cut -d: -f1; }
names_stack() { # NAMES...: of lambda, method, generic
    printf 'names: %s\n' "$1 names.cc:$(cxx_line lambda)" "$2 names.cc:$(cxx_line method)" \
        "$3 names.cc:$(cxx_line generic)" "names names.cc:$(cxx_line names)" \
        "main names_main.c:$(grep -n 'names("' names_main.c | cut -d: -f1)"
}
# The sanitizers bring a demangler of their own.
if [ -z "$SANITIZE" ] && check "C++ compiles" "$CXX" -std=c++11 -g -O1 -fPIC -c names.cc -o names.o && [ -e names.o ]; then
    build "$bin/libnames.so" gcc -shared names.o
    build "$bin/names" gcc -g -O0 names_main.c -L"$bin" -lnames
    # What DWARF calls the instance is the compiler's choice.
    generic='generic<long int>'
    [[ $CXX != *clang* ]] || generic='generic<long>'
    same "C++ without a demangler" "$(names_stack 'operator()' method "$generic")" "$("$bin/names")"
    build "$bin/names" gcc -g -O0 names_main.c -L"$bin" -lnames -Wl,--no-as-needed -lstdc++
    same "C++ with a demangler" "$(names_stack \
        'space::Thing::method(char const*, int) const::{lambda(int)#1}::operator()(int) const' \
        'space::Thing::method(char const*, int) const' 'void space::generic<long>(char const*, long)')" \
        "$("$bin/names")"
    objcopy --strip-debug "$bin/libnames.so"
    same "C++ without debug information" "names: void space::generic<long>(char const*, long)" \
        "$("$bin/names" | sed -n 3p)"
    build "$bin/names" gcc -g -O0 names_main.c -L"$bin" -lnames
    same "C++ without debug information or demangler" "names: _ZN5space7genericIlEEvPKcT_" \
        "$("$bin/names" | sed -n 3p)"
fi

build "$bin/program" gcc -g -O0 program.c -L"$bin" -lplugin
same "no libdw" "say: frames have no file and line: libnone.so.7: cannot open shared object file: No such file or directory
stack: hidden
stack: exported_after
stack: run
stack: main
static: hidden
global: exported_before
library: plugin_enter
libc: getpgid
inside: hidden" "$(PROBE_LIBDW=libnone.so.7 "$bin/program" stack functions)"

# A stand-in for debuginfod's client that says when it is loaded.
echo '#include <unistd.h>
__attribute__((constructor)) static void loaded(void) { _exit(write(1, "debuginfod was loaded\n", 22) != 22); }' > client.c
gcc -shared -fPIC -Wl,-soname,libdebuginfod.so.1 client.c -o "$bin/libdebuginfod.so.1"
separate
same "debuginfod is not asked" "" "$(DEBUGINFOD_URLS=http://127.0.0.1:9/ unnamed)"

# ------------------------------------------------------------------------------------------- the inner parts

unset PROBE_DEBUG_DIR
# shellcheck disable=SC2086
$CC -std=gnu11 -O2 -g -D_GNU_SOURCE= $instrument -rdynamic -pthread -I"$ROOT/shim" "$here/unit.c" \
    "$ROOT"/shim/report/symbols*.c -o "$bin/unit" -lcmocka -ldl || failed=$((failed + 1))
build "$scratch/damaged.so" gcc -g -O1 -fPIC -shared plugin.c
unit() { "$bin/unit" "$scratch/damaged.so" 2>&1 | tee "$scratch/unit.log"; return "${PIPESTATUS[0]}"; }
check "unit tests" unit
grep '^first frame' "$scratch/unit.log"

finish
