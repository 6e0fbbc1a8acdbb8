/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#810 "uv_run crash" and libuv/help#17 "Is it safe to run uv_run from a different
 * thread?": a loop set up in one thread, run in a second, run again and closed in the first, one
 * after the other, is legal; and silent.
 *
 * @silent
 */
#include "program.h"

static int ticks;

static void on_timer(uv_timer_t *timer)
{
    if (++ticks == 3) {
        uv_timer_stop(timer);
    }
}

static void run(void *arg)
{
    uv_run(arg, UV_RUN_DEFAULT);
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    uv_thread_t thread;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, on_timer, 1, 1));
    must(uv_thread_create(&thread, run, &loop));
    uv_thread_join(&thread);
    ticks = 0;
    must(uv_timer_start(&timer, on_timer, 1, 1));
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return ticks == 3 ? 0 : 4;
}
