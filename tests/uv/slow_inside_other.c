/* SPDX-License-Identifier: MIT */
/*
 * nodejs programs' spawnSync (see libuv/help#81) in a callback: a second loop is run in there for
 * 150 ms. None of its callbacks is slow; the first loop's callback is.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_inner(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

static void on_timer(uv_timer_t *timer)
{
    uv_loop_t inner;
    uv_timer_t wait;
    must(uv_loop_init(&inner));
    must(uv_timer_init(&inner, &wait));
    must(uv_timer_start(&wait, on_inner, TAKES, 0));
    uv_run(&inner, UV_RUN_DEFAULT);
    must(uv_loop_close(&inner));
    uv_close((uv_handle_t *)timer, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer)); /* @created */
    must(uv_timer_start(&timer, on_timer, 1, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
