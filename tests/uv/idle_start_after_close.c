/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#2416 "timer: restarting a closing timer succeeds and leads to a limbo", for an idle
 * handle: started after uv_close(), its callback is called once more.
 *
 * @expect handle-used-after-close created closed call
 */
#include "program.h"

static void on_idle(uv_idle_t *idle)
{
    uv_idle_stop(idle);
}

int main(void)
{
    uv_loop_t loop;
    uv_idle_t idle;
    must(uv_loop_init(&loop));
    must(uv_idle_init(&loop, &idle)); /* @created */
#ifdef FIXED
    must(uv_idle_start(&idle, on_idle));
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&idle, NULL);
#else
    uv_close((uv_handle_t *)&idle, NULL); /* @closed */
    uv_idle_start(&idle, on_idle);        /* @call */
#endif
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
