#!/bin/bash
# SPDX-License-Identifier: MIT
#
# Tests of the stack switch and the stack pool, each program built here in the variants that matter:
#
#   test_switch    registers, order, alignment, backtraces: every variant, 64-bit ARM included
#   test_step      unwinding at every instruction, x86-64; test_patch the same for 64-bit ARM
#   target         what gdb shows of a coroutine, and while stepping through a switch
#   test_stack     the pool, with every way in which the kernel can refuse
#   test_overflow  the death of a coroutine that ran over its stack
#
# Environment, all optional: CC, BUILD (a directory to work in), SANITIZE (then only what makes sense
# under it), AIORT_TEST_STACKS (stacks to touch of the million). What cannot run here is named on a
# line "skipped". The last line is "N passed, N failed".

cd "$(dirname "$0")/../.." || exit 1
CC=${CC:-gcc}
SANITIZE=${SANITIZE:-}
OUT=${BUILD:-/tmp/aiort-$(id -u)-$CC}/context
ARM_CC=aarch64-linux-gnu-gcc
FLAGS="-std=gnu11 -g -D_GNU_SOURCE= -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes
    -Wmissing-prototypes -Wundef -Werror -fexceptions -fasynchronous-unwind-tables
    -fno-optimize-sibling-calls -pthread -Iruntime -Itests/context"
SWITCH=$(echo runtime/context/*.S runtime/context/*.c)
POOL="runtime/stack.c runtime/guard.c runtime/overflow.c"
WRAP=-Wl,--wrap=syscall,--wrap=madvise,--wrap=mprotect,--wrap=mmap,--wrap=malloc,--wrap=calloc
passed=0
failed=0

mkdir -p "$OUT" || exit 1
ulimit -c 0

ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAILED: $*"; }
have() { command -v "$1" > /dev/null; }

# build VARIANT COMPILER PROGRAM ARGUMENTS...: $OUT/PROGRAM-VARIANT
build() {
    local variant=$1 compiler=$2 program=$3
    shift 3
    # shellcheck disable=SC2086 # lists of words
    $compiler $FLAGS "tests/context/$program.c" "$@" -o "$OUT/$program-$variant" && return
    bad "$program-$variant does not build"
    return 1
}

# run VARIANT PROGRAM [RUNNER...]: adds up what the program counts in its last line.
run() {
    local name=$2-$1 line
    shift 2
    timeout 240 "$@" "$OUT/$name" > "$OUT/$name.out" 2>&1
    line=$(tail -n 1 "$OUT/$name.out")
    if [[ $line =~ ^[a-z_]+:\ ([0-9]+)\ passed,\ ([0-9]+)\ failed$ ]]; then
        passed=$((passed + BASH_REMATCH[1]))
        failed=$((failed + BASH_REMATCH[2]))
        if [ "${BASH_REMATCH[2]}" = 0 ]; then
            grep -E '^(a million|skipped)' "$OUT/$name.out"
            return
        fi
    else
        bad "$name did not finish"
    fi
    sed "s/^/$name: /" "$OUT/$name.out"
}

# switch_variant NAME FLAGS...
# shellcheck disable=SC2086
switch_variant() {
    local name=$1
    shift
    build "$name" "$CC" test_switch "$@" $SWITCH -lm && run "$name" test_switch
}

# Every instruction of each function was stepped through, but the padding and the traps.
check_all_stepped() {
    local name=$1 function count
    for function in switch start init walk; do
        function=aiort__context_$function
        count=$(objdump -d --no-show-raw-insn --disassemble="$function" "$OUT/test_step-$name" |
            awk '/^ .*:\t/ && !/ud2|cs nopw|xchg|nopl/ { n++ } END { print n }')
        [ "$function" = aiort__context_start ] && count=$((count - 1)) # its nop is never run
        if grep -qx "stepped $function $count" "$OUT/test_step-$name.out"; then
            ok
        else
            bad "test_step-$name: $function has $count instructions"
        fi
    done
}

# shellcheck disable=SC2086
step_variant() {
    local name=$1
    shift
    build "$name" "$CC" test_step "$@" $SWITCH -lunwind && run "$name" test_step &&
        check_all_stepped "$name"
}

# Each backtrace ends at a coroutine's entry or in main(), whatever instruction of a switch it is at.
# (Of assembly that clang assembled, gdb takes the names for Ada's and shows "__" as ".")
# shellcheck disable=SC2086
check_gdb() {
    local out=$OUT/gdb.out
    build gdb "$CC" target -O2 $SWITCH || return
    cat > "$OUT/gdb.commands" << 'END'
set pagination off
set debuginfod enabled off
break here
run
echo BACKTRACE\n
bt
break *aiort__context_switch
continue
set $i = 0
while $i < 17
  echo BACKTRACE\n
  bt
  stepi
  set $i = $i + 1
end
echo END\n
END
    timeout 60 gdb -nx -q -batch -x "$OUT/gdb.commands" "$OUT/target-gdb" > "$out" 2>&1 < /dev/null
    if grep -qi 'operation not permitted\|could not trace' "$out"; then
        echo "skipped: gdb may not trace here"
        return
    fi
    if awk '
        /^BACKTRACE|^END/ {
            if (n && last !~ / (aiort(__|.)context_start|main) \(/) { bad = 1; print "ends at: " last }
            n++
        }
        /^#/ { last = $0 }
        / aiort(__|.)context_start \(/ { entries++ }
        / main \(/ { mains++ }
        /corrupt|Backtrace stopped|previous frame/ { bad = 1; print }
        END { exit bad || n != 19 || entries < 9 || mains < 5 }' "$out"; then
        ok
    else
        bad "gdb, see $out"
    fi
}

# What the object files promise the linker.
check_notes() {
    local object=$OUT/x86_64.o
    "$CC" -c runtime/context/x86_64.S -o "$object"
    if readelf -n "$object" | grep -q 'x86 feature: IBT$'; then ok; else bad "IBT and no more"; fi
    if readelf -SW "$object" | grep 'note.GNU-stack' | grep -qv ' X '; then ok; else bad "stack"; fi
    # The entry's return address is undefined: column ra of its only row.
    if readelf --debug-dump=frames-interp "$object" | grep -Eq '^[0-9a-f]+ rsp\+8 +u +u'; then
        ok
    else
        bad "the entry has a return address"
    fi
}

# shellcheck disable=SC2086
check_arm() {
    local name flags
    if ! have $ARM_CC || ! have qemu-aarch64; then
        echo "skipped: 64-bit ARM needs $ARM_CC and qemu-aarch64"
        return
    fi
    while read -r name flags; do
        build "arm-$name" $ARM_CC test_switch -static $flags $SWITCH -lm &&
            run "arm-$name" test_switch qemu-aarch64 -cpu max
        build "arm-$name" $ARM_CC test_patch -static $flags $SWITCH &&
            run "arm-$name" test_patch qemu-aarch64 -cpu max
    done << 'END'
O0 -O0
O2 -O2
protected -O2 -mbranch-protection=standard
fpu -O2 -DAIORT_CONTEXT_FPU
END
    build arm-ucontext $ARM_CC test_switch -static -O2 -DAIORT_CONTEXT_UCONTEXT $SWITCH -lm &&
        run arm-ucontext test_switch qemu-aarch64
}

# shellcheck disable=SC2086
check_pool() {
    local name
    build O2 "$CC" test_stack -O2 $WRAP $POOL && run O2 test_stack
    for name in O0 O2; do
        build $name "$CC" test_overflow -$name $POOL $SWITCH && run $name test_overflow
    done
}

check_x86_64() {
    step_variant O0 -O0
    step_variant O2 -O2
    step_variant fpu -O2 -DAIORT_CONTEXT_FPU
    step_variant frame-pointers -O1 -fno-omit-frame-pointer -fcf-protection
    check_notes
}

if [ -n "$SANITIZE" ]; then
    switch_variant "${SANITIZE//,/-}" -O1 -fsanitize="$SANITIZE"
else
    switch_variant O0 -O0
    switch_variant O2 -O2
    switch_variant fpu -O2 -DAIORT_CONTEXT_FPU
    switch_variant ucontext -O2 -DAIORT_CONTEXT_UCONTEXT
    switch_variant address -O1 -fsanitize=address
    switch_variant thread -O1 -fsanitize=thread
    [ "$(uname -m)" = x86_64 ] && check_x86_64
    if have gdb; then check_gdb; else echo "skipped: no gdb"; fi
    if have valgrind; then
        run O2 test_switch valgrind -q --error-exitcode=9 --child-silent-after-fork=no
    else
        echo "skipped: no valgrind"
    fi
    check_arm
    check_pool
fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
