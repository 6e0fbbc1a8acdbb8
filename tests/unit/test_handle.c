/* SPDX-License-Identifier: MIT */
/*
 * Handles: call_soon, cancel, references. Mirrors CPython's test_events.py, HandleTests, and
 * test_base_events.py, BaseEventLoopTests.
 */
#include "helpers.h"

static int count(void *arg)
{
    ++*(int *)arg;
    return 0;
}

TEST(handle)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;
    int calls = 0;

    assert_ok(aiort_call_soon(loop, count, &calls, &handle));
    assert_non_null(handle);
    assert_int_equal(aiort_kind(handle), AIORT_KIND_HANDLE);
    assert_false(aiort_handle_cancelled(handle));
    assert_true(aiort_handle_when(handle) == 0.0);
    assert_ok(aiort_handle_cancel(handle));
    assert_true(aiort_handle_cancelled(handle));
    assert_ok(aiort_handle_cancel(handle));
    run_briefly(loop);
    assert_int_equal(calls, 0);
    aiort_unref(handle);
    drop_loop(loop);
}

TEST(_add_callback_handle)
{
    aiort_loop_t *loop = new_loop();
    int calls = 0;

    assert_ok(aiort_call_soon(loop, count, &calls, NULL));
    assert_int_equal(calls, 0);
    run_once(loop);
    assert_int_equal(calls, 1);
    run_once(loop);
    assert_int_equal(calls, 1);
    drop_loop(loop);
}

TEST(_add_callback_cancelled_handle)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *first = NULL, *second = NULL;
    int calls = 0;

    assert_ok(aiort_call_soon(loop, count, &calls, &first));
    assert_ok(aiort_call_soon(loop, count, &calls, &second));
    assert_ok(aiort_handle_cancel(first));
    run_once(loop);
    assert_int_equal(calls, 1);
    assert_true(aiort_handle_cancelled(first));
    assert_false(aiort_handle_cancelled(second));
    aiort_unref(first);
    aiort_unref(second);
    drop_loop(loop);
}

TEST(call_soon)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;
    int calls = 0;

    assert_ok(aiort_call_soon(loop, count, &calls, &handle));
    assert_int_equal(aiort_kind(handle), AIORT_KIND_HANDLE);
    assert_contains(repr(handle), "<Handle count(");
    run_briefly(loop);
    assert_int_equal(calls, 1);
    aiort_unref(handle);
    drop_loop(loop);
}

TEST(call_soon_non_callable)
{
    aiort_loop_t *loop = new_loop();
    aiort_callback_fn none = NULL;
    aiort_handle_t *handle = NULL;

    assert_code(aiort_call_soon(loop, none, NULL, &handle), UV_EINVAL);
    assert_code(aiort_call_later(loop, 0.1, none, NULL, &handle), UV_EINVAL);
    assert_code(aiort_call_at(loop, 0.1, none, NULL, &handle), UV_EINVAL);
    assert_code(aiort_call_soon_threadsafe(loop, none, NULL, &handle), UV_EINVAL);
    assert_null(handle);
    drop_loop(loop);
}

static int fail_with(void *arg)
{
    return aiort_raise(UV_EINVAL, "failed with %d", INT(arg));
}

TEST(callback_with_exception)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_call_soon(loop, fail_with, PTR(5), &handle));
    run_briefly(loop);
    assert_int_equal(reports.calls, 1);
    assert_contains(reports.message, "Exception in callback fail_with(");
    assert_contains(reports.message, "test_handle.c:");
    assert_string_equal(reports.check, "callback-exception");
    assert_ptr_equal(reports.handle, handle);
    assert_int_equal(reports.code, UV_EINVAL);
    assert_string_equal(reports.text, "failed with 5");
    aiort_unref(handle);
    drop_loop(loop);
}

/* ---- C's own ---- */

typedef struct {
    aiort_loop_t *loop;
    int order[64], n, enough;
} order_t;

typedef struct {
    order_t *order;
    int number;
} place_t;

static int take_place(void *arg)
{
    place_t *place = arg;
    place->order->order[place->order->n++] = place->number;
    return 0;
}

TEST(calls_are_in_order)
{
    aiort_loop_t *loop = new_loop();
    order_t order = {.n = 0};
    place_t places[64];

    for (int i = 0; i < 64; i++) {
        places[i] = (place_t){&order, i};
        assert_ok(aiort_call_soon(loop, take_place, &places[i], NULL));
    }
    run_once(loop);
    assert_int_equal(order.n, 64);
    for (int i = 0; i < 64; i++)
        assert_int_equal(order.order[i], i);
    drop_loop(loop);
}

/* A callback that calls call_soon() runs in this iteration, what it called in the next. */
static int call_count_soon(void *arg)
{
    return aiort_call_soon(aiort_get_running_loop(), count, arg, NULL);
}

TEST(callback_calls_soon)
{
    aiort_loop_t *loop = new_loop();
    int calls = 0;

    assert_ok(aiort_call_soon(loop, call_count_soon, &calls, NULL));
    run_once(loop);
    assert_int_equal(calls, 0);
    run_once(loop);
    assert_int_equal(calls, 1);
    drop_loop(loop);
}

static int cancel_handle(void *arg)
{
    return aiort_handle_cancel(*(aiort_handle_t **)arg);
}

TEST(cancelled_in_the_same_iteration)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;
    int calls = 0;

    assert_ok(aiort_call_soon(loop, cancel_handle, &handle, NULL));
    assert_ok(aiort_call_soon(loop, count, &calls, &handle));
    run_once(loop);
    assert_int_equal(calls, 0);
    aiort_unref(handle);
    drop_loop(loop);
}

TEST(cancelled_in_its_own_callback)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;

    assert_ok(aiort_call_soon(loop, cancel_handle, &handle, &handle));
    run_once(loop);
    run_once(loop);
    aiort_unref(handle);
    drop_loop(loop);
}

TEST(cancel_after_it_ran)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;
    int calls = 0;

    assert_ok(aiort_call_soon(loop, count, &calls, &handle));
    run_once(loop);
    assert_int_equal(calls, 1);
    assert_ok(aiort_handle_cancel(handle));
    run_once(loop);
    assert_int_equal(calls, 1);
    aiort_unref(handle);
    drop_loop(loop);
}

/* The handle is the caller's; the loop keeps its own reference for as long as it needs one. */
TEST(reference_dropped_before_it_runs)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;
    int calls = 0;

    assert_ok(aiort_call_soon(loop, count, &calls, &handle));
    aiort_unref(handle);
    run_once(loop);
    assert_int_equal(calls, 1);
    drop_loop(loop);
}

TEST(handle_outlives_its_loop)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *soon = NULL, *later = NULL;
    int calls = 0;

    assert_ok(aiort_call_soon(loop, count, &calls, &soon));
    assert_ok(aiort_call_later(loop, 100, count, &calls, &later));
    drop_loop(loop);
    assert_ok(aiort_handle_cancel(soon));
    assert_ok(aiort_handle_cancel(later));
    assert_true(aiort_handle_cancelled(later));
    aiort_unref(soon);
    aiort_unref(later);
    assert_int_equal(calls, 0);
}

TEST(many_handles_reuse_their_memory)
{
    aiort_loop_t *loop = new_loop();
    int calls = 0;

    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 1000; i++)
            assert_ok(aiort_call_soon(loop, count, &calls, NULL));
        run_once(loop);
    }
    assert_int_equal(calls, 100000);
    drop_loop(loop);
}
