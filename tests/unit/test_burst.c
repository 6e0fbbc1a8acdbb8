/* SPDX-License-Identifier: MIT */
/*
 * Very many timers due at once (runtime/burst.c): they fire in the order of their times, equal
 * times in the order they were made, the cancelled ones not at all, and those that are set
 * meanwhile in their place.
 */
#include "allocator.h"

enum { MANY = 60000 };

static struct {
    double when;
    aiort_handle_t *handle;
} timers[MANY];

static int last = -1, calls, extra_after;
static double last_when;

static int in_order(void *arg)
{
    int i = INT(arg);

    assert_true(timers[i].when >= last_when);
    if (timers[i].when == last_when)
        assert_true(i > last);
    assert_int_equal(i % 5 == 3, 0); /* those were cancelled */
    last = i;
    last_when = timers[i].when;
    calls++;
    return 0;
}

static int extra(void *arg)
{
    (void)arg;
    extra_after = calls;
    return 0;
}

/* In the middle of the burst: a timer that is due before most of the rest. */
static int set_extra(void *loop)
{
    assert_ok(aiort_call_at(loop, last_when, extra, NULL, NULL));
    return 0;
}

static unsigned next_random(void)
{
    static unsigned seed = 7;
    return seed = seed * 1103515245U + 12345U;
}

static void set_all(aiort_loop_t *loop, double from)
{
    for (int i = 0; i < MANY; i++) {
        /* Times to the microsecond, so that a good many are equal. */
        timers[i].when = from + (double)(next_random() >> 8 & 0x7fff) * 1e-6;
        assert_ok(aiort_call_at(loop, timers[i].when, in_order, PTR(i), &timers[i].handle));
    }
    for (int i = 3; i < MANY; i += 5)
        assert_ok(aiort_handle_cancel(timers[i].handle));
}

static void unref_all(void)
{
    for (int i = 0; i < MANY; i++)
        aiort_unref(timers[i].handle);
}

TEST(a_burst_fires_in_order)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();
    double now = aiort_loop_time(loop);

    set_all(loop, now - 1);
    assert_ok(aiort_call_at(loop, now - 1 + 0.016, set_extra, loop, NULL));
    assert_ok(aiort_call_later(loop, 0, stop_loop, loop, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    assert_int_equal(calls, MANY - MANY / 5);
    assert_true(extra_after > MANY / 4);
    assert_true(extra_after < MANY / 5 * 3); /* not after all the others */
    unref_all();
    drop_loop(loop);
    assert_int_equal(allocator_live(), 0);
}

TEST(a_loop_closed_in_a_burst_drops_the_rest)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();

    set_all(loop, aiort_loop_time(loop) - 1);
    run_once(loop);
    run_once(loop);
    assert_true(calls > 0);
    assert_true(calls < MANY / 2);
    drop_loop(loop);
    unref_all();
    assert_int_equal(allocator_live(), 0);
}

/* Equal times are no burst: sorting them would take for ever. */
TEST(many_of_the_same_time)
{
    aiort_loop_t *loop = new_loop();
    double when = aiort_loop_time(loop) - 1;

    for (int i = 0; i < MANY; i++) {
        timers[i].when = when;
        if (i % 5 != 3)
            assert_ok(aiort_call_at(loop, when, in_order, PTR(i), NULL));
    }
    assert_ok(aiort_call_later(loop, 0, stop_loop, loop, NULL));
    assert_ok(aiort_loop_run_forever(loop));
    assert_int_equal(calls, MANY - MANY / 5);
    drop_loop(loop);
}
