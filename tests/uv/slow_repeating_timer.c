/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#2901 "timeout of io poll is not right in some case" (and libuv/libuv#1142,
 * libuv/libuv#4889): a repeating timer whose callback takes longer than its interval comes late.
 * Said in full once, then counted.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static int ticks;

static void on_timer(uv_timer_t *timer)
{
    uv_sleep(TAKES);
    if (++ticks == 3) {
        uv_timer_stop(timer);
    }
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer)); /* @created */
    must(uv_timer_start(&timer, on_timer, 1, 2));
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return ticks == 3 ? 0 : 4;
}
