/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#298 "Valgrind Reports leak for any loop which had an ev_signal_init run against it"
 * (uv_loop_close() says UV_EBUSY): the signal handle is unreferenced, which lets uv_run() return,
 * but the handle is open all the same.
 *
 * @expect loop-busy-at-close created
 */
#include "program.h"

static void on_signal(uv_signal_t *handle, int signum)
{
    (void)handle;
    (void)signum;
}

int main(void)
{
    uv_loop_t loop;
    uv_signal_t sigterm;
    must(uv_loop_init(&loop));
    must(uv_signal_init(&loop, &sigterm)); /* @created */
    must(uv_signal_start(&sigterm, on_signal, SIGTERM));
    uv_unref((uv_handle_t *)&sigterm);
    uv_run(&loop, UV_RUN_DEFAULT);
#ifdef FIXED
    uv_close((uv_handle_t *)&sigterm, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
#else
    uv_loop_close(&loop); /* @call */
#endif
    return 0;
}
