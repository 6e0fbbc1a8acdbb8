/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#350 "Inspect which handles are holding the loop open": "it would be helpful to see
 * the list of handles keeping the loop open (missed sockets, timers, etc)". One record for each
 * place that made some.
 *
 * @expect unclosed-handle created
 * @env AIODEBUG_RESOURCE=1
 */
#include "program.h"

enum { SOCKETS = 7 };

static uv_loop_t loop;
static uv_tcp_t sockets[SOCKETS];
static uv_signal_t sigint;

static void on_sigint(uv_signal_t *handle, int signum)
{
    (void)handle;
    (void)signum;
}

static void open_sockets(void)
{
    for (int i = 0; i < SOCKETS; i++) {
        must(uv_tcp_init(&loop, &sockets[i])); /* @created */
    }
}

static void watch_sigint(void)
{
    must(uv_signal_init(&loop, &sigint));
    must(uv_signal_start(&sigint, on_sigint, SIGINT));
}

int main(void)
{
    must(uv_loop_init(&loop));
    open_sockets();
    watch_sigint();
    uv_run(&loop, UV_RUN_NOWAIT);
#ifdef FIXED
    finish(&loop);
#endif
    return 0;
}
