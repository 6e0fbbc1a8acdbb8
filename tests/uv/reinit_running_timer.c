/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3266 "Double initialization of uv_tcp_t (probably any other uv_handle_t) cause random
 * segfaults": a timer is set up anew each time it is wanted, also while it still runs.
 *
 * @expect handle-reinitialized created call
 */
#include "program.h"

static void on_timeout(uv_timer_t *timer)
{
    (void)timer;
}

static void restart(uv_loop_t *loop, uv_timer_t *timer, int first)
{
#ifdef FIXED
    if (first) {
        must(uv_timer_init(loop, timer));
    }
#else
    (void)first;
    must(uv_timer_init(loop, timer)); /* @created @call */
#endif
    must(uv_timer_start(timer, on_timeout, 1, 0));
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    restart(&loop, &timer, 1);
    restart(&loop, &timer, 0);
#ifdef FIXED
    finish(&loop);
#endif
    return 0;
}
