/* SPDX-License-Identifier: MIT */
/* Futures: their states, outcomes and reports. Mirrors CPython's test_futures.py, BaseFutureTests.
 */
#include "helpers.h"

TEST(isfuture)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(return_at_once, NULL));
    aiort_coroutine_t *coroutine = AIORT_CORO(return_at_once, NULL);

    assert_int_equal(aiort_kind(future), AIORT_KIND_FUTURE);
    assert_int_equal(aiort_kind(task), AIORT_KIND_TASK);
    assert_int_equal(aiort_kind(coroutine), AIORT_KIND_COROUTINE);
    assert_int_equal(aiort_kind(loop), AIORT_KIND_LOOP);
    assert_ptr_equal(AIORT_FUTURE(task), task);

    assert_int_equal(aiort_future_cancel(future, NULL), 1);
    assert_ok(aiort_coroutine_close(coroutine));
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    aiort_unref(task);
    aiort_unref(future);
    drop_loop(loop);
}

TEST(initial_state)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_false(aiort_future_cancelled(future));
    assert_false(aiort_future_done(future));
    assert_int_equal(aiort_future_state(future), AIORT_PENDING);
    aiort_future_cancel(future, NULL);
    assert_true(aiort_future_cancelled(future));

    aiort_unref(future);
    drop_loop(loop);
}

TEST(constructor_without_loop)
{
    assert_null_code(aiort_future_new(NULL), AIORT_ENOLOOP);
}

static int make_future(void *arg, void **result)
{
    (void)arg;
    *result = aiort_future_new(NULL);
    return 0;
}

TEST(constructor_use_running_loop)
{
    aiort_loop_t *loop = new_loop();
    void *future = NULL;

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(make_future, NULL), &future));
    assert_non_null(future);
    assert_ptr_equal(aiort_future_loop(future), loop);

    aiort_unref(future);
    drop_loop(loop);
}

TEST(future_cancel_message_getter)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_int_equal(aiort_future_cancel(future, "my message"), 1);
    assert_code(aiort_loop_run_until_complete(loop, future, NULL), UV_ECANCELED);
    assert_int_equal(aiort_error_code(aiort_current_error()), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "my message");

    aiort_unref(future);
    drop_loop(loop);
}

TEST(cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_error_t *error = NULL;

    assert_int_equal(aiort_future_cancel(future, NULL), 1);
    assert_true(aiort_future_cancelled(future));
    assert_true(aiort_future_done(future));
    assert_int_equal(aiort_future_state(future), AIORT_CANCELLED);
    assert_code(aiort_future_result(future, NULL), UV_ECANCELED);
    assert_code(aiort_future_error(future, &error), UV_ECANCELED);
    assert_code(aiort_future_set_result(future, NULL), AIORT_EINVALIDSTATE);
    assert_code(aiort_future_set_error(future, UV_EIO, NULL), AIORT_EINVALIDSTATE);
    assert_int_equal(aiort_future_cancel(future, NULL), 0);

    aiort_unref(future);
    drop_loop(loop);
}

TEST(result)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    void *result = NULL;
    aiort_error_t *error = (aiort_error_t *)future; /* anything that is not NULL */

    assert_code(aiort_future_result(future, &result), AIORT_ENOTSET);
    assert_ok(aiort_future_set_result(future, PTR(42)));
    assert_false(aiort_future_cancelled(future));
    assert_true(aiort_future_done(future));
    assert_int_equal(aiort_future_state(future), AIORT_FINISHED);
    assert_ok(aiort_future_result(future, &result));
    assert_ptr_equal(result, PTR(42));
    assert_ok(aiort_future_error(future, &error));
    assert_null(error);
    assert_code(aiort_future_set_result(future, NULL), AIORT_EINVALIDSTATE);
    assert_code(aiort_future_set_error(future, UV_EIO, NULL), AIORT_EINVALIDSTATE);
    assert_int_equal(aiort_future_cancel(future, NULL), 0);
    assert_ok(aiort_future_result(future, &result));
    assert_ptr_equal(result, PTR(42));

    aiort_unref(future);
    drop_loop(loop);
}

TEST(exception)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_error_t *error = NULL;

    assert_code(aiort_future_error(future, &error), AIORT_ENOTSET);
    assert_ok(aiort_future_set_error(future, UV_EIO, "disk %d", 7));
    assert_false(aiort_future_cancelled(future));
    assert_true(aiort_future_done(future));
    assert_code(aiort_future_result(future, NULL), UV_EIO);
    assert_ok(aiort_future_error(future, &error));
    assert_non_null(error);
    assert_int_equal(aiort_error_code(error), UV_EIO);
    assert_string_equal(aiort_error_message(error), "disk 7");
    assert_code(aiort_future_set_result(future, NULL), AIORT_EINVALIDSTATE);
    assert_code(aiort_future_set_error(future, UV_EIO, NULL), AIORT_EINVALIDSTATE);
    assert_int_equal(aiort_future_cancel(future, NULL), 0);

    aiort_unref(future);
    drop_loop(loop);
}

/* An error by its code alone is an error object all the same. */
TEST(exception_class)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_error_t *error = NULL;

    assert_ok(aiort_future_set_error(future, UV_EIO, NULL));
    assert_ok(aiort_future_error(future, &error));
    assert_non_null(error);
    assert_int_equal(aiort_kind(error), AIORT_KIND_ERROR);
    assert_int_equal(aiort_error_code(error), UV_EIO);
    assert_non_null(aiort_error_message(error));

    aiort_unref(future);
    drop_loop(loop);
}

static int await_twice(void *arg, void **result)
{
    void *first = NULL, *second = NULL;
    assert_ok(aiort_await((aiort_future_t *)arg, &first));
    assert_ok(aiort_await((aiort_future_t *)arg, &second));
    *result = PTR(INT(first) + INT(second));
    return 0;
}

TEST(yield_from_twice)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(await_twice, future));
    void *result = NULL;

    run_briefly(loop);
    assert_false(aiort_future_done(AIORT_FUTURE(task)));
    assert_ok(aiort_future_set_result(future, PTR(42)));
    assert_ok(aiort_loop_run_until_complete(loop, task, &result));
    assert_ptr_equal(result, PTR(84));

    aiort_unref(task);
    aiort_unref(future);
    drop_loop(loop);
}

/* Gives a future the outcome of another, as a chain of futures does. */
static void copy_state(aiort_future_t *from, aiort_future_t *to)
{
    aiort_error_t *error = NULL;
    void *result = NULL;

    int err = aiort_future_error(from, &error);
    if (err == UV_ECANCELED)
        assert_int_equal(aiort_future_cancel(to, NULL), 1);
    else if (error != NULL)
        assert_ok(aiort_future_set_error_object(to, error));
    else if (aiort_future_result(from, &result) == 0)
        assert_ok(aiort_future_set_result(to, result));
}

TEST(copy_state)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *from[3], *to[3];
    aiort_error_t *error[2] = {NULL, NULL};
    void *result = NULL;

    for (int i = 0; i < 3; i++) {
        from[i] = new_future(loop);
        to[i] = new_future(loop);
    }
    assert_ok(aiort_future_set_result(from[0], PTR(10)));
    assert_ok(aiort_future_set_error(from[1], UV_EIO, "broken"));
    assert_int_equal(aiort_future_cancel(from[2], NULL), 1);
    for (int i = 0; i < 3; i++)
        copy_state(from[i], to[i]);

    assert_ok(aiort_future_result(to[0], &result));
    assert_ptr_equal(result, PTR(10));
    assert_true(aiort_future_done(to[1]));
    assert_code(aiort_future_result(to[1], NULL), UV_EIO);
    assert_ok(aiort_future_error(from[1], &error[0]));
    assert_ok(aiort_future_error(to[1], &error[1]));
    assert_ptr_equal(error[0], error[1]);
    assert_true(aiort_future_cancelled(to[2]));

    for (int i = 0; i < 3; i++) {
        aiort_unref(from[i]);
        aiort_unref(to[i]);
    }
    drop_loop(loop);
}

/* ---- what is reported of a future that goes away ---- */

TEST(tb_logger_abandoned)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;
    record(loop, &reports);
    aiort_unref(new_future(loop));
    assert_int_equal(reports.calls, 0);
    drop_loop(loop);
    assert_int_equal(reports.calls, 0);
}

TEST(tb_logger_not_called_after_cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_future_set_error(future, UV_EIO, NULL));
    aiort_future_cancel(future, NULL);
    aiort_unref(future);
    assert_int_equal(reports.calls, 0);
    drop_loop(loop);
}

TEST(tb_logger_result_unretrieved)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_future_set_result(future, PTR(42)));
    aiort_unref(future);
    assert_int_equal(reports.calls, 0);
    drop_loop(loop);
}

TEST(tb_logger_result_retrieved)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_future_set_result(future, PTR(42)));
    assert_ok(aiort_future_result(future, NULL));
    aiort_unref(future);
    assert_int_equal(reports.calls, 0);
    drop_loop(loop);
}

TEST(tb_logger_exception_unretrieved)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_future_set_error(future, UV_EIO, "boom"));
    aiort_unref(future);
    run_briefly(loop);
    assert_int_equal(reports.calls, 1);
    drop_loop(loop);
    assert_int_equal(reports.calls, 1);
}

TEST(tb_logger_exception_retrieved)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_error_t *error = NULL;
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_future_set_error(future, UV_EIO, "boom"));
    assert_ok(aiort_future_error(future, &error));
    aiort_unref(future);
    assert_int_equal(reports.calls, 0);
    drop_loop(loop);
}

TEST(tb_logger_exception_result_retrieved)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_future_set_error(future, UV_EIO, "boom"));
    assert_code(aiort_future_result(future, NULL), UV_EIO);
    aiort_unref(future);
    assert_int_equal(reports.calls, 0);
    drop_loop(loop);
}

TEST(future_exception_never_retrieved)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_future_set_error(future, UV_ENOMEM, "too much"));
    aiort_unref(future);
    run_briefly(loop);
    assert_int_equal(reports.calls, 1);
    assert_ptr_equal(reports.loop, loop);
    assert_string_equal(reports.message, "Future exception was never retrieved");
    assert_string_equal(reports.check, "future-exception-never-retrieved");
    assert_int_equal(reports.code, UV_ENOMEM);
    assert_string_equal(reports.text, "too much");
    assert_non_null(reports.future);
    assert_string_equal(reports.object, "<Future finished exception=ENOMEM('too much')>");
    drop_loop(loop);
}

TEST(set_result_unless_cancelled)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    aiort_future_cancel(future, NULL);
    assert_code(aiort_future_set_result(future, PTR(2)), AIORT_EINVALIDSTATE);
    assert_true(aiort_future_cancelled(future));
    aiort_unref(future);
    drop_loop(loop);
}

/* A future that is done already gives its result as it is, and nobody else runs meanwhile. */
static int set_flag(void *arg)
{
    *(int *)arg = 1;
    return 0;
}

static int await_done_future(void *arg, void **result)
{
    int ran = 0;
    assert_ok(aiort_call_soon(aiort_get_running_loop(), set_flag, &ran, NULL));
    assert_ok(aiort_await((aiort_future_t *)arg, result));
    assert_int_equal(ran, 0);
    assert_ok(aiort_sleep(0));
    assert_int_equal(ran, 1);
    return 0;
}

TEST(future_stop_iteration_args)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    int pair[2] = {1, 2};
    void *result = NULL;

    assert_ok(aiort_future_set_result(future, pair));
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(await_done_future, future), &result));
    assert_ptr_equal(result, pair);
    aiort_unref(future);
    drop_loop(loop);
}

/* What a future's error carries does not grow with each await. */
static int fail_with_message(void *arg, void **result)
{
    (void)result;
    return aiort_raise(UV_EINVAL, "number %d", INT(arg));
}

static int await_failure_often(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(fail_with_message, PTR(42)));
    aiort_error_t *first = NULL;
    const aiort_site_t *site = NULL;

    for (int i = 0; i < 5; i++) {
        assert_code(aiort_await(task, NULL), UV_EINVAL);
        aiort_error_t *error = aiort_current_error();
        assert_string_equal(aiort_error_message(error), "number 42");
        assert_null(aiort_error_cause(error));
        if (i == 0) {
            first = error;
            site = aiort_error_site(error);
            assert_non_null(site);
        }
        assert_ptr_equal(error, first);
        assert_ptr_equal(aiort_error_site(error), site);
    }
    aiort_unref(task);
    return 0;
}

TEST(future_traceback)
{
    aiort_loop_t *loop = new_loop();
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(await_failure_often, NULL), NULL));
    drop_loop(loop);
}

/* ---- C's own ---- */

TEST(error_code_must_be_negative)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_code(aiort_future_set_error(future, 5, NULL), UV_EINVAL);
    assert_code(aiort_future_set_error(future, 0, NULL), UV_EINVAL);
    assert_false(aiort_future_done(future));
    aiort_unref(future);
    drop_loop(loop);
}

TEST(error_of_cancellation_cancels)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_future_set_error(future, UV_ECANCELED, "enough"));
    assert_true(aiort_future_cancelled(future));
    assert_int_equal(aiort_future_state(future), AIORT_CANCELLED);
    assert_code(aiort_future_result(future, NULL), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "enough");
    aiort_unref(future);
    assert_int_equal(reports.calls, 0);
    drop_loop(loop);
}

TEST(error_object_is_referenced)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_error_t *error = NULL, *seen = NULL;

    assert_code(aiort_raise(UV_EIO, "kept"), UV_EIO);
    error = aiort_ref(aiort_current_error());
    assert_ok(aiort_future_set_error_object(future, error));
    aiort_unref(error);
    aiort_raise(UV_EINVAL, "another");
    assert_ok(aiort_future_error(future, &seen));
    assert_ptr_equal(seen, error);
    assert_string_equal(aiort_error_message(seen), "kept");
    aiort_unref(future);
    drop_loop(loop);
}

/* An error handed on to a second future is looked at there; the first is not reported either only
 * when somebody retrieved it. */
TEST(error_object_of_other_future_is_reported_for_itself)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *one = new_future(loop), *two = new_future(loop);
    aiort_error_t *error = NULL;
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_future_set_error(one, UV_EIO, "once"));
    assert_ok(aiort_future_error(one, &error));
    assert_ok(aiort_future_set_error_object(two, error));
    aiort_unref(one);
    assert_int_equal(reports.calls, 0);
    aiort_unref(two);
    assert_int_equal(reports.calls, 1);
    drop_loop(loop);
}

TEST(future_outlives_its_loop)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop), *done = new_future(loop);
    void *result = NULL;

    assert_ok(aiort_future_set_result(done, PTR(3)));
    drop_loop(loop);
    assert_false(aiort_future_done(future));
    assert_ok(aiort_future_result(done, &result));
    assert_ptr_equal(result, PTR(3));
    assert_int_equal(aiort_future_cancel(future, NULL), 1);
    assert_true(aiort_future_cancelled(future));
    aiort_unref(future);
    aiort_unref(done);
}
