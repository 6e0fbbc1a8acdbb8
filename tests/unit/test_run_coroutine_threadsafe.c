/* SPDX-License-Identifier: MIT */
/*
 * Coroutines for a loop of another thread. Mirrors CPython's test_tasks.py,
 * RunCoroutineThreadsafeTests: a thread submits to the loop that waits for the thread.
 */
#include "allocator.h"

#include <pthread.h>
#include <unistd.h>

typedef struct {
    aiort_loop_t *loop;
    int fail, cancel;
    double timeout;
    int cancel_after; /* microseconds, 0: not */
    /* what came of it */
    int code;
    void *result;
    char message[64];
    aiort_future_t *thread_done;
} target_t;

static int add(void *arg, void **result)
{
    const target_t *target = arg;
    int err = aiort_sleep(0.05);
    if (err != 0)
        return err;
    if (target->fail)
        return aiort_raise(UV_EINVAL, "Fail!");
    if (target->cancel) {
        aiort_task_cancel(aiort_current_task(), NULL);
        err = aiort_sleep(0);
        if (err != 0)
            return err;
    }
    *result = PTR(3);
    return 0;
}

static int say_thread_done(void *arg)
{
    return aiort_future_set_result(((target_t *)arg)->thread_done, NULL);
}

static void *run_target(void *arg)
{
    target_t *target = arg;
    aiort_concurrent_t *future =
        aiort_run_coroutine_threadsafe(AIORT_CORO(add, target), target->loop);

    assert_non_null(future);
    if (target->cancel_after > 0) {
        usleep((useconds_t)target->cancel_after);
        assert_int_equal(aiort_concurrent_cancel(future), 1);
        assert_true(aiort_concurrent_cancelled(future));
    }
    target->code = aiort_concurrent_result(future, target->timeout, &target->result);
    if (target->code != 0)
        snprintf(target->message, sizeof target->message, "%s",
                 aiort_error_message(aiort_current_error()));
    if (!aiort_concurrent_done(future))
        assert_int_equal(aiort_concurrent_cancel(future), 1);
    aiort_unref(future);
    assert_ok(aiort_call_soon_threadsafe(target->loop, say_thread_done, target, NULL));
    return NULL;
}

static void check_target(target_t *target)
{
    pthread_t thread;

    allocator_install();
    target->loop = new_loop();
    target->thread_done = new_future(target->loop);
    assert_ok(pthread_create(&thread, NULL, run_target, target));
    assert_ok(aiort_loop_run_until_complete(target->loop, target->thread_done, NULL));
    assert_ok(pthread_join(thread, NULL));
    for (int i = 0; i < 4; i++)
        run_briefly(target->loop);
    assert_int_equal(aiort_all_tasks(target->loop, NULL, 0), 0);
    aiort_unref(target->thread_done);
    drop_loop(target->loop);
    forget_error();
    assert_int_equal(allocator_live(), 0);
}

TEST(run_coroutine_threadsafe)
{
    target_t target = {.timeout = -1};
    check_target(&target);
    assert_code(target.code, 0);
    assert_ptr_equal(target.result, PTR(3));
}

TEST(run_coroutine_threadsafe_with_exception)
{
    target_t target = {.timeout = -1, .fail = 1};
    check_target(&target);
    assert_code(target.code, UV_EINVAL);
    assert_string_equal(target.message, "Fail!");
}

/* The time is up: cancelling the future cancels the task. */
TEST(run_coroutine_threadsafe_with_timeout)
{
    target_t target = {.timeout = 0};
    check_target(&target);
    assert_code(target.code, UV_ETIMEDOUT);
}

TEST(run_coroutine_threadsafe_task_cancelled)
{
    target_t target = {.timeout = -1, .cancel = 1};
    check_target(&target);
    assert_code(target.code, UV_ECANCELED);
}

TEST(run_coroutine_threadsafe_and_cancel)
{
    target_t target = {.timeout = -1, .cancel_after = 10000};
    check_target(&target);
    assert_code(target.code, UV_ECANCELED);
}

/* ---- C's own ---- */

static int never_run;

static int count_run(void *arg, void **result)
{
    (void)arg;
    (void)result;
    never_run++;
    return 0;
}

/* A loop that is closed refuses, and one that closes before it comes to it says so. */
TEST(loop_closes_before_the_start)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();
    aiort_concurrent_t *future = aiort_run_coroutine_threadsafe(AIORT_CORO(count_run, NULL), loop);

    assert_non_null(future);
    assert_ok(aiort_loop_close(loop));
    assert_true(aiort_concurrent_done(future));
    assert_code(aiort_concurrent_result(future, -1, NULL), AIORT_ELOOPCLOSED);
    assert_null_code(aiort_run_coroutine_threadsafe(AIORT_CORO(count_run, NULL), loop),
                     AIORT_ELOOPCLOSED);
    assert_int_equal(never_run, 0);
    aiort_unref(future);
    aiort_unref(loop);
    forget_error();
    assert_int_equal(allocator_live(), 0);
}

static int wait_long(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_sleep(1000);
}

TEST(loop_closes_while_it_runs)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();
    reports_t reports;
    aiort_concurrent_t *future = aiort_run_coroutine_threadsafe(AIORT_CORO(wait_long, NULL), loop);

    record(loop, &reports);
    for (int i = 0; i < 3; i++)
        run_briefly(loop);
    assert_false(aiort_concurrent_done(future));
    assert_ok(aiort_loop_close(loop));
    assert_code(aiort_concurrent_result(future, -1, NULL), AIORT_ELOOPCLOSED);
    assert_int_equal(reports.calls, 1); /* the task was pending */
    aiort_unref(loop);
    aiort_unref(future);
    forget_error();
    assert_int_equal(allocator_live(), 0);
}

TEST(cancelled_before_it_starts)
{
    aiort_loop_t *loop = new_loop();
    aiort_concurrent_t *future = aiort_run_coroutine_threadsafe(AIORT_CORO(count_run, NULL), loop);

    assert_int_equal(aiort_concurrent_cancel(future), 1);
    for (int i = 0; i < 3; i++)
        run_briefly(loop);
    assert_int_equal(never_run, 0);
    assert_code(aiort_concurrent_result(future, -1, NULL), UV_ECANCELED);
    aiort_unref(future);
    drop_loop(loop);
}

/* Many threads submit and cancel. */
enum { THREADS = 4, ROUNDS = 300 };

typedef struct {
    aiort_loop_t *loop;
    int done, cancelled;
    aiort_future_t *ended;
} submitter_t;

static int say_ended(void *arg)
{
    return aiort_future_set_result(((submitter_t *)arg)->ended, NULL);
}

static void *submit(void *arg)
{
    submitter_t *submitter = arg;
    for (int i = 0; i < ROUNDS; i++) {
        void *result = NULL;
        aiort_concurrent_t *future = aiort_run_coroutine_threadsafe(
            i & 1 ? AIORT_CORO(wait_long, NULL) : AIORT_CORO(return_at_once, PTR(i)),
            submitter->loop);
        assert_non_null(future);
        if (i & 1)
            assert_int_equal(aiort_concurrent_cancel(future), 1);
        int err = aiort_concurrent_result(future, -1, &result);
        assert_code(err, i & 1 ? UV_ECANCELED : 0);
        if (err == 0) {
            assert_ptr_equal(result, PTR(i));
            submitter->done++;
        } else {
            submitter->cancelled++;
        }
        aiort_unref(future);
    }
    assert_ok(aiort_call_soon_threadsafe(submitter->loop, say_ended, submitter, NULL));
    return NULL;
}

TEST(many_threads_submit)
{
    aiort_loop_t *loop = new_loop();
    submitter_t submitters[THREADS];
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++) {
        submitters[i] = (submitter_t){.loop = loop, .ended = new_future(loop)};
        assert_ok(pthread_create(&threads[i], NULL, submit, &submitters[i]));
    }
    for (int i = 0; i < THREADS; i++) {
        assert_ok(aiort_loop_run_until_complete(loop, submitters[i].ended, NULL));
        assert_ok(pthread_join(threads[i], NULL));
        assert_int_equal(submitters[i].done, ROUNDS / 2);
        assert_int_equal(submitters[i].cancelled, ROUNDS / 2);
        aiort_unref(submitters[i].ended);
    }
    for (int i = 0; i < 3; i++)
        run_briefly(loop);
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 0);
    drop_loop(loop);
}
