/* SPDX-License-Identifier: MIT */
/*
 * harness.h - unit tests, each case in a process of its own.
 *
 * A test file is tests/unit/test_SUBJECT.c and holds nothing but includes, helpers and
 *
 *     TEST(name)                { ... cmocka's assert_... macros ... }
 *     TEST_WITHIN(60, name)     { ... may take that many seconds instead of 20 ... }
 *
 * There is no list to keep and no main() to write. Each file becomes one program:
 *
 *     test_SUBJECT              runs all of it, prints what failed and "N passed, N failed"
 *     test_SUBJECT 'future_*'   runs the cases whose names match one of the patterns
 *     test_SUBJECT -v           names each case with its time; -l lists them; -n runs in this
 *                               process, for a debugger (one case at a time)
 *
 * A case runs in a forked child, at the head of a process group that is killed afterwards. Its
 * output is shown only when it fails. It fails when an assertion does, when it dies of a signal,
 * exits with a status other than 0, or outlives its time. A failed assertion aborts: it may stand
 * anywhere, also inside a coroutine or another thread. LeakSanitizer sees every case's own leaks,
 * since each exits for itself.
 *
 * Files are linked with libaiort.so; test_internal_*.c with the runtime's objects instead, and
 * test_shim_PART.c with those of shim/track/PART*.c beside libaiort.so, so that those see hidden
 * functions.
 *
 * Environment: AIORT_TEST_SLOW (default 1) stretches every time limit and tolerance, for sanitizers
 * and Valgrind.
 */
#ifndef HARNESS_H
#define HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef struct harness_case {
    const char *name;
    const char *file;
    int line;
    double seconds; /* the case may take that long, before AIORT_TEST_SLOW */
    void (*run)(void);
    struct harness_case *next;
} harness_case_t;

/* Called by constructors; the cases run in the order of their lines. */
void harness_register(harness_case_t *test);

#define HARNESS_CASE(name_, seconds_)                                                              \
    static void test_##name_(void);                                                                \
    __attribute__((constructor)) static void register_##name_(void)                                \
    {                                                                                              \
        static harness_case_t test = {#name_, __FILE__, __LINE__, seconds_, test_##name_, NULL};   \
        harness_register(&test);                                                                   \
    }                                                                                              \
    static void test_##name_(void)

#define TEST(name) HARNESS_CASE(name, 20.0)
#define TEST_WITHIN(seconds, name) HARNESS_CASE(name, seconds)

/* Ends the case as neither passed nor failed; it is counted apart, with the reason. */
#define test_skip(reason) harness_skip(__FILE__, __LINE__, reason)
__attribute__((noreturn)) void harness_skip(const char *file, int line, const char *reason);

/* How much slower than usual things may be here: AIORT_TEST_SLOW, at least 1. */
double harness_slow(void);

/* Whether Valgrind runs this: for what it does not let a program see as it is. */
int harness_on_valgrind(void);

/* Seconds of CLOCK_MONOTONIC. */
double harness_now(void);

/*
 * An elapsed time in seconds is what it should be: not shorter (but for the clock's grain), and not
 * longer than a loaded machine may make it.
 */
#define assert_time_near(actual, expected)                                                         \
    harness_assert_time_near(__FILE__, __LINE__, #actual, (actual), (expected))
void harness_assert_time_near(const char *file, int line, const char *what, double actual,
                              double expected);

/* Both strings, with what differs, where cmocka's own macro would cut them. */
#define assert_contains(text, part) harness_assert_contains(__FILE__, __LINE__, (text), (part))
#define assert_lacks(text, part) harness_assert_lacks(__FILE__, __LINE__, (text), (part))
void harness_assert_contains(const char *file, int line, const char *text, const char *part);
void harness_assert_lacks(const char *file, int line, const char *text, const char *part);

/*
 * Runs a function in a child of this case, for what ends the process or writes to stderr. Gives the
 * wait status, and what it wrote to stdout and stderr together, NUL-terminated, the caller's to
 * free (output may be NULL). A child that outlives `seconds` is killed.
 */
int harness_child(void (*run)(void *), void *arg, double seconds, char **output);

#endif /* HARNESS_H */
