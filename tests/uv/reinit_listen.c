/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#1531 "tcp4_echo_start bind bug lead cpu100%": one handle is initialised for each of
 * two ports. The loop keeps the descriptor of the first, and the list of handles is broken.
 *
 * @expect handle-reinitialized created call
 */
#include "program.h"

static void on_connection(uv_stream_t *server, int status)
{
    (void)server;
    (void)status;
}

int main(void)
{
    uv_loop_t loop;
    struct sockaddr_in addr = any_port();
    must(uv_loop_init(&loop));
#ifdef FIXED
    uv_tcp_t servers[2];
    for (int i = 0; i < 2; i++) {
        must(uv_tcp_init(&loop, &servers[i]));
        must(uv_tcp_bind(&servers[i], as_sockaddr(&addr), 0));
        must(uv_listen((uv_stream_t *)&servers[i], 8, on_connection));
    }
    finish(&loop);
#else
    uv_tcp_t server;
    for (int i = 0; i < 2; i++) {
        must(uv_tcp_init(&loop, &server)); /* @created @call */
        must(uv_tcp_bind(&server, as_sockaddr(&addr), 0));
        must(uv_listen((uv_stream_t *)&server, 8, on_connection));
    }
#endif
    return 0;
}
