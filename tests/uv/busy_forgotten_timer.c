/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#4595 "How to delete the timer handle from loop's handle_queue" (and
 * libuv/libuv#3341): the timer is stopped, not closed, and the loop cannot be closed.
 *
 * @expect loop-busy-at-close created
 */
#include "program.h"

static void on_timer(uv_timer_t *timer)
{
    uv_timer_stop(timer);
#ifdef FIXED
    uv_close((uv_handle_t *)timer, NULL);
#endif
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer)); /* @created */
    must(uv_timer_start(&timer, on_timer, 1, 1));
    uv_run(&loop, UV_RUN_DEFAULT);
    int err = uv_loop_close(&loop); /* @call */
#ifdef FIXED
    return err == 0 ? 0 : 4;
#else
    return err == UV_EBUSY ? 0 : 4;
#endif
}
