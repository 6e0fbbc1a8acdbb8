/* SPDX-License-Identifier: MIT */
/*
 * The cancellation races that asyncio fixed over the years, each by the number of its issue, with
 * tasks that the loop starts and with tasks that start at once.
 */
#include "helpers.h"

#define BODY(name)                                                                                 \
    static int body_##name(__attribute__((unused)) void *arg_,                                     \
                           __attribute__((unused)) void **result_)

static void run_both_ways(aiort_coroutine_fn function)
{
    for (int eager = 0; eager <= 1; eager++) {
        aiort_loop_t *loop = new_loop();
        assert_ok(aiort_loop_set_eager_tasks(loop, eager));
        assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(function, NULL), NULL));
        drop_loop(loop);
    }
}

#define RACE(name)                                                                                 \
    BODY(name);                                                                                    \
    TEST(name)                                                                                     \
    {                                                                                              \
        run_both_ways(body_##name);                                                                \
    }                                                                                              \
    BODY(name)

enum { MY_ERROR = UV_EPROTO };

static int fails(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_raise(MY_ERROR, "failed");
}

static int fails_soon(void *arg, void **result)
{
    int err = aiort_sleep(0);
    return err ? err : fails(arg, result);
}

static aiort_task_group_t *entered(void)
{
    aiort_task_group_t *group = aiort_task_group_new();

    assert_ok(aiort_task_group_enter(group));
    return group;
}

static void assert_one_error(void)
{
    const aiort_error_t *group = aiort_current_error();

    assert_int_equal(aiort_error_count(group), 1);
    assert_int_equal(aiort_error_code(aiort_error_at(group, 0)), MY_ERROR);
}

/* No request is left, and none comes out later. */
static void assert_clean(void)
{
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    assert_ok(aiort_sleep(0));
    assert_ok(aiort_sleep(0));
}

/* ---- wait_for() swallowed a cancellation that came together with the result ---- */

static int reached_end;

static int waits_then_sleeps(void *future, void **result)
{
    (void)result;
    int err = aiort_wait_for((aiort_future_t *)future, 100, NULL);
    err = err ? err : aiort_sleep(1);
    reached_end += !err;
    return err;
}

RACE(cpython_86296)
{
    aiort_future_t *future = new_future(NULL);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(waits_then_sleeps, future));

    reached_end = 0;
    assert_ok(aiort_sleep(0));
    assert_ok(aiort_future_set_result(future, NULL)); /* it will run next */
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    assert_int_equal(reached_end, 0);
    assert_true(aiort_future_cancelled(AIORT_FUTURE(task)));
    aiort_unref(task);

    /* The other order: the cancellation first. */
    aiort_unref(future);
    future = new_future(NULL);
    task = aiort_create_task(AIORT_CORO(waits_then_sleeps, future));
    assert_ok(aiort_sleep(0));
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_code(aiort_future_set_result(future, NULL), AIORT_EINVALIDSTATE);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    assert_int_equal(reached_end, 0);
    aiort_unref(task);
    aiort_unref(future);
    return 0;
}

/* ---- A group's own cancellation of its parent stayed behind when the body failed too ---- */

RACE(cpython_95289)
{
    aiort_task_group_t *group = entered();

    assert_ok(aiort_task_group_create_task(group, AIORT_CORO(fails_soon, NULL), NULL));
    assert_code(aiort_sleep(1), UV_ECANCELED);
    int err = aiort_raise(UV_EIO, "the body's own");
    assert_code(aiort_task_group_exit(group, err), AIORT_EGROUP);
    const aiort_error_t *errors = aiort_current_error();
    assert_int_equal(aiort_error_count(errors), 2);
    assert_int_equal(aiort_error_code(aiort_error_at(errors, 0)), MY_ERROR);
    assert_int_equal(aiort_error_code(aiort_error_at(errors, 1)), UV_EIO);
    assert_clean();
    aiort_unref(group);
    return 0;
}

/* ---- Somebody else's cancellation was lost when a group failed at the same time ---- */

static int group_that_fails(void *about, void **result)
{
    aiort_task_group_t *group = entered();

    (void)result;
    assert_ok(aiort_task_group_create_task(group, AIORT_CORO(fails_soon, NULL), NULL));
    assert_ok(aiort_future_set_result((aiort_future_t *)about, NULL));
    assert_code(aiort_task_group_exit(group, aiort_sleep(1)), AIORT_EGROUP);
    aiort_unref(group);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 1);
    return aiort_sleep(1);
}

RACE(cpython_116720)
{
    aiort_future_t *about = new_future(NULL);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(group_that_fails, about));

    assert_ok(aiort_await(about, NULL));
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    assert_int_equal(aiort_task_cancelling(task), 1);
    aiort_unref(task);
    aiort_unref(about);

    /* Two groups, one in the other, that fail in the same turn: the inner one's end does not take
     * the outer one's request away. */
    aiort_task_group_t *outer = entered(), *inner = entered();
    assert_ok(aiort_task_group_create_task(inner, AIORT_CORO(fails_soon, NULL), NULL));
    assert_ok(aiort_task_group_create_task(outer, AIORT_CORO(fails_soon, NULL), NULL));
    assert_code(aiort_task_group_exit(inner, 0), AIORT_EGROUP);
    assert_one_error();
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 1);
    assert_code(aiort_task_group_exit(outer, aiort_sleep(1)), AIORT_EGROUP);
    assert_one_error();
    assert_clean();
    aiort_unref(inner);
    aiort_unref(outer);
    return 0;
}

/* ---- A task that failed while another was being made missed cancelling that one ---- */

static int ran;

static int makes_one_that_fails(void *group, void **result)
{
    (void)result;
    int err =
        aiort_task_group_create_task((aiort_task_group_t *)group, AIORT_CORO(fails, NULL), NULL);
    err = err ? err : aiort_sleep(0); /* those that start at once are cancelled here */
    err = err ? err : aiort_sleep(0); /* the others here */
    ran += err == UV_ECANCELED;
    return err;
}

RACE(cpython_128550)
{
    aiort_task_group_t *group = entered();

    ran = 0;
    assert_ok(aiort_task_group_create_task(group, AIORT_CORO(makes_one_that_fails, group), NULL));
    assert_code(aiort_task_group_exit(group, 0), AIORT_EGROUP);
    assert_one_error();
    assert_int_equal(ran, 1);
    assert_clean();
    aiort_unref(group);
    return 0;
}

/* ---- The cancellation came out behind the group when a task failed in its first step ---- */

RACE(cpython_128588)
{
    aiort_task_group_t *group = entered();

    assert_ok(aiort_task_group_create_task(group, AIORT_CORO(fails, NULL), NULL));
    assert_code(aiort_task_group_exit(group, 0), AIORT_EGROUP);
    assert_one_error();
    assert_clean();
    aiort_unref(group);
    return 0;
}
