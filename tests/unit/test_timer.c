/* SPDX-License-Identifier: MIT */
/*
 * Timers: call_later and call_at. Mirrors CPython's test_events.py, TimerTests, and
 * test_base_events.py, BaseEventLoopTests.
 */
#include "allocator.h"

#include <math.h>

/* Which timers fired, in their order. */
static int fired[4096], nfired;

static int fire(void *arg)
{
    assert_true(nfired < 4096);
    fired[nfired++] = INT(arg);
    return 0;
}

static int run_for(aiort_loop_t *loop, double seconds)
{
    assert_ok(aiort_call_later(loop, seconds, stop_loop, loop, NULL));
    return aiort_loop_run_forever(loop);
}

TEST(call_later)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;

    assert_ok(aiort_call_later(loop, 10.0, fire, PTR(1), &handle));
    assert_non_null(handle);
    assert_contains(repr(handle), "<TimerHandle when=");
    run_once(loop);
    assert_int_equal(nfired, 0);
    assert_code(aiort_call_later(loop, NAN, fire, NULL, NULL), UV_EINVAL);
    aiort_unref(handle);
    drop_loop(loop);
}

TEST(call_later_negative_delays)
{
    aiort_loop_t *loop = new_loop();

    assert_ok(aiort_call_later(loop, -1, fire, PTR('a'), NULL));
    assert_ok(aiort_call_later(loop, -2, fire, PTR('b'), NULL));
    run_briefly(loop);
    assert_int_equal(nfired, 2);
    assert_int_equal(fired[0], 'b');
    assert_int_equal(fired[1], 'a');
    drop_loop(loop);
}

TEST(time_and_call_at)
{
    aiort_loop_t *loop = new_loop();

    double before = aiort_loop_time(loop), when = before + 0.1;
    assert_ok(aiort_call_at(loop, when, stop_loop, loop, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    assert_time_near(aiort_loop_time(loop) - before, 0.1);
    assert_code(aiort_call_at(loop, NAN, stop_loop, loop, NULL), UV_EINVAL);
    drop_loop(loop);
}

static int fire_and_call_soon(void *arg)
{
    fire(arg);
    return aiort_call_soon(aiort_get_running_loop(), fire, PTR(INT(arg) + 1), NULL);
}

/* What a timer's callback calls soon is called in the next iteration. */
TEST(_run_once_schedule_handle)
{
    aiort_loop_t *loop = new_loop();

    assert_ok(aiort_call_at(loop, aiort_loop_time(loop) - 1, fire_and_call_soon, PTR(1), NULL));
    run_once(loop);
    assert_int_equal(nfired, 1);
    run_once(loop);
    assert_int_equal(nfired, 2);
    assert_int_equal(fired[1], 2);
    drop_loop(loop);
}

TEST(when)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *at = NULL, *later = NULL;

    double when = aiort_loop_time(loop) + 5;
    assert_ok(aiort_call_at(loop, when, fire, NULL, &at));
    assert_ok(aiort_call_later(loop, 5, fire, NULL, &later));
    assert_true(fabs(aiort_handle_when(at) - when) < 1e-6);
    assert_true(aiort_handle_when(later) >= when - 1e-3);
    assert_true(aiort_handle_when(later) < when + 1);
    aiort_unref(at);
    aiort_unref(later);
    drop_loop(loop);
}

TEST(timer)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;

    assert_ok(aiort_call_later(loop, 0.01, fire, PTR(3), &handle));
    assert_int_equal(aiort_kind(handle), AIORT_KIND_HANDLE);
    assert_false(aiort_handle_cancelled(handle));
    assert_ok(aiort_handle_cancel(handle));
    assert_true(aiort_handle_cancelled(handle));
    assert_ok(aiort_handle_cancel(handle));
    run_for(loop, 0.03);
    assert_int_equal(nfired, 0);
    aiort_unref(handle);
    drop_loop(loop);
}

/* Timers of one time are called in the order in which they were set. */
TEST(timer_comparison)
{
    aiort_loop_t *loop = new_loop();

    double when = aiort_loop_time(loop) + 0.01;
    for (int i = 0; i < 500; i++)
        assert_ok(aiort_call_at(loop, when, fire, PTR(i), NULL));
    assert_ok(aiort_call_at(loop, when + 0.005, fire, PTR(1000), NULL));
    assert_ok(aiort_call_at(loop, when - 0.005, fire, PTR(-1), NULL));
    run_for(loop, 0.03);
    assert_int_equal(nfired, 502);
    assert_int_equal(fired[0], -1);
    for (int i = 0; i < 500; i++)
        assert_int_equal(fired[1 + i], i);
    assert_int_equal(fired[501], 1000);
    drop_loop(loop);
}

/* Timers that were cancelled do not stay until their time comes. */
TEST(_run_once_cancelled_event_cleanup)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;

    assert_ok(aiort_call_later(loop, 3000, fire, NULL, NULL));
    for (int i = 0; i < 2; i++) {
        assert_ok(aiort_call_later(loop, i == 0 ? 3600 : 100, fire, NULL, &handle));
        assert_ok(aiort_handle_cancel(handle));
        aiort_unref(handle);
    }
    run_once(loop);

    /* Behind one timer that is not cancelled: so many that they could not be pooled for ever. */
    long before = allocator_live();
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 200; i++) {
            assert_ok(aiort_call_later(loop, 3600, fire, NULL, &handle));
            assert_ok(aiort_handle_cancel(handle));
            aiort_unref(handle);
        }
        run_once(loop);
    }
    assert_true(allocator_live() - before < 2000);
    assert_int_equal(nfired, 0);
    drop_loop(loop);
    assert_int_equal(allocator_live(), 0);
}

/* ---- C's own ---- */

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* A heap in any order of setting and cancelling gives the times in their order. */
TEST(timers_fire_in_the_order_of_their_times)
{
    enum { N = 2000 };
    aiort_loop_t *loop = new_loop();
    static aiort_handle_t *handles[N];
    static double when[N];
    uint32_t state = 7;
    int expected = 0;

    double start = aiort_loop_time(loop);
    for (int i = 0; i < N; i++) {
        when[i] = start + (double)(next_random(&state) % 20000) / 1e6;
        assert_ok(aiort_call_at(loop, when[i], fire, PTR(i), &handles[i]));
    }
    for (int i = 0; i < N; i++)
        if (next_random(&state) % 3 == 0)
            assert_ok(aiort_handle_cancel(handles[i]));
        else
            expected++;
    run_for(loop, 0.05);
    assert_int_equal(nfired, expected);
    for (int i = 0; i < nfired; i++) {
        assert_false(aiort_handle_cancelled(handles[fired[i]]));
        if (i > 0)
            assert_true(when[fired[i]] >= when[fired[i - 1]] - 1e-9);
    }
    for (int i = 0; i < N; i++)
        aiort_unref(handles[i]);
    drop_loop(loop);
}

TEST(zero_delay_is_not_now)
{
    aiort_loop_t *loop = new_loop();

    assert_ok(aiort_call_later(loop, 0, fire, PTR(1), NULL));
    assert_int_equal(nfired, 0);
    run_for(loop, 0.005);
    assert_int_equal(nfired, 1);
    drop_loop(loop);
}

/* Far times are no mistake, and never come. */
TEST(far_times)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;

    assert_ok(aiort_call_later(loop, 1e300, fire, NULL, &handle));
    assert_true(aiort_handle_when(handle) > 1e6);
    assert_ok(aiort_call_later(loop, INFINITY, fire, NULL, NULL));
    assert_ok(aiort_call_at(loop, 1e18, fire, NULL, NULL));
    run_for(loop, 0.01);
    assert_int_equal(nfired, 0);
    aiort_unref(handle);
    drop_loop(loop);
}

static int cancel_other(void *arg)
{
    fire(PTR(0));
    return aiort_handle_cancel(*(aiort_handle_t **)arg);
}

TEST(timer_cancels_the_next)
{
    aiort_loop_t *loop = new_loop();
    aiort_handle_t *handle = NULL;

    double when = aiort_loop_time(loop) + 0.005;
    assert_ok(aiort_call_at(loop, when, cancel_other, &handle, NULL));
    assert_ok(aiort_call_at(loop, when, fire, PTR(1), &handle));
    run_for(loop, 0.02);
    assert_int_equal(nfired, 1);
    aiort_unref(handle);
    drop_loop(loop);
}

static int again(void *arg)
{
    int *left = arg;
    nfired++;
    if (--*left > 0)
        return aiort_call_later(aiort_get_running_loop(), 0.001, again, left, NULL);
    return aiort_loop_stop(aiort_get_running_loop());
}

TEST(timer_that_sets_itself_again)
{
    aiort_loop_t *loop = new_loop();
    int left = 20;

    double before = aiort_loop_time(loop);
    assert_ok(aiort_call_later(loop, 0.001, again, &left, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    assert_int_equal(nfired, 20);
    assert_true(aiort_loop_time(loop) - before >= 0.018);
    drop_loop(loop);
}

/* Never early: a callback sees a time that is its own or later. */
static int check_time(void *arg)
{
    assert_true(aiort_loop_time(aiort_get_running_loop()) >= *(double *)arg - 1e-9);
    nfired++;
    return 0;
}

TEST(never_early)
{
    enum { N = 300 };
    aiort_loop_t *loop = new_loop();
    static double when[N];

    for (int i = 0; i < N; i++) {
        when[i] = aiort_loop_time(loop) + i * 0.00017;
        assert_ok(aiort_call_at(loop, when[i], check_time, &when[i], NULL));
    }
    run_for(loop, 0.1);
    assert_int_equal(nfired, N);
    drop_loop(loop);
}
