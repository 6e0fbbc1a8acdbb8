/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#154 "Fast-completing io may starve other callbacks" in the shape of timers: 30 come
 * due at once and take 10 ms each. None is slow; the turn of the loop is.
 *
 * @expect slow-iteration
 * @env AIODEBUG_SLOW_ITERATION=0.25
 */
#include "program.h"

enum { TIMERS = 30 };

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
#ifdef FIXED
    uv_sleep(1);
#else
    uv_sleep(10);
#endif
}

int main(void)
{
    uv_loop_t loop;
    static uv_timer_t timers[TIMERS];
    must(uv_loop_init(&loop));
    for (int i = 0; i < TIMERS; i++) {
        must(uv_timer_init(&loop, &timers[i]));
        must(uv_timer_start(&timers[i], on_timer, 1, 0));
    }
    uv_sleep(5);
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
