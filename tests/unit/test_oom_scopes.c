/* SPDX-License-Identifier: MIT */
/*
 * Out of memory in timeouts, task groups, locks and executors: a scenario is run again and again,
 * each time with another of its allocations refused. It ends as it should or with UV_ENOMEM, and
 * nothing is left allocated.
 */
#include "allocator.h"

#include <unistd.h>

static int fail_soon(void *arg, void **result)
{
    (void)arg;
    (void)result;
    int err = aiort_sleep(0);
    return err ? err : aiort_raise(UV_ERANGE, "failed");
}

static int in_group(void)
{
    aiort_task_group_t *group = aiort_task_group_new();
    int err = aiort_task_group_enter(group);

    if (!err) {
        for (int i = 0; i < 12 && !err; i++) {
            aiort_coroutine_t *coroutine = AIORT_CORO(fail_soon, NULL);
            err = coroutine ? aiort_task_group_create_task(group, coroutine, NULL)
                            : aiort_last_error();
        }
        err = aiort_task_group_exit(group, err);
        assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    }
    aiort_unref(group);
    return err;
}

static int in_timeout(void)
{
    aiort_timeout_t *timeout = aiort_timeout(0);
    int err = aiort_timeout_enter(timeout);

    if (!err) {
        err = aiort_timeout_exit(timeout, aiort_sleep(10));
        assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    }
    aiort_unref(timeout);
    return err;
}

static int waits_for(void)
{
    aiort_coroutine_t *coroutine = AIORT_CORO(sleep_ms, PTR(10000));
    int err = coroutine ? aiort_wait_for(coroutine, 0.0001, NULL) : aiort_last_error();

    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    return err;
}

static int waits_not_at_all(void)
{
    aiort_coroutine_t *coroutine = AIORT_CORO(sleep_ms, PTR(10000));

    return coroutine ? aiort_wait_for(coroutine, 0, NULL) : aiort_last_error();
}

static int holds_lock(void *lock, void **result)
{
    int err = aiort_lock_acquire((aiort_lock_t *)lock);

    (void)result;
    if (!err) {
        err = aiort_sleep(0);
        assert_ok(aiort_lock_release((aiort_lock_t *)lock));
    }
    return err;
}

static int with_locks(void)
{
    aiort_lock_t *lock = aiort_lock_new();
    aiort_condition_t *condition = lock ? aiort_condition_new(NULL) : NULL;
    aiort_barrier_t *barrier = condition ? aiort_barrier_new(1) : NULL;
    int err = barrier ? aiort_barrier_wait(barrier) : aiort_last_error();
    aiort_coroutine_t *coroutine = err ? NULL : AIORT_CORO(holds_lock, lock);
    aiort_task_t *task = coroutine ? aiort_create_task(coroutine) : NULL;

    if (task) {
        err = aiort_sleep(0);
        coroutine = AIORT_CORO(holds_lock, lock);
        err = coroutine ? aiort_await(coroutine, NULL) : aiort_last_error();
        int other = aiort_await(task, NULL);
        err = err ? err : other;
        assert_int_equal(aiort_lock_locked(lock), 0);
        aiort_unref(task);
    } else if (!err) {
        err = aiort_last_error();
    }
    aiort_unref(lock);
    aiort_unref(condition);
    aiort_unref(barrier);
    return err;
}

static int through_barrier(void *barrier, void **result)
{
    (void)result;
    int err = aiort_barrier_wait((aiort_barrier_t *)barrier);
    return err < 0 ? err : 0;
}

/* Three rounds of three: however memory fails, nobody is left inside and the lock is free. */
static int with_barrier(void)
{
    aiort_barrier_t *barrier = aiort_barrier_new(3);
    aiort_task_t *tasks[9] = {NULL};
    int err = barrier ? 0 : aiort_last_error(), made = 0;
    char repr[128];

    while (!err && made < 9) {
        aiort_coroutine_t *coroutine = AIORT_CORO(through_barrier, barrier);
        tasks[made] = coroutine ? aiort_create_task(coroutine) : NULL;
        err = tasks[made] ? 0 : aiort_last_error();
        made += !err;
    }
    for (int i = 0; i < made; i++) {
        if (made % 3 && i == made - made % 3) /* these would wait for ever */
            for (int k = i; k < made; k++)
                aiort_task_cancel(tasks[k], NULL);
        int one = aiort_wait_for(tasks[i], 2, NULL);
        assert_true(one == 0 || one == UV_ENOMEM || one == UV_ECANCELED || one == UV_ETIMEDOUT ||
                    one == AIORT_EBROKEN);
        if (one == UV_ENOMEM || one == UV_ETIMEDOUT) {
            /* A task that had no stack never came: the others of its round are let go. */
            err = UV_ENOMEM;
            (void)aiort_barrier_abort(barrier);
        }
    }
    for (int i = 0; i < made; i++) {
        (void)aiort_await(tasks[i], NULL);
        aiort_unref(tasks[i]);
    }
    if (barrier && !err) {
        aiort_repr(barrier, repr, sizeof repr);
        assert_contains(repr, "[filling, waiters:0/3]");
    }
    aiort_unref(barrier);
    return err;
}

static int work(void *arg, void **result)
{
    (void)result;
    return arg ? aiort_raise(UV_ENOENT, "missing") : 0;
}

static int with_threads(void)
{
    int err = aiort_to_thread(work, NULL, NULL);
    int other = aiort_to_thread(work, PTR(1), NULL);

    assert_true(other == UV_ENOENT || other == UV_ENOMEM);
    return err ? err : other == UV_ENOMEM ? other : 0;
}

typedef struct {
    int (*run)(void);
    int expected;
} scenario_t;

static int run_scenario(void *arg, void **result)
{
    (void)result;
    return ((const scenario_t *)arg)->run();
}

/* The last thread of a pool gives the pool back while it ends, and nobody waits for it. */
static long left_in_the_end(void)
{
    for (int i = 0; i < 5000 && allocator_live() != 0; i++)
        usleep(1000);
    return allocator_live();
}

/* Each allocation is refused once; then, with for_good, all from one on are. */
static void refuse_each(int (*run)(void), int expected)
{
    scenario_t scenario = {run, expected};
    long refusals = 0;

    allocator_install();
    for (long n = 1;; n++) {
        allocator_refuse(n);
        aiort_coroutine_t *coroutine = AIORT_CORO(run_scenario, &scenario);
        int err = coroutine ? aiort_run(coroutine, NULL) : aiort_last_error();
        long refused = allocator_refused();
        allocator_refuse(0);
        if (err != expected)
            assert_code(err, refused ? UV_ENOMEM : expected);
        forget_error();
        assert_int_equal(left_in_the_end(), 0);
        if (refused == 0)
            break;
        refusals++;
    }
    assert_true(refusals > 3);
}

TEST_WITHIN(60, task_group)
{
    refuse_each(in_group, AIORT_EGROUP);
}

TEST_WITHIN(60, timeout)
{
    refuse_each(in_timeout, UV_ETIMEDOUT);
}

TEST_WITHIN(60, wait_for)
{
    refuse_each(waits_for, UV_ETIMEDOUT);
}

TEST_WITHIN(60, wait_for_not_at_all)
{
    refuse_each(waits_not_at_all, UV_ETIMEDOUT);
}

TEST_WITHIN(60, locks)
{
    refuse_each(with_locks, 0);
}

TEST_WITHIN(60, barrier)
{
    refuse_each(with_barrier, 0);
}

TEST_WITHIN(60, threads)
{
    refuse_each(with_threads, 0);
}
