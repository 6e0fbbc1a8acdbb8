/* SPDX-License-Identifier: MIT */
/* Sleeping. Mirrors CPython's test_tasks.py, BaseTaskTests and SleepTests. */
#include "helpers.h"

#include <math.h>

static int sleep_twice(void *arg, void **result)
{
    double half = INT(arg) / 2000.0;
    int err = aiort_sleep(half);
    if (err == 0)
        err = aiort_sleep(half);
    *result = arg;
    return err;
}

TEST(sleep)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(sleep_twice, PTR(100)));
    void *result = NULL;

    double before = aiort_loop_time(loop);
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_true(aiort_future_done(AIORT_FUTURE(task)));
    assert_ok(aiort_future_result(AIORT_FUTURE(task), &result));
    assert_ptr_equal(result, PTR(100));
    assert_time_near(aiort_loop_time(loop) - before, 0.1);
    aiort_unref(task);
    drop_loop(loop);
}

static int sleep_nan(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_sleep(NAN);
}

TEST(sleep_when_delay_is_nan)
{
    assert_code(aiort_run(AIORT_CORO(sleep_nan, NULL), NULL), UV_EINVAL);
}

static int sleep_ten(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_sleep(10);
}

/* A cancelled sleep leaves no timer behind: the loop would wait for it. */
TEST(sleep_cancel)
{
    uv_loop_t uv;
    assert_ok(uv_loop_init(&uv));
    aiort_loop_options_t options = {.uv_loop = &uv};
    aiort_loop_t *loop = aiort_loop_new(&options);
    assert_non_null(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(sleep_ten, NULL));

    run_briefly(loop);
    assert_false(aiort_future_done(AIORT_FUTURE(task)));
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    run_briefly(loop);
    assert_true(aiort_future_cancelled(AIORT_FUTURE(task)));
    double before = harness_now();
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
    assert_time_near(harness_now() - before, 0);
    aiort_unref(task);
    drop_loop(loop);
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT)); /* its handles close */
    assert_ok(uv_loop_close(&uv));
}

typedef struct {
    int sum;
} sum_t;

static int add_one(void *arg)
{
    ((sum_t *)arg)->sum++;
    return 0;
}

static int yield_once(void *arg, void **result)
{
    sum_t *sum = arg;
    (void)result;
    assert_ok(aiort_call_soon(aiort_get_running_loop(), add_one, sum, NULL));
    assert_int_equal(sum->sum, 0);
    assert_ok(aiort_sleep(0));
    assert_int_equal(sum->sum, 1);
    sum->sum += 10;
    return 0;
}

TEST(sleep_zero)
{
    sum_t sum = {0};
    assert_ok(aiort_run(AIORT_CORO(yield_once, &sum), NULL));
    assert_int_equal(sum.sum, 11);
}

/* ---- C's own ---- */

static int negative_sleeps(void *arg, void **result)
{
    (void)arg;
    (void)result;
    double before = harness_now();
    assert_ok(aiort_sleep(-1));
    assert_ok(aiort_sleep(-INFINITY));
    assert_time_near(harness_now() - before, 0);
    return 0;
}

TEST(sleep_negative)
{
    assert_ok(aiort_run(AIORT_CORO(negative_sleeps, NULL), NULL));
}

static double begun[21], delays[20];
static int nbegun, woken[20], nwoken;

static int sleep_and_note(void *arg, void **result)
{
    int me = nbegun++;
    (void)result;
    delays[me] = (10 + INT(arg)) / 1000.0;
    begun[me] = aiort_loop_time(aiort_get_running_loop());
    int err = aiort_sleep(delays[me]);
    woken[nwoken++] = me;
    return err;
}

TEST(sleepers_wake_in_order)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *tasks[20];

    for (int i = 0; i < 20; i++)
        tasks[i] = start(loop, AIORT_CORO(sleep_and_note, PTR((i * 7) % 20)));
    for (int i = 0; i < 20; i++) {
        assert_ok(aiort_loop_run_until_complete(loop, tasks[i], NULL));
        aiort_unref(tasks[i]);
    }
    assert_int_equal(nwoken, 20);
    /* On a busy machine each began to sleep at some time between its note and the next one's. */
    begun[20] = INFINITY;
    for (int i = 1; i < 20; i++) {
        int earlier = woken[i - 1], later = woken[i];
        assert_true(begun[later + 1] + delays[later] >= begun[earlier] + delays[earlier] - 0.0005);
    }
    drop_loop(loop);
}

/* Sleeping for ever ends by being cancelled. */
static int sleep_for_ever(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_sleep(INFINITY);
}

TEST(sleep_for_ever)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(sleep_for_ever, NULL));

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(5)), NULL));
    assert_false(aiort_future_done(AIORT_FUTURE(task)));
    aiort_task_cancel(task, NULL);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    aiort_unref(task);
    drop_loop(loop);
}

/* Task and callback by turns: sleep(0) yields exactly once. */
typedef struct {
    aiort_loop_t *loop;
    int task_turns, callback_turns;
} turns_t;

static int callback_turn(void *arg)
{
    turns_t *turns = arg;
    if (++turns->callback_turns < 50)
        return aiort_call_soon(turns->loop, callback_turn, turns, NULL);
    return 0;
}

static int task_turns(void *arg, void **result)
{
    turns_t *turns = arg;
    (void)result;
    assert_ok(aiort_call_soon(turns->loop, callback_turn, turns, NULL));
    for (int i = 0; i < 50; i++) {
        assert_int_equal(turns->callback_turns, i);
        assert_ok(aiort_sleep(0));
    }
    assert_int_equal(turns->callback_turns, 50);
    return 0;
}

TEST(sleep_zero_yields_exactly_once)
{
    aiort_loop_t *loop = new_loop();
    turns_t turns = {loop, 0, 0};
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(task_turns, &turns), NULL));
    drop_loop(loop);
}
