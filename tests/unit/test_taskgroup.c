/* SPDX-License-Identifier: MIT */
/*
 * Task groups: who is cancelled, what comes out at the end, and misuse. Mirrors CPython's
 * test_taskgroups.py; sleeps are shorter here.
 */
#include "helpers.h"

enum { ZERO_DIVISION = UV_ERANGE, MY_EXC = UV_EPROTO, VALUE = UV_EINVAL, RUNTIME = UV_EIO };

static int counter;

static aiort_task_group_t *entered(void)
{
    aiort_task_group_t *group = aiort_task_group_new();

    assert_non_null(group);
    assert_ok(aiort_task_group_enter(group));
    return group;
}

static aiort_task_t *add(aiort_task_group_t *group, aiort_coroutine_t *coroutine)
{
    aiort_task_t *task;

    assert_ok(aiort_task_group_create_task(group, coroutine, &task));
    return task;
}

static void add_only(aiort_task_group_t *group, aiort_coroutine_t *coroutine)
{
    assert_ok(aiort_task_group_create_task(group, coroutine, NULL));
}

static void assert_result(aiort_task_t *task, int expected)
{
    void *result = NULL;

    assert_ok(aiort_future_result(AIORT_FUTURE(task), &result));
    assert_int_equal(INT(result), expected);
    aiort_unref(task);
}

static void assert_task_cancelled(aiort_task_t *task)
{
    assert_int_equal(aiort_future_cancelled(AIORT_FUTURE(task)), 1);
    aiort_unref(task);
}

/* The current error is a group of n errors with these codes, in any order; 0: no second code. */
static void assert_group(size_t n, int code, int other)
{
    aiort_error_t *error = aiort_current_error();
    int seen = 0, seen_other = 0;
    char text[80];

    assert_non_null(error);
    assert_code(aiort_error_code(error), AIORT_EGROUP);
    snprintf(text, sizeof text, "unhandled errors in a TaskGroup (%zu sub-exception%s)", n,
             n == 1 ? "" : "s");
    assert_string_equal(aiort_error_message(error), text);
    assert_int_equal(aiort_error_count(error), n);
    for (size_t i = 0; i < n; i++) {
        int got = aiort_error_code(aiort_error_at(error, i));
        assert_true(got == code || got == other);
        seen += got == code;
        seen_other += got == other;
    }
    assert_true(seen > 0 && (other == 0 || seen_other > 0));
    assert_null(aiort_error_at(error, n));
}

/* Sleeps 0.01 s and fails. */
static int crash(void *arg, void **result)
{
    (void)result;
    int err = aiort_sleep(0.01);
    return err ? err : aiort_raise(INT(arg), "crashed");
}

/* Fails in the next iteration. */
static int crash_soon(void *arg, void **result)
{
    (void)result;
    int err = aiort_sleep(0);
    return err ? err : aiort_raise(INT(arg), "crashed");
}

/* Sleeps for long, counts when it is cancelled. */
static int count_cancel(void *arg, void **result)
{
    int err = aiort_sleep(10);

    (void)result;
    counter += err == UV_ECANCELED ? INT(arg) : 1000;
    return err;
}

/* Runs function(group) in a group and ends it. */
static int in_group(int (*function)(aiort_task_group_t *))
{
    aiort_task_group_t *group = entered();
    int err = aiort_task_group_exit(group, function(group));

    aiort_unref(group);
    return err;
}

static int run_in_group(void *arg, void **result)
{
    (void)result;
    return in_group((int (*)(aiort_task_group_t *))(uintptr_t)arg);
}

/* A task that runs function in a group, cancelled after seconds; returns how it ended. */
static int cancel_after(int (*function)(aiort_task_group_t *), double seconds, const char *message)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(run_in_group, (uintptr_t)function));

    assert_ok(aiort_sleep(seconds));
    assert_int_equal(aiort_future_done(AIORT_FUTURE(task)), 0);
    assert_int_equal(aiort_task_cancel(task, message), 1);
    int err = aiort_await(task, NULL);
    aiort_unref(task);
    return err;
}

/* ---- results ---- */

TASK_TEST(taskgroup_01)
{
    aiort_task_group_t *group = entered();
    aiort_task_t *first = add(group, AIORT_CORO(sleep_ms, PTR(42)));
    aiort_task_t *second = add(group, AIORT_CORO(sleep_ms, PTR(11)));

    assert_ok(aiort_task_group_exit(group, 0));
    assert_result(first, 42);
    assert_result(second, 11);
    aiort_unref(group);
}

TASK_TEST(taskgroup_02)
{
    aiort_task_group_t *group = entered();
    aiort_task_t *first = add(group, AIORT_CORO(sleep_ms, PTR(30)));

    assert_ok(aiort_sleep(0.01));
    aiort_task_t *second = add(group, AIORT_CORO(sleep_ms, PTR(11)));
    assert_ok(aiort_task_group_exit(group, 0));
    assert_result(first, 30);
    assert_result(second, 11);
    aiort_unref(group);
}

/* One that is cancelled by itself disturbs nobody. */
TASK_TEST(taskgroup_03)
{
    aiort_task_group_t *group = entered();
    aiort_task_t *first = add(group, AIORT_CORO(sleep_ms, PTR(10000)));

    assert_ok(aiort_sleep(0.01));
    aiort_task_cancel(first, NULL);
    aiort_task_t *second = add(group, AIORT_CORO(sleep_ms, PTR(11)));
    assert_ok(aiort_task_group_exit(group, 0));
    assert_task_cancelled(first);
    assert_result(second, 11);
    aiort_unref(group);
}

/* ---- failures ---- */

static int one_crashes(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(crash, PTR(ZERO_DIVISION)));
    aiort_task_t *other = add(group, AIORT_CORO(count_cancel, PTR(1)));
    aiort_unref(other);
    return 0;
}

TASK_TEST(taskgroup_04)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(run_in_group, (uintptr_t)one_crashes));

    assert_code(aiort_await(task, NULL), AIORT_EGROUP);
    assert_group(1, ZERO_DIVISION, 0);
    assert_int_equal(counter, 1);
    assert_string_equal(repr(aiort_current_error()),
                        "EGROUP('unhandled errors in a TaskGroup', [ERANGE('crashed')])");
    aiort_unref(task);
}

static int body_cancelled(aiort_task_group_t *group)
{
    for (int i = 0; i < 3; i++)
        add_only(group, AIORT_CORO(crash_soon, PTR(ZERO_DIVISION)));
    add_only(group, AIORT_CORO(count_cancel, PTR(1)));
    int err = aiort_sleep(10);
    counter += err == UV_ECANCELED ? 10 : 1000;
    return err;
}

/* All three were ready when the first one failed: their failures all count. */
TASK_TEST(cancel_children_on_child_error)
{
    assert_code(in_group(body_cancelled), AIORT_EGROUP);
    assert_group(3, ZERO_DIVISION, 0);
    assert_int_equal(counter, 11);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    assert_ok(aiort_sleep(0));
}

static int five_wait(aiort_task_group_t *group)
{
    for (int i = 0; i < 5; i++)
        add_only(group, AIORT_CORO(count_cancel, PTR(1)));
    return 0;
}

TASK_TEST(cancellation)
{
    assert_code(cancel_after(five_wait, 0.01, "test"), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "test");
    assert_int_equal(counter, 5);
}

static int five_wait_and_body(aiort_task_group_t *group)
{
    five_wait(group);
    int err = aiort_sleep(10);
    counter += err == UV_ECANCELED ? 10 : 1000;
    return err;
}

TASK_TEST(taskgroup_07)
{
    assert_code(cancel_after(five_wait_and_body, 0.01, NULL), UV_ECANCELED);
    assert_int_equal(counter, 15);
}

/* So late that the cancellation is first, however busy the machine. */
static int crash_late(void *arg, void **result)
{
    (void)result;
    int err = aiort_sleep(10);
    return err ? err : aiort_raise(INT(arg), "crashed");
}

static int five_crash_and_body(aiort_task_group_t *group)
{
    for (int i = 0; i < 5; i++)
        add_only(group, AIORT_CORO(crash_late, PTR(ZERO_DIVISION)));
    return aiort_sleep(10);
}

TASK_TEST(cancellation_in_body)
{
    assert_code(cancel_after(five_crash_and_body, 0.001, "test"), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "test");
}

/* Cancelled and failing on the way: the failures win. */
static int fails_in_cleanup(void *arg, void **result)
{
    (void)result;
    assert_code(aiort_sleep(10), UV_ECANCELED);
    return aiort_raise(INT(arg), "in cleanup");
}

static int cleanup_fails(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(fails_in_cleanup, PTR(MY_EXC)));
    return aiort_sleep(10);
}

TASK_TEST(taskgroup_08)
{
    assert_code(cancel_after(cleanup_fails, 0.01, NULL), AIORT_EGROUP);
    assert_group(1, MY_EXC, 0);
}

static void body_fails(double seconds)
{
    aiort_task_group_t *group = entered();
    aiort_task_t *first = add(group, AIORT_CORO(sleep_ms, PTR(1000)));
    aiort_task_t *second = add(group, AIORT_CORO(sleep_ms, PTR(2000)));

    if (seconds > 0)
        assert_ok(aiort_sleep(seconds));
    int err = aiort_raise(ZERO_DIVISION, "in the body");
    assert_code(aiort_task_group_exit(group, err), AIORT_EGROUP);
    assert_group(1, ZERO_DIVISION, 0);
    assert_string_equal(aiort_error_message(aiort_error_at(aiort_current_error(), 0)),
                        "in the body");
    assert_task_cancelled(first);
    assert_task_cancelled(second);
    aiort_unref(group);
}

TASK_TEST(taskgroup_09)
{
    body_fails(0.01);
}

TASK_TEST(taskgroup_10)
{
    body_fails(0);
}

/* ---- groups in groups ---- */

static int nested_crash(aiort_task_group_t *group)
{
    (void)group;
    return in_group(five_crash_and_body);
}

TASK_TEST(taskgroup_11)
{
    assert_code(cancel_after(nested_crash, 0.001, NULL), UV_ECANCELED);
}

static int nested_crash_beside(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(sleep_ms, PTR(10000)));
    return in_group(five_crash_and_body);
}

TASK_TEST(taskgroup_12)
{
    assert_code(cancel_after(nested_crash_beside, 0.001, NULL), UV_ECANCELED);
}

static int waits_only(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(sleep_ms, PTR(10000)));
    return 0;
}

static int outer_crashes(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(crash, PTR(VALUE)));
    return in_group(waits_only);
}

TASK_TEST(taskgroup_13)
{
    assert_code(in_group(outer_crashes), AIORT_EGROUP);
    assert_group(1, VALUE, 0);
}

static int crash_only(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(crash, PTR(VALUE)));
    return 0;
}

static int inner_crashes(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(sleep_ms, PTR(10000)));
    return in_group(crash_only);
}

TASK_TEST(taskgroup_14)
{
    assert_code(in_group(inner_crashes), AIORT_EGROUP);
    assert_group(1, AIORT_EGROUP, 0);
    aiort_error_t *inner = aiort_error_at(aiort_current_error(), 0);
    assert_int_equal(aiort_error_count(inner), 1);
    assert_code(aiort_error_code(aiort_error_at(inner, 0)), VALUE);
}

/* ---- cancelled with a long goodbye ---- */

static int long_goodbye(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(crash, PTR(ZERO_DIVISION)));
    int err = aiort_sleep(10);
    aiort_error_t *error = aiort_ref(aiort_current_error());
    assert_code(aiort_sleep(10), UV_ECANCELED); /* by the child that crashes */
    aiort_unref(error);
    return err;
}

TASK_TEST(taskgroup_15)
{
    assert_code(cancel_after(long_goodbye, 0.001, NULL), AIORT_EGROUP);
    assert_group(1, ZERO_DIVISION, 0);
}

static int awaits_another(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(run_in_group, arg));
    int err = aiort_await(task, result);

    aiort_unref(task);
    return err;
}

TASK_TEST(taskgroup_16)
{
    aiort_task_t *task =
        aiort_create_task(AIORT_CORO(awaits_another, (uintptr_t)long_goodbye));

    assert_ok(aiort_sleep(0.001));
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), AIORT_EGROUP);
    assert_group(1, ZERO_DIVISION, 0);
    aiort_unref(task);
}

static int empty_and_body(aiort_task_group_t *group)
{
    int err = aiort_sleep(10);

    (void)group;
    counter += err == UV_ECANCELED ? 10 : 1000;
    return err;
}

TASK_TEST(taskgroup_17)
{
    assert_code(cancel_after(empty_and_body, 0.001, NULL), UV_ECANCELED);
    assert_int_equal(counter, 10);
}

static int other_error(aiort_task_group_t *group)
{
    int err = empty_and_body(group);
    return err ? aiort_raise(MY_EXC, "instead") : 0;
}

TASK_TEST(taskgroup_18)
{
    assert_code(cancel_after(other_error, 0.001, NULL), AIORT_EGROUP);
    assert_group(1, MY_EXC, 0);
    assert_int_equal(counter, 10);
}

static int both_fail(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(crash, PTR(ZERO_DIVISION)));
    assert_code(aiort_sleep(10), UV_ECANCELED);
    return aiort_raise(MY_EXC, "in the body");
}

TASK_TEST(taskgroup_19)
{
    assert_code(in_group(both_fail), AIORT_EGROUP);
    assert_group(2, ZERO_DIVISION, MY_EXC);
    assert_string_equal(repr(aiort_current_error()),
                        "EGROUP('unhandled errors in a TaskGroup', [ERANGE('crashed'), "
                        "EPROTO('in the body')])");
}

static int two_wait(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(count_cancel, PTR(1)));
    add_only(group, AIORT_CORO(count_cancel, PTR(1)));
    return 0;
}

TASK_TEST(taskgroup_22)
{
    assert_code(cancel_after(two_wait, 0.005, NULL), UV_ECANCELED);
    assert_int_equal(counter, 2);
}

/* cpython#95289: what cleans up in the body replaces the cancellation by a failure of its own. */
TASK_TEST(taskgroup_context_manager_exit_raises)
{
    aiort_task_group_t *group = entered();

    add_only(group, AIORT_CORO(crash_soon, PTR(MY_EXC)));
    assert_code(aiort_sleep(1), UV_ECANCELED);
    int err = aiort_raise(MY_EXC, "at the end of the inner block");
    assert_code(aiort_task_group_exit(group, err), AIORT_EGROUP);
    assert_group(2, MY_EXC, 0);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    assert_ok(aiort_sleep(0));
    aiort_unref(group);
}

/* ---- tasks that come and go ---- */

TASK_TEST(taskgroup_23)
{
    aiort_task_group_t *group = entered();

    for (int i = 0; i < 3; i++)
        add_only(group, AIORT_CORO(return_at_once, NULL));
    assert_string_equal(repr(group), "<TaskGroup tasks=3 entered>");
    assert_ok(aiort_sleep(0));
    assert_ok(aiort_sleep(0));
    assert_string_equal(repr(group), "<TaskGroup entered>");
    add_only(group, AIORT_CORO(return_at_once, NULL));
    assert_ok(aiort_task_group_exit(group, 0));
    aiort_unref(group);
}

static int grown;

static int root(void *arg, void **result)
{
    (void)result;
    int err = aiort_sleep(0.01);
    add_only(arg, AIORT_CORO(count_cancel, PTR(1)));
    aiort_task_t *task = add(arg, AIORT_CORO(sleep_ms, PTR(10)));
    aiort_task_cancel(task, NULL);
    aiort_unref(task);
    grown = 1;
    return err;
}

static int adds_while_leaving(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(root, group));
    return 0;
}

TASK_TEST(taskgroup_24)
{
    /* Cancelled while one that was added during the end still runs. */
    aiort_task_t *task = aiort_create_task(AIORT_CORO(run_in_group, (uintptr_t)adds_while_leaving));

    while (!grown)
        assert_ok(aiort_sleep(0.02));
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    aiort_unref(task);
    assert_int_equal(counter, 1);
}

static int hydra(void *arg, void **result)
{
    (void)result;
    counter++;
    int err = aiort_sleep(0.001);
    for (int i = 0; i < 2 && !err; i++)
        err = aiort_task_group_create_task(arg, AIORT_CORO(hydra, arg), NULL);
    return err == AIORT_EMISUSE ? 0 : err;
}

static int hercules(void *arg, void **result)
{
    (void)arg;
    (void)result;
    while (counter < 10)
        assert_ok(aiort_sleep(0.001));
    return aiort_raise(ZERO_DIVISION, "slain");
}

static int fight(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(hydra, group));
    add_only(group, AIORT_CORO(hercules, NULL));
    return 0;
}

TASK_TEST(taskgroup_25)
{
    assert_code(in_group(fight), AIORT_EGROUP);
    assert_group(1, ZERO_DIVISION, 0);
    assert_true(counter >= 10);
}

TASK_TEST(taskgroup_task_name)
{
    aiort_task_group_t *group = entered();
    aiort_task_options_t options = {.name = "yolo"};
    aiort_task_t *task;

    assert_ok(aiort_task_group_create_task_with(group, AIORT_CORO(return_at_once, NULL), &options,
                                                &task));
    assert_string_equal(aiort_task_get_name(task), "yolo");
    assert_ok(aiort_task_group_exit(group, 0));
    aiort_unref(task);
    aiort_unref(group);
}

/* ---- misuse ---- */

#define assert_misuse(call, text)                                                                  \
    do {                                                                                           \
        assert_code((call), AIORT_EMISUSE);                                                        \
        assert_string_equal(aiort_error_message(aiort_current_error()), text);                     \
    } while (0)

static int refuses(aiort_task_group_t *group)
{
    return aiort_task_group_create_task(group, AIORT_CORO(return_at_once, NULL), NULL);
}

static int after_failure(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(crash, PTR(ZERO_DIVISION)));
    add_only(group, AIORT_CORO(count_cancel, PTR(1)));
    int err = aiort_sleep(10);
    aiort_error_t *error = aiort_ref(aiort_current_error());
    assert_misuse(refuses(group), "TaskGroup <TaskGroup tasks=1 errors=1 cancelling> is shutting "
                                  "down");
    aiort_unref(error);
    return err;
}

TASK_TEST(taskgroup_no_create_task_after_failure)
{
    assert_code(in_group(after_failure), AIORT_EGROUP);
    assert_group(1, ZERO_DIVISION, 0);
}

TASK_TEST(taskgroup_already_entered)
{
    aiort_task_group_t *group = entered();

    assert_misuse(aiort_task_group_enter(group),
                  "TaskGroup <TaskGroup entered> has already been entered");
    assert_ok(aiort_task_group_exit(group, 0));
    aiort_unref(group);
}

TASK_TEST(taskgroup_double_enter)
{
    aiort_task_group_t *group = entered();

    assert_ok(aiort_task_group_exit(group, 0));
    assert_misuse(aiort_task_group_enter(group),
                  "TaskGroup <TaskGroup entered> has already been entered");
    assert_misuse(aiort_task_group_exit(group, 0), "TaskGroup <TaskGroup entered> is finished");
    aiort_unref(group);
}

static int no_reports(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    (void)loop;
    (void)report;
    (void)arg;
    fail();
    return 0;
}

TASK_TEST(taskgroup_finished)
{
    aiort_task_group_t *group = entered();

    aiort_loop_set_exception_handler(aiort_get_running_loop(), no_reports, NULL);
    assert_ok(aiort_task_group_exit(group, 0));
    assert_misuse(refuses(group), "TaskGroup <TaskGroup entered> is finished");
    aiort_unref(group);
}

TASK_TEST(taskgroup_not_entered)
{
    aiort_task_group_t *group = aiort_task_group_new();

    assert_misuse(refuses(group), "TaskGroup <TaskGroup> has not been entered");
    assert_misuse(aiort_task_group_exit(group, 0), "TaskGroup <TaskGroup> has not been entered");
    aiort_unref(group);
}

static int enter_outside(void *group)
{
    assert_misuse(aiort_task_group_enter(group),
                  "TaskGroup <TaskGroup> cannot determine the parent task");
    return aiort_loop_stop(aiort_get_running_loop());
}

TEST(taskgroup_without_parent_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_group_t *group = aiort_task_group_new();

    assert_code(aiort_task_group_enter(group), AIORT_ENOLOOP);
    assert_ok(aiort_call_soon(loop, enter_outside, group, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    assert_misuse(refuses(group), "TaskGroup <TaskGroup> has not been entered");
    aiort_unref(group);
    drop_loop(loop);
}

/* ---- the count of cancellations ---- */

static int crash_at_once(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(crash_soon, PTR(RUNTIME)));
    return 0;
}

TASK_TEST(cancelling_level_preserved)
{
    assert_code(in_group(crash_at_once), AIORT_EGROUP);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
}

static int both_groups(aiort_task_group_t *outer)
{
    aiort_task_group_t *inner = entered();

    add_only(inner, AIORT_CORO(crash_soon, PTR(RUNTIME)));
    add_only(outer, AIORT_CORO(crash_soon, PTR(VALUE)));
    assert_code(aiort_task_group_exit(inner, 0), AIORT_EGROUP);
    assert_group(1, RUNTIME, 0);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 1);
    aiort_unref(inner);
    return 0;
}

TASK_TEST(nested_groups_both_cancelled)
{
    assert_code(in_group(both_groups), AIORT_EGROUP);
    assert_group(1, VALUE, 0);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
}

static int error_and_cancel_inner(void *arg, void **result)
{
    aiort_task_group_t *group = entered();

    (void)result;
    add_only(group, AIORT_CORO(crash_soon, PTR(RUNTIME)));
    assert_ok(aiort_future_set_result((aiort_future_t *)arg, NULL));
    assert_code(aiort_task_group_exit(group, aiort_sleep(1)), AIORT_EGROUP);
    aiort_unref(group);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 1);
    return aiort_sleep(1); /* which is cancelled */
}

/* cpython#116720: a cancellation from outside that comes with a failure is not lost. */
TASK_TEST(error_and_cancel)
{
    aiort_future_t *event = aiort_future_new(NULL);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(error_and_cancel_inner, event));

    assert_ok(aiort_await(event, NULL));
    assert_ok(aiort_sleep(0)); /* the child is about to fail */
    assert_int_equal(aiort_task_cancelling(task), 0);
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    assert_int_equal(aiort_task_cancelling(task), 1);
    aiort_unref(task);
    aiort_unref(event);
}

/* cpython#128550, #128588: one that fails in its first step, while the block still makes tasks. */
TASK_TEST(cancels_task_if_created_during_creation)
{
    aiort_task_group_t *group = entered();
    aiort_task_t *task = add(group, AIORT_CORO(crash_soon, PTR(RUNTIME)));
    int err = 0, made = 0;

    while (!err && made < 100) {
        err = aiort_task_group_create_task(group, AIORT_CORO(count_cancel, PTR(1)), NULL);
        made += !err;
        if (!err)
            err = aiort_sleep(0);
    }
    assert_code(err, UV_ECANCELED);
    assert_code(aiort_task_group_exit(group, err), AIORT_EGROUP);
    assert_group(1, RUNTIME, 0);
    assert_true(counter >= made - 1); /* the last one had not begun */
    aiort_unref(task);
    aiort_unref(group);
}

TASK_TEST(cancellation_does_not_leak_out_of_tg)
{
    assert_code(in_group(crash_at_once), AIORT_EGROUP);
    assert_ok(aiort_sleep(0));
    assert_ok(aiort_sleep(0.001));
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
}

/* A deadline around a group: the group lets its cancellation through. */
TASK_TEST(timeout_taskgroup)
{
    aiort_timeout_t *timeout = aiort_timeout(0.01);

    assert_ok(aiort_timeout_enter(timeout));
    assert_code(aiort_timeout_exit(timeout, in_group(two_wait)), UV_ETIMEDOUT);
    assert_int_equal(counter, 2);
    aiort_unref(timeout);
    timeout = aiort_timeout(0.01);
    assert_ok(aiort_timeout_enter(timeout));
    assert_code(aiort_timeout_exit(timeout, in_group(cleanup_fails)), AIORT_EGROUP);
    assert_group(1, MY_EXC, 0);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    aiort_unref(timeout);
}

/* ---- a group that nobody ends ---- */

static int leaves_it(void *arg, void **result)
{
    aiort_task_group_t *group = entered();

    (void)result;
    aiort_task_options_t options = {.name = "late"};
    assert_ok(aiort_task_group_create_task_with(group, AIORT_CORO(crash, PTR(VALUE)), &options,
                                                NULL));
    *(aiort_task_group_t **)arg = group;
    return 0;
}

TEST(parent_completed)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;
    aiort_task_group_t *group;
    aiort_task_options_t options = {.name = "parent"};
    aiort_task_t *task =
        aiort_loop_create_task(loop, AIORT_CORO(leaves_it, &group), &options);

    record(loop, &reports);
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(30)), NULL));
    assert_int_equal(reports.calls, 1);
    assert_non_null(strstr(reports.message, "Task <Task finished name='late' coro=<crash() done"));
    assert_code(reports.code, VALUE);
    assert_string_equal(reports.keys, "exception message task");
    assert_string_equal(repr(group), "<TaskGroup errors=1 entered>");
    aiort_unref(task);
    aiort_unref(group);
    drop_loop(loop);
}

static int closed_inside(void *arg, void **result)
{
    aiort_task_group_t *group = entered();

    (void)result;
    add_only(group, AIORT_CORO(sleep_ms, PTR(10000)));
    int err = aiort_task_group_exit(group, 0);
    *(int *)arg = err;
    aiort_unref(group);
    return err;
}

/* A loop closed over a group that waits: nothing is left, and nothing waits. */
TEST(loop_closed_inside)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;
    int err = 0;
    aiort_task_t *task = start(loop, AIORT_CORO(closed_inside, &err));

    record(loop, &reports);
    run_once(loop);
    run_once(loop);
    aiort_unref(task);
    drop_loop(loop);
    assert_code(err, AIORT_ECLOSED);
    assert_int_equal(reports.calls, 2); /* both tasks were pending */
}

/* ---- how a group is printed ---- */

static int only_body_fails(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(count_cancel, PTR(1)));
    assert_code(aiort_sleep(10), UV_ECANCELED);
    return aiort_raise(MY_EXC, "in the body");
}

static int inner_group_fails(aiort_task_group_t *group)
{
    add_only(group, AIORT_CORO(crash_soon, PTR(VALUE)));
    return in_group(only_body_fails);
}

static int fails_with_group(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return in_group(inner_group_fails);
}

static void lose_group(void *arg)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(fails_with_group, NULL));

    (void)arg;
    while (!aiort_future_done(AIORT_FUTURE(task)))
        run_briefly(loop);
    aiort_unref(task);
    drop_loop(loop);
}

/* The text without the lines that name places, up to the first line that does not belong to it. */
TEST(group_is_printed)
{
    static const char *const lines[] = {
        "\nEGROUP: unhandled errors in a TaskGroup (2 sub-exceptions)\n",
        "\n  +-+---------------- 1 ----------------\n    | Traceback (most recent call last):\n",
        "\n    | EINVAL: crashed\n    +---------------- 2 ----------------\n",
        "\n    | EGROUP: unhandled errors in a TaskGroup (1 sub-exception)\n",
        "\n    |   +-+---------------- 1 ----------------\n",
        "\n    |     | EPROTO: in the body\n",
        ("\n    |     +------------------------------------\n"
         "    +------------------------------------\n"),
    };
    char *output = NULL;
    int status = harness_child(lose_group, NULL, 20, &output);

    assert_int_equal(status, 0);
    const char *at = output;
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        const char *found = strstr(at, lines[i]);
        if (found == NULL)
            print_error("no %s in:\n%s", lines[i], output);
        assert_non_null(found);
        at = found + strlen(lines[i]) - 1;
    }
    free(output);
}
