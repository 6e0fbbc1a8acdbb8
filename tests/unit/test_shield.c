/* SPDX-License-Identifier: MIT */
/* shield(). Mirrors CPython's test_tasks.py, BaseTaskTests. */
#include "allocator.h"

TEST(shield_result)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *inner = new_future(loop), *outer = aiort_shield(inner);
    void *result = NULL;

    assert_non_null(outer);
    assert_ok(aiort_future_set_result(inner, PTR(42)));
    assert_ok(aiort_loop_run_until_complete(loop, outer, &result));
    assert_ptr_equal(result, PTR(42));
    aiort_unref(outer);
    aiort_unref(inner);
    drop_loop(loop);
}

TEST(shield_exception)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *inner = new_future(loop), *outer = aiort_shield(inner);
    aiort_error_t *error = NULL;
    reports_t reports;

    record(loop, &reports);
    run_briefly(loop);
    assert_ok(aiort_future_set_error(inner, UV_EIO, "expected"));
    run_briefly(loop);
    assert_ok(aiort_future_error(outer, &error));
    assert_string_equal(aiort_error_message(error), "expected");
    aiort_unref(outer);
    aiort_unref(inner);
    drop_loop(loop);
    assert_int_equal(reports.calls, 0);
}

TEST(shield_cancel_inner)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *inner = new_future(loop), *outer = aiort_shield(inner);

    run_briefly(loop);
    assert_int_equal(aiort_future_cancel(inner, NULL), 1);
    run_briefly(loop);
    assert_true(aiort_future_cancelled(outer));
    aiort_unref(outer);
    aiort_unref(inner);
    drop_loop(loop);
}

TEST(shield_cancel_outer)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *inner = new_future(loop), *outer = aiort_shield(inner);

    run_briefly(loop);
    assert_int_equal(aiort_future_cancel(outer, NULL), 1);
    run_briefly(loop);
    assert_true(aiort_future_cancelled(outer));
    assert_false(aiort_future_done(inner));
    assert_string_equal(repr(outer), "<Future cancelled>");
    aiort_unref(outer);
    aiort_unref(inner);
    drop_loop(loop);
}

/* One that is done is given back itself. */
TEST(shield_shortcut)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    void *result = NULL;

    assert_ok(aiort_future_set_result(future, PTR(42)));
    aiort_future_t *outer = aiort_shield(future);
    assert_ptr_equal(outer, future);
    assert_ok(aiort_loop_run_until_complete(loop, outer, &result));
    assert_ptr_equal(result, PTR(42));
    aiort_unref(outer);
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
    aiort_future_t *outer = aiort_shield(AIORT_CORO(proof_inner, arg));
    int err = aiort_await(outer, result);
    aiort_unref(outer);
    if (err == 0)
        ((proof_t *)arg)->proof += 100;
    return err;
}

TEST(shield_effect)
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

TEST(shield_gather)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *child[] = {new_future(loop), new_future(loop)};
    aiort_awaitable_t *list[] = {AIORT_AWAITABLE(child[0]), AIORT_AWAITABLE(child[1])};
    aiort_future_t *parent = aiort_gather(list, 2, 0), *outer = aiort_shield(parent);
    void *result = NULL;

    run_briefly(loop);
    assert_int_equal(aiort_future_cancel(outer, NULL), 1);
    run_briefly(loop);
    assert_true(aiort_future_cancelled(outer));
    assert_ok(aiort_future_set_result(child[0], PTR(1)));
    assert_ok(aiort_future_set_result(child[1], PTR(2)));
    run_briefly(loop);
    assert_ok(aiort_future_result(parent, &result));
    assert_ptr_equal(((aiort_outcome_t *)result)[0].result, PTR(1));
    assert_ptr_equal(((aiort_outcome_t *)result)[1].result, PTR(2));
    aiort_unref(outer);
    aiort_unref(parent);
    aiort_unref(child[0]);
    aiort_unref(child[1]);
    drop_loop(loop);
}

TEST(gather_shield)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *child[] = {new_future(loop), new_future(loop)};
    aiort_future_t *inner[] = {aiort_shield(child[0]), aiort_shield(child[1])};
    aiort_awaitable_t *list[] = {AIORT_AWAITABLE(inner[0]), AIORT_AWAITABLE(inner[1])};
    aiort_future_t *parent = aiort_gather(list, 2, 0);
    aiort_error_t *error = NULL;

    run_briefly(loop);
    assert_int_equal(aiort_future_cancel(parent, NULL), 1);
    run_briefly(loop); /* cancels the shields, not what is behind them */
    assert_ok(aiort_future_error(parent, &error));
    assert_int_equal(aiort_error_code(error), UV_ECANCELED);
    for (int i = 0; i < 2; i++) {
        assert_true(aiort_future_cancelled(inner[i]));
        assert_false(aiort_future_done(child[i]));
        assert_ok(aiort_future_set_result(child[i], PTR(i)));
    }
    run_briefly(loop);
    aiort_unref(parent);
    for (int i = 0; i < 2; i++) {
        aiort_unref(inner[i]);
        aiort_unref(child[i]);
    }
    drop_loop(loop);
}

TEST(shield_coroutine_without_loop)
{
    assert_null_code(aiort_shield(AIORT_CORO(return_at_once, NULL)), AIORT_ENOLOOP);
}

static int shield_inside(void *arg, void **result)
{
    *result = aiort_shield(AIORT_CORO(return_at_once, arg));
    return 0;
}

TEST(shield_coroutine_use_running_loop)
{
    aiort_loop_t *loop = new_loop();
    void *outer = NULL, *result = NULL;

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(shield_inside, PTR(42)), &outer));
    assert_ptr_equal(aiort_future_loop(outer), loop);
    assert_ok(aiort_loop_run_until_complete(loop, (aiort_future_t *)outer, &result));
    assert_ptr_equal(result, PTR(42));
    aiort_unref(outer);
    drop_loop(loop);
}

/* ---- what the inner one does after the outer was cancelled ---- */

TEST(shield_cancel_outer_result)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *inner = new_future(loop), *outer = aiort_shield(inner);
    reports_t reports;

    record(loop, &reports);
    run_briefly(loop);
    aiort_future_cancel(outer, NULL);
    run_briefly(loop);
    assert_ok(aiort_future_set_result(inner, PTR(1)));
    run_briefly(loop);
    assert_int_equal(reports.calls, 0);
    aiort_unref(outer);
    aiort_unref(inner);
    drop_loop(loop);
}

TEST(shield_cancel_outer_exception)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *inner = new_future(loop), *outer = aiort_shield(inner);
    reports_t reports;

    record(loop, &reports);
    run_briefly(loop);
    aiort_future_cancel(outer, NULL);
    run_briefly(loop);
    assert_ok(aiort_future_set_error(inner, UV_EIO, "foo"));
    run_briefly(loop);
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.message, "EIO exception in shielded future");
    assert_ptr_equal(reports.future, inner);
    assert_string_equal(reports.text, "foo");
    aiort_unref(outer);
    aiort_unref(inner);
    drop_loop(loop);
    assert_int_equal(reports.calls, 1);
}

TEST(shield_duplicate_log_once)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *inner = new_future(loop);
    reports_t reports;

    record(loop, &reports);
    for (int i = 0; i < 2; i++) {
        aiort_future_t *outer = aiort_shield(inner);
        run_briefly(loop);
        aiort_future_cancel(outer, NULL);
        run_briefly(loop);
        aiort_unref(outer);
    }
    assert_ok(aiort_future_set_error(inner, UV_EIO, "foo"));
    run_briefly(loop);
    aiort_unref(inner);
    drop_loop(loop);
    assert_int_equal(reports.calls, 1);
}

/* ---- C's own ---- */

/* The outer one goes first: the inner one runs on and says its own errors. */
TEST(dropped_shield)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();
    aiort_future_t *inner = new_future(loop);
    reports_t reports;

    record(loop, &reports);
    aiort_unref(aiort_shield(inner));
    assert_string_equal(repr(inner), "<Future pending>");
    assert_ok(aiort_future_set_error(inner, UV_EIO, "foo"));
    run_briefly(loop);
    aiort_unref(inner);
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.message, "Future exception was never retrieved");
    drop_loop(loop);
    forget_error();
    assert_int_equal(allocator_live(), 0);
}

TEST(shield_message_of_the_cancellation)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *inner = new_future(loop), *outer = aiort_shield(inner);

    aiort_future_cancel(outer, "enough");
    assert_code(aiort_loop_run_until_complete(loop, outer, NULL), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "enough");
    aiort_unref(outer);
    aiort_unref(inner);
    drop_loop(loop);
}
