/* SPDX-License-Identifier: MIT */
/*
 * Cancelling tasks: requests, messages, uncancel, and the races CPython has had. Mirrors CPython's
 * test_tasks.py, BaseTaskTests.
 */
#include "helpers.h"

static int sleep_ten(void *arg, void **result)
{
    (void)arg;
    int err = aiort_sleep(10);
    *result = PTR(12);
    return err;
}

static void assert_cancelled(aiort_task_t *task)
{
    assert_true(aiort_future_done(AIORT_FUTURE(task)));
    assert_true(aiort_future_cancelled(AIORT_FUTURE(task)));
    assert_int_equal(aiort_task_cancel(task, NULL), 0);
}

static int cancel_task(void *task)
{
    aiort_task_cancel(task, NULL);
    return 0;
}

/* ---- messages ---- */

TEST(task_cancel_message_getter)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(return_at_once, NULL));

    assert_int_equal(aiort_task_cancel(task, "my message"), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "my message");
    aiort_unref(task);
    drop_loop(loop);
}

/* The message of the last request is the one that arrives. */
TEST(task_cancel_message_setter)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(return_at_once, NULL));

    assert_int_equal(aiort_task_cancel(task, "my message"), 1);
    assert_int_equal(aiort_task_cancel(task, "my new message"), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "my new message");
    aiort_unref(task);
    drop_loop(loop);
}

typedef struct {
    const char *message;
    int ask_error; /* by aiort_future_error() instead of aiort_future_result() */
    int start_first;
} message_case_t;

static int set_done(aiort_future_t *future, void *arg)
{
    (void)future;
    return aiort_future_set_result((aiort_future_t *)arg, NULL);
}

/* Waits until a task is done, whatever its outcome, which stays where it is. */
static void wait_for_end(aiort_task_t *task)
{
    aiort_future_t *ended = new_future(aiort_get_running_loop());
    assert_ok(aiort_future_add_done_callback(AIORT_FUTURE(task), set_done, ended));
    assert_ok(aiort_await(ended, NULL));
    aiort_unref(ended);
}

static int cancel_and_ask(void *arg, void **result)
{
    const message_case_t *message = arg;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(sleep_ten, NULL));
    aiort_error_t *error = NULL;

    (void)result;
    if (message->start_first)
        assert_ok(aiort_sleep(0));
    assert_int_equal(aiort_task_cancel(task, message->message), 1);
    wait_for_end(task);
    int err = message->ask_error ? aiort_future_error(AIORT_FUTURE(task), &error)
                                 : aiort_future_result(AIORT_FUTURE(task), NULL);
    assert_code(err, UV_ECANCELED);
    aiort_unref(task);
    return err;
}

static void check_message(message_case_t message)
{
    aiort_loop_t *loop = new_loop();
    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(cancel_and_ask, &message), NULL),
                UV_ECANCELED);
    if (message.message != NULL)
        assert_string_equal(aiort_error_message(aiort_current_error()), message.message);
    drop_loop(loop);
}

TEST(cancel_with_message_then_future_result)
{
    check_message((message_case_t){NULL, 0, 1});
    check_message((message_case_t){"my message", 0, 1});
    check_message((message_case_t){"", 0, 1});
}

TEST(cancel_with_message_then_future_exception)
{
    check_message((message_case_t){NULL, 1, 1});
    check_message((message_case_t){"my message", 1, 1});
    check_message((message_case_t){"", 1, 1});
}

TEST(cancel_with_message_before_starting_task)
{
    check_message((message_case_t){"my message", 1, 0});
}

typedef struct {
    aiort_future_t *started;
    aiort_task_t *inner;
} context_t;

static int say_started_and_sleep(void *arg, void **result)
{
    (void)result;
    assert_ok(aiort_future_set_result(((context_t *)arg)->started, NULL));
    return aiort_sleep(10);
}

static int cancel_inner_with_message(void *arg)
{
    aiort_task_cancel(((context_t *)arg)->inner, "msg");
    return 0;
}

static int raise_from_cancellation(void *arg, void **result)
{
    context_t *context = arg;
    (void)result;
    context->inner = aiort_create_task(AIORT_CORO(say_started_and_sleep, context));
    assert_ok(aiort_await(context->started, NULL));
    assert_ok(aiort_call_soon(aiort_get_running_loop(), cancel_inner_with_message, context, NULL));
    assert_code(aiort_await(context->inner, NULL), UV_ECANCELED);
    aiort_error_t *cause = aiort_ref(aiort_current_error());
    aiort_unref(context->inner);
    int err = aiort_raise_from(cause, UV_EINVAL, "cancelled");
    aiort_unref(cause);
    return err;
}

TEST(cancellation_exception_context)
{
    aiort_loop_t *loop = new_loop();
    context_t context = {new_future(loop), NULL};

    assert_code(
        aiort_loop_run_until_complete(loop, AIORT_CORO(raise_from_cancellation, &context), NULL),
        UV_EINVAL);
    aiort_error_t *error = aiort_current_error();
    assert_string_equal(aiort_error_message(error), "cancelled");
    assert_non_null(aiort_error_cause(error));
    assert_int_equal(aiort_error_code(aiort_error_cause(error)), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_error_cause(error)), "msg");
    aiort_unref(context.started);
    drop_loop(loop);
}

/* ---- where it arrives ---- */

TEST(cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(sleep_ten, NULL));

    assert_ok(aiort_call_soon(loop, cancel_task, task, NULL));
    double before = harness_now();
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_time_near(harness_now() - before, 0);
    assert_cancelled(task);
    aiort_unref(task);
    drop_loop(loop);
}

static int yield_twice(void *arg, void **result)
{
    (void)arg;
    int err = aiort_sleep(0);
    if (err == 0)
        err = aiort_sleep(0);
    *result = PTR(12);
    return err;
}

TEST(cancel_yield)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(yield_twice, NULL));

    run_once(loop);
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_cancelled(task);
    aiort_unref(task);
    drop_loop(loop);
}

TEST(cancel_inner_future)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(await_future, future));

    run_briefly(loop);
    assert_int_equal(aiort_future_cancel(future, NULL), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_true(aiort_future_cancelled(future));
    assert_true(aiort_future_cancelled(AIORT_FUTURE(task)));
    aiort_unref(task);
    aiort_unref(future);
    drop_loop(loop);
}

TEST(cancel_both_task_and_inner_future)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(await_future, future));

    run_briefly(loop);
    assert_int_equal(aiort_future_cancel(future, NULL), 1);
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_true(aiort_future_cancelled(future));
    assert_cancelled(task);
    aiort_unref(task);
    aiort_unref(future);
    drop_loop(loop);
}

typedef struct {
    aiort_future_t *future[3];
} futures_t;

static futures_t new_futures(aiort_loop_t *loop)
{
    return (futures_t){{new_future(loop), new_future(loop), new_future(loop)}};
}

static void drop_futures(futures_t *futures)
{
    for (int i = 0; i < 3; i++)
        aiort_unref(futures->future[i]);
}

static int catch_cancellation(void *arg, void **result)
{
    futures_t *futures = arg;
    assert_ok(aiort_await(futures->future[0], NULL));
    assert_code(aiort_await(futures->future[1], NULL), UV_ECANCELED);
    *result = PTR(42);
    return 0;
}

TEST(cancel_task_catching)
{
    aiort_loop_t *loop = new_loop();
    futures_t futures = new_futures(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(catch_cancellation, &futures));
    void *result = NULL;

    run_briefly(loop);
    assert_ok(aiort_future_set_result(futures.future[0], NULL));
    run_briefly(loop);
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_true(aiort_future_cancelled(futures.future[1]));
    assert_ok(aiort_loop_run_until_complete(loop, task, &result));
    assert_ptr_equal(result, PTR(42));
    assert_false(aiort_future_cancelled(AIORT_FUTURE(task)));
    aiort_unref(task);
    drop_futures(&futures);
    drop_loop(loop);
}

static int ignore_cancellation(void *arg, void **result)
{
    futures_t *futures = arg;
    assert_ok(aiort_await(futures->future[0], NULL));
    assert_code(aiort_await(futures->future[1], NULL), UV_ECANCELED);
    return aiort_await(futures->future[2], result);
}

TEST(cancel_task_ignoring)
{
    aiort_loop_t *loop = new_loop();
    futures_t futures = new_futures(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(ignore_cancellation, &futures));
    void *result = NULL;

    run_briefly(loop);
    assert_ok(aiort_future_set_result(futures.future[0], NULL));
    run_briefly(loop);
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_true(aiort_future_cancelled(futures.future[1]));
    run_briefly(loop);
    assert_ok(aiort_future_set_result(futures.future[2], PTR(42)));
    assert_ok(aiort_loop_run_until_complete(loop, task, &result));
    assert_ptr_equal(result, PTR(42));
    assert_false(aiort_future_cancelled(futures.future[2]));
    assert_false(aiort_future_cancelled(AIORT_FUTURE(task)));
    aiort_unref(task);
    drop_futures(&futures);
    drop_loop(loop);
}

static int cancel_self_and_sleep(void *arg, void **result)
{
    (void)result;
    assert_int_equal(aiort_task_cancel(aiort_current_task(), NULL), 1);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 1);
    return arg != NULL ? 0 : aiort_sleep(100);
}

TEST(cancel_current_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(cancel_self_and_sleep, NULL));

    double before = harness_now();
    assert_false(aiort_future_cancelled(AIORT_FUTURE(task)));
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_time_near(harness_now() - before, 0);
    assert_cancelled(task);
    aiort_unref(task);
    drop_loop(loop);
}

/* A coroutine that ends right after its task is cancelled: the task is cancelled. */
TEST(cancel_at_end)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(cancel_self_and_sleep, PTR(1)));

    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_cancelled(task);
    aiort_unref(task);
    drop_loop(loop);
}

typedef struct {
    aiort_future_t *future;
    aiort_task_t *nested;
} nested_t;

static int cancel_self_and_await_nested(void *arg, void **result)
{
    nested_t *nested = arg;
    (void)result;
    nested->nested = aiort_create_task(AIORT_CORO(await_future, nested->future));
    assert_ok(aiort_sleep(0));
    assert_int_equal(aiort_task_cancel(aiort_current_task(), NULL), 1);
    return aiort_await(nested->nested, NULL);
}

TEST(cancel_awaited_task)
{
    aiort_loop_t *loop = new_loop();
    nested_t nested = {new_future(loop), NULL};
    aiort_task_t *task = start(loop, AIORT_CORO(cancel_self_and_await_nested, &nested));

    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_cancelled(task);
    assert_cancelled(nested.nested);
    assert_true(aiort_future_cancelled(nested.future));
    aiort_unref(nested.nested);
    aiort_unref(nested.future);
    aiort_unref(task);
    drop_loop(loop);
}

static int cancel_and_await(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(sleep_ten, NULL));
    (void)arg;
    assert_ok(aiort_sleep(0));
    assert_int_equal(aiort_task_cancel(task, "search target"), 1);
    int err = aiort_await(task, result);
    assert_code(err, UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "search target");
    aiort_unref(task);
    return err;
}

/* The error that arrives at the outermost awaiter is the one the inner task was cancelled with. */
TEST(cancel_traceback_for_future_result)
{
    aiort_loop_t *loop = new_loop();

    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(cancel_and_await, NULL), NULL),
                UV_ECANCELED);
    assert_int_equal(aiort_error_code(aiort_current_error()), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "search target");
    drop_loop(loop);
}

TEST(cancel_traceback_for_future_exception)
{
    check_message((message_case_t){"search target", 1, 1});
}

TEST(task_cancel_waiter_future)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(await_future, future));

    run_briefly(loop);
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    run_briefly(loop);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_true(aiort_future_cancelled(future));
    aiort_unref(task);
    aiort_unref(future);
    drop_loop(loop);
}

static int sleep_long(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_sleep(5000);
}

static int cancel_sleeper_later(void *arg, void **result)
{
    aiort_task_t *sleeper = aiort_create_task(AIORT_CORO(sleep_long, NULL));
    (void)arg;
    assert_ok(aiort_call_later(aiort_get_running_loop(), 0.05, cancel_task, sleeper, NULL));
    int err = aiort_await(sleeper, NULL);
    *result = err == UV_ECANCELED ? PTR(1) : PTR(2);
    aiort_unref(sleeper);
    return 0;
}

TEST(task_cancel_sleeping_task)
{
    aiort_loop_t *loop = new_loop();
    void *result = NULL;

    double before = harness_now();
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(cancel_sleeper_later, NULL), &result));
    assert_ptr_equal(result, PTR(1));
    assert_time_near(harness_now() - before, 0.05);
    drop_loop(loop);
}

/* An error in the place of the cancellation is the task's outcome. */
static int fail_when_cancelled(void *arg, void **result)
{
    (void)arg;
    (void)result;
    int err = aiort_sleep(10);
    assert_code(err, UV_ECANCELED);
    return aiort_raise(UV_EINTR, "system exit");
}

TEST(baseexception_during_cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(fail_when_cancelled, NULL));
    aiort_error_t *error = NULL;

    run_briefly(loop);
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_false(aiort_future_done(AIORT_FUTURE(task)));
    run_briefly(loop);
    assert_true(aiort_future_done(AIORT_FUTURE(task)));
    assert_false(aiort_future_cancelled(AIORT_FUTURE(task)));
    assert_ok(aiort_future_error(AIORT_FUTURE(task), &error));
    assert_int_equal(aiort_error_code(error), UV_EINTR);
    aiort_unref(task);
    drop_loop(loop);
}

typedef struct {
    aiort_future_t *waiter;
    int proof;
} proof_t;

static int inner(void *arg, void **result)
{
    proof_t *proof = arg;
    (void)result;
    int err = aiort_await(proof->waiter, NULL);
    assert_code(err, UV_ECANCELED);
    proof->proof += 1;
    return err;
}

static int outer(void *arg, void **result)
{
    proof_t *proof = arg;
    (void)result;
    int err = aiort_await(AIORT_CORO(inner, proof), NULL);
    proof->proof += err == UV_ECANCELED ? 100 : 10;
    return 0;
}

TEST(yield_future_passes_cancel)
{
    aiort_loop_t *loop = new_loop();
    proof_t proof = {new_future(loop), 0};
    aiort_task_t *task = start(loop, AIORT_CORO(outer, &proof));

    run_briefly(loop);
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_int_equal(proof.proof, 101);
    assert_true(aiort_future_cancelled(proof.waiter));
    aiort_unref(task);
    aiort_unref(proof.waiter);
    drop_loop(loop);
}

typedef struct {
    aiort_loop_t *loop;
    int x;
} counting_t;

static int count_and_stop(void *arg, void **result)
{
    counting_t *counting = arg;
    (void)result;
    while (counting->x < 10) {
        int err = aiort_sleep(0.01);
        if (err != 0)
            return err;
        if (++counting->x == 2)
            aiort_loop_stop(counting->loop);
    }
    return 0;
}

TEST(stop_while_run_in_complete)
{
    aiort_loop_t *loop = new_loop();
    counting_t counting = {loop, 0};
    aiort_task_t *task = start(loop, AIORT_CORO(count_and_stop, &counting));

    assert_code(aiort_loop_run_until_complete(loop, task, NULL), AIORT_ESTOPPED);
    assert_string_equal(aiort_strerror(AIORT_ESTOPPED),
                        "Event loop stopped before Future completed.");
    assert_false(aiort_future_done(AIORT_FUTURE(task)));
    assert_int_equal(counting.x, 2);
    aiort_task_cancel(task, NULL);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    aiort_unref(task);
    drop_loop(loop);
}

/* ---- counting requests ---- */

TEST(cancelling)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(sleep_ten, NULL));

    assert_int_equal(aiort_task_cancelling(task), 0);
    assert_lacks(repr(task), " cancelling ");
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_int_equal(aiort_task_cancelling(task), 1);
    assert_contains(repr(task), " cancelling ");
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_int_equal(aiort_task_cancelling(task), 2);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    aiort_unref(task);
    drop_loop(loop);
}

static int uncancel_and_sleep(void *arg, void **result)
{
    (void)arg;
    (void)result;
    if (aiort_sleep(10) == UV_ECANCELED) {
        assert_int_equal(aiort_task_uncancel(aiort_current_task()), 0);
        return aiort_sleep(10);
    }
    return 0;
}

TEST(uncancel_basic)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(uncancel_and_sleep, NULL));

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(10)), NULL));
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_contains(repr(task), " cancelling ");
    assert_int_equal(aiort_task_cancelling(task), 1);
    assert_false(aiort_future_cancelled(AIORT_FUTURE(task)));
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(10)), NULL));

    assert_lacks(repr(task), " cancelling ");
    assert_int_equal(aiort_task_cancelling(task), 0);
    assert_false(aiort_future_cancelled(AIORT_FUTURE(task)));

    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_int_equal(aiort_task_cancelling(task), 1);
    assert_false(aiort_future_cancelled(AIORT_FUTURE(task)));
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_true(aiort_future_cancelled(AIORT_FUTURE(task)));
    assert_true(aiort_future_done(AIORT_FUTURE(task)));

    aiort_task_uncancel(task);
    assert_true(aiort_future_cancelled(AIORT_FUTURE(task)));
    assert_true(aiort_future_done(AIORT_FUTURE(task)));
    aiort_unref(task);
    drop_loop(loop);
}

TEST(uncancel_never_below_zero)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(sleep_ten, NULL));

    assert_int_equal(aiort_task_uncancel(task), 0);
    assert_int_equal(aiort_task_uncancel(task), 0);
    assert_int_equal(aiort_task_cancelling(task), 0);
    aiort_task_cancel(task, NULL);
    assert_int_equal(aiort_task_cancelling(task), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    aiort_unref(task);
    drop_loop(loop);
}

/* A timeout made of cancel() and uncancel(), as structured blocks are. */
typedef struct {
    double sleep, timeout;
    aiort_task_t *task;
    int timed_out, block_finished, outer_reached;
} block_t;

static int on_timeout(void *arg)
{
    block_t *block = arg;
    block->timed_out = 1;
    aiort_task_cancel(block->task, NULL);
    return 0;
}

static int request_with_timeout(void *arg, void **result)
{
    block_t *block = arg;
    aiort_handle_t *handle = NULL;

    (void)result;
    block->task = aiort_current_task();
    assert_ok(
        aiort_call_later(aiort_get_running_loop(), block->timeout, on_timeout, block, &handle));
    int err = aiort_sleep(block->sleep);
    if (err == 0)
        block->block_finished = 1;
    aiort_handle_cancel(handle);
    aiort_unref(handle);
    if (block->timed_out && aiort_task_uncancel(block->task) == 0 && err == UV_ECANCELED)
        err = 0;
    block->outer_reached = 1;
    return err != 0 ? err : aiort_sleep(0);
}

TEST(uncancel_structured_blocks)
{
    aiort_loop_t *loop = new_loop();
    block_t late = {.sleep = 10, .timeout = 0.05}, early = {.sleep = 0, .timeout = 10};
    aiort_task_t *task = start(loop, AIORT_CORO(request_with_timeout, &late));

    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_true(late.timed_out);
    assert_false(late.block_finished);
    assert_true(late.outer_reached);
    assert_int_equal(aiort_task_cancelling(task), 0);
    aiort_unref(task);

    task = start(loop, AIORT_CORO(request_with_timeout, &early));
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_false(early.timed_out);
    assert_true(early.block_finished);
    assert_true(early.outer_reached);
    assert_int_equal(aiort_task_cancelling(task), 0);
    aiort_unref(task);
    drop_loop(loop);
}

static int await_and_give_42(void *arg, void **result)
{
    int err = aiort_await((aiort_future_t *)arg, NULL);
    *result = PTR(42);
    return err;
}

TEST(uncancel_resets_must_cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(await_and_give_42, future));
    void *result = NULL;

    run_briefly(loop);
    assert_ok(aiort_future_set_result(future, NULL));
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_int_equal(aiort_task_cancelling(task), 1);
    assert_int_equal(aiort_task_uncancel(task), 0);
    assert_int_equal(aiort_task_cancelling(task), 0);
    assert_ok(aiort_loop_run_until_complete(loop, task, &result));
    assert_ptr_equal(result, PTR(42));
    aiort_unref(task);
    aiort_unref(future);
    drop_loop(loop);
}

/* ---- the races ---- */

/*
 * cpython#86296: what is awaited is done and the awaiter is cancelled before it runs again. The
 * request must not be lost: the await, or the next one, gives UV_ECANCELED.
 */
static int await_then_sleep(void *arg, void **result)
{
    (void)result;
    int err = aiort_await((aiort_future_t *)arg, NULL);
    return err != 0 ? err : aiort_sleep(10);
}

TEST(cpython_86296_done_and_cancelled_in_one_iteration)
{
    for (int first = 0; first < 2; first++) {
        aiort_loop_t *loop = new_loop();
        aiort_future_t *future = new_future(loop);
        aiort_task_t *task = start(loop, AIORT_CORO(await_then_sleep, future));

        run_briefly(loop);
        if (first == 0)
            assert_ok(aiort_future_set_result(future, PTR(1)));
        assert_int_equal(aiort_task_cancel(task, "lost?"), 1);
        double before = harness_now();
        assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
        assert_time_near(harness_now() - before, 0);
        assert_string_equal(aiort_error_message(aiort_current_error()), "lost?");
        assert_true(aiort_future_cancelled(AIORT_FUTURE(task)));
        aiort_unref(task);
        aiort_unref(future);
        drop_loop(loop);
    }
}

/*
 * cpython#95289: a child fails and the parent is cancelled in the same iteration. The parent sees
 * the cancellation, and the child's error is not lost either: it is the task's own.
 */
static int fail_at_once(void *arg, void **result)
{
    (void)arg;
    (void)result;
    int err = aiort_sleep(0);
    return err != 0 ? err : aiort_raise(UV_EIO, "child");
}

static int await_child(void *arg, void **result)
{
    return aiort_await((aiort_task_t *)arg, result);
}

TEST(cpython_95289_child_fails_while_parent_is_cancelled)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *child = start(loop, AIORT_CORO(fail_at_once, NULL));
    aiort_task_t *parent = start(loop, AIORT_CORO(await_child, child));
    aiort_error_t *error = NULL;

    run_once(loop); /* both have started */
    assert_ok(aiort_call_soon(loop, cancel_task, parent, NULL));
    run_once(loop);
    assert_code(aiort_loop_run_until_complete(loop, parent, NULL), UV_ECANCELED);
    assert_true(aiort_future_done(AIORT_FUTURE(child)));
    assert_ok(aiort_future_error(AIORT_FUTURE(child), &error));
    assert_non_null(error);
    assert_string_equal(aiort_error_message(error), "child");
    aiort_unref(child);
    aiort_unref(parent);
    drop_loop(loop);
}

/*
 * cpython#116720: a nested scope swallows the outer scope's request. With counted requests each
 * scope takes back its own and no other.
 */
typedef struct {
    int outer_left, inner_left;
    aiort_task_t *task;
} scopes_t;

static int cancel_twice(void *arg)
{
    scopes_t *scopes = arg;
    assert_int_equal(aiort_task_cancel(scopes->task, "inner"), 1);
    assert_int_equal(aiort_task_cancel(scopes->task, "outer"), 1);
    return 0;
}

static int nested_scopes(void *arg, void **result)
{
    scopes_t *scopes = arg;
    (void)result;
    scopes->task = aiort_current_task();
    assert_ok(aiort_call_soon(aiort_get_running_loop(), cancel_twice, scopes, NULL));
    int err = aiort_sleep(10);
    assert_code(err, UV_ECANCELED);
    scopes->inner_left = aiort_task_uncancel(scopes->task);
    if (scopes->inner_left == 0)
        return 0; /* wrong: the outer request would be lost */
    scopes->outer_left = aiort_task_uncancel(scopes->task);
    return scopes->outer_left == 0 ? 0 : err;
}

TEST(cpython_116720_nested_scopes_keep_their_requests)
{
    aiort_loop_t *loop = new_loop();
    scopes_t scopes = {-1, -1, NULL};

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(nested_scopes, &scopes), NULL));
    assert_int_equal(scopes.inner_left, 1);
    assert_int_equal(scopes.outer_left, 0);
    drop_loop(loop);
}

/*
 * cpython#128550: a task that is cancelled while it handles a cancellation, between two awaits. The
 * second request arrives at the second await.
 */
static int clean_up_slowly(void *arg, void **result)
{
    (void)result;
    int *seen = arg;
    assert_code(aiort_sleep(10), UV_ECANCELED);
    seen[0]++;
    int err = aiort_sleep(10);
    if (err == UV_ECANCELED)
        seen[1]++;
    return err;
}

TEST(cpython_128550_cancelled_again_while_cleaning_up)
{
    aiort_loop_t *loop = new_loop();
    int seen[2] = {0, 0};
    aiort_task_t *task = start(loop, AIORT_CORO(clean_up_slowly, seen));

    run_briefly(loop);
    assert_int_equal(aiort_task_cancel(task, "first"), 1);
    run_briefly(loop);
    assert_int_equal(seen[0], 1);
    assert_false(aiort_future_done(AIORT_FUTURE(task)));
    assert_int_equal(aiort_task_cancel(task, "second"), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_int_equal(seen[1], 1);
    assert_string_equal(aiort_error_message(aiort_current_error()), "second");
    aiort_unref(task);
    drop_loop(loop);
}

/* Delivered once: the await after it waits again. */
static int wait_again(void *arg, void **result)
{
    (void)arg;
    (void)result;
    assert_code(aiort_sleep(10), UV_ECANCELED);
    for (int i = 0; i < 3; i++)
        assert_ok(aiort_sleep(0.001));
    return 0;
}

TEST(delivered_once)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(wait_again, NULL));

    run_briefly(loop);
    aiort_task_cancel(task, NULL);
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_int_equal(aiort_task_cancelling(task), 1);
    assert_false(aiort_future_cancelled(AIORT_FUTURE(task)));
    aiort_unref(task);
    drop_loop(loop);
}

/* A task that was never started runs nothing when it is cancelled first. */
static int must_not_run(void *arg, void **result)
{
    (void)result;
    ++*(int *)arg;
    return 0;
}

TEST(cancelled_before_it_starts)
{
    aiort_loop_t *loop = new_loop();
    int ran = 0;
    reports_t reports;
    aiort_task_t *task = start(loop, AIORT_CORO(must_not_run, &ran));

    record(loop, &reports);
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_int_equal(ran, 0);
    aiort_unref(task);
    drop_loop(loop);
    assert_int_equal(reports.calls, 0); /* and no "never awaited" either */
}

/* UV_ECANCELED returned without any request cancels the task as well. */
static int return_cancelled(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return UV_ECANCELED;
}

TEST(coroutine_returns_cancellation)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(return_cancelled, NULL));

    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_cancelled(task);
    aiort_unref(task);
    drop_loop(loop);
}

/* Through aiort_future_cancel() a task is asked as by aiort_task_cancel(). */
TEST(future_cancel_of_a_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(sleep_ten, NULL));

    run_briefly(loop);
    assert_int_equal(aiort_future_cancel(AIORT_FUTURE(task), "by the future"), 1);
    assert_int_equal(aiort_task_cancelling(task), 1);
    assert_false(aiort_future_done(AIORT_FUTURE(task)));
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "by the future");
    aiort_unref(task);
    drop_loop(loop);
}

/* A chain of tasks, each awaiting the next: the request goes to the innermost future and comes
 * back through all of them. */
static int await_next(void *arg, void **result)
{
    int depth = INT(arg);
    (void)result;
    if (depth == 0)
        return aiort_sleep(10);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(await_next, PTR(depth - 1)));
    int err = aiort_await(task, NULL);
    assert_true(aiort_future_cancelled(AIORT_FUTURE(task)));
    aiort_unref(task);
    return err;
}

TEST(cancelling_goes_through_a_chain)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(await_next, PTR(30)));

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(5)), NULL));
    assert_int_equal(aiort_task_cancel(task, "down there"), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "down there");
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 0);
    aiort_unref(task);
    drop_loop(loop);
}

/* A chain as long as there are tasks, cancelled from a task's small stack. */
typedef struct {
    aiort_task_t *above;
} link_t;

static int await_above(void *arg, void **result)
{
    return aiort_await(((link_t *)arg)->above, result);
}

static int cancel_from_task(void *arg, void **result)
{
    (void)result;
    assert_int_equal(aiort_task_cancel(arg, "all the way"), 1);
    return 0;
}

TEST_WITHIN(40, cancelling_a_long_chain_from_a_task)
{
    enum { LENGTH = 3000 };
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    static link_t links[LENGTH];
    aiort_task_t *task = start(loop, AIORT_CORO(await_future, future));
    aiort_task_t *last = aiort_ref(task);

    for (int i = 0; i < LENGTH; i++) {
        links[i].above = task;
        task = start(loop, AIORT_CORO(await_above, &links[i]));
    }
    run_briefly(loop);
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(cancel_from_task, task), NULL));
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "all the way");
    assert_true(aiort_future_cancelled(AIORT_FUTURE(last)));
    assert_true(aiort_future_cancelled(future));
    aiort_unref(future);
    aiort_unref(last);
    aiort_unref(task);
    for (int i = 0; i < LENGTH; i++)
        aiort_unref(links[i].above);
    drop_loop(loop);
}

/* Tasks that wait for each other can be freed by cancelling one of them. */
TEST(cancelling_a_circle)
{
    aiort_loop_t *loop = new_loop();
    static link_t links[3];
    aiort_task_t *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = start(loop, AIORT_CORO(await_above, &links[i]));
    for (int i = 0; i < 3; i++)
        links[i].above = tasks[(i + 1) % 3];
    run_briefly(loop);
    assert_int_equal(aiort_task_cancel(tasks[0], NULL), 1);
    for (int i = 0; i < 3; i++) {
        assert_code(aiort_loop_run_until_complete(loop, tasks[i], NULL), UV_ECANCELED);
        aiort_unref(tasks[i]);
    }
    drop_loop(loop);
}
