/* SPDX-License-Identifier: MIT */
/*
 * The exception handler and the short reports without a debugger. Mirrors CPython's
 * test_base_events.py, BaseEventLoopTests, what it says of exception handlers.
 */
#include "helpers.h"

static int zero_error(void *arg)
{
    if (arg != NULL)
        assert_ok(aiort_future_set_result(arg, NULL));
    return aiort_raise(UV_ERANGE, "division by zero");
}

/* Runs it in a child and gives what the default handler wrote. */
static char *output_of(void (*run)(void *))
{
    char *output = NULL;
    int status = harness_child(run, NULL, 10, &output);
    if (status != 0)
        print_error("%s", output);
    assert_int_equal(status, 0);
    return output;
}

static void fail_soon_and_later(void *arg)
{
    (void)arg;
    aiort_loop_t *loop = new_loop();
    for (int i = 0; i < 2; i++) {
        aiort_future_t *future = new_future(loop);
        assert_ok(i == 0 ? aiort_call_soon(loop, zero_error, future, NULL)
                         : aiort_call_later(loop, 0.01, zero_error, future, NULL));
        assert_ok(aiort_future_add_done_callback(future, stop_loop_when_done, loop));
        assert_ok(aiort_loop_run_forever(loop));
        aiort_unref(future);
        fprintf(stderr, "--\n");
    }
    drop_loop(loop);
}

TEST(default_exc_handler_callback)
{
    char *output = output_of(fail_soon_and_later);
    char *rest = strstr(output, "--\n");

    assert_non_null(rest);
    assert_contains(rest, "Exception in callback zero_error(");
    assert_contains(rest, "handle: <TimerHandle ");
    *rest = '\0';
    assert_contains(output, "Exception in callback zero_error(");
    assert_contains(output, "handle: <Handle zero_error(");
    assert_contains(output, "division by zero");
    assert_lacks(output, "never retrieved");
    free(output);
}

static int zero_error_coroutine(void *arg, void **result)
{
    (void)arg;
    (void)result;
    int err = aiort_sleep(0.01);
    return err != 0 ? err : aiort_raise(UV_ERANGE, "division by zero");
}

static void fail_in_task(void *arg)
{
    (void)arg;
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(zero_error_coroutine, NULL));
    assert_ok(aiort_future_add_done_callback(AIORT_FUTURE(task), stop_loop_when_done, loop));
    assert_ok(aiort_loop_run_forever(loop));
    aiort_unref(task);
    drop_loop(loop);
}

TEST(default_exc_handler_coro)
{
    char *output = output_of(fail_in_task);

    assert_contains(output, "Task exception was never retrieved");
    assert_contains(output, "future: <Task finished name='Task-");
    assert_contains(output, "coro=<zero_error_coroutine() done, created at ");
    assert_contains(output, "division by zero");
    /* Once. */
    assert_lacks(strstr(output, "never retrieved") + 1, "never retrieved");
    free(output);
}

static void custom_then_default(void *arg)
{
    (void)arg;
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;
    reports_t reports;
    void *set_arg = NULL;

    assert_null(aiort_loop_get_exception_handler(loop, NULL));
    record(loop, &reports);
    assert_true(aiort_loop_get_exception_handler(loop, &set_arg) == take_report);
    assert_ptr_equal(set_arg, &reports);

    assert_ok(aiort_call_soon(loop, zero_error, NULL, &handle));
    run_once(loop);
    assert_int_equal(reports.calls, 1);
    assert_ptr_equal(reports.loop, loop);
    assert_contains(reports.message, "Exception in callback zero_error(");
    assert_ptr_equal(reports.handle, handle);
    assert_int_equal(reports.code, UV_ERANGE);
    assert_string_equal(reports.text, "division by zero");
    assert_string_equal(reports.keys, "exception handle message");
    aiort_unref(handle);
    fprintf(stderr, "--\n");

    assert_ok(aiort_loop_set_exception_handler(loop, NULL, NULL));
    assert_null(aiort_loop_get_exception_handler(loop, NULL));
    assert_ok(aiort_call_soon(loop, zero_error, NULL, NULL));
    run_once(loop);
    assert_int_equal(reports.calls, 1);
    drop_loop(loop);
}

TEST(set_exc_handler_custom)
{
    char *output = output_of(custom_then_default);

    assert_int_equal(strncmp(output, "--\n", 3), 0); /* nothing is printed beside a handler */
    assert_contains(output, "Exception in callback zero_error(");
    free(output);
}

static int broken_handler(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    (void)loop;
    (void)report;
    (void)arg;
    return aiort_raise(UV_EPERM, "spam");
}

static void fail_with_broken_handler(void *arg)
{
    (void)arg;
    aiort_loop_t *loop = new_loop();
    assert_ok(aiort_loop_set_exception_handler(loop, broken_handler, NULL));
    assert_ok(aiort_call_soon(loop, zero_error, NULL, NULL));
    run_once(loop);
    drop_loop(loop);
}

TEST(set_exc_handler_broken)
{
    char *output = output_of(fail_with_broken_handler);

    assert_contains(output, "Unhandled error in exception handler");
    assert_contains(output, "spam");
    free(output);
}

/* ---- C's own ---- */

static void call_handler(void *arg)
{
    (void)arg;
    aiort_loop_t *loop = new_loop();
    aiort_report_item_t items[] = {{"server", "127.0.0.1:80"}, {"attempt", "3"}};
    aiort_report_t report = {.message = "Could not reach the server", .items = items, .nitems = 2};
    aiort_report_t bare = {.message = NULL};

    aiort_loop_call_exception_handler(loop, &report);
    fprintf(stderr, "--\n");
    aiort_loop_call_exception_handler(loop, &bare);
    drop_loop(loop);
}

TEST(program_reports_by_itself)
{
    char *output = output_of(call_handler);
    char *rest = strstr(output, "--\n");

    assert_non_null(rest);
    assert_contains(rest, "Unhandled exception in event loop");
    *rest = '\0';
    assert_string_equal(output, "ERROR:aiort:Could not reach the server\n"
                                "attempt: 3\n"
                                "server: 127.0.0.1:80\n");
    free(output);
}

static int handler_that_hands_on(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    ++*(int *)arg;
    aiort_loop_default_exception_handler(loop, report);
    return 0;
}

static void hand_on(void *arg)
{
    (void)arg;
    aiort_loop_t *loop = new_loop();
    int calls = 0;

    assert_ok(aiort_loop_set_exception_handler(loop, handler_that_hands_on, &calls));
    assert_ok(aiort_call_soon(loop, zero_error, NULL, NULL));
    run_once(loop);
    assert_int_equal(calls, 1);
    drop_loop(loop);
}

TEST(handler_may_call_the_default_one)
{
    char *output = output_of(hand_on);
    assert_contains(output, "Exception in callback zero_error(");
    free(output);
}

/* A handler may close over anything, also replace itself and drop what it is told of. */
static int handler_that_replaces_itself(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    assert_ok(aiort_loop_set_exception_handler(loop, take_report, arg));
    return take_report(loop, report, arg);
}

TEST(handler_replaces_itself)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports = {.calls = 0};

    assert_ok(aiort_loop_set_exception_handler(loop, handler_that_replaces_itself, &reports));
    for (int i = 0; i < 3; i++) {
        assert_ok(aiort_call_soon(loop, zero_error, NULL, NULL));
        run_once(loop);
    }
    assert_int_equal(reports.calls, 3);
    drop_loop(loop);
}

/* A code alone, without aiort_raise(), is an error too; and one raised before is not its message.
 */
static int return_code(void *arg)
{
    return INT(arg);
}

static int raise_and_handle(void *arg)
{
    (void)arg;
    assert_code(aiort_raise(UV_EIO, "handled"), UV_EIO);
    return 0;
}

TEST(callback_that_returns_a_code)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_call_soon(loop, raise_and_handle, NULL, NULL));
    run_once(loop);
    assert_int_equal(reports.calls, 0);
    assert_ok(aiort_call_soon(loop, return_code, PTR(UV_EPIPE), NULL));
    run_once(loop);
    assert_int_equal(reports.calls, 1);
    assert_int_equal(reports.code, UV_EPIPE);
    assert_lacks(reports.text, "handled");

    /* Nor when the code is the same: that error was another callback's, and is over. */
    assert_ok(aiort_call_soon(loop, raise_and_handle, NULL, NULL));
    assert_ok(aiort_call_soon(loop, return_code, PTR(UV_EIO), NULL));
    run_once(loop);
    assert_int_equal(reports.calls, 2);
    assert_int_equal(reports.code, UV_EIO);
    assert_lacks(reports.text, "handled");
    drop_loop(loop);
}

/* A positive value is no error. */
TEST(callback_that_returns_a_count)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_call_soon(loop, return_code, PTR(7), NULL));
    run_once(loop);
    assert_int_equal(reports.calls, 0);
    drop_loop(loop);
}

static void drop_coroutine(void *arg)
{
    (void)arg;
    aiort_unref(AIORT_CORO(zero_error_coroutine, NULL));
}

TEST(coroutine_never_awaited)
{
    char *output = output_of(drop_coroutine);
    assert_contains(output, "test_exception_handler.c:");
    assert_contains(output,
                    ": RuntimeWarning: coroutine 'zero_error_coroutine' was never awaited\n");
    free(output);
}

static void close_coroutine(void *arg)
{
    (void)arg;
    assert_ok(aiort_coroutine_close(AIORT_CORO(zero_error_coroutine, NULL)));
}

TEST(coroutine_closed_is_not_reported)
{
    char *output = output_of(close_coroutine);
    assert_string_equal(output, "");
    free(output);
}

static int wait_for_ever(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_sleep(1000);
}

static void close_with_pending_task(void *arg)
{
    (void)arg;
    aiort_loop_t *loop = new_loop();
    aiort_unref(start(loop, AIORT_CORO(wait_for_ever, NULL)));
    run_briefly(loop);
    drop_loop(loop);
}

TEST(task_destroyed_pending_is_printed)
{
    char *output = output_of(close_with_pending_task);
    assert_contains(output,
                    "Task was destroyed but it is pending!\ntask: <Task pending name='Task-");
    assert_contains(output, "coro=<wait_for_ever() running at ");
    free(output);
}
