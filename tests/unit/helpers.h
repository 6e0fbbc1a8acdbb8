/* SPDX-License-Identifier: MIT */
/*
 * helpers.h - what most unit tests of the runtime share.
 *
 * A test opens its loop with new_loop() and ends with drop_loop(), which leaves nothing behind for
 * LeakSanitizer. run_briefly() and run_once() are CPython's test_utils of the same names. A
 * reports_t set with record() in a loop keeps the last report that the loop was given.
 */
#ifndef HELPERS_H
#define HELPERS_H

#include "harness.h"

#include <aiort.h>
#include <stdio.h>

/* A small number as the pointer that results and arguments are, and back. */
#define PTR(n) ((void *)(intptr_t)(n))
#define INT(p) ((int)(intptr_t)(p))

#define assert_code(call, code) helper_assert_code(__FILE__, __LINE__, #call, (call), (code))
#define assert_ok(call) assert_code(call, 0)
/* The code of the last failure: what functions that return NULL leave behind. */
#define assert_null_code(call, code)                                                               \
    do {                                                                                           \
        assert_null(call);                                                                         \
        assert_code(aiort_last_error(), code);                                                     \
    } while (0)

static inline void helper_assert_code(const char *file, int line, const char *what, int actual,
                                      int expected)
{
    if (actual == expected)
        return;
    print_error("%s gave %d (%s), not %d (%s)\n", what, actual, aiort_err_name(actual), expected,
                aiort_err_name(expected));
    _fail(file, line);
}

/* A case that runs as a task of a loop of its own. */
#define TASK_TEST(name)                                                                            \
    static void task_##name(void);                                                                 \
    static int run_##name(void *arg, void **result)                                                \
    {                                                                                              \
        (void)arg;                                                                                 \
        (void)result;                                                                              \
        task_##name();                                                                             \
        return 0;                                                                                  \
    }                                                                                              \
    TEST(name)                                                                                     \
    {                                                                                              \
        assert_ok(aiort_run(AIORT_CORO(run_##name, NULL), NULL));                                  \
    }                                                                                              \
    static void task_##name(void)

/* The loop to use, and its end. */
static inline aiort_loop_t *new_loop(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    assert_non_null(loop);
    return loop;
}

static inline void drop_loop(aiort_loop_t *loop)
{
    assert_ok(aiort_loop_close(loop));
    aiort_unref(loop);
}

static inline int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static inline int return_at_once(void *arg, void **result)
{
    if (result != NULL)
        *result = arg;
    return 0;
}

static inline int stop_loop(void *loop)
{
    return aiort_loop_stop(loop);
}

static inline int stop_loop_when_done(aiort_future_t *future, void *loop)
{
    (void)future;
    return aiort_loop_stop(loop);
}

/* Runs the loop for as long as a task needs that does nothing. */
static inline void run_briefly(aiort_loop_t *loop)
{
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(return_at_once, NULL), NULL));
}

/* One iteration. */
static inline void run_once(aiort_loop_t *loop)
{
    assert_ok(aiort_call_soon(loop, stop_loop, loop, NULL));
    assert_ok(aiort_loop_run_forever(loop));
}

/* A coroutine that sleeps for a number of milliseconds and gives that number. */
static inline int sleep_ms(void *arg, void **result)
{
    int err = aiort_sleep(INT(arg) / 1000.0);
    *result = arg;
    return err;
}

/* A coroutine that gives what a future gives. */
static inline int await_future(void *arg, void **result)
{
    return aiort_await((aiort_future_t *)arg, result);
}

static inline aiort_task_t *start(aiort_loop_t *loop, aiort_coroutine_t *coroutine)
{
    aiort_task_t *task = aiort_loop_create_task(loop, coroutine, NULL);
    assert_non_null(task);
    return task;
}

/* A future that has this outcome already. */
static inline aiort_future_t *new_future(aiort_loop_t *loop)
{
    aiort_future_t *future = aiort_future_new(loop);
    assert_non_null(future);
    return future;
}

/* Cancels what is left of a task and lets it end, whatever it says. */
static inline void end_task(aiort_loop_t *loop, aiort_task_t *task)
{
    aiort_task_cancel(task, NULL);
    aiort_loop_run_until_complete(loop, task, NULL);
    aiort_unref(task);
}

/* The repr, in one of two buffers by turns. */
static inline const char *repr(const void *object)
{
    static char bufs[2][2048];
    static int turn;
    char *buf = bufs[turn ^= 1];
    aiort_repr(object, buf, sizeof bufs[0]);
    return buf;
}

/* ---- reports ---- */

typedef struct {
    int calls;
    aiort_loop_t *loop;
    char message[256], check[64], keys[256], object[1024], text[256];
    const void *future, *handle, *task, *coroutine;
    int code; /* of its error */
} reports_t;

static inline void helper_copy(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text != NULL ? text : "");
}

static inline int take_report(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    reports_t *reports = arg;
    const char *keys[16];
    size_t n = aiort_report_keys(report, keys, 16), length = 0;

    reports->calls++;
    reports->loop = loop;
    helper_copy(reports->message, sizeof reports->message, report->message);
    helper_copy(reports->check, sizeof reports->check, report->check);
    reports->future = report->future;
    reports->handle = report->handle;
    reports->task = report->task;
    reports->coroutine = report->coroutine;
    const void *object = report->task     ? (const void *)report->task
                         : report->future ? (const void *)report->future
                         : report->handle ? (const void *)report->handle
                                          : (const void *)report->coroutine;
    reports->object[0] = '\0';
    if (object != NULL)
        aiort_repr(object, reports->object, sizeof reports->object);
    reports->code = report->error != NULL ? aiort_error_code(report->error) : 0;
    helper_copy(reports->text, sizeof reports->text,
                report->error != NULL ? aiort_error_message(report->error) : NULL);
    reports->keys[0] = '\0';
    for (size_t i = 0; i < n && i < 16; i++)
        length += (size_t)snprintf(reports->keys + length, sizeof reports->keys - length, "%s%s",
                                   i > 0 ? " " : "", keys[i]);
    return 0;
}

static inline void record(aiort_loop_t *loop, reports_t *reports)
{
    memset(reports, 0, sizeof *reports);
    assert_ok(aiort_loop_set_exception_handler(loop, take_report, reports));
}

#endif /* HELPERS_H */
