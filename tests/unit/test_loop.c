/* SPDX-License-Identifier: MIT */
/*
 * The loop: open, running, stopped, closed, and what it refuses in each state. Mirrors CPython's
 * test_base_events.py, BaseEventLoopTests and RunningLoopTests, and test_events.py, PolicyTests.
 */
#include "helpers.h"

#include <pthread.h>

TEST(close)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_false(aiort_loop_is_closed(loop));
    assert_ok(aiort_loop_close(loop));
    assert_true(aiort_loop_is_closed(loop));
    assert_ok(aiort_loop_close(loop));
    assert_ok(aiort_loop_close(loop));
    assert_code(aiort_loop_run_forever(loop), AIORT_ELOOPCLOSED);
    assert_code(aiort_loop_run_until_complete(loop, future, NULL), AIORT_ELOOPCLOSED);
    aiort_unref(future);
    aiort_unref(loop);
}

static int run_other_loop(void *arg, void **result)
{
    (void)result;
    aiort_coroutine_t *coroutine = AIORT_CORO(return_at_once, NULL);
    assert_code(aiort_loop_run_until_complete((aiort_loop_t *)arg, coroutine, NULL),
                AIORT_EOTHERRUNNING);
    assert_code(aiort_loop_run_forever((aiort_loop_t *)arg), AIORT_EOTHERRUNNING);
    assert_false(aiort_loop_is_running((aiort_loop_t *)arg));
    return 0;
}

TEST(running_loop_within_a_loop)
{
    aiort_loop_t *loop = new_loop(), *other = new_loop();

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(run_other_loop, other), NULL));
    drop_loop(other);
    drop_loop(loop);
}

TEST(run_until_complete_type_error)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *none = NULL;

    assert_code(aiort_loop_run_until_complete(loop, none, NULL), AIORT_EBADAWAIT);
    assert_false(aiort_loop_is_running(loop));
    drop_loop(loop);
}

TEST(run_until_complete_loop)
{
    aiort_loop_t *loop = new_loop(), *other = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_code(aiort_loop_run_until_complete(other, future, NULL), AIORT_EOTHERLOOP);
    assert_false(aiort_loop_is_running(other));
    aiort_unref(future);
    drop_loop(other);
    drop_loop(loop);
}

/* A run that ended before its task did leaves nothing behind that ends the next run early. */
TEST(run_until_complete_loop_orphan_future_close_loop)
{
    aiort_loop_t *loop = new_loop();
    void *result = NULL;

    assert_ok(aiort_call_soon(loop, stop_loop, loop, NULL));
    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(30)), NULL),
                AIORT_ESTOPPED);
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(60)), &result));
    assert_ptr_equal(result, PTR(60));
    drop_loop(loop);
}

static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

TEST(run_once)
{
    aiort_loop_t *loop = new_loop();
    int calls = 0;

    assert_ok(aiort_call_soon(loop, count, &calls, NULL));
    run_once(loop);
    assert_int_equal(calls, 1);
    run_once(loop);
    assert_int_equal(calls, 1);
    drop_loop(loop);
}

typedef struct {
    aiort_loop_t *loop;
    int calls;
} counter_t;

static int count_and_again(void *arg)
{
    counter_t *counter = arg;
    counter->calls++;
    return aiort_call_soon(counter->loop, count_and_again, counter, NULL);
}

TEST(run_forever_pre_stopped)
{
    aiort_loop_t *loop = new_loop();
    counter_t counter = {loop, 0};

    assert_ok(aiort_call_soon(loop, count_and_again, &counter, NULL));
    assert_ok(aiort_loop_stop(loop));
    assert_ok(aiort_loop_run_forever(loop));
    assert_int_equal(counter.calls, 1);
    assert_false(aiort_loop_is_running(loop));
    drop_loop(loop);
}

/* The other callbacks of the iteration in which stop() is called still run, those they add do not.
 */
TEST(stop_finishes_iteration)
{
    aiort_loop_t *loop = new_loop();
    int before = 0, after = 0;
    counter_t counter = {loop, 0};

    assert_ok(aiort_call_soon(loop, count, &before, NULL));
    assert_ok(aiort_call_soon(loop, stop_loop, loop, NULL));
    assert_ok(aiort_call_soon(loop, count_and_again, &counter, NULL));
    assert_ok(aiort_call_soon(loop, count, &after, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    assert_int_equal(before, 1);
    assert_int_equal(after, 1);
    assert_int_equal(counter.calls, 1);
    drop_loop(loop);
}

static int interrupt(void *arg, void **result)
{
    (void)result;
    aiort_loop_t *loop = arg;
    assert_true(aiort_loop_is_running(loop));
    return aiort_raise(UV_EINTR, "interrupted");
}

/* The error with which a run ends is the caller's: not reported, and the loop is clean after it. */
TEST(run_forever_keyboard_interrupt)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(interrupt, loop), NULL), UV_EINTR);
    assert_string_equal(aiort_error_message(aiort_current_error()), "interrupted");
    assert_false(aiort_loop_is_running(loop));
    assert_null(aiort_get_running_loop());
    drop_loop(loop);
    assert_int_equal(reports.calls, 0);
}

static int stop_and_note(void *arg)
{
    counter_t *counter = arg;
    counter->calls++;
    return aiort_loop_stop(counter->loop);
}

static int later_stop_and_note(void *arg)
{
    return aiort_call_soon(((counter_t *)arg)->loop, stop_and_note, arg, NULL);
}

TEST(run_until_complete_baseexception)
{
    aiort_loop_t *loop = new_loop();
    counter_t counter = {loop, 0};

    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(interrupt, loop), NULL), UV_EINTR);
    assert_ok(aiort_call_soon(loop, later_stop_and_note, &counter, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    assert_int_equal(counter.calls, 1);
    drop_loop(loop);
}

/* An event that arrives while the loop stops is seen once, in the next run. */
static int events;

static void on_event(uv_async_t *async)
{
    (void)async;
    events++;
}

static int send_event(void *arg)
{
    return uv_async_send(arg);
}

TEST(single_selecter_event_callback_after_stopping)
{
    aiort_loop_t *loop = new_loop();
    uv_async_t async;

    assert_ok(uv_async_init(aiort_loop_uv(loop), &async, on_event));
    for (int i = 1; i < 3; i++) {
        assert_ok(aiort_call_soon(loop, send_event, &async, NULL));
        assert_ok(aiort_call_soon(loop, stop_loop, loop, NULL));
        assert_ok(aiort_loop_run_forever(loop));
        run_once(loop);
        assert_int_equal(events, i);
    }
    uv_close((uv_handle_t *)&async, NULL);
    run_once(loop);
    run_once(loop);
    drop_loop(loop);
}

/* ---- whose loop ---- */

TEST(new_event_loop)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);

    assert_non_null(loop);
    assert_int_equal(aiort_kind(loop), AIORT_KIND_LOOP);
    assert_false(aiort_loop_is_running(loop));
    assert_non_null(aiort_loop_uv(loop));
    drop_loop(loop);
}

TEST(get_event_loop)
{
    aiort_loop_t *loop = new_loop();

    assert_null_code(aiort_get_running_loop(), AIORT_ENOLOOP);
    drop_loop(loop);
    assert_null_code(aiort_get_running_loop(), AIORT_ENOLOOP);
}

static int no_loop_here(void *arg, void **result)
{
    (void)result;
    assert_ptr_equal(aiort_get_running_loop(), arg);
    return 0;
}

static int same_loop_in_callback(void *arg)
{
    assert_ptr_equal(aiort_get_running_loop(), arg);
    return 0;
}

TEST(get_event_loop_returns_running_loop)
{
    aiort_loop_t *loop = new_loop();

    assert_null_code(aiort_get_running_loop(), AIORT_ENOLOOP);
    assert_ok(aiort_call_soon(loop, same_loop_in_callback, loop, NULL));
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(no_loop_here, loop), NULL));
    assert_null_code(aiort_get_running_loop(), AIORT_ENOLOOP);
    drop_loop(loop);
    assert_null(aiort_get_running_loop());
}

/* Two loops, by turns: each is the running one while it runs. */
TEST(get_event_loop_returns_running_loop2)
{
    aiort_loop_t *one = new_loop(), *two = new_loop();

    for (int i = 0; i < 2; i++) {
        assert_ok(aiort_loop_run_until_complete(one, AIORT_CORO(no_loop_here, one), NULL));
        assert_null(aiort_get_running_loop());
        assert_ok(aiort_loop_run_until_complete(two, AIORT_CORO(no_loop_here, two), NULL));
        assert_null(aiort_get_running_loop());
    }
    drop_loop(two);
    drop_loop(one);
}

static int run_again(void *arg, void **result)
{
    aiort_loop_t *loop = arg;
    (void)result;
    assert_code(aiort_loop_run_forever(loop), AIORT_ELOOPRUNNING);
    assert_ptr_equal(aiort_get_running_loop(), loop);
    assert_true(aiort_loop_is_running(loop));
    return 0;
}

TEST(get_running_loop_already_running)
{
    aiort_loop_t *loop = new_loop();

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(run_again, loop), NULL));
    assert_false(aiort_loop_is_running(loop));
    drop_loop(loop);
}

typedef struct {
    aiort_loop_t *here, *seen;
    int code;
} thread_loop_t;

static void *look_for_loop(void *arg)
{
    thread_loop_t *look = arg;
    look->seen = aiort_get_running_loop();
    look->code = aiort_last_error();
    return NULL;
}

static int look_in_thread(void *arg, void **result)
{
    pthread_t thread;
    (void)result;
    assert_ok(pthread_create(&thread, NULL, look_for_loop, arg));
    assert_ok(pthread_join(thread, NULL));
    return 0;
}

/* A loop that runs in this thread is no other thread's. */
TEST(get_event_loop_thread)
{
    aiort_loop_t *loop = new_loop();
    thread_loop_t look = {loop, loop, 0};

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(look_in_thread, &look), NULL));
    assert_null(look.seen);
    assert_int_equal(look.code, AIORT_ENOLOOP);
    drop_loop(loop);
}

/* ---- tasks of a loop ---- */

/* The coroutine is taken over also when there will be no task: nothing says "never awaited". */
static void create_task_on_closed_loop(void *arg)
{
    (void)arg;
    aiort_loop_t *loop = new_loop();
    assert_ok(aiort_loop_close(loop));
    assert_null_code(aiort_loop_create_task(loop, AIORT_CORO(return_at_once, NULL), NULL),
                     AIORT_ELOOPCLOSED);
    aiort_unref(loop);
}

TEST(create_task_error_closes_coro)
{
    char *output = NULL;
    assert_int_equal(harness_child(create_task_on_closed_loop, NULL, 10, &output), 0);
    assert_string_equal(output, "");
    free(output);
}

TEST(create_named_task_with_default_factory)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_options_t options = {.name = "test_task"};
    aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(return_at_once, NULL), &options);

    assert_non_null(task);
    assert_string_equal(aiort_task_get_name(task), "test_task");
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    aiort_unref(task);
    drop_loop(loop);
}

/* ---- C's own ---- */

TEST(close_drops_queued_callbacks)
{
    aiort_loop_t *loop = new_loop();
    int calls = 0;

    assert_ok(aiort_call_soon(loop, count, &calls, NULL));
    assert_ok(aiort_call_later(loop, 0, count, &calls, NULL));
    assert_ok(aiort_call_later(loop, 100, count, &calls, NULL));
    assert_ok(aiort_call_soon_threadsafe(loop, count, &calls, NULL));
    drop_loop(loop);
    assert_int_equal(calls, 0);
}

TEST(unref_without_close)
{
    aiort_loop_t *loop = new_loop();
    int calls = 0;

    assert_ok(aiort_call_soon(loop, count, &calls, NULL));
    assert_ok(aiort_call_later(loop, 100, count, &calls, NULL));
    run_briefly(loop);
    assert_int_equal(calls, 1);
    aiort_unref(loop);
    assert_int_equal(calls, 1);
}

TEST(closed_loop_can_be_asked)
{
    aiort_loop_t *loop = new_loop();

    double before = aiort_loop_time(loop);
    assert_ok(aiort_loop_close(loop));
    assert_true(aiort_loop_time(loop) >= before);
    assert_false(aiort_loop_is_running(loop));
    assert_true(aiort_loop_is_closed(loop));
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 0);
    assert_contains(repr(loop), "closed");
    aiort_unref(loop);
}

TEST(many_loops_one_after_another)
{
    for (int i = 0; i < 200; i++) {
        aiort_loop_t *loop = new_loop();
        run_briefly(loop);
        drop_loop(loop);
    }
}

TEST(time_is_monotonic)
{
    aiort_loop_t *loop = new_loop();
    double last = aiort_loop_time(loop);

    assert_true(last > 0);
    for (int i = 0; i < 1000; i++) {
        double now = aiort_loop_time(loop);
        assert_true(now >= last);
        last = now;
    }
    drop_loop(loop);
}

/* The program's own handles in the loop's uv_loop_t survive the loop's close in no way worse than
 * uv_loop_close() itself: an own loop waits for nobody. */
static int ticks;

static void on_tick(uv_timer_t *timer)
{
    (void)timer;
    ticks++;
}

TEST(own_handles_run_in_the_loop)
{
    aiort_loop_t *loop = new_loop();
    uv_timer_t timer;

    assert_ok(uv_timer_init(aiort_loop_uv(loop), &timer));
    assert_ok(uv_timer_start(&timer, on_tick, 1, 1));
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(50)), NULL));
    assert_true(ticks >= 2);
    uv_close((uv_handle_t *)&timer, NULL);
    run_briefly(loop);
    drop_loop(loop);
}

/* libuv calls timers before it polls: what they complete must not wait for the selector. */
typedef struct {
    uv_timer_t timer;
    aiort_future_t *future;
} one_shot_t;

static void on_one_shot(uv_timer_t *timer)
{
    one_shot_t *shot = timer->data;
    assert_ok(aiort_future_set_result(shot->future, PTR(1)));
    uv_close((uv_handle_t *)timer, NULL);
}

TEST(due_timers_of_the_program_wake_tasks_at_once)
{
    aiort_loop_t *loop = new_loop();

    for (int i = 0; i < 3; i++) {
        one_shot_t shot = {.future = new_future(loop)};
        assert_ok(uv_timer_init(aiort_loop_uv(loop), &shot.timer));
        shot.timer.data = &shot;
        assert_ok(uv_timer_start(&shot.timer, on_one_shot, 0, 0));
        double before = harness_now();
        assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(await_future, shot.future), NULL));
        assert_time_near(harness_now() - before, 0);
        aiort_unref(shot.future);
        run_briefly(loop);
    }
    drop_loop(loop);
}

static void on_stop(uv_timer_t *timer)
{
    assert_ok(aiort_loop_stop(timer->data));
}

TEST(due_timer_of_the_program_stops_the_loop)
{
    aiort_loop_t *loop = new_loop();
    uv_timer_t timer;

    assert_ok(uv_timer_init(aiort_loop_uv(loop), &timer));
    timer.data = loop;
    assert_ok(uv_timer_start(&timer, on_stop, 0, 0));
    double before = harness_now();
    assert_ok(aiort_loop_run_forever(loop));
    assert_time_near(harness_now() - before, 0);
    uv_close((uv_handle_t *)&timer, NULL);
    run_briefly(loop);
    drop_loop(loop);
}
