/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#154 "Fast-completing io may starve other callbacks": among thousands of timers that
 * come due at once three are dear, and are named, though the clock is not read for each of them.
 *
 * @expect slow-iteration
 * @env AIODEBUG_SLOW_ITERATION=0.2
 */
#include "program.h"

enum { TIMERS = 5000 };

static void on_cheap(uv_timer_t *timer)
{
    (void)timer;
    for (uint64_t end = uv_hrtime() + 1000; uv_hrtime() < end;) {}
}

static void on_dear(uv_timer_t *timer)
{
#ifdef FIXED
    on_cheap(timer);
#else
    (void)timer;
    uv_sleep(80);
#endif
}

int main(void)
{
    uv_loop_t loop;
    static uv_timer_t timers[TIMERS];
    must(uv_loop_init(&loop));
    for (int i = 0; i < TIMERS; i++) {
        must(uv_timer_init(&loop, &timers[i]));
        must(uv_timer_start(&timers[i], i % 1600 == 1599 ? on_dear : on_cheap, 1, 0));
    }
    uv_sleep(5);
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
