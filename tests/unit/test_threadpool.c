/* SPDX-License-Identifier: MIT */
/* Executors of the program's own, a loop's default one, and to_thread. */
#include "helpers.h"

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

static _Atomic pthread_t worker;
static atomic_int started, ended, go;
static char thing[] = "thing", file[] = "file";

static int work(void *arg, void **result)
{
    worker = pthread_self();
    atomic_fetch_add(&ended, 1);
    *result = arg;
    return 0;
}

static int fails(void *arg, void **result)
{
    (void)result;
    return aiort_raise(UV_ENOENT, "no such %s", (const char *)arg);
}

/* Runs until it is told to go. */
static int blocks(void *arg, void **result)
{
    atomic_fetch_add(&started, 1);
    while (!atomic_load(&go))
        usleep(500);
    *result = arg;
    atomic_fetch_add(&ended, 1);
    return 0;
}

static aiort_executor_t *with_threads(unsigned threads)
{
    aiort_executor_options_t options = {.threads = threads, .name = "test"};
    aiort_executor_t *executor = aiort_executor_new(&options);

    assert_non_null(executor);
    return executor;
}

static void await_count(atomic_int *counter, int n)
{
    while (atomic_load(counter) < n)
        usleep(500);
}

static void drop_executor(aiort_executor_t *executor)
{
    assert_ok(aiort_executor_shutdown(executor, 10));
    aiort_unref(executor);
}

TEST(executor_run)
{
    aiort_loop_t *loop = new_loop();
    aiort_executor_t *executor = with_threads(1);
    aiort_future_t *future = aiort_executor_run(executor, loop, work, PTR(7));
    void *result = NULL;

    assert_non_null(future);
    assert_ok(aiort_loop_run_until_complete(loop, future, &result));
    assert_int_equal(INT(result), 7);
    assert_false(pthread_equal(worker, pthread_self()));
    aiort_unref(future);
    drop_executor(executor);
    drop_loop(loop);
}

TEST(executor_error)
{
    aiort_loop_t *loop = new_loop();
    aiort_executor_t *executor = with_threads(1);
    aiort_future_t *future = aiort_executor_run(executor, loop, fails, thing);

    assert_code(aiort_loop_run_until_complete(loop, future, NULL), UV_ENOENT);
    assert_string_equal(aiort_error_message(aiort_current_error()), "no such thing");
    assert_string_equal(aiort_error_site(aiort_current_error())->function, "fails");
    aiort_unref(future);
    drop_executor(executor);
    drop_loop(loop);
}

/* Each of the four waits for the others to have started. */
static int meets(void *arg, void **result)
{
    (void)arg;
    (void)result;
    atomic_fetch_add(&started, 1);
    await_count(&started, 4);
    return 0;
}

TEST(executor_runs_at_once)
{
    aiort_loop_t *loop = new_loop();
    aiort_executor_t *executor = with_threads(4);
    aiort_future_t *futures[4];

    for (int i = 0; i < 4; i++)
        futures[i] = aiort_executor_run(executor, loop, meets, NULL);
    for (int i = 0; i < 4; i++) {
        assert_ok(aiort_loop_run_until_complete(loop, futures[i], NULL));
        aiort_unref(futures[i]);
    }
    drop_executor(executor);
    drop_loop(loop);
}

static int first_unlike = -1, next_number;

static int in_order(void *arg, void **result)
{
    (void)result;
    if (INT(arg) != next_number++ && first_unlike < 0)
        first_unlike = INT(arg);
    return 0;
}

TEST(executor_order)
{
    aiort_loop_t *loop = new_loop();
    aiort_executor_t *executor = with_threads(1);
    aiort_future_t *futures[1000];

    for (int i = 0; i < 1000; i++)
        futures[i] = aiort_executor_run(executor, loop, in_order, PTR(i));
    for (int i = 0; i < 1000; i++) {
        assert_ok(aiort_loop_run_until_complete(loop, futures[i], NULL));
        aiort_unref(futures[i]);
    }
    assert_int_equal(first_unlike, -1);
    drop_executor(executor);
    drop_loop(loop);
}

/* What has not begun is taken back; what runs goes on, and its result is dropped. */
TEST(executor_cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_executor_t *executor = with_threads(1);
    aiort_future_t *running = aiort_executor_run(executor, loop, blocks, PTR(1));
    await_count(&started, 1);
    aiort_future_t *queued = aiort_executor_run(executor, loop, blocks, PTR(2));

    assert_int_equal(aiort_future_cancel(queued, "not needed"), 1);
    assert_int_equal(aiort_future_cancel(running, NULL), 1);
    assert_int_equal(aiort_future_cancelled(running), 1);
    assert_code(aiort_future_result(queued, NULL), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "not needed");
    atomic_store(&go, 1);
    aiort_future_t *last = aiort_executor_run(executor, loop, work, PTR(3));
    assert_ok(aiort_loop_run_until_complete(loop, last, NULL));
    assert_int_equal(atomic_load(&started), 1);
    assert_int_equal(atomic_load(&ended), 2);
    assert_int_equal(aiort_future_cancelled(running), 1);
    aiort_unref(running);
    aiort_unref(queued);
    aiort_unref(last);
    drop_executor(executor);
    drop_loop(loop);
}

/* The futures are dropped, the work is done. */
TEST(executor_forgotten)
{
    aiort_loop_t *loop = new_loop();
    aiort_executor_t *executor = with_threads(2);

    for (int i = 0; i < 10; i++)
        aiort_unref(aiort_executor_run(executor, loop, work, NULL));
    assert_ok(aiort_executor_shutdown(executor, 10));
    assert_int_equal(atomic_load(&ended), 10);
    run_briefly(loop);
    aiort_unref(executor);
    drop_loop(loop);
}

/* Closed over one that runs, one that is queued, and one whose end is on its way. */
TEST(executor_loop_closed)
{
    aiort_loop_t *loop = new_loop();
    aiort_executor_t *executor = with_threads(1);
    aiort_future_t *done = aiort_executor_run(executor, loop, work, NULL);
    await_count(&ended, 1);
    aiort_future_t *running = aiort_executor_run(executor, loop, blocks, NULL);
    await_count(&started, 1);
    aiort_future_t *queued = aiort_executor_run(executor, loop, blocks, NULL);

    assert_ok(aiort_loop_close(loop));
    assert_null_code(aiort_executor_run(executor, loop, work, NULL), AIORT_ELOOPCLOSED);
    aiort_unref(done);
    aiort_unref(running);
    aiort_unref(queued);
    aiort_unref(loop); /* its memory is gone before the thread ends */
    atomic_store(&go, 1);
    drop_executor(executor);
    assert_int_equal(atomic_load(&started), 1);
    assert_int_equal(atomic_load(&ended), 2);
}

TEST(executor_shutdown)
{
    aiort_loop_t *loop = new_loop();
    aiort_executor_t *executor = with_threads(1);
    aiort_future_t *running = aiort_executor_run(executor, loop, blocks, PTR(1));
    aiort_future_t *queued = aiort_executor_run(executor, loop, blocks, PTR(2));
    void *result = NULL;

    await_count(&started, 1);
    assert_ok(aiort_executor_shutdown(executor, 0));
    assert_code(aiort_executor_shutdown(executor, 0.01), UV_ETIMEDOUT);
    assert_null_code(aiort_executor_run(executor, loop, work, NULL), AIORT_ESHUTDOWN);
    assert_string_equal(aiort_error_message(aiort_current_error()),
                        "cannot schedule new futures after shutdown");
    atomic_store(&go, 1);
    assert_ok(aiort_executor_shutdown(executor, 10));
    assert_ok(aiort_loop_run_until_complete(loop, queued, &result)); /* queued work is done */
    assert_int_equal(INT(result), 2);
    assert_ok(aiort_future_result(running, NULL));
    aiort_unref(running);
    aiort_unref(queued);
    aiort_unref(executor);
    drop_loop(loop);
}

/* The last reference goes while it works: the threads see to the rest. */
TEST(executor_dropped)
{
    aiort_loop_t *loop = new_loop();
    aiort_executor_t *executor = with_threads(2);
    aiort_future_t *future = aiort_executor_run(executor, loop, blocks, PTR(1));

    aiort_unref(executor);
    atomic_store(&go, 1);
    assert_ok(aiort_loop_run_until_complete(loop, future, NULL));
    aiort_unref(future);
    drop_loop(loop);
}

TEST(executor_refuses)
{
    aiort_executor_t *executor = with_threads(0);
    aiort_loop_t *loop = new_loop();
    char text[64];

    assert_null_code(aiort_executor_run(executor, NULL, work, NULL), AIORT_ENOLOOP);
    assert_null_code(aiort_executor_run(executor, loop, (aiort_work_fn)NULL, NULL), UV_EINVAL);
    assert_code(aiort_to_thread(work, NULL, NULL), AIORT_ENOTASK);
    snprintf(text, sizeof text, "<Executor object at %p>", (void *)executor);
    assert_string_equal(repr(executor), text);
    assert_ok(aiort_executor_shutdown(executor, AIORT_NO_TIMEOUT)); /* there never was a thread */
    aiort_unref(executor);
    drop_loop(loop);
}

/* ---- the loop's default executor ---- */

static int in_thread(void *arg, void **result)
{
    assert_ok(aiort_to_thread(work, arg, result));
    assert_int_equal(INT(*result), INT(arg));
    assert_false(pthread_equal(worker, pthread_self()));
    assert_code(aiort_to_thread(fails, file, NULL), UV_ENOENT);
    assert_string_equal(aiort_error_message(aiort_current_error()), "no such file");
    return 0;
}

TEST(to_thread)
{
    void *result = NULL;

    assert_ok(aiort_run(AIORT_CORO(in_thread, PTR(9)), &result));
}

static int leaves_work(void *arg, void **result)
{
    (void)arg;
    (void)result;
    for (int i = 0; i < 5; i++)
        aiort_unref(aiort_executor_run(NULL, NULL, work, NULL));
    return 0;
}

/* aiort_run() does not return before its threads have ended. */
TEST(run_waits_for_threads)
{
    assert_ok(aiort_run(AIORT_CORO(leaves_work, NULL), NULL));
    assert_int_equal(atomic_load(&ended), 5);
}

static int own_default(void *arg, void **result)
{
    aiort_loop_t *loop = aiort_get_running_loop();

    (void)result;
    assert_ok(aiort_loop_set_default_executor(loop, arg));
    assert_ok(aiort_to_thread(work, NULL, NULL));
    assert_ok(aiort_loop_shutdown_default_executor(loop, 10));
    assert_code(aiort_to_thread(work, NULL, NULL), AIORT_ESHUTDOWN);
    assert_string_equal(aiort_error_message(aiort_current_error()),
                        "Executor shutdown has been called");
    assert_ok(aiort_loop_shutdown_default_executor(loop, 10));
    return 0;
}

TEST(set_default_executor)
{
    aiort_executor_t *executor = with_threads(2);

    assert_ok(aiort_run(AIORT_CORO(own_default, executor), NULL));
    assert_null_code(aiort_executor_run(executor, NULL, work, NULL), AIORT_ENOLOOP);
    aiort_unref(executor);
}

static int shutdown_too_early(void *arg, void **result)
{
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_future_t *future = aiort_executor_run(NULL, loop, blocks, PTR(4));

    (void)arg;
    await_count(&started, 1);
    assert_code(aiort_loop_shutdown_default_executor(loop, 0.01), UV_ETIMEDOUT);
    atomic_store(&go, 1);
    assert_ok(aiort_await(future, result));
    aiort_unref(future);
    return 0;
}

TEST(shutdown_default_executor_timeout)
{
    void *result = NULL;

    assert_ok(aiort_run(AIORT_CORO(shutdown_too_early, NULL), &result));
    assert_int_equal(INT(result), 4);
}

/* A thread that needs the loop while the loop waits for the thread. */
static int calls_loop(void *loop, void **result)
{
    aiort_concurrent_t *other =
        aiort_run_coroutine_threadsafe(AIORT_CORO(sleep_ms, PTR(5)), (aiort_loop_t *)loop);

    assert_non_null(other);
    int err = aiort_concurrent_result(other, -1, result);
    aiort_unref(other);
    atomic_fetch_add(&ended, 1);
    return err;
}

static int shutdown_runs_loop(void *arg, void **result)
{
    aiort_loop_t *loop = aiort_get_running_loop();

    (void)arg;
    (void)result;
    aiort_unref(aiort_executor_run(NULL, loop, calls_loop, loop));
    return aiort_loop_shutdown_default_executor(loop, 10);
}

TEST(shutdown_default_executor_runs_the_loop)
{
    assert_ok(aiort_run(AIORT_CORO(shutdown_runs_loop, NULL), NULL));
    assert_int_equal(atomic_load(&ended), 1);
}

/* A loop closed without a shutdown: its default executor ends by itself. */
TEST(default_executor_closed)
{
    aiort_loop_t *loop = new_loop();

    aiort_unref(aiort_executor_run(NULL, loop, blocks, NULL));
    await_count(&started, 1);
    drop_loop(loop);
    atomic_store(&go, 1);
    await_count(&ended, 1);
    usleep(20000); /* for the thread to let go of the pool */
}
