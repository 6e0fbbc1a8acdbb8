/* SPDX-License-Identifier: MIT */
/*
 * Debug mode as a program meets it: this program runs itself below libaiodebug.so. Mirrors those of
 * CPython's tests that are about switching it on. What it says is in tests/golden.
 */
#include "helpers.h"

#include <libgen.h>
#include <limits.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

typedef struct {
    const char *test;        /* to run */
    const char *preload;     /* NULL: nothing */
    const char *settings[4]; /* "NAME=value" */
} child_t;

static void exec_self(void *arg)
{
    child_t *child = arg;
    static char self[PATH_MAX], name[PATH_MAX], flag[] = "-n";
    char *argv[] = {self, flag, name, NULL};

    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(name, sizeof name, "%s", child->test);
    unsetenv("AIODEBUG");
    unsetenv("LD_PRELOAD");
    if (child->preload != NULL)
        setenv("LD_PRELOAD", child->preload, 1);
    for (int i = 0; i < 4 && child->settings[i] != NULL; i++)
        putenv((char *)(uintptr_t)child->settings[i]);
    execv(self, argv);
    _exit(126);
}

static const char *debugger(void)
{
    static char path[PATH_MAX * 2];
    char self[PATH_MAX] = "";

    assert_true(readlink("/proc/self/exe", self, sizeof self - 1) > 0);
    snprintf(path, sizeof path, "%s/../libaiodebug.so", dirname(self));
    if (access(path, R_OK) != 0)
        test_skip("libaiodebug.so is not built");
#ifdef SANITIZED
    test_skip("the sanitizer wants to be preloaded first");
#endif
    return path;
}

static char *output_of(child_t child)
{
    char *output = NULL;
    int status = harness_child(exec_self, &child, 20, &output);
    if (status != 0)
        print_error("%s", output);
    assert_int_equal(status, 0);
    return output;
}

/* Run by itself it passes; the tests below read what it prints. */
TEST(print_debug)
{
    aiort_loop_t *loop = new_loop();
    printf("debug=%d\n", aiort_loop_get_debug(loop));
    aiort_loop_set_debug(loop, 1);
    printf("then debug=%d\n", aiort_loop_get_debug(loop));
    aiort_loop_set_debug(loop, 0);
    printf("last debug=%d\n", aiort_loop_get_debug(loop));
    drop_loop(loop);
}

TEST(env_var_debug)
{
    const char *preload = debugger();

    char *output = output_of((child_t){.test = "print_debug"});
    assert_contains(output, "debug=0\n");
    assert_contains(output, "then debug=0\n");
    assert_contains(output, "LD_PRELOAD=libaiodebug.so"); /* what to do to have it */
    free(output);

    output = output_of((child_t){.test = "print_debug", .settings = {"AIODEBUG=1"}});
    assert_contains(output, "debug=0\n"); /* a variable alone is not enough */
    free(output);

    output = output_of((child_t){.test = "print_debug", .preload = preload});
    assert_contains(output, "debug=1\n");
    assert_contains(output, "last debug=0\n");
    free(output);

    output =
        output_of((child_t){.test = "print_debug", .preload = preload, .settings = {"AIODEBUG=0"}});
    assert_contains(output, "debug=0\n");
    free(output);

    output =
        output_of((child_t){.test = "print_debug", .preload = preload, .settings = {"AIODEBUG="}});
    assert_contains(output, "debug=1\n"); /* empty is as unset */
    free(output);
}

static int stop_loop_slowly(void *loop)
{
    usleep(60000);
    return aiort_loop_stop(loop);
}

static int stop_loop_slowly_in_task(void *loop, void **result)
{
    (void)result;
    usleep(60000);
    return aiort_loop_stop(loop);
}

TEST(run_slowly)
{
    aiort_loop_t *loop = new_loop();
    assert_ok(aiort_call_soon(loop, stop_loop_slowly, loop, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    aiort_unref(start(loop, AIORT_CORO(stop_loop_slowly_in_task, loop)));
    assert_ok(aiort_loop_run_forever(loop));
    drop_loop(loop);
}

TEST(log_slow_callbacks)
{
    const char *preload = debugger();

    char *output = output_of((child_t){
        .test = "run_slowly", .preload = preload, .settings = {"AIODEBUG_SLOW_CALLBACK=0.05"}});
    assert_contains(output, "Executing <Handle stop_loop_slowly(");
    assert_contains(output, "Executing <Task finished name='Task-");
    assert_contains(output, "coro=<stop_loop_slowly_in_task() done");
    assert_contains(output, " seconds");
    free(output);

    output = output_of((child_t){
        .test = "run_slowly", .preload = preload, .settings = {"AIODEBUG_SLOW_CALLBACK=30"}});
    assert_lacks(output, "Executing");
    free(output);
}
