/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3503 "uv_tcp_bind and uv_listen do not fail if the handle is being closed".
 *
 * @expect handle-used-after-close created closed call
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
    uv_tcp_t tcp;
    struct sockaddr_in addr = any_port();
    must(uv_loop_init(&loop));
    must(uv_tcp_init(&loop, &tcp)); /* @created */
#ifdef FIXED
    must(uv_tcp_bind(&tcp, as_sockaddr(&addr), 0));
    must(uv_listen((uv_stream_t *)&tcp, 8, on_connection));
    uv_close((uv_handle_t *)&tcp, NULL);
#else
    must(uv_tcp_bind(&tcp, as_sockaddr(&addr), 0));
    uv_close((uv_handle_t *)&tcp, NULL);              /* @closed */
    uv_listen((uv_stream_t *)&tcp, 8, on_connection); /* @call */
#endif
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
