/* SPDX-License-Identifier: MIT */
/*
 * Timeout scopes: whose cancellation it is, and every state. Mirrors CPython's test_timeouts.py; each
 * case is the body of a task.
 */
#include "helpers.h"

#include <math.h>
#include <unistd.h>

static aiort_timeout_t *entered(aiort_timeout_t *timeout)
{
    assert_non_null(timeout);
    assert_ok(aiort_timeout_enter(timeout));
    return timeout;
}

static double now(void)
{
    return aiort_loop_time(aiort_get_running_loop());
}

#define assert_misuse(call, text)                                                                  \
    do {                                                                                           \
        assert_code((call), AIORT_EMISUSE);                                                        \
        assert_non_null(strstr(aiort_error_message(aiort_current_error()), text));                 \
    } while (0)

TASK_TEST(timeout_basic)
{
    aiort_timeout_t *cm = entered(aiort_timeout(0.01));

    assert_code(aiort_timeout_exit(cm, aiort_sleep(10)), UV_ETIMEDOUT);
    assert_int_equal(aiort_timeout_expired(cm), 1);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    assert_ok(aiort_sleep(0)); /* nothing is left of the cancellation */
    aiort_unref(cm);
}

TASK_TEST(timeout_at_basic)
{
    double deadline = now() + 0.01;
    aiort_timeout_t *cm = entered(aiort_timeout_at(deadline));

    assert_code(aiort_timeout_exit(cm, aiort_sleep(10)), UV_ETIMEDOUT);
    assert_int_equal(aiort_timeout_expired(cm), 1);
    assert_true(aiort_timeout_when(cm) == deadline);
    aiort_unref(cm);
}

/* Only the outermost gives UV_ETIMEDOUT. */
TASK_TEST(nested_timeouts)
{
    double deadline = now() + 0.01;
    aiort_timeout_t *cm1 = entered(aiort_timeout_at(deadline));
    aiort_timeout_t *cm2 = entered(aiort_timeout_at(deadline));
    int err = aiort_timeout_exit(cm2, aiort_sleep(10));

    assert_code(err, UV_ECANCELED);
    assert_code(aiort_timeout_exit(cm1, err), UV_ETIMEDOUT);
    assert_int_equal(aiort_timeout_expired(cm1), 1);
    assert_int_equal(aiort_timeout_expired(cm2), 1);
    aiort_unref(cm1);
    aiort_unref(cm2);
}

TASK_TEST(waiter_cancelled)
{
    aiort_timeout_t *cm = entered(aiort_timeout(0.01));
    int err = aiort_await(AIORT_CORO(sleep_ms, PTR(10000)), NULL);

    assert_code(err, UV_ECANCELED);
    assert_code(aiort_timeout_exit(cm, err), UV_ETIMEDOUT);
    aiort_unref(cm);
}

TASK_TEST(timeout_not_called)
{
    aiort_timeout_t *cm = entered(aiort_timeout(10));

    assert_ok(aiort_timeout_exit(cm, aiort_sleep(0.01)));
    assert_int_equal(aiort_timeout_expired(cm), 0);
    assert_true(aiort_timeout_when(cm) > now());
    aiort_unref(cm);
}

TASK_TEST(timeout_disabled)
{
    aiort_timeout_t *cm = entered(aiort_timeout(AIORT_NO_TIMEOUT));

    assert_ok(aiort_timeout_exit(cm, aiort_sleep(0.01)));
    assert_int_equal(aiort_timeout_expired(cm), 0);
    assert_true(isinf(aiort_timeout_when(cm)));
    aiort_unref(cm);
}

TASK_TEST(timeout_at_disabled)
{
    aiort_timeout_t *cm = entered(aiort_timeout_at(AIORT_NO_TIMEOUT));

    assert_ok(aiort_timeout_exit(cm, aiort_sleep(0.01)));
    assert_int_equal(aiort_timeout_expired(cm), 0);
    assert_true(isinf(aiort_timeout_when(cm)));
    aiort_unref(cm);
}

static void over_at_once(double seconds, double sleep)
{
    double before = now();
    aiort_timeout_t *cm = entered(aiort_timeout(seconds));

    assert_code(aiort_timeout_exit(cm, aiort_sleep(sleep)), UV_ETIMEDOUT);
    assert_int_equal(aiort_timeout_expired(cm), 1);
    assert_true(seconds < 0 ? aiort_timeout_when(cm) <= before : aiort_timeout_when(cm) >= before);
    assert_true(aiort_timeout_when(cm) <= now());
    assert_time_near(now() - before, 0.0);
    aiort_unref(cm);
}

TASK_TEST(timeout_zero)
{
    over_at_once(0, 10);
}

TASK_TEST(timeout_zero_sleep_zero)
{
    over_at_once(0, 0);
}

TASK_TEST(timeout_in_the_past_sleep_zero)
{
    over_at_once(-11, 0);
}

TASK_TEST(foreign_exception_passed)
{
    aiort_timeout_t *cm = entered(aiort_timeout(0.01));

    assert_code(aiort_timeout_exit(cm, aiort_raise(UV_ENOENT, "key")), UV_ENOENT);
    assert_string_equal(aiort_error_message(aiort_current_error()), "key");
    assert_int_equal(aiort_timeout_expired(cm), 0);
    aiort_unref(cm);
}

static int crash(void *arg, void **result)
{
    (void)arg;
    (void)result;
    assert_code(aiort_sleep(1), UV_ECANCELED);
    return aiort_raise(UV_ERANGE, "division by zero");
}

TASK_TEST(foreign_exception_on_timeout)
{
    aiort_timeout_t *cm = entered(aiort_timeout(0.01));

    assert_code(aiort_timeout_exit(cm, aiort_await(AIORT_CORO(crash, NULL), NULL)), UV_ERANGE);
    assert_string_equal(aiort_error_message(aiort_current_error()), "division by zero");
    assert_int_equal(aiort_timeout_expired(cm), 1);
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    aiort_unref(cm);
}

TASK_TEST(foreign_cancel_doesnt_timeout_if_not_expired)
{
    aiort_timeout_t *cm = entered(aiort_timeout(10));

    aiort_task_cancel(aiort_current_task(), NULL);
    assert_code(aiort_timeout_exit(cm, aiort_sleep(10)), UV_ECANCELED);
    assert_int_equal(aiort_timeout_expired(cm), 0);
    aiort_unref(cm);
}

static int outer(void *arg, void **result)
{
    aiort_timeout_t *cm = entered(aiort_timeout(0.001));

    (void)arg;
    (void)result;
    assert_code(aiort_timeout_exit(cm, aiort_sleep(10)), UV_ETIMEDOUT);
    aiort_unref(cm);
    return 0;
}

TASK_TEST(outer_task_is_not_cancelled)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(outer, NULL));

    assert_ok(aiort_await(task, NULL));
    assert_int_equal(aiort_future_cancelled(AIORT_FUTURE(task)), 0);
    aiort_unref(task);
}

/* The inner one is due later, but both are due when the loop looks. */
TASK_TEST(nested_timeouts_concurrent)
{
    aiort_timeout_t *cm1 = entered(aiort_timeout(0.002));
    aiort_timeout_t *cm2 = entered(aiort_timeout(0.005));

    usleep(10000);
    int err = aiort_timeout_exit(cm2, aiort_sleep(1));
    /* Both asked: the inner one cannot tell that the outer one has not. */
    assert_code(err, UV_ECANCELED);
    assert_code(aiort_timeout_exit(cm1, err), UV_ETIMEDOUT);
    aiort_unref(cm1);
    aiort_unref(cm2);
}

/* The outer one interrupts what follows the inner one. */
TASK_TEST(nested_timeouts_loop_busy)
{
    double before = now();
    aiort_timeout_t *cm1 = entered(aiort_timeout(0.1 * harness_slow()));
    aiort_timeout_t *cm2 = entered(aiort_timeout(0.01));

    usleep(20000);
    assert_code(aiort_timeout_exit(cm2, aiort_sleep(1)), UV_ETIMEDOUT);
    assert_code(aiort_timeout_exit(cm1, aiort_sleep(10)), UV_ETIMEDOUT);
    assert_true(now() - before < 5);
    aiort_unref(cm1);
    aiort_unref(cm2);
}

typedef struct {
    aiort_future_t *future;
    double deadline;
} reschedule_t;

static int rescheduled(void *arg, void **result)
{
    reschedule_t *test = arg;
    aiort_timeout_t *cm = entered(aiort_timeout_at(test->deadline));

    (void)result;
    assert_ok(aiort_future_set_result(test->future, cm));
    int err = aiort_timeout_exit(cm, aiort_sleep(50));
    assert_int_equal(aiort_timeout_expired(cm), 0);
    aiort_unref(cm);
    return err;
}

TASK_TEST(reschedule)
{
    reschedule_t test = {aiort_future_new(NULL), now() + 10};
    aiort_task_t *task = aiort_create_task(AIORT_CORO(rescheduled, &test));
    void *cm;

    assert_ok(aiort_await(test.future, &cm));
    assert_true(aiort_timeout_when(cm) == test.deadline);
    assert_ok(aiort_timeout_reschedule(cm, test.deadline + 20));
    assert_true(aiort_timeout_when(cm) == test.deadline + 20);
    assert_ok(aiort_timeout_reschedule(cm, AIORT_NO_TIMEOUT));
    assert_true(isinf(aiort_timeout_when(cm)));
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    aiort_unref(task);
    aiort_unref(test.future);
}

/* Earlier, and into the past. */
TASK_TEST(reschedule_shortens)
{
    aiort_timeout_t *cm = entered(aiort_timeout(10));

    assert_ok(aiort_timeout_reschedule(cm, now() + 0.01));
    assert_code(aiort_timeout_exit(cm, aiort_sleep(10)), UV_ETIMEDOUT);
    aiort_unref(cm);
    cm = entered(aiort_timeout(10));
    assert_ok(aiort_timeout_reschedule(cm, -1));
    assert_code(aiort_timeout_exit(cm, aiort_sleep(0)), UV_ETIMEDOUT);
    aiort_unref(cm);
    cm = entered(aiort_timeout(0));
    assert_ok(aiort_timeout_reschedule(cm, now() + 10));
    assert_ok(aiort_timeout_exit(cm, aiort_sleep(0)));
    assert_ok(aiort_sleep(0));
    assert_code(aiort_timeout_reschedule(cm, NAN), AIORT_EMISUSE);
    aiort_unref(cm);
}

TASK_TEST(repr_active)
{
    aiort_timeout_t *cm = entered(aiort_timeout(10));
    double when;
    int end = 0;

    assert_int_equal(sscanf(repr(cm), "<Timeout [active] when=%lf>%n", &when, &end), 1);
    assert_int_equal((size_t)end, strlen(repr(cm)));
    assert_true(fabs(when - aiort_timeout_when(cm)) < 0.001);
    assert_ok(aiort_timeout_reschedule(cm, 1e9));
    assert_string_equal(repr(cm), "<Timeout [active] when=1000000000.0>");
    assert_ok(aiort_timeout_reschedule(cm, 1e9 + 0.25));
    assert_string_equal(repr(cm), "<Timeout [active] when=1000000000.25>");
    assert_ok(aiort_timeout_exit(cm, 0));
    aiort_unref(cm);
}

TASK_TEST(repr_expired)
{
    aiort_timeout_t *cm = aiort_timeout(0.01);

    assert_string_equal(repr(cm), "<Timeout [created]>");
    assert_ok(aiort_timeout_enter(cm));
    int err = aiort_sleep(10);
    assert_string_equal(repr(cm), "<Timeout [expiring]>");
    assert_code(aiort_timeout_exit(cm, err), UV_ETIMEDOUT);
    assert_string_equal(repr(cm), "<Timeout [expired]>");
    aiort_unref(cm);
}

TASK_TEST(repr_finished)
{
    aiort_timeout_t *cm = entered(aiort_timeout(10));

    assert_ok(aiort_timeout_exit(cm, aiort_sleep(0)));
    assert_string_equal(repr(cm), "<Timeout [finished]>");
    aiort_unref(cm);
}

TASK_TEST(repr_disabled)
{
    aiort_timeout_t *cm = entered(aiort_timeout(AIORT_NO_TIMEOUT));

    assert_string_equal(repr(cm), "<Timeout [active] when=None>");
    assert_ok(aiort_timeout_exit(cm, 0));
    aiort_unref(cm);
}

TASK_TEST(nested_timeout_in_finally)
{
    aiort_timeout_t *cm1 = entered(aiort_timeout(0.01));
    int err = aiort_sleep(1);
    aiort_timeout_t *cm2 = entered(aiort_timeout(0.01));

    assert_code(aiort_timeout_exit(cm2, aiort_sleep(10)), UV_ETIMEDOUT);
    assert_code(aiort_timeout_exit(cm1, err), UV_ETIMEDOUT);
    aiort_unref(cm1);
    aiort_unref(cm2);
}

TASK_TEST(timeout_after_cancellation)
{
    aiort_task_cancel(aiort_current_task(), NULL);
    assert_code(aiort_sleep(1), UV_ECANCELED);
    aiort_timeout_t *cm = entered(aiort_timeout(0));
    assert_code(aiort_timeout_exit(cm, aiort_sleep(1)), UV_ETIMEDOUT);
    aiort_unref(cm);
}

TASK_TEST(cancel_in_timeout_after_cancellation)
{
    aiort_task_cancel(aiort_current_task(), NULL);
    assert_code(aiort_sleep(1), UV_ECANCELED);
    aiort_timeout_t *cm = entered(aiort_timeout(1));
    aiort_task_cancel(aiort_current_task(), NULL);
    assert_code(aiort_timeout_exit(cm, aiort_sleep(2)), UV_ECANCELED);
    aiort_unref(cm);
}

TASK_TEST(timeout_exception_cause)
{
    aiort_timeout_t *cm = entered(aiort_timeout(0));

    assert_code(aiort_timeout_exit(cm, aiort_sleep(1)), UV_ETIMEDOUT);
    aiort_error_t *error = aiort_current_error();
    assert_code(aiort_error_code(error), UV_ETIMEDOUT);
    assert_non_null(aiort_error_cause(error));
    assert_code(aiort_error_code(aiort_error_cause(error)), UV_ECANCELED);
    assert_string_equal(aiort_error_site(error)->function, "task_timeout_exception_cause");
    aiort_unref(cm);
}

/* A request that came with the deadline's stays. */
TASK_TEST(cancel_beside_the_deadline)
{
    aiort_task_t *task = aiort_current_task();
    aiort_timeout_t *cm = entered(aiort_timeout(0.005));

    usleep(10000);
    aiort_task_cancel(task, "from outside");
    assert_code(aiort_timeout_exit(cm, aiort_sleep(1)), UV_ECANCELED);
    assert_int_equal(aiort_task_cancelling(task), 1);
    assert_int_equal(aiort_task_uncancel(task), 0);
    aiort_unref(cm);
}

TASK_TEST(timeout_already_entered)
{
    aiort_timeout_t *cm = entered(aiort_timeout(0.01));

    assert_misuse(aiort_timeout_enter(cm), "has already been entered");
    assert_ok(aiort_timeout_exit(cm, 0));
    aiort_unref(cm);
}

TASK_TEST(timeout_double_enter)
{
    aiort_timeout_t *cm = entered(aiort_timeout(0.01));

    assert_ok(aiort_timeout_exit(cm, 0));
    assert_misuse(aiort_timeout_enter(cm), "has already been entered");
    assert_misuse(aiort_timeout_exit(cm, 0), "finished");
    aiort_unref(cm);
}

TASK_TEST(timeout_finished)
{
    aiort_timeout_t *cm = entered(aiort_timeout(0.01));

    assert_ok(aiort_timeout_exit(cm, 0));
    assert_misuse(aiort_timeout_reschedule(cm, 0.02), "finished");
    aiort_unref(cm);
}

TASK_TEST(timeout_expired)
{
    aiort_timeout_t *cm = entered(aiort_timeout(0.01));

    assert_code(aiort_timeout_exit(cm, aiort_sleep(1)), UV_ETIMEDOUT);
    assert_misuse(aiort_timeout_reschedule(cm, 0.02), "expired");
    aiort_unref(cm);
}

TASK_TEST(timeout_expiring)
{
    aiort_timeout_t *cm = entered(aiort_timeout(0.01));
    int err = aiort_sleep(1);

    assert_code(err, UV_ECANCELED);
    assert_misuse(aiort_timeout_reschedule(cm, 0.02), "expiring");
    assert_code(aiort_timeout_exit(cm, err), UV_ETIMEDOUT);
    aiort_unref(cm);
}

TASK_TEST(timeout_not_entered)
{
    aiort_timeout_t *cm = aiort_timeout(0.01);

    assert_misuse(aiort_timeout_reschedule(cm, 0.02), "has not been entered");
    assert_misuse(aiort_timeout_exit(cm, 0), "has not been entered");
    assert_null_code(aiort_timeout(NAN), UV_EINVAL);
    aiort_unref(cm);
}

static int enter_outside(void *arg)
{
    assert_code(aiort_timeout_enter(arg), AIORT_ENOTASK);
    assert_string_equal(aiort_error_message(aiort_current_error()),
                        "Timeout should be used inside a task");
    return aiort_loop_stop(aiort_get_running_loop());
}

TEST(timeout_without_task)
{
    aiort_loop_t *loop = new_loop();

    assert_null_code(aiort_timeout(0.01), AIORT_ENOLOOP);
    aiort_timeout_t *cm = aiort_timeout_at(0.01); /* needs no loop until it is entered */
    assert_ok(aiort_call_soon(loop, enter_outside, cm, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    assert_misuse(aiort_timeout_reschedule(cm, 0.02), "has not been entered");
    aiort_unref(cm);
    drop_loop(loop);
}

static int drops_it(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_timeout_t *cm = entered(aiort_timeout(0));
    aiort_unref(cm); /* without its end: nothing fires any more */
    return aiort_sleep(0.01);
}

TEST(dropped_inside)
{
    assert_ok(aiort_run(AIORT_CORO(drops_it, NULL), NULL));
}

static int closed_inside(void *arg, void **result)
{
    aiort_timeout_t *cm = entered(aiort_timeout(100));
    int err = aiort_sleep(100);

    (void)result;
    *(int *)arg = err;
    err = aiort_timeout_exit(cm, err);
    aiort_unref(cm);
    return err;
}

/* A loop closed over a block that waits: AIORT_ECLOSED goes through its end. */
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
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.message, "Task was destroyed but it is pending!");
}
