/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#17 "Is it safe to run uv_run from a different thread?" and every program that embeds a
 * loop in another: uv_backend_fd() is polled by a loop of the program's own, which turns libuv's
 * with UV_RUN_NOWAIT. Silent.
 *
 * @silent
 */
#include "program.h"

#include <poll.h>

static int ticks;

static void on_timer(uv_timer_t *timer)
{
    if (++ticks == 5) {
        uv_close((uv_handle_t *)timer, NULL);
    }
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, on_timer, 2, 2));
    while (uv_loop_alive(&loop)) {
        struct pollfd fd = {.fd = uv_backend_fd(&loop), .events = POLLIN};
        uv_update_time(&loop);
        poll(&fd, 1, uv_backend_timeout(&loop));
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    must(uv_loop_close(&loop));
    return ticks == 5 ? 0 : 4;
}
