/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#391 "uv_tcp_connect() usage question" and libuv/libuv#3503: a reconnect timer fires
 * once more after the connection was closed for good.
 *
 * @expect handle-used-after-close created closed call
 */
#include "program.h"

static uv_tcp_t tcp;
static uv_connect_t req;
static struct sockaddr_in server;

static void on_connect(uv_connect_t *connect, int status)
{
    (void)connect;
    (void)status;
}

static void reconnect(uv_timer_t *timer)
{
#ifdef FIXED
    if (!uv_is_closing((uv_handle_t *)&tcp)) {
        uv_tcp_connect(&req, &tcp, as_sockaddr(&server), on_connect);
    }
    uv_close((uv_handle_t *)timer, NULL);
#else
    uv_tcp_connect(&req, &tcp, as_sockaddr(&server), on_connect); /* @call */
    (void)timer;
    exit(0); /* what follows in libuv 1.44 is an assertion about the handle's descriptor, or none */
#endif
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_ip4_addr("127.0.0.1", 9, &server));
    must(uv_loop_init(&loop));
    must(uv_tcp_init(&loop, &tcp)); /* @created */
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, reconnect, 0, 0));
    uv_close((uv_handle_t *)&tcp, NULL); /* @closed */
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
