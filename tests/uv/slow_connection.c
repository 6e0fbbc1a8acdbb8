/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3696 "unix: don't accept() connections in a loop" measures servers' connection
 * callbacks; this one looks the client up in a database before it accepts.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static uv_tcp_t connection;

static void on_connection(uv_stream_t *server, int status)
{
    must(status);
    uv_sleep(TAKES);
    must(uv_tcp_init(server->loop, &connection));
    must(uv_accept(server, (uv_stream_t *)&connection));
    uv_close((uv_handle_t *)server, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_tcp_t server, client;
    uv_connect_t req;
    struct sockaddr_in addr = any_port();
    must(uv_loop_init(&loop));
    must(uv_tcp_init(&loop, &server)); /* @created */
    must(uv_tcp_bind(&server, as_sockaddr(&addr), 0));
    must(uv_listen((uv_stream_t *)&server, 8, on_connection));
    addr = tcp_address(&server);
    must(uv_tcp_init(&loop, &client));
    must(uv_tcp_connect(&req, &client, as_sockaddr(&addr), NULL));
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
