/* SPDX-License-Identifier: MIT */
/*
 * Running: run_until_complete, run_forever, stop and aiort_run(). Mirrors CPython's test_events.py,
 * EventLoopTestsMixin, and what test_runners.py says of asyncio.run().
 */
#include "helpers.h"

static int run_nested(void *arg, void **result)
{
    aiort_loop_t *loop = arg;
    (void)result;
    assert_true(aiort_loop_is_running(loop));
    return aiort_loop_run_until_complete(loop, AIORT_CORO(return_at_once, NULL), NULL);
}

TEST(run_until_complete_nesting)
{
    aiort_loop_t *loop = new_loop();

    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(run_nested, loop), NULL),
                AIORT_ELOOPRUNNING);
    assert_false(aiort_loop_is_running(loop));
    drop_loop(loop);
}

TEST(run_until_complete)
{
    aiort_loop_t *loop = new_loop();
    void *result = NULL;

    double before = aiort_loop_time(loop);
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(100)), &result));
    assert_time_near(aiort_loop_time(loop) - before, 0.1);
    assert_ptr_equal(result, PTR(100));
    drop_loop(loop);
}

static int stop_and_sleep(void *arg, void **result)
{
    (void)result;
    aiort_loop_stop(arg);
    return aiort_sleep(0.02);
}

TEST(run_until_complete_stopped)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(stop_and_sleep, loop));

    assert_code(aiort_loop_run_until_complete(loop, task, NULL), AIORT_ESTOPPED);
    assert_int_equal(aiort_last_error(), AIORT_ESTOPPED);
    assert_string_equal(aiort_strerror(AIORT_ESTOPPED),
                        "Event loop stopped before Future completed.");
    assert_false(aiort_future_done(AIORT_FUTURE(task)));
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    aiort_unref(task);
    drop_loop(loop);
}

/* What was called, and a loop to stop when it was. */
typedef struct {
    aiort_loop_t *loop;
    const char *said[8];
    int n, enough;
} heard_t;

typedef struct {
    heard_t *heard;
    const char *word;
} word_t;

static int say(void *arg)
{
    const word_t *word = arg;
    heard_t *heard = word->heard;
    heard->said[heard->n++] = word->word;
    if (heard->n >= heard->enough)
        aiort_loop_stop(heard->loop);
    return 0;
}

TEST(call_later)
{
    aiort_loop_t *loop = new_loop();
    heard_t heard = {.loop = loop, .enough = 1};
    word_t word = {&heard, "hello world"};

    double before = aiort_loop_time(loop);
    assert_ok(aiort_call_later(loop, 0.1, say, &word, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    assert_time_near(aiort_loop_time(loop) - before, 0.1);
    assert_int_equal(heard.n, 1);
    assert_string_equal(heard.said[0], "hello world");
    drop_loop(loop);
}

TEST(call_soon)
{
    aiort_loop_t *loop = new_loop();
    heard_t heard = {.loop = loop, .enough = 2};
    word_t hello = {&heard, "hello"}, world = {&heard, "world"};

    assert_ok(aiort_call_soon(loop, say, &hello, NULL));
    assert_ok(aiort_call_soon(loop, say, &world, NULL));
    assert_int_equal(heard.n, 0);
    assert_ok(aiort_loop_run_forever(loop));
    assert_int_equal(heard.n, 2);
    assert_string_equal(heard.said[0], "hello");
    assert_string_equal(heard.said[1], "world");
    drop_loop(loop);
}

static int close_own_loop(void *arg, void **result)
{
    (void)result;
    return aiort_loop_close(arg);
}

TEST(close_running_event_loop)
{
    aiort_loop_t *loop = new_loop();

    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(close_own_loop, loop), NULL),
                AIORT_ECLOSERUNNING);
    assert_false(aiort_loop_is_closed(loop));
    drop_loop(loop);
}

TEST(close)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;
    aiort_future_t *future;
    aiort_task_t *task;

    assert_ok(aiort_loop_close(loop));
    assert_code(aiort_loop_run_forever(loop), AIORT_ELOOPCLOSED);
    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(return_at_once, NULL), NULL),
                AIORT_ELOOPCLOSED);
    future = aiort_future_new(loop);
    assert_non_null(future);
    assert_code(aiort_loop_run_until_complete(loop, future, NULL), AIORT_ELOOPCLOSED);
    assert_code(aiort_call_soon(loop, do_nothing, NULL, &handle), AIORT_ELOOPCLOSED);
    assert_code(aiort_call_soon_threadsafe(loop, do_nothing, NULL, &handle), AIORT_ELOOPCLOSED);
    assert_code(aiort_call_later(loop, 1.0, do_nothing, NULL, &handle), AIORT_ELOOPCLOSED);
    assert_code(aiort_call_at(loop, aiort_loop_time(loop), do_nothing, NULL, &handle),
                AIORT_ELOOPCLOSED);
    assert_null(handle);
    task = aiort_loop_create_task(loop, AIORT_CORO(return_at_once, NULL), NULL);
    assert_null(task);
    assert_int_equal(aiort_last_error(), AIORT_ELOOPCLOSED);
    aiort_unref(future);
    aiort_unref(loop);
}

/* ---- aiort_run() ---- */

static int give_forty_two(void *arg, void **result)
{
    (void)arg;
    int err = aiort_sleep(0);
    *result = PTR(42);
    return err;
}

TEST(run_gives_result)
{
    void *result = NULL;

    assert_ok(aiort_run(AIORT_CORO(give_forty_two, NULL), &result));
    assert_ptr_equal(result, PTR(42));
    assert_null(aiort_get_running_loop());
}

static int fail_after_a_turn(void *arg, void **result)
{
    (void)arg;
    (void)result;
    int err = aiort_sleep(0);
    return err != 0 ? err : aiort_raise(UV_EPIPE, "spam");
}

TEST(run_gives_error)
{
    void *result = PTR(7);

    assert_code(aiort_run(AIORT_CORO(fail_after_a_turn, NULL), &result), UV_EPIPE);
    assert_int_equal(aiort_last_error(), UV_EPIPE);
    assert_string_equal(aiort_error_message(aiort_current_error()), "spam");
}

static int run_inside(void *arg, void **result)
{
    (void)arg;
    (void)result;
    assert_code(aiort_run(AIORT_CORO(return_at_once, NULL), NULL), AIORT_ERUNNINGLOOP);
    return 0;
}

TEST(run_from_running_loop)
{
    assert_ok(aiort_run(AIORT_CORO(run_inside, NULL), NULL));
}

static int cancelled_tasks;

static int wait_to_be_cancelled(void *arg, void **result)
{
    (void)result;
    int err = aiort_sleep(1000);
    assert_code(err, UV_ECANCELED);
    if (arg != NULL)
        assert_ok(aiort_sleep(0.01)); /* it may take its time */
    cancelled_tasks++;
    return err;
}

static int leave_tasks_behind(void *arg, void **result)
{
    (void)arg;
    (void)result;
    for (int i = 0; i < 10; i++) {
        aiort_task_t *task = aiort_create_task(AIORT_CORO(wait_to_be_cancelled, PTR(i & 1)));
        assert_non_null(task);
        aiort_unref(task);
    }
    return aiort_sleep(0);
}

TEST(run_cancels_what_is_left)
{
    assert_ok(aiort_run(AIORT_CORO(leave_tasks_behind, NULL), NULL));
    assert_int_equal(cancelled_tasks, 10);
}

/* A task that fails while it is being cancelled is reported, as asyncio.run() does. */
static int fail_when_cancelled(void *arg, void **result)
{
    (void)arg;
    (void)result;
    int err = aiort_sleep(1000);
    assert_code(err, UV_ECANCELED);
    return aiort_raise(UV_EIO, "could not be cancelled");
}

static int leave_failing_task(void *arg, void **result)
{
    (void)result;
    record(aiort_get_running_loop(), arg);
    aiort_unref(aiort_create_task(AIORT_CORO(fail_when_cancelled, NULL)));
    return aiort_sleep(0);
}

TEST(run_reports_failure_while_cancelling)
{
    reports_t reports;

    assert_ok(aiort_run(AIORT_CORO(leave_failing_task, &reports), NULL));
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.message, "unhandled exception during aiort_run() shutdown");
    assert_int_equal(reports.code, UV_EIO);
    assert_non_null(reports.task);
}

static int look_at_options(void *arg, void **result)
{
    (void)arg;
    (void)result;
    /* More than the 64 KiB that a task has by itself. */
    volatile char room[256 * 1024];
    for (size_t i = 0; i < sizeof room; i += 512)
        room[i] = (char)i;
    return room[512] == (char)512 ? aiort_sleep(0) : UV_EIO;
}

TEST(run_with_options)
{
    aiort_loop_options_t options = {.stack_size = 1024 * 1024};

    assert_ok(aiort_run_with(AIORT_CORO(look_at_options, NULL), NULL, &options));
}

TEST(run_twice)
{
    void *result = NULL;

    for (int i = 0; i < 3; i++) {
        assert_ok(aiort_run(AIORT_CORO(give_forty_two, NULL), &result));
        assert_ptr_equal(result, PTR(42));
    }
}

static int stop_own_loop(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_loop_stop(aiort_get_running_loop());
    return aiort_sleep(1000);
}

/* The loop is stopped from inside: run() says so, and the task is cancelled and waited for. */
TEST(run_stopped)
{
    assert_code(aiort_run(AIORT_CORO(stop_own_loop, NULL), NULL), AIORT_ESTOPPED);
    assert_null(aiort_get_running_loop());
}

/* ---- C's own ---- */

static int give_bytes(void *arg, void **result)
{
    *result = arg;
    return 0;
}

TEST(run_result_may_be_null)
{
    aiort_loop_t *loop = new_loop();
    char bytes[4] = "abc";

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(give_bytes, bytes), NULL));
    assert_ok(aiort_run(AIORT_CORO(give_bytes, bytes), NULL));
    drop_loop(loop);
}

/* A done future costs no iteration that waits. */
TEST(run_until_complete_of_done_future)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    void *result = NULL;

    assert_ok(aiort_future_set_result(future, PTR(5)));
    assert_ok(aiort_loop_run_until_complete(loop, future, &result));
    assert_ptr_equal(result, PTR(5));
    assert_ok(aiort_loop_run_until_complete(loop, future, &result));
    aiort_unref(future);
    drop_loop(loop);
}

TEST(coroutine_is_taken_over_by_a_failing_run)
{
    aiort_loop_t *loop = new_loop();

    assert_ok(aiort_loop_close(loop));
    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(return_at_once, NULL), NULL),
                AIORT_ELOOPCLOSED);
    aiort_unref(loop); /* LeakSanitizer sees the rest */
}
