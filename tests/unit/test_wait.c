/* SPDX-License-Identifier: MIT */
/* wait(). Mirrors CPython's test_tasks.py, BaseTaskTests. */
#include "helpers.h"

/* Two tasks that sleep that many milliseconds (negative: fail after it), then one wait for both. */
typedef struct {
    int ms[2];
    double timeout;
    aiort_return_when_t when;
    aiort_task_t *task[2];
    int done, times;
    double took;
} case_t;

static int sleep_or_fail(void *arg, void **result)
{
    int ms = INT(arg);
    int err = aiort_sleep((ms < 0 ? -ms : ms) / 1000.0);
    *result = arg;
    return err != 0 || ms >= 0 ? err : aiort_raise(UV_ERANGE, "really");
}

static int wait_for_both(void *arg, void **result)
{
    case_t *given = arg;
    aiort_future_t *futures[2];
    double before = harness_now();

    (void)result;
    for (int i = 0; i < 2; i++) {
        if (given->task[i] == NULL)
            given->task[i] = aiort_create_task(AIORT_CORO(sleep_or_fail, PTR(given->ms[i])));
        futures[i] = AIORT_FUTURE(given->task[i]);
    }
    given->done = aiort_wait(futures, 2, given->timeout, given->when);
    given->took = harness_now() - before;
    return given->done < 0 ? given->done : 0;
}

static int is_done(const case_t *given, int i)
{
    return aiort_future_done(AIORT_FUTURE(given->task[i]));
}

/* Runs it, and leaves the tasks to be looked at. */
static aiort_loop_t *run_case(case_t *given)
{
    aiort_loop_t *loop = new_loop();
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(wait_for_both, given), NULL));
    return loop;
}

static void end_case(aiort_loop_t *loop, case_t *given)
{
    for (int i = 0; i < 2; i++)
        end_task(loop, given->task[i]);
    drop_loop(loop);
}

TEST(wait)
{
    case_t given = {.ms = {30, 60}, .timeout = -1};
    aiort_loop_t *loop = run_case(&given);

    assert_int_equal(given.done, 2);
    assert_true(is_done(&given, 0) && is_done(&given, 1));
    assert_time_near(given.took, 0.06);
    /* Again, with both done. */
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(wait_for_both, &given), NULL));
    assert_int_equal(given.done, 2);
    assert_time_near(given.took, 0);
    end_case(loop, &given);
}

static int wait_for_the_same(void *arg, void **result)
{
    aiort_task_t *one = aiort_create_task(AIORT_CORO(return_at_once, PTR(1)));
    aiort_task_t *two = aiort_create_task(AIORT_CORO(return_at_once, PTR(2)));
    aiort_future_t *futures[] = {AIORT_FUTURE(one), AIORT_FUTURE(one), AIORT_FUTURE(two)};

    (void)arg;
    (void)result;
    assert_int_equal(aiort_wait(futures, 3, -1, AIORT_ALL_COMPLETED), 3);
    assert_true(aiort_future_done(futures[0]) && aiort_future_done(futures[2]));
    aiort_unref(one);
    aiort_unref(two);
    return 0;
}

/* One that occurs twice counts twice. */
TEST(wait_duplicate_coroutines)
{
    assert_ok(aiort_run(AIORT_CORO(wait_for_the_same, NULL), NULL));
}

static int wait_wrongly(void *arg, void **result)
{
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_future_t *futures[] = {new_future(loop), NULL, arg};

    (void)result;
    assert_code(aiort_wait(futures, 0, -1, AIORT_ALL_COMPLETED), AIORT_EEMPTY);
    assert_code(aiort_wait(futures, 1, -1, (aiort_return_when_t)-1), UV_EINVAL);
    assert_code(aiort_wait(futures, 1, -1, (aiort_return_when_t)3), UV_EINVAL);
    assert_string_equal(aiort_strerror(AIORT_EEMPTY), "Set of Tasks/Futures is empty.");
    futures[1] = arg;
    assert_code(aiort_wait(futures, 2, -1, AIORT_ALL_COMPLETED), AIORT_EOTHERLOOP);
    aiort_unref(futures[0]);
    return 0;
}

TEST(wait_errors)
{
    aiort_loop_t *loop = new_loop(), *other = new_loop();
    aiort_future_t *foreign = new_future(other);

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(wait_wrongly, foreign), NULL));
    assert_code(aiort_wait(&foreign, 1, -1, AIORT_ALL_COMPLETED), AIORT_ENOTASK);
    aiort_unref(foreign);
    drop_loop(other);
    drop_loop(loop);
}

static int wait_for_no_future(void *arg, void **result)
{
    aiort_future_t *none = NULL;
    (void)result;
    assert_code(aiort_wait(&none, 1, -1, AIORT_ALL_COMPLETED), AIORT_EBADAWAIT);
    assert_code(aiort_wait(NULL, 0, -1, AIORT_ALL_COMPLETED), AIORT_EEMPTY);
    none = arg; /* a coroutine is no future */
    assert_code(aiort_wait(&none, 1, -1, AIORT_ALL_COMPLETED), AIORT_EBADAWAIT);
    return 0;
}

TEST(wait_invalid_args)
{
    aiort_coroutine_t *coroutine = AIORT_CORO(return_at_once, NULL);
    assert_ok(aiort_run(AIORT_CORO(wait_for_no_future, coroutine), NULL));
    assert_ok(aiort_coroutine_close(coroutine));
}

TEST(wait_first_completed)
{
    case_t given = {.ms = {10000, 30}, .timeout = -1, .when = AIORT_FIRST_COMPLETED};
    aiort_loop_t *loop = run_case(&given);

    assert_int_equal(given.done, 1);
    assert_false(is_done(&given, 0));
    assert_true(is_done(&given, 1));
    assert_ok(aiort_future_result(AIORT_FUTURE(given.task[1]), NULL));
    assert_time_near(given.took, 0.03);
    end_case(loop, &given);
}

static int yield_times(void *arg, void **result)
{
    (void)result;
    for (int i = 0; i < INT(arg); i++)
        assert_ok(aiort_sleep(0));
    return 0;
}

/* What has ended by the time the waiter runs is counted, though it did not wake it. */
TEST(wait_really_done)
{
    aiort_loop_t *loop = new_loop();
    case_t given = {.timeout = -1, .when = AIORT_FIRST_COMPLETED};

    given.task[0] = start(loop, AIORT_CORO(yield_times, PTR(1)));
    given.task[1] = start(loop, AIORT_CORO(yield_times, PTR(2)));
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(wait_for_both, &given), NULL));
    assert_int_equal(given.done, 2);
    assert_true(is_done(&given, 0) && is_done(&given, 1));
    end_case(loop, &given);
}

TEST(wait_first_exception)
{
    aiort_loop_t *loop = new_loop();
    case_t given = {.ms = {10000, 0}, .timeout = -1, .when = AIORT_FIRST_EXCEPTION};

    given.task[1] = start(loop, AIORT_CORO(sleep_or_fail, PTR(-1)));
    aiort_loop_run_until_complete(loop, AIORT_CORO(sleep_ms, PTR(20)), NULL);
    assert_true(is_done(&given, 1)); /* it has failed already */
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(wait_for_both, &given), NULL));
    assert_int_equal(given.done, 1);
    assert_false(is_done(&given, 0));
    assert_time_near(given.took, 0);
    end_case(loop, &given);
}

TEST(wait_first_exception_in_wait)
{
    case_t given = {.ms = {10000, -10}, .timeout = -1, .when = AIORT_FIRST_EXCEPTION};
    aiort_loop_t *loop = run_case(&given);

    assert_int_equal(given.done, 1);
    assert_false(is_done(&given, 0));
    assert_true(is_done(&given, 1));
    assert_time_near(given.took, 0.01);
    end_case(loop, &given);
}

TEST(wait_with_exception)
{
    case_t given = {.ms = {30, -60}, .timeout = -1};
    aiort_loop_t *loop = run_case(&given);
    aiort_error_t *errors[2] = {NULL, NULL};

    assert_int_equal(given.done, 2);
    for (int i = 0; i < 2; i++)
        assert_ok(aiort_future_error(AIORT_FUTURE(given.task[i]), &errors[i]));
    assert_null(errors[0]);
    assert_int_equal(aiort_error_code(errors[1]), UV_ERANGE);
    assert_time_near(given.took, 0.06);
    end_case(loop, &given);
}

TEST(wait_with_timeout)
{
    case_t given = {.ms = {20, 5000}, .timeout = 0.08};
    aiort_loop_t *loop = run_case(&given);

    assert_int_equal(given.done, 1);
    assert_true(is_done(&given, 0));
    assert_false(is_done(&given, 1));
    assert_false(aiort_future_cancelled(AIORT_FUTURE(given.task[1])));
    assert_time_near(given.took, 0.08);
    end_case(loop, &given);
}

static int at_the_same_time(void *arg, void **result)
{
    aiort_future_t *futures[] = {arg, new_future(aiort_get_running_loop())};
    (void)result;
    int done = aiort_wait(futures, 2, 0.03, AIORT_ALL_COMPLETED);
    assert_int_equal(done, 1);
    assert_true(aiort_future_done(futures[0]));
    assert_false(aiort_future_done(futures[1]));
    aiort_unref(futures[1]);
    return 0;
}

static int complete(void *arg)
{
    return aiort_future_set_result(arg, NULL);
}

/* One ends at the very time of the timeout: it is done. */
TEST(wait_concurrent_complete)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_ok(aiort_call_later(loop, 0.0299, complete, future, NULL));
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(at_the_same_time, future), NULL));
    aiort_unref(future);
    drop_loop(loop);
}

typedef struct {
    aiort_future_t *waiter;
    int proof;
} proof_t;

static int proof_inner(void *arg, void **result)
{
    proof_t *proof = arg;
    int err = aiort_await(proof->waiter, result);
    if (err == 0)
        proof->proof++;
    return err;
}

static int proof_outer(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(proof_inner, arg));
    aiort_future_t *future = AIORT_FUTURE(task);
    (void)result;
    int done = aiort_wait(&future, 1, -1, AIORT_ALL_COMPLETED);
    aiort_unref(task);
    if (done < 0)
        return done;
    ((proof_t *)arg)->proof += 100;
    return 0;
}

/* Cancelling the waiter makes wait() return early, and leaves what it waited for running. */
TEST(yield_wait_does_not_shield_cancel)
{
    aiort_loop_t *loop = new_loop();
    proof_t proof = {new_future(loop), 0};
    aiort_task_t *task = start(loop, AIORT_CORO(proof_outer, &proof));

    run_briefly(loop);
    run_briefly(loop);
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_ok(aiort_future_set_result(proof.waiter, NULL));
    run_briefly(loop);
    assert_int_equal(proof.proof, 1);
    aiort_unref(task);
    aiort_unref(proof.waiter);
    drop_loop(loop);
}

/* Tasks that are made for the call only. */
static int wait_for_ten(void *arg, void **result)
{
    aiort_future_t *futures[10];

    (void)arg;
    (void)result;
    for (int i = 0; i < 10; i++)
        futures[i] = AIORT_FUTURE(aiort_create_task(AIORT_CORO(return_at_once, PTR(i))));
    assert_int_equal(aiort_wait(futures, 10, -1, AIORT_ALL_COMPLETED), 10);
    for (int i = 0; i < 10; i++) {
        void *value = NULL;
        assert_ok(aiort_future_result(futures[i], &value));
        assert_ptr_equal(value, PTR(i));
        aiort_unref(futures[i]);
    }
    return 0;
}

TEST(wait_generator)
{
    assert_ok(aiort_run(AIORT_CORO(wait_for_ten, NULL), NULL));
}

/* ---- C's own ---- */

static int wait_for_many(void *arg, void **result)
{
    enum { MANY = 200 };
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_future_t *futures[MANY];
    aiort_handle_t *handle = NULL;

    (void)arg;
    (void)result;
    for (int i = 0; i < MANY; i++) {
        futures[i] = new_future(loop);
        assert_ok(aiort_call_later(loop, (i * 37 % MANY) * 1e-4, complete, futures[i], &handle));
        aiort_unref(handle);
    }
    assert_true(aiort_wait(futures, MANY, -1, AIORT_FIRST_COMPLETED) >= 1);
    assert_int_equal(aiort_wait(futures, MANY, -1, AIORT_ALL_COMPLETED), MANY);
    for (int i = 0; i < MANY; i++)
        aiort_unref(futures[i]);
    return 0;
}

TEST(many_futures)
{
    assert_ok(aiort_run(AIORT_CORO(wait_for_many, NULL), NULL));
}

/* It leaves no callbacks behind. */
static int wait_in_vain(void *arg, void **result)
{
    aiort_future_t *future = arg;
    (void)result;
    for (int i = 0; i < 20; i++)
        assert_int_equal(aiort_wait(&future, 1, 0, AIORT_ALL_COMPLETED), 0);
    assert_string_equal(repr(future), "<Future pending>");
    return 0;
}

TEST(nothing_stays_at_the_future)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(wait_in_vain, future), NULL));
    aiort_unref(future);
    drop_loop(loop);
}

/* An error that nobody looks at is reported though somebody waited for the end. */
static int fail_and_wait(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(sleep_or_fail, PTR(-1)));
    aiort_future_t *future = AIORT_FUTURE(task);
    (void)arg;
    (void)result;
    assert_int_equal(aiort_wait(&future, 1, -1, AIORT_ALL_COMPLETED), 1);
    aiort_unref(task);
    return 0;
}

TEST(wait_looks_at_no_error)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(fail_and_wait, NULL), NULL));
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.message, "Task exception was never retrieved");
    drop_loop(loop);
}
