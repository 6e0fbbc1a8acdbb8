/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#187 "uv_write_cb called time not equal uv_write(without any error) called": the write
 * that is not over has no callback, and what is said of it names none, that of a handle which was
 * closed before least of all.
 *
 * @expect request-pending-at-exit created
 * @env AIODEBUG_RESOURCE=1 AIODEBUG_CHECKS=all,-unclosed-handle
 */
#include "program.h"

static uv_loop_t loop;
static uv_tcp_t listener;
static uv_pipe_t mine, theirs;
static uv_write_t req;

static void on_connection(uv_stream_t *server, int status)
{
    (void)server;
    (void)status;
}

int main(void)
{
    uv_buf_t buf = greeting();
    struct sockaddr_in addr = any_port();
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &mine, 0));
    must(uv_pipe_init(&loop, &theirs, 0));
    connect_pair(&mine, &theirs);
    must(uv_tcp_init(&loop, &listener));
    must(uv_tcp_bind(&listener, as_sockaddr(&addr), 0));
    must(uv_listen((uv_stream_t *)&listener, 1, on_connection));
    uv_close((uv_handle_t *)&listener, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    must(uv_write(&req, (uv_stream_t *)&mine, &buf, 1, NULL)); /* @created */
#ifdef FIXED
    finish(&loop);
#endif
    return 0;
}
