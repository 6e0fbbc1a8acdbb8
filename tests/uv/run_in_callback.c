/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#81 "Safe to run uv_run inside callback?": a timer's callback turns the loop once more
 * to wait for something. uv_run() is not reentrant.
 *
 * @expect loop-reentered call running
 */
#include "program.h"

static void on_timer(uv_timer_t *timer)
{
#ifndef FIXED
    uv_run(timer->loop, UV_RUN_NOWAIT); /* @call */
#endif
    uv_close((uv_handle_t *)timer, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, on_timer, 1, 0));
    uv_run(&loop, UV_RUN_DEFAULT); /* @running */
    must(uv_loop_close(&loop));
    return 0;
}
