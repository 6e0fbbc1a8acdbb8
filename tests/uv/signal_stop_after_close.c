/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#298 "Valgrind Reports leak for any loop which had an ev_signal_init run against it"
 * leads to closing the signal handle; its stop, which the clean-up still calls afterwards, ends in
 * libuv's assertion.
 *
 * @expect handle-used-after-close created closed call
 * @signal 6
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
#ifdef FIXED
    must(uv_signal_stop(&sigterm));
    uv_close((uv_handle_t *)&sigterm, NULL);
#else
    uv_close((uv_handle_t *)&sigterm, NULL); /* @closed */
    uv_signal_stop(&sigterm);                /* @call */
#endif
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
