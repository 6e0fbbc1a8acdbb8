/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#2416 "timer: restarting a closing timer succeeds and leads to a limbo": the timer's
 * callback closes it and starts it again.
 *
 * @expect handle-used-after-close created closed call
 */
#include "program.h"

static void on_timer(uv_timer_t *timer)
{
#ifdef FIXED
    uv_timer_stop(timer);
    uv_close((uv_handle_t *)timer, NULL);
#else
    uv_close((uv_handle_t *)timer, NULL);  /* @closed */
    uv_timer_start(timer, on_timer, 1, 0); /* @call */
#endif
}

int main(void)
{
    uv_timer_t timer;
    must(uv_timer_init(uv_default_loop(), &timer)); /* @created */
    must(uv_timer_start(&timer, on_timer, 1, 0));
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    must(uv_loop_close(uv_default_loop()));
    return 0;
}
