/* SPDX-License-Identifier: MIT */
/*
 * Futures of other threads and the loop's own in front of them. Mirrors CPython's test_futures.py,
 * BaseFutureTests.
 */
#include "allocator.h"

#include <pthread.h>
#include <unistd.h>

static pthread_t worker;
static char oi[] = "oi";

static void *complete(void *arg)
{
    usleep(10000);
    worker = pthread_self();
    assert_ok(aiort_concurrent_set_result(arg, oi));
    return NULL;
}

TEST(wrap_future)
{
    aiort_loop_t *loop = new_loop();
    aiort_concurrent_t *concurrent = aiort_concurrent_new();
    aiort_future_t *future = aiort_wrap_future(concurrent, loop);
    pthread_t thread;
    void *result = NULL;

    assert_non_null(future);
    assert_int_equal(aiort_kind(future), AIORT_KIND_FUTURE);
    assert_ok(pthread_create(&thread, NULL, complete, concurrent));
    assert_ok(aiort_loop_run_until_complete(loop, future, &result));
    assert_string_equal(result, "oi");
    assert_ok(pthread_join(thread, NULL));
    assert_false(pthread_equal(worker, pthread_self()));
    aiort_unref(future);
    aiort_unref(concurrent);
    drop_loop(loop);
}

/* A future of the loop's is its own wrapper. */
TEST(wrap_future_future)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_future_t *same = aiort_ensure_future(NULL, future);

    assert_ptr_equal(same, future);
    aiort_unref(same);
    aiort_unref(future);
    drop_loop(loop);
}

TEST(wrap_future_without_loop)
{
    aiort_concurrent_t *concurrent = aiort_concurrent_new();

    assert_null_code(aiort_wrap_future(concurrent, NULL), AIORT_ENOLOOP);
    aiort_unref(concurrent);
}

static int wrap_inside(void *arg, void **result)
{
    *result = aiort_wrap_future((aiort_concurrent_t *)arg, NULL);
    return 0;
}

TEST(wrap_future_use_running_loop)
{
    aiort_loop_t *loop = new_loop();
    aiort_concurrent_t *concurrent = aiort_concurrent_new();
    void *future = NULL;

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(wrap_inside, concurrent), &future));
    assert_ptr_equal(aiort_future_loop(future), loop);
    aiort_unref(future);
    aiort_unref(concurrent);
    drop_loop(loop);
}

TEST(wrap_future_cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_concurrent_t *concurrent = aiort_concurrent_new();
    aiort_future_t *future = aiort_wrap_future(concurrent, loop);

    assert_int_equal(aiort_future_cancel(future, NULL), 1);
    run_briefly(loop);
    assert_true(aiort_concurrent_cancelled(concurrent));
    assert_true(aiort_future_cancelled(future));
    aiort_unref(future);
    aiort_unref(concurrent);
    drop_loop(loop);
}

TEST(wrap_future_cancel2)
{
    aiort_loop_t *loop = new_loop();
    aiort_concurrent_t *concurrent = aiort_concurrent_new();
    aiort_future_t *future = aiort_wrap_future(concurrent, loop);
    void *result = NULL;

    assert_ok(aiort_concurrent_set_result(concurrent, PTR(42)));
    assert_int_equal(aiort_future_cancel(future, NULL), 1);
    run_briefly(loop);
    assert_false(aiort_concurrent_cancelled(concurrent));
    assert_ok(aiort_concurrent_result(concurrent, 0, &result));
    assert_ptr_equal(result, PTR(42));
    assert_true(aiort_future_cancelled(future));
    aiort_unref(future);
    aiort_unref(concurrent);
    drop_loop(loop);
}

/* ---- C's own ---- */

TEST(concurrent_states)
{
    aiort_concurrent_t *concurrent = aiort_concurrent_new();
    void *result = NULL;

    assert_int_equal(aiort_kind(concurrent), AIORT_KIND_CONCURRENT);
    assert_false(aiort_concurrent_done(concurrent));
    assert_code(aiort_concurrent_result(concurrent, 0, &result), UV_ETIMEDOUT);
    double before = harness_now();
    assert_code(aiort_concurrent_result(concurrent, 0.03, &result), UV_ETIMEDOUT);
    assert_time_near(harness_now() - before, 0.03);
    assert_ok(aiort_concurrent_set_result(concurrent, PTR(1)));
    assert_true(aiort_concurrent_done(concurrent));
    assert_code(aiort_concurrent_set_result(concurrent, PTR(2)), AIORT_EINVALIDSTATE);
    assert_int_equal(aiort_concurrent_cancel(concurrent), 0);
    assert_ok(aiort_concurrent_result(concurrent, -1, &result));
    assert_ptr_equal(result, PTR(1));
    aiort_unref(concurrent);
}

TEST(wrapped_error)
{
    aiort_loop_t *loop = new_loop();
    aiort_concurrent_t *concurrent = aiort_concurrent_new();
    aiort_future_t *future = aiort_wrap_future(concurrent, loop);

    aiort_raise(UV_EIO, "from there");
    assert_ok(aiort_concurrent_set_error_object(concurrent, aiort_current_error()));
    assert_code(aiort_loop_run_until_complete(loop, future, NULL), UV_EIO);
    assert_string_equal(aiort_error_message(aiort_current_error()), "from there");
    aiort_unref(future);
    aiort_unref(concurrent);
    drop_loop(loop);
}

TEST(wrap_of_a_done_one)
{
    aiort_loop_t *loop = new_loop();
    aiort_concurrent_t *concurrent = aiort_concurrent_new();
    void *result = NULL;

    assert_ok(aiort_concurrent_set_result(concurrent, PTR(1)));
    aiort_future_t *future = aiort_wrap_future(concurrent, loop);
    assert_true(aiort_future_done(future));
    assert_ok(aiort_future_result(future, &result));
    assert_ptr_equal(result, PTR(1));
    aiort_unref(future);
    aiort_unref(concurrent);
    drop_loop(loop);
}

/* Whoever goes first: the wrapper, its loop, or the one that is wrapped. */
TEST(wrappers_that_go)
{
    allocator_install();
    for (int i = 0; i < 6; i++) {
        aiort_loop_t *loop = new_loop();
        aiort_concurrent_t *concurrent = aiort_concurrent_new();
        aiort_future_t *future = aiort_wrap_future(concurrent, loop);

        if (i == 0 || i == 1)
            aiort_unref(future);
        if (i == 2 || i == 3)
            assert_ok(aiort_loop_close(loop));
        if (i % 2 == 1)
            assert_ok(aiort_concurrent_set_result(concurrent, NULL));
        if (i == 4) {
            aiort_unref(concurrent);
            concurrent = NULL;
        }
        if (i == 5)
            aiort_unref(future); /* with its end on the way */
        if (i != 0 && i != 1 && i != 5)
            aiort_unref(future);
        drop_loop(loop);
        aiort_unref(concurrent);
        forget_error();
        assert_int_equal(allocator_live(), 0);
    }
}
