#!/bin/bash
# SPDX-License-Identifier: MIT
#
# The tests' own machinery: failures of every kind are seen, counted and shown; what differs between runs is
# not taken for a difference; and the totals add up.
. "$(dirname "$0")/../lib.sh"

has() { # PATTERN TEXT
    grep -qE -- "$1" <<< "$2" || { echo "no '$1' in:"; echo "$2"; return 1; }
}
sanitize=${SANITIZE:+-fsanitize=$SANITIZE}

# ---- the harness of the unit tests

cat > "$scratch/test_sample.c" <<'C'
#define _GNU_SOURCE
#include "harness.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

TEST(passes)
{
    puts("not shown");
}
TEST(fails)
{
    puts("shown when it fails");
    assert_int_equal(1, 2);
}
TEST(skips)
{
    test_skip("a reason");
}
TEST_WITHIN(0.2, hangs)
{
    for (;;)
        pause();
}
TEST(leaves_a_child_behind)
{
    if (fork() == 0)
        for (;;)
            pause();
}
TEST(dies)
{
    signal(SIGTERM, SIG_DFL);
    raise(SIGTERM);
}
TEST(exits)
{
    exit(3);
}
static void *fail_in_thread(void *arg)
{
    assert_null(arg);
    return NULL;
}
TEST(fails_in_a_thread)
{
    pthread_t thread;
    pthread_create(&thread, NULL, fail_in_thread, &thread);
    pthread_join(thread, NULL);
}
TEST(time_is_near)
{
    assert_time_near(0.25, 0.25);
    assert_time_near(0.26, 0.25);
}
TEST(time_is_early)
{
    assert_time_near(0.20, 0.25);
}
TEST(time_is_late)
{
    assert_time_near(25.0, 0.25);
}
static void dies_loudly(void *arg)
{
    fprintf(stderr, "%s\n", (const char *)arg);
    abort();
}
TEST(children_are_observed)
{
    char *output = NULL;
    char text[] = "last words";
    int status = harness_child(dies_loudly, text, 10, &output);
    assert_true(WIFSIGNALED(status));
    assert_contains(output, "last words");
    assert_lacks(output, "first words");
    free(output);
}
C
sed -i 's/^#include <unistd.h>/#include <sys\/wait.h>\n&/' "$scratch/test_sample.c"
check "a test file compiles" $CC -std=gnu11 $sanitize -I"$ROOT/tests/unit" "$scratch/test_sample.c" \
    "$ROOT/tests/unit/harness.c" -o "$scratch/test_sample" -lcmocka -pthread

output=$(cd "$scratch" && ./test_sample 2>&1)
status=$?
check "a failure is the status" test $status -eq 1
check "the total" has '^test_sample: 4 passed, 7 failed, 1 skipped$' "$output"
check "an assertion's message" has '0x1 != 0x2' "$output"
check "a failed case's output is shown" has 'shown when it fails' "$output"
check "a passed case's output is not" test "$(grep -c 'not shown' <<< "$output")" = 0
check "a hang ends" has 'FAILED  hangs .*took more than' "$output"
check "a signal is named" has 'FAILED  dies .*signal 15' "$output"
check "a status is named" has 'FAILED  exits .*status 3' "$output"
check "an assertion in a thread" has 'FAILED  fails_in_a_thread' "$output"
check "a reason to skip" has 'skipped skips: .*a reason' "$output"
check "cases by name" has '^test_sample: 2 passed, 0 failed$' "$(cd "$scratch" && ./test_sample passes time_is_near)"
check "no such case is a failure" has '0 passed, 1 failed' "$(cd "$scratch" && ./test_sample nothing_like_it)"

# ---- the sums: unit tests, and the pieces of make check

mkdir -p "$scratch/build/unit"
cp "$scratch/test_sample" "$scratch/build/unit/"
printf '#!/bin/sh\nexit 3\n' > "$scratch/build/unit/test_silent"
chmod +x "$scratch/build/unit/test_silent"
# Without Python, the check of the table of CPython's tests fails, too: one more.
output=$(PYTHON=/bin/false BUILD=$scratch/build "$ROOT/tests/unit/run" 2>&1)
check "a program without a total is a failure" has 'test_silent: ended with status 3' "$output"
# The table of CPython's tests is checked beside the programs: one more that passes.
same "the unit tests' sum" "4 passed, 9 failed" "$(tail -n 1 <<< "$output")"

cat > "$scratch/make" <<'S'
#!/bin/sh
case $2 in
check-good) echo "3 passed, 0 failed" ;;
check-bad) echo "2 passed, 1 failed"; echo "make: *** Error 1" >&2; exit 2 ;;
check-lying) echo "5 passed, 0 failed"; exit 2 ;;
check-mute) ;;
esac
S
chmod +x "$scratch/make"
output=$(MAKE=$scratch/make "$ROOT/scripts/check" "$scratch/logs" good bad lying mute 2>&1)
check "make check fails when a piece does" test $? -ne 0
same "make check's sum" "10 passed, 3 failed" "$(tail -n 1 <<< "$output")"
output=$(MAKE=$scratch/make "$ROOT/scripts/check" "$scratch/logs" good 2>&1)
check "make check passes when all do" test $? -eq 0

# ---- the golden tests' runner, on a copy of it with tests of its own

golden=$scratch/tree/tests/golden
mkdir -p "$golden"
cp "$ROOT/tests/golden/run" "$golden/"
cat > "$golden/g1_same.c" <<'C'
#include <stdio.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    printf("at %p, pid %d, took 0.%03d seconds, %d arguments\n", (void *)&argc, (int)getpid(),
           (int)getpid() % 1000, argc);
    fprintf(stderr, "%s\n", argc > 1 ? argv[1] : "none");
    puts("when=12.345 result=0x0");
    return 3;
}
C
printf '# a comment\nargs "a b"\nexit 3\nmodes plain\n' > "$golden/g1_same.opts"
cat > "$golden/g1_same.plain.txt" <<'T'
at 0xADDR, pid N, took T seconds, 2 arguments
a b
when=T result=0x0
T
printf '#include <stdio.h>\nint main(void) { puts("b"); return 0; }\n' > "$golden/g2_differs.c"
printf 'a\n' > "$golden/g2_differs.plain.txt"
printf 'modes plain\nopt -O0\n' > "$golden/g2_differs.opts"
printf '#include <unistd.h>\nint main(void) { for (;;) pause(); }\n' > "$golden/g3_hangs.c"
printf '' > "$golden/g3_hangs.plain.txt"
printf 'modes plain\nopt -O0\ntimeout 0.3\n' > "$golden/g3_hangs.opts"
printf 'int main(void) { return undeclared; }\n' > "$golden/g4_does_not_compile.c"
printf 'modes plain\nopt -O0\n' > "$golden/g4_does_not_compile.opts"
cp "$golden/g1_same.c" "$golden/g5_status.c"
cp "$golden/g1_same.plain.txt" "$golden/g5_status.plain.txt"
printf 'args "a b"\nmodes plain\nopt -O0\n' > "$golden/g5_status.opts"
# A log of the shim's form, written by the program itself.
cat > "$golden/g6_log.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static const char text[] =
    "2025-11-22T14:30:01.123456Z g6_log[4711] ERROR:aiodebug:Broke after 0.125 seconds [slow-poll]\n"
    "Called at (most recent call last):\n"
    "  File \"g6_log.c\", line 1, in f\n"
    "    f();\n"
    "  Module \"/usr/lib/libc.so.6\", offset 0x1234567, in g\n"
    "  File \"pthread_create.c\", line 7, in h\n"
    "    h();\n"
    "hint: do not\n";
static const char json[] =
    "{\"time\":\"2025-11-22T14:30:01.123456Z\",\"pid\":1,\"tid\":1,\"program\":\"g6\",\"level\":\"ERROR\","
    "\"check\":\"slow-poll\",\"message\":\"Broke after 0.250 seconds\",\"stacks\":"
    "[{\"role\":\"call\",\"frames\":[{\"file\":\"g6_log.c\",\"line\":1,\"function\":\"f\"}]}]}\n";
int main(int argc, char **argv)
{
    FILE *log = getenv("AIODEBUG_LOG") ? fopen(getenv("AIODEBUG_LOG"), "w") : NULL;
    if (log) {
        int as_json = strcmp(getenv("AIODEBUG_FORMAT"), "json") == 0;
        fputs(as_json ? json : text, log);
        if (as_json && argc > 1)
            fputs(argv[1], log);
        fclose(log);
    }
    puts("output");
    return 0;
}
C
cat > "$golden/g6_log.debug.txt" <<'T'
== log
ERROR:aiodebug:Broke after T seconds [slow-poll]
Called at (most recent call last):
  File "g6_log.c", line 1, in f
    f();
hint: do not
== output
output
T
printf 'opt -O0\nmodes debug json\n' > "$golden/g6_log.opts"
sed 's/g6_log/g7_json_differs/' "$golden/g6_log.c" > "$golden/g7_json_differs.c"
sed 's/g6_log/g7_json_differs/' "$golden/g6_log.debug.txt" > "$golden/g7_json_differs.debug.txt"
printf 'opt -O0\nmodes debug json\nargs {nonsense\n' > "$golden/g7_json_differs.opts"
# The same, but the JSON lacks the frame that the text shows.
sed 's/g6_log/g8_frame_differs/; s/"line\\":1/"line\\":2/' "$golden/g6_log.c" > "$golden/g8_frame_differs.c"
sed 's/g6_log/g8_frame_differs/' "$golden/g6_log.debug.txt" > "$golden/g8_frame_differs.debug.txt"
cp "$golden/g6_log.opts" "$golden/g8_frame_differs.opts"

run_golden() { CC=$CC SANITIZE='' SANITIZE_PRELOAD='' BUILD=$BUILD "$PYTHON" "$golden/run" "$@" 2>&1; }
if [ -z "$SANITIZE" ]; then
    output=$(run_golden)
    check "a golden failure is the status" test $? -eq 1
    same "the golden total" "6 passed, 6 failed" "$(tail -n 1 <<< "$output")"
    check "a difference is shown" has '^    \+b$' "$output"
    check "a hang is shown" has 'no end within 0.3 s' "$output"
    check "a compiler's message is shown" has 'undeclared' "$output"
    check "a wrong status is shown" has 'ended with 3, expected 0' "$output"
    check "a frame that JSON lacks is shown" has "lacks a frame .*g8_frame_differs.c', '1', 'f'" "$output"
    check "broken JSON is shown" has 'g7_json_differs \(json' "$output"
    run_golden --update g2_differs > /dev/null
    same "--update writes what was printed" b "$(cat "$golden/g2_differs.plain.txt")"
    same "then it passes" "1 passed, 0 failed" "$(run_golden g2_differs)"
    run_golden --update g3_hangs > /dev/null
    same "--update keeps nothing of a run that went wrong" "" "$(cat "$golden/g3_hangs.plain.txt")"
fi
finish
