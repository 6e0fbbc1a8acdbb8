/* SPDX-License-Identifier: MIT */
/* Work on threads. Mirrors CPython's test_events.py, EventLoopTestsMixin. */
#include "allocator.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static pthread_t worker;

static int run(void *arg, void **result)
{
    worker = pthread_self();
    *result = arg;
    return 0;
}

TEST(run_in_executor)
{
    aiort_loop_t *loop = new_loop();
    static char yo[] = "yo";
    aiort_future_t *future = aiort_run_in_executor(loop, run, yo);
    void *result = NULL;

    assert_non_null(future);
    assert_ok(aiort_loop_run_until_complete(loop, future, &result));
    assert_string_equal(result, "yo");
    assert_false(pthread_equal(worker, pthread_self()));
    aiort_unref(future);
    drop_loop(loop);
}

static atomic_int started, ended;

static int run_slowly(void *arg, void **result)
{
    (void)arg;
    (void)result;
    atomic_fetch_add(&started, 1);
    usleep(50000);
    atomic_fetch_add(&ended, 1);
    return 0;
}

static int count_call(aiort_future_t *future, void *arg)
{
    (void)future;
    ++*(int *)arg;
    return 0;
}

/* Cancelled, and the loop closed: the thread's end calls nothing. */
TEST(run_in_executor_cancel)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = aiort_run_in_executor(loop, run_slowly, NULL);
    int calls = 0;

    while (atomic_load(&started) == 0)
        usleep(100);
    assert_int_equal(aiort_future_cancel(future, NULL), 1);
    assert_true(aiort_future_cancelled(future));
    assert_ok(aiort_future_add_done_callback(future, count_call, &calls));
    drop_loop(loop);
    usleep(100000);
    assert_int_equal(atomic_load(&ended), 1); /* it ran on */
    assert_int_equal(calls, 0);
    aiort_unref(future);
    forget_error();
    for (int i = 0; i < 5000 && allocator_live() != 0; i++) {
        usleep(1000); /* the thread gives the pool back */
    }
    assert_int_equal(allocator_live(), 0);
}

/* ---- C's own ---- */

static int refuse(void *arg, void **result)
{
    (void)result;
    return aiort_raise(UV_EACCES, "not for %d", INT(arg));
}

TEST(error_of_a_thread)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = aiort_run_in_executor(loop, refuse, PTR(7));

    assert_code(aiort_loop_run_until_complete(loop, future, NULL), UV_EACCES);
    assert_string_equal(aiort_error_message(aiort_current_error()), "not for 7");
    assert_string_equal(aiort_error_site(aiort_current_error())->function, "refuse");
    aiort_unref(future);
    drop_loop(loop);
}

/* More than there are threads; one that has not begun is taken back. */
TEST(queued_work_is_taken_back)
{
    enum { MANY = 40 };
    aiort_loop_t *loop = new_loop();
    aiort_future_t *futures[MANY];
    int cancelled = 0;

    for (int i = 0; i < MANY; i++) {
        futures[i] = aiort_run_in_executor(loop, run_slowly, NULL);
        assert_non_null(futures[i]);
    }
    for (int i = 20; i < MANY; i++)
        cancelled += aiort_future_cancel(futures[i], "no need");
    assert_int_equal(cancelled, MANY - 20);
    for (int i = 0; i < MANY; i++) {
        assert_code(aiort_loop_run_until_complete(loop, futures[i], NULL),
                    i < 20 ? 0 : UV_ECANCELED);
        aiort_unref(futures[i]);
    }
    drop_loop(loop);
    assert_true(atomic_load(&started) < MANY);
    assert_int_equal(atomic_load(&started), atomic_load(&ended));
}

static int await_work(void *arg, void **result)
{
    aiort_future_t *future = aiort_run_in_executor(NULL, run, arg);
    assert_non_null(future);
    int err = aiort_await(future, result);
    aiort_unref(future);
    return err;
}

TEST(awaited_in_a_task)
{
    void *result = NULL;
    assert_ok(aiort_run(AIORT_CORO(await_work, PTR(5)), &result));
    assert_ptr_equal(result, PTR(5));
}

TEST(refused_work)
{
    aiort_loop_t *loop = new_loop();
    aiort_work_fn none = NULL;

    assert_null_code(aiort_run_in_executor(NULL, run, NULL), AIORT_ENOLOOP);
    assert_null_code(aiort_run_in_executor(loop, none, NULL), UV_EINVAL);
    assert_ok(aiort_loop_close(loop));
    assert_null_code(aiort_run_in_executor(loop, run, NULL), AIORT_ELOOPCLOSED);
    aiort_unref(loop);
}

/* A future nobody keeps: the work is done all the same, and aiort_run() waits for it. */
static int drop_work(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_unref(aiort_run_in_executor(NULL, run_slowly, NULL));
    return 0;
}

TEST(dropped_work)
{
    assert_ok(aiort_run(AIORT_CORO(drop_work, NULL), NULL));
    assert_int_equal(atomic_load(&ended), 1);
}

/* ---- shutdown(cancel_futures=True) ---- */

TEST(shutdown_cancels_what_has_not_begun)
{
    enum { MANY = 10 };
    const aiort_executor_options_t options = {.threads = 1};
    aiort_loop_t *loop = new_loop();
    aiort_executor_t *executor = aiort_executor_new(&options);
    aiort_future_t *futures[MANY];

    for (int i = 0; i < MANY; i++) {
        futures[i] = aiort_executor_run(executor, loop, run_slowly, NULL);
        assert_non_null(futures[i]);
    }
    while (atomic_load(&started) == 0)
        usleep(100);
    assert_ok(aiort_executor_shutdown_with(executor, 10, AIORT_CANCEL_FUTURES));
    int begun = atomic_load(&started);
    assert_true(begun < MANY);
    for (int i = 0; i < MANY; i++) {
        assert_code(aiort_loop_run_until_complete(loop, futures[i], NULL),
                    i < begun ? 0 : UV_ECANCELED);
        aiort_unref(futures[i]);
    }
    assert_int_equal(atomic_load(&ended), begun);
    assert_null_code(aiort_executor_run(executor, loop, run, NULL), AIORT_ESHUTDOWN);
    aiort_unref(executor);
    drop_loop(loop);
}
