/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#189 "There is a handle leak on the windows platform" ("The most likely explanation is
 * that you're forgetting to uv_close() a handle somewhere"): uv_stop(), return from main, and a
 * timer is still there.
 *
 * @expect unclosed-handle created
 * @env AIODEBUG_RESOURCE=1
 */
#include "program.h"

static void on_timer(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

int main(void)
{
    static uv_loop_t loop;
    static uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer)); /* @created */
    must(uv_timer_start(&timer, on_timer, 1, 1));
    uv_run(&loop, UV_RUN_DEFAULT);
#ifdef FIXED
    finish(&loop);
#endif
    return 0;
}
