/* SPDX-License-Identifier: MIT */
/*
 * Threads: mirrors CPython's test_threads.py, ToThreadTests, and test_free_threading.py.
 */
#include "helpers.h"

#include <pthread.h>
#include <stdatomic.h>

#define BODY(name)                                                                                 \
    static int body_##name(__attribute__((unused)) void *arg_,                                     \
                           __attribute__((unused)) void **result_)

static pthread_t worker;
static atomic_int calls;

static int add_40(void *arg, void **result)
{
    atomic_fetch_add(&calls, 1);
    worker = pthread_self();
    *result = PTR(INT(arg) + 40);
    return 0;
}

BODY(to_thread)
{
    void *result = NULL;

    assert_ok(aiort_to_thread(add_40, PTR(2), &result));
    assert_int_equal(INT(result), 42);
    assert_false(pthread_equal(worker, pthread_self()));
    return 0;
}

TEST(to_thread)
{
    assert_ok(aiort_run(AIORT_CORO(body_to_thread, NULL), NULL));
}

static int raises(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_raise(UV_ERANGE, "test");
}

BODY(to_thread_exception)
{
    assert_code(aiort_to_thread(raises, NULL, NULL), UV_ERANGE);
    assert_string_equal(aiort_error_message(aiort_current_error()), "test");
    return 0;
}

TEST(to_thread_exception)
{
    assert_ok(aiort_run(AIORT_CORO(body_to_thread_exception, NULL), NULL));
}

BODY(to_thread_once)
{
    assert_ok(aiort_to_thread(add_40, NULL, NULL));
    assert_int_equal(atomic_load(&calls), 1);
    return 0;
}

TEST(to_thread_once)
{
    assert_ok(aiort_run(AIORT_CORO(body_to_thread_once, NULL), NULL));
}

static int call_in_thread(void *arg, void **result)
{
    return aiort_to_thread(add_40, arg, result);
}

BODY(to_thread_concurrent)
{
    aiort_awaitable_t *ten[10];
    void *result = NULL;

    for (int i = 0; i < 10; i++)
        ten[i] = AIORT_AWAITABLE(AIORT_CORO(call_in_thread, PTR(i)));
    aiort_future_t *all = aiort_gather(ten, 10, 0);
    assert_ok(aiort_await(all, &result));
    for (int i = 0; i < 10; i++)
        assert_int_equal(INT(((aiort_outcome_t *)result)[i].result), i + 40);
    assert_int_equal(atomic_load(&calls), 10);
    aiort_unref(all);
    return 0;
}

static int see_both(void *arg, void **result)
{
    const int *two = arg;

    *result = PTR(two[0] * 100 + two[1]);
    return 0;
}

BODY(to_thread_args_kwargs)
{
    int two[2] = {4, 2};
    void *result = NULL;

    assert_ok(aiort_to_thread(see_both, two, &result));
    assert_int_equal(INT(result), 402);
    return 0;
}

TEST(to_thread_args_kwargs)
{
    assert_ok(aiort_run(AIORT_CORO(body_to_thread_args_kwargs, NULL), NULL));
}

TEST(to_thread_concurrent)
{
    worker = pthread_self();
    assert_ok(aiort_run(AIORT_CORO(body_to_thread_concurrent, NULL), NULL));
}

static aiort_context_var_t *var;

static int get_and_set(void *arg, void **result)
{
    *result = aiort_context_var_get(var);
    return aiort_context_var_set(var, arg);
}

BODY(to_thread_contextvars)
{
    void *result = NULL;

    assert_ok(aiort_context_var_set(var, PTR(7)));
    assert_ok(aiort_to_thread(get_and_set, PTR(8), &result));
    assert_int_equal(INT(result), 7);
    assert_int_equal(INT(aiort_context_var_get(var)), 7); /* it was a copy */
    /* The threads themselves keep nothing of it; without to_thread() they have their own. */
    for (int i = 0; i < 10; i++) {
        aiort_future_t *future = aiort_run_in_executor(NULL, get_and_set, PTR(0));
        assert_ok(aiort_await(future, &result));
        assert_int_equal(INT(result), 0);
        aiort_unref(future);
    }
    return 0;
}

TEST(to_thread_contextvars)
{
    var = aiort_context_var_new("ctx", NULL);
    assert_ok(aiort_run(AIORT_CORO(body_to_thread_contextvars, NULL), NULL));
    aiort_unref(var);
}

/* ---- TestFreeThreading: loops in threads, each with its own tasks ---- */

enum { THREADS = 6, TASKS = 60 };

static int nap(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_sleep(0.001);
}

static int see_own_tasks(void *eager, void **result)
{
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_task_t *made[TASKS], *all[TASKS + 8];

    (void)result;
    assert_ok(aiort_loop_set_eager_tasks(loop, eager != NULL));
    for (int i = 0; i < TASKS; i++) {
        made[i] = aiort_create_task(AIORT_CORO(nap, NULL));
        assert_non_null(made[i]);
    }
    assert_int_equal(aiort_all_tasks(loop, all, TASKS + 8), TASKS + 1);
    assert_ptr_equal(all[0], aiort_current_task());
    for (int i = 0; i <= TASKS; i++)
        aiort_unref(all[i]);
    for (int i = 0; i < TASKS; i++) {
        assert_ok(aiort_await(made[i], NULL));
        aiort_unref(made[i]);
    }
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 1);
    return 0;
}

static void *run_own_loop(void *eager)
{
    for (int i = 0; i < 10; i++)
        assert_ok(aiort_run(AIORT_CORO(see_own_tasks, eager), NULL));
    return NULL;
}

static void in_threads(void *(*function)(void *), void *arg)
{
    pthread_t threads[THREADS];

    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, function, arg), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

TEST_WITHIN(60, all_tasks_race)
{
    in_threads(run_own_loop, NULL);
}

TEST_WITHIN(60, all_tasks_race_eager)
{
    in_threads(run_own_loop, PTR(1));
}

static int give(void *arg, void **result)
{
    *result = arg;
    return arg ? aiort_sleep(0.001) : aiort_raise(UV_ERANGE, "test");
}

static aiort_loop_t *shared;

static void *ask_the_loop(void *arg)
{
    for (int i = 1; i <= 20; i++) {
        aiort_concurrent_t *asked =
            aiort_run_coroutine_threadsafe(AIORT_CORO(give, PTR(arg ? i : 0)), shared);
        void *result = NULL;
        assert_non_null(asked);
        assert_code(aiort_concurrent_result(asked, 20, &result), arg ? 0 : UV_ERANGE);
        assert_int_equal(INT(result), arg ? i : 0);
        aiort_unref(asked);
    }
    return NULL;
}

static void *run_shared(void *arg)
{
    (void)arg;
    assert_ok(aiort_loop_run_forever(shared));
    return NULL;
}

static void ask_from_threads(void *arg)
{
    pthread_t runner;

    shared = new_loop();
    assert_int_equal(pthread_create(&runner, NULL, run_shared, NULL), 0);
    in_threads(ask_the_loop, arg);
    assert_ok(aiort_call_soon_threadsafe(shared, stop_loop, shared, NULL));
    assert_int_equal(pthread_join(runner, NULL), 0);
    drop_loop(shared);
}

TEST_WITHIN(60, run_coroutine_threadsafe)
{
    ask_from_threads(PTR(1));
}

TEST_WITHIN(60, run_coroutine_threadsafe_exception)
{
    ask_from_threads(NULL);
}
