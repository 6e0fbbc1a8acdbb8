/* SPDX-License-Identifier: MIT */
/*
 * wait_for(): an await with a deadline, and the races it has had. Mirrors CPython's test_waitfor.py.
 */
#include "helpers.h"

#include <math.h>

#define EPSILON 0.0001

static int (*body)(void);

static int run_body(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return body();
}

static void in_task(int (*function)(void))
{
    body = function;
    assert_ok(aiort_run(AIORT_CORO(run_body, NULL), NULL));
}

/* ---- one that ignores being cancelled for a while ---- */

typedef struct {
    double seconds;
    int exited;
} slow_t;

static int slow_run(void *arg, void **result)
{
    slow_t *slow = arg;
    aiort_loop_t *loop = aiort_get_running_loop();
    double end = aiort_loop_time(loop) + slow->seconds;

    (void)result;
    for (double left; (left = end - aiort_loop_time(loop)) > 0;)
        aiort_sleep(left);
    slow->exited = 1;
    return 0;
}

typedef struct {
    aiort_awaitable_t *awaitable;
    double seconds;
} wait_for_t;

static int do_wait_for(void *arg, void **result)
{
    wait_for_t *wait = arg;

    return aiort_wait_for(wait->awaitable, wait->seconds, result);
}

static int wait_for_cancelled(void)
{
    slow_t slow = {0.05, 0};
    wait_for_t wait = {AIORT_AWAITABLE(AIORT_CORO(slow_run, &slow)), 10};
    aiort_task_t *task = aiort_create_task(AIORT_CORO(do_wait_for, &wait));

    aiort_sleep(0);
    aiort_task_cancel(task, NULL);
    aiort_await(task, NULL);
    assert_int_equal(slow.exited, 1);
    aiort_unref(task);
    return 0;
}

TEST(asyncio_wait_for_cancelled)
{
    in_task(wait_for_cancelled);
}

static int wait_for_timeout(void)
{
    slow_t slow = {0.05, 0};

    /* It refused to be cancelled: its own outcome counts. */
    assert_ok(aiort_wait_for(AIORT_CORO(slow_run, &slow), 0.02, NULL));
    assert_int_equal(slow.exited, 1);
    return 0;
}

TEST(asyncio_wait_for_timeout)
{
    in_task(wait_for_timeout);
}

/* ---- no time at all ---- */

static int future_done(void)
{
    aiort_future_t *future = aiort_future_new(NULL);
    void *result = NULL;

    assert_ok(aiort_future_set_result(future, PTR(7)));
    assert_ok(aiort_wait_for(future, 0, &result));
    assert_int_equal(INT(result), 7);
    assert_ok(aiort_wait_for(future, -1, &result));
    aiort_unref(future);
    return 0;
}

TEST(wait_for_timeout_less_then_0_or_0_future_done)
{
    in_task(future_done);
}

static int started;

static int start_it(void *arg, void **result)
{
    (void)arg;
    (void)result;
    started = 1;
    return 0;
}

static int not_started(void)
{
    assert_code(aiort_wait_for(AIORT_CORO(start_it, NULL), 0, NULL), UV_ETIMEDOUT);
    assert_int_equal(started, 0);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    return 0;
}

TEST(wait_for_timeout_less_then_0_or_0_coroutine_do_not_started)
{
    in_task(not_started);
}

typedef struct {
    int running;
    aiort_future_t *started;
} foo_t;

static int foo(void *arg, void **result)
{
    foo_t *state = arg;

    state->running = 1;
    if (state->started)
        aiort_future_set_result(state->started, NULL);
    int err = aiort_sleep(10);
    state->running = 0;
    *result = PTR(1);
    return err;
}

static int zero_or_less(void)
{
    for (int seconds = 0; seconds >= -1; seconds--) {
        foo_t state = {0, aiort_future_new(NULL)};
        aiort_task_t *task = aiort_create_task(AIORT_CORO(foo, &state));
        double before = harness_now();

        assert_ok(aiort_await(state.started, NULL));
        assert_int_equal(state.running, 1);
        assert_code(aiort_wait_for(task, seconds, NULL), UV_ETIMEDOUT);
        assert_code(aiort_error_code(aiort_error_cause(aiort_current_error())), UV_ECANCELED);
        assert_int_equal(aiort_future_cancelled(AIORT_FUTURE(task)), 1);
        assert_int_equal(state.running, 0);
        assert_time_near(harness_now() - before, 0.0);
        aiort_unref(task);
        aiort_unref(state.started);
    }
    return 0;
}

TEST(wait_for_timeout_less_then_0_or_0)
{
    in_task(zero_or_less);
}

/* ---- some time ---- */

static int some_time(void)
{
    foo_t state = {0, NULL};
    aiort_task_t *task = aiort_create_task(AIORT_CORO(foo, &state));
    double before = harness_now();

    assert_code(aiort_wait_for(task, 0.05, NULL), UV_ETIMEDOUT);
    assert_time_near(harness_now() - before, 0.05);
    assert_int_equal(aiort_future_cancelled(AIORT_FUTURE(task)), 1);
    assert_int_equal(state.running, 0);
    aiort_unref(task);
    return 0;
}

TEST(wait_for)
{
    in_task(some_time);
}

static int blocking(void)
{
    void *result = NULL;

    assert_ok(aiort_wait_for(AIORT_CORO(sleep_ms, PTR(5)), AIORT_NO_TIMEOUT, &result));
    assert_int_equal(INT(result), 5);
    return 0;
}

TEST(wait_for_blocking)
{
    in_task(blocking);
}

static int set_ok(void *future)
{
    return aiort_future_set_result(future, PTR(1));
}

static int race(void)
{
    aiort_future_t *future = aiort_future_new(NULL);
    void *result = NULL;

    assert_ok(aiort_call_later(aiort_get_running_loop(), 0.01, set_ok, future, NULL));
    assert_ok(aiort_wait_for(future, 5, &result));
    assert_int_equal(INT(result), 1);
    aiort_unref(future);
    return 0;
}

TEST(wait_for_race_condition)
{
    in_task(race);
}

static int swallows(void *arg, void **result)
{
    assert_code(aiort_sleep(10), UV_ECANCELED);
    *result = arg;
    return 0;
}

static int swallowed(void)
{
    void *result = NULL;

    assert_ok(aiort_wait_for(AIORT_CORO(swallows, PTR(1)), 0.01, &result));
    assert_int_equal(INT(result), 1);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    return 0;
}

TEST(wait_for_cancellation_race_condition)
{
    in_task(swallowed);
}

static int in_another_task(void)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(swallows, PTR(42)));
    void *result = NULL;

    assert_ok(aiort_wait_for(task, 0.01, &result));
    assert_int_equal(INT(result), 42);
    aiort_unref(task);
    return 0;
}

TEST(wait_for_cancel_suppressed)
{
    in_task(in_another_task);
}

static int cleans_up(void *arg, void **result)
{
    int err = aiort_sleep(10);

    (void)result;
    assert_code(err, UV_ECANCELED);
    assert_ok(aiort_sleep(EPSILON));
    *(int *)arg = 1;
    return err;
}

static int waits_for_cancellation(void)
{
    int done = 0;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(cleans_up, &done));

    assert_code(aiort_wait_for(task, EPSILON, NULL), UV_ETIMEDOUT);
    assert_int_equal(done, 1);
    assert_code(aiort_error_code(aiort_error_cause(aiort_current_error())), UV_ECANCELED);
    aiort_unref(task);
    return 0;
}

TEST(wait_for_waits_for_task_cancellation)
{
    in_task(waits_for_cancellation);
}

static int waits_for_cancellation_0(void)
{
    int done = 0;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(cleans_up, &done));

    aiort_sleep(EPSILON);
    assert_code(aiort_wait_for(task, 0, NULL), UV_ETIMEDOUT);
    assert_int_equal(done, 1);
    assert_code(aiort_error_code(aiort_error_cause(aiort_current_error())), UV_ECANCELED);
    aiort_unref(task);
    return 0;
}

TEST(wait_for_waits_for_task_cancellation_w_timeout_0)
{
    in_task(waits_for_cancellation_0);
}

static int fails_when_cancelled(void *arg, void **result)
{
    (void)arg;
    (void)result;
    assert_code(aiort_sleep(10), UV_ECANCELED);
    return aiort_raise(UV_ENOENT, "foo");
}

static int reraises(void)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(fails_when_cancelled, NULL));

    assert_code(aiort_wait_for(task, EPSILON, NULL), UV_ENOENT);
    assert_string_equal(aiort_error_message(aiort_current_error()), "foo");
    aiort_unref(task);
    return 0;
}

TEST(wait_for_reraises_exception_during_cancellation)
{
    in_task(reraises);
}

/* ---- being cancelled ---- */

static int cancel_it(void *task)
{
    aiort_task_cancel(task, NULL);
    return 0;
}

static void cancelled_while(double seconds)
{
    aiort_future_t *never = aiort_future_new(NULL);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(await_future, never));
    wait_for_t wait = {AIORT_AWAITABLE(task), seconds};
    aiort_task_t *waiting = aiort_create_task(AIORT_CORO(do_wait_for, &wait));

    assert_ok(aiort_call_soon(aiort_get_running_loop(), cancel_it, waiting, NULL));
    assert_code(aiort_await(waiting, NULL), UV_ECANCELED);
    assert_int_equal(aiort_future_cancelled(AIORT_FUTURE(task)), 1);
    aiort_unref(waiting);
    aiort_unref(task);
    aiort_unref(never);
}

static int cancel_blocking(void)
{
    cancelled_while(AIORT_NO_TIMEOUT);
    return 0;
}

TEST(cancel_blocking_wait_for)
{
    in_task(cancel_blocking);
}

static int cancel_timed(void)
{
    cancelled_while(60);
    return 0;
}

TEST(cancel_wait_for)
{
    in_task(cancel_timed);
}

/* Cancelled while it waits for the end of what it has cancelled itself: that is not asked twice. */
static int cancel_second_wait(void)
{
    int done = 0;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(cleans_up, &done));
    wait_for_t wait = {AIORT_AWAITABLE(task), 0};
    aiort_sleep(0);
    aiort_task_t *waiting = aiort_create_task(AIORT_CORO(do_wait_for, &wait));

    aiort_sleep(0);
    aiort_task_cancel(waiting, NULL);
    assert_code(aiort_await(waiting, NULL), UV_ECANCELED);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    assert_int_equal(done, 1);
    assert_int_equal(aiort_task_cancelling(task), 1);
    aiort_unref(waiting);
    aiort_unref(task);
    return 0;
}

TEST(cancelled_while_cancelling)
{
    in_task(cancel_second_wait);
}

static int reached_end;

static int issue86296_inner(void *arg, void **result)
{
    (void)result;
    int err = aiort_wait_for(AIORT_CORO(return_at_once, arg), 100, NULL);
    if (!err)
        err = aiort_sleep(1);
    reached_end = !err;
    return err;
}

/* cpython#86296: a cancellation that comes when what it waits for is done is not lost. */
static int issue86296(void)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(issue86296_inner, NULL));

    aiort_sleep(0);
    assert_int_equal(aiort_future_done(AIORT_FUTURE(task)), 0);
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    assert_int_equal(reached_end, 0);
    aiort_unref(task);

    /* The same with a future that completes in the same iteration. */
    aiort_future_t *future = aiort_future_new(NULL);
    wait_for_t wait = {AIORT_AWAITABLE(future), 100};
    task = aiort_create_task(AIORT_CORO(do_wait_for, &wait));
    aiort_sleep(0);
    assert_ok(aiort_future_set_result(future, PTR(1)));
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    aiort_unref(task);
    aiort_unref(future);
    return 0;
}

TEST(wait_for_issue86296)
{
    in_task(issue86296);
}

/* ---- shields ---- */

static int inner_of_shield(void *arg, void **result)
{
    (void)arg;
    *result = PTR(1);
    return aiort_sleep(0.02);
}

static void shielded(double seconds, int expected)
{
    aiort_task_t *inner = aiort_create_task(AIORT_CORO(inner_of_shield, NULL));
    aiort_future_t *shield = aiort_shield(inner);
    void *result = NULL;

    assert_code(aiort_wait_for(shield, seconds, &result), expected);
    assert_int_equal(aiort_future_done(AIORT_FUTURE(inner)), expected == 0);
    assert_ok(aiort_await(inner, &result));
    assert_int_equal(INT(result), 1);
    aiort_unref(shield);
    aiort_unref(inner);
}

static int zero_shield(void)
{
    shielded(0, UV_ETIMEDOUT);
    return 0;
}

TEST(zero_timeout)
{
    in_task(zero_shield);
}

static int none_shield(void)
{
    shielded(AIORT_NO_TIMEOUT, 0);
    return 0;
}

TEST(none_timeout)
{
    in_task(none_shield);
}

static int timed_shield(void)
{
    shielded(0.001, UV_ETIMEDOUT);
    return 0;
}

TEST(shielded_timeout)
{
    in_task(timed_shield);
}

/* ---- what it refuses ---- */

static int refusals(void)
{
    assert_code(aiort_wait_for((aiort_task_t *)NULL, 1, NULL), AIORT_EBADAWAIT);
    assert_code(aiort_wait_for(AIORT_CORO(start_it, NULL), NAN, NULL), UV_EINVAL);
    assert_int_equal(started, 0);
    return 0;
}

TEST(wait_for_refuses)
{
    assert_code(aiort_wait_for(AIORT_CORO(start_it, NULL), 1, NULL), AIORT_ENOTASK);
    in_task(refusals);
}
