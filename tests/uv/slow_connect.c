/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#6 "tcp proxy using libuv": what is done in the connect callback keeps every other
 * connection waiting.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_connection(uv_stream_t *server, int status)
{
    (void)server;
    (void)status;
}

static void on_connect(uv_connect_t *req, int status)
{
    (void)req;
    must(status);
    uv_sleep(TAKES);
}

int main(void)
{
    uv_loop_t loop;
    uv_tcp_t server, client;
    uv_connect_t req;
    struct sockaddr_in addr = any_port();
    must(uv_loop_init(&loop));
    must(uv_tcp_init(&loop, &server));
    must(uv_tcp_bind(&server, as_sockaddr(&addr), 0));
    must(uv_listen((uv_stream_t *)&server, 8, on_connection));
    uv_unref((uv_handle_t *)&server);
    addr = tcp_address(&server);
    must(uv_tcp_init(&loop, &client));
    must(uv_tcp_connect(&req, &client, as_sockaddr(&addr), on_connect)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
