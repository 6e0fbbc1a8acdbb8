/* SPDX-License-Identifier: MIT */
/*
 * A loop over a uv_loop_t that the program has: driven by the program's uv_run() or by aiort, with
 * the program's own handles beside it.
 */
#include "helpers.h"

#include <pthread.h>
#include <unistd.h>

static uv_loop_t uv;

static aiort_loop_t *new_loop_over_uv(void)
{
    aiort_loop_options_t options = {.uv_loop = &uv};
    assert_ok(uv_loop_init(&uv));
    aiort_loop_t *loop = aiort_loop_new(&options);
    assert_non_null(loop);
    assert_ptr_equal(aiort_loop_uv(loop), &uv);
    return loop;
}

static void drop_loop_over_uv(aiort_loop_t *loop)
{
    drop_loop(loop);
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
    assert_ok(uv_loop_close(&uv));
}

static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

static int check_running(void *arg)
{
    assert_ptr_equal(aiort_get_running_loop(), arg);
    assert_true(aiort_loop_is_running(arg));
    return 0;
}

/* A loop of the program's own: ten turns, in which the callback runs once. */
TEST(custom_run_forever_integration)
{
    aiort_loop_t *loop = new_loop_over_uv();
    int calls = 0;

    assert_ok(aiort_call_soon(loop, count, &calls, NULL));
    assert_ok(aiort_call_soon(loop, check_running, loop, NULL));
    assert_null(aiort_get_running_loop());
    for (int i = 0; i < 10; i++)
        uv_run(&uv, UV_RUN_NOWAIT);
    assert_null(aiort_get_running_loop());
    assert_false(aiort_loop_is_running(loop));
    assert_int_equal(calls, 1);
    drop_loop_over_uv(loop);
}

TEST(aiort_drives)
{
    aiort_loop_t *loop = new_loop_over_uv();
    void *result = NULL;

    double before = harness_now();
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(50)), &result));
    assert_time_near(harness_now() - before, 0.05);
    assert_ptr_equal(result, PTR(50));
    drop_loop_over_uv(loop);
}

/* uv_run() goes on while timers and ready callbacks are there, and then ends. */
TEST(uv_run_drives)
{
    aiort_loop_t *loop = new_loop_over_uv();
    aiort_task_t *task = start(loop, AIORT_CORO(sleep_ms, PTR(50)));
    void *result = NULL;
    int calls = 0;

    assert_ok(aiort_call_later(loop, 0.02, count, &calls, NULL));
    double before = harness_now();
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
    assert_time_near(harness_now() - before, 0.05);
    assert_int_equal(calls, 1);
    assert_true(aiort_future_done(AIORT_FUTURE(task)));
    assert_ok(aiort_future_result(AIORT_FUTURE(task), &result));
    assert_ptr_equal(result, PTR(50));
    aiort_unref(task);
    drop_loop_over_uv(loop);
}

/* A pending task alone does not keep it going. */
TEST(uv_run_ends_with_a_pending_task)
{
    aiort_loop_t *loop = new_loop_over_uv();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(await_future, future));

    double before = harness_now();
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
    assert_time_near(harness_now() - before, 0);
    assert_false(aiort_future_done(AIORT_FUTURE(task)));
    assert_ok(aiort_future_set_result(future, NULL));
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
    assert_true(aiort_future_done(AIORT_FUTURE(task)));
    aiort_unref(task);
    aiort_unref(future);
    drop_loop_over_uv(loop);
}

typedef struct {
    uv_timer_t timer;
    aiort_future_t *future;
    int ticks;
} ticker_t;

static void on_tick(uv_timer_t *timer)
{
    ticker_t *ticker = timer->data;
    if (++ticker->ticks == 3) {
        assert_ok(aiort_future_set_result(ticker->future, PTR(3)));
        uv_close((uv_handle_t *)timer, NULL);
    }
}

static void set_ticker(aiort_loop_t *loop, ticker_t *ticker)
{
    *ticker = (ticker_t){.future = new_future(loop)};
    assert_ok(uv_timer_init(&uv, &ticker->timer));
    ticker->timer.data = ticker;
    assert_ok(uv_timer_start(&ticker->timer, on_tick, 2, 2));
}

/* The program's callbacks complete futures that tasks wait for, whoever drives. */
TEST(program_handles_wake_tasks)
{
    aiort_loop_t *loop = new_loop_over_uv();

    for (int i = 0; i < 2; i++) {
        ticker_t ticker;
        void *result = NULL;
        set_ticker(loop, &ticker);
        aiort_task_t *task = start(loop, AIORT_CORO(await_future, ticker.future));
        if (i == 0)
            assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
        else
            assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
        assert_ok(aiort_future_result(AIORT_FUTURE(task), &result));
        assert_ptr_equal(result, PTR(3));
        aiort_unref(task);
        aiort_unref(ticker.future);
        run_briefly(loop);
    }
    drop_loop_over_uv(loop);
}

/* The program's handles are its own: closing the loop leaves them open. */
TEST(close_leaves_program_handles)
{
    aiort_loop_t *loop = new_loop_over_uv();
    ticker_t ticker = {.ticks = 100};

    assert_ok(uv_timer_init(&uv, &ticker.timer));
    ticker.timer.data = &ticker;
    assert_ok(uv_timer_start(&ticker.timer, on_tick, 1, 0));
    drop_loop(loop);
    assert_true(uv_is_active((uv_handle_t *)&ticker.timer));
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
    assert_int_equal(ticker.ticks, 101);
    uv_close((uv_handle_t *)&ticker.timer, NULL);
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
    assert_ok(uv_loop_close(&uv));
}

static int spawn_more(void *arg, void **result)
{
    int depth = INT(arg);
    *result = PTR(1);
    for (int i = 0; i < 2 && depth > 0; i++) {
        aiort_task_t *task = aiort_create_task(AIORT_CORO(spawn_more, PTR(depth - 1)));
        void *below = NULL;
        int err = aiort_await(task, &below);
        aiort_unref(task);
        if (err != 0)
            return err;
        *result = PTR(INT(*result) + INT(below));
    }
    return aiort_sleep(0);
}

TEST(task_trees_under_uv_run)
{
    aiort_loop_t *loop = new_loop_over_uv();
    aiort_task_t *task = start(loop, AIORT_CORO(spawn_more, PTR(8)));
    void *result = NULL;

    assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
    assert_ok(aiort_future_result(AIORT_FUTURE(task), &result));
    assert_ptr_equal(result, PTR(511));
    aiort_unref(task);
    drop_loop_over_uv(loop);
}

static int stop_uv(void *arg)
{
    count(arg);
    uv_stop(&uv);
    return 0;
}

static int calls_from_thread;
static aiort_loop_t *thread_loop;

static void *call_from_thread(void *arg)
{
    (void)arg;
    usleep(30000);
    assert_ok(aiort_call_soon_threadsafe(thread_loop, stop_uv, &calls_from_thread, NULL));
    return NULL;
}

/* A call from another thread wakes a uv_run() that something else keeps going. */
TEST(threadsafe_call_wakes_uv_run)
{
    pthread_t thread;
    int late = 0;

    thread_loop = new_loop_over_uv();
    assert_ok(aiort_call_later(thread_loop, 100, count, &late, NULL));
    double before = harness_now();
    assert_ok(pthread_create(&thread, NULL, call_from_thread, NULL));
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_time_near(harness_now() - before, 0.03);
    assert_int_equal(calls_from_thread, 1);
    assert_int_equal(late, 0);
    assert_ok(pthread_join(thread, NULL));
    drop_loop_over_uv(thread_loop);
}

/* stop() in a callback ends the program's uv_run(). */
TEST(stop_ends_uv_run)
{
    aiort_loop_t *loop = new_loop_over_uv();
    int late = 0;

    assert_ok(aiort_call_later(loop, 100, count, &late, NULL));
    assert_ok(aiort_call_later(loop, 0.01, stop_loop, loop, NULL));
    double before = harness_now();
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_time_near(harness_now() - before, 0.01);
    assert_int_equal(late, 0);
    drop_loop_over_uv(loop);
}

/* Two loops over one uv_loop_t are two queues; each task sees its own. */
static int own_loop(void *arg, void **result)
{
    (void)result;
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(aiort_get_running_loop(), arg);
        assert_ok(aiort_sleep(0.001));
    }
    return 0;
}

TEST(two_loops_over_one)
{
    aiort_loop_options_t options = {.uv_loop = &uv};
    aiort_loop_t *one = new_loop_over_uv(), *two = aiort_loop_new(&options);
    aiort_task_t *tasks[2];

    assert_non_null(two);
    tasks[0] = start(one, AIORT_CORO(own_loop, one));
    tasks[1] = start(two, AIORT_CORO(own_loop, two));
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
    for (int i = 0; i < 2; i++) {
        assert_ok(aiort_future_result(AIORT_FUTURE(tasks[i]), NULL));
        aiort_unref(tasks[i]);
    }
    drop_loop(two);
    drop_loop_over_uv(one);
}

/* An unref of the loop is its close. */
TEST(unref_closes)
{
    aiort_loop_t *loop = new_loop_over_uv();
    int calls = 0;

    assert_ok(aiort_call_later(loop, 0.001, count, &calls, NULL));
    aiort_unref(loop);
    assert_ok(uv_run(&uv, UV_RUN_DEFAULT));
    assert_int_equal(calls, 0);
    assert_ok(uv_loop_close(&uv));
}
