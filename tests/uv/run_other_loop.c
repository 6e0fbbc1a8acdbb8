/* SPDX-License-Identifier: MIT */
/*
 * nodejs/node's spawnSync runs a second loop inside a callback of the first (see libuv/help#81 for
 * what is not allowed: the same loop). Legal, and silent.
 *
 * @silent
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
    must(uv_timer_start(&wait, on_inner, 1, 0));
    uv_run(&inner, UV_RUN_DEFAULT);
    must(uv_loop_close(&inner));
    uv_close((uv_handle_t *)timer, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, on_timer, 1, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
