/* SPDX-License-Identifier: MIT */
/* Done callbacks of futures. Mirrors CPython's test_futures.py, BaseFutureDoneCallbackTests. */
#include "helpers.h"

/* What ran, in its order. */
static int bag[16], nbag;

static int put(aiort_future_t *future, void *arg)
{
    (void)future;
    assert_true(nbag < 16);
    bag[nbag++] = INT(arg);
    return 0;
}

static int put_again(aiort_future_t *future, void *arg)
{
    return put(future, arg);
}

static void add(aiort_future_t *future, int number)
{
    assert_ok(aiort_future_add_done_callback(future, put, PTR(number)));
}

static int drop(aiort_future_t *future, int number)
{
    return aiort_future_remove_done_callback(future, put, PTR(number));
}

static void assert_bag(int n, const int *expected)
{
    assert_int_equal(nbag, n);
    for (int i = 0; i < n; i++)
        assert_int_equal(bag[i], expected[i]);
}

#define BAG(...)                                                                                   \
    assert_bag((int)(sizeof((int[]){__VA_ARGS__}) / sizeof(int)), (const int[]){__VA_ARGS__})

static void finish(aiort_loop_t *loop, aiort_future_t *future)
{
    assert_int_equal(nbag, 0);
    assert_ok(aiort_future_set_result(future, PTR(1)));
    assert_int_equal(nbag, 0); /* never from inside set_result */
    run_briefly(loop);
}

static void end(aiort_loop_t *loop, aiort_future_t *future)
{
    void *result = NULL;
    assert_ok(aiort_future_result(future, &result));
    assert_ptr_equal(result, PTR(1));
    aiort_unref(future);
    drop_loop(loop);
}

TEST(callbacks_remove_first_callback)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    add(future, 42);
    add(future, 17);
    add(future, 100);
    assert_int_equal(drop(future, 42), 1);
    assert_int_equal(drop(future, 42), 0);
    finish(loop, future);
    BAG(17, 100);
    end(loop, future);
}

TEST(callbacks_remove_first_and_second_callback)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    add(future, 42);
    add(future, 17);
    add(future, 100);
    assert_int_equal(drop(future, 42), 1);
    assert_int_equal(drop(future, 17), 1);
    assert_int_equal(drop(future, 42), 0);
    finish(loop, future);
    BAG(100);
    end(loop, future);
}

TEST(callbacks_remove_third_callback)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    add(future, 42);
    add(future, 17);
    add(future, 100);
    assert_int_equal(drop(future, 100), 1);
    assert_int_equal(drop(future, 100), 0);
    finish(loop, future);
    BAG(42, 17);
    end(loop, future);
}

TEST(callbacks_invoked_on_set_result)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    add(future, 42);
    add(future, 17);
    finish(loop, future);
    BAG(42, 17);
    end(loop, future);
}

TEST(callbacks_invoked_on_set_exception)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_error_t *error = NULL;

    add(future, 100);
    assert_ok(aiort_future_set_error(future, UV_EIO, "broken"));
    assert_int_equal(nbag, 0);
    run_briefly(loop);
    BAG(100);
    assert_ok(aiort_future_error(future, &error));
    assert_int_equal(aiort_error_code(error), UV_EIO);
    aiort_unref(future);
    drop_loop(loop);
}

TEST(remove_done_callback)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    add(future, 1);
    add(future, 2);
    assert_int_equal(drop(future, 2), 1);
    assert_int_equal(drop(future, 3), 0);
    add(future, 2);
    for (int i = 0; i < 5; i++)
        add(future, 1);
    assert_int_equal(drop(future, 1), 6);
    finish(loop, future);
    BAG(2);
    end(loop, future);
}

/* A callback that takes others back which are scheduled already: they run all the same. */
static int remove_others(aiort_future_t *future, void *arg)
{
    put(future, arg);
    assert_int_equal(aiort_future_remove_done_callback(future, put, PTR(5)), 0);
    return 0;
}

TEST(schedule_callbacks_list_mutation_1)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_ok(aiort_future_add_done_callback(future, remove_others, PTR(4)));
    add(future, 5);
    add(future, 5);
    finish(loop, future);
    BAG(4, 5, 5);
    end(loop, future);
}

/* ---- C's own ---- */

/* A registration is a function and its argument, both. */
TEST(removal_compares_function_and_argument)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    add(future, 1);
    assert_ok(aiort_future_add_done_callback(future, put_again, PTR(1)));
    assert_int_equal(drop(future, 2), 0);
    assert_int_equal(aiort_future_remove_done_callback(future, put_again, PTR(1)), 1);
    finish(loop, future);
    BAG(1);
    end(loop, future);
}

TEST(callback_added_to_done_future_runs_soon)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_ok(aiort_future_set_result(future, PTR(1)));
    add(future, 9);
    assert_int_equal(nbag, 0);
    run_briefly(loop);
    BAG(9);
    end(loop, future);
}

TEST(callbacks_invoked_on_cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    add(future, 1);
    add(future, 2);
    assert_int_equal(aiort_future_cancel(future, NULL), 1);
    assert_int_equal(nbag, 0);
    run_briefly(loop);
    BAG(1, 2);
    aiort_unref(future);
    drop_loop(loop);
}

static int add_one_more(aiort_future_t *future, void *arg)
{
    put(future, arg);
    add(future, 7);
    return 0;
}

TEST(callback_adds_callback)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_ok(aiort_future_add_done_callback(future, add_one_more, PTR(6)));
    add(future, 8);
    finish(loop, future);
    run_briefly(loop);
    BAG(6, 8, 7);
    end(loop, future);
}

/* The last reference may go inside a callback, and callbacks keep the future alive until they ran.
 */
static int drop_reference(aiort_future_t *future, void *arg)
{
    (void)arg;
    aiort_unref(future);
    nbag++;
    return 0;
}

TEST(callback_drops_last_reference)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_ok(aiort_future_add_done_callback(future, drop_reference, NULL));
    add(future, 3);
    assert_ok(aiort_future_set_result(future, NULL));
    run_briefly(loop);
    assert_int_equal(nbag, 2);
    assert_int_equal(bag[1], 3);
    drop_loop(loop);
}

TEST(future_dropped_before_its_callbacks_run)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    add(future, 3);
    assert_ok(aiort_future_set_result(future, NULL));
    aiort_unref(future);
    run_briefly(loop);
    BAG(3);
    drop_loop(loop);
}

static int complain(aiort_future_t *future, void *arg)
{
    (void)future;
    return aiort_raise(UV_EINVAL, "failed with %d", INT(arg));
}

/* One that fails is reported, the next one runs. */
TEST(callback_that_fails_is_reported)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_future_add_done_callback(future, complain, PTR(4)));
    add(future, 3);
    finish(loop, future);
    BAG(3);
    assert_int_equal(reports.calls, 1);
    assert_contains(reports.message, "Exception in callback complain(");
    assert_string_equal(reports.check, "callback-exception");
    assert_int_equal(reports.code, UV_EINVAL);
    assert_string_equal(reports.text, "failed with 4");
    end(loop, future);
}

TEST(null_callback_is_refused)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_done_fn none = NULL;

    assert_code(aiort_future_add_done_callback(future, none, NULL), UV_EINVAL);
    aiort_unref(future);
    drop_loop(loop);
}

TEST(callback_on_closed_loop)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *done = new_future(loop), *pending = new_future(loop);

    add(pending, 1);
    assert_ok(aiort_future_set_result(done, NULL));
    assert_ok(aiort_loop_close(loop));
    assert_code(aiort_future_add_done_callback(done, put, PTR(2)), AIORT_ELOOPCLOSED);
    assert_int_equal(nbag, 0);
    aiort_unref(done);
    aiort_unref(pending);
    aiort_unref(loop);
}

/* Many of them, most taken back again: the order of the rest holds. */
static int counted, last = -1;

static int count(aiort_future_t *future, void *arg)
{
    (void)future;
    assert_true(INT(arg) > last);
    last = INT(arg);
    counted++;
    return 0;
}

TEST(many_callbacks)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    for (int i = 0; i < 1000; i++)
        assert_ok(aiort_future_add_done_callback(future, count, PTR(i)));
    for (int i = 0; i < 1000; i++)
        if (i % 10 != 3)
            assert_int_equal(aiort_future_remove_done_callback(future, count, PTR(i)), 1);
    finish(loop, future);
    assert_int_equal(counted, 100);
    end(loop, future);
}
