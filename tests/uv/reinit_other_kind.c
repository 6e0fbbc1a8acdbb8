/* SPDX-License-Identifier: MIT */
/*
 * nodejs/node#46587 "net: rework autoSelectFamily implementation": "I don't think it's safe to call
 * uv_..._init() functions on open handles". A union holds a pipe or a connection; the pipe failed,
 * so the connection is tried.
 *
 * @expect handle-reinitialized created call
 */
#include "program.h"

static void on_connect(uv_connect_t *req, int status)
{
    (void)req;
    (void)status;
}

int main(void)
{
    uv_loop_t loop;
    uv_connect_t req;
    union {
        uv_pipe_t pipe;
        uv_tcp_t tcp;
    } peer;
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &peer.pipe, 0)); /* @created */
    uv_pipe_connect(&req, &peer.pipe, "/nowhere/socket", on_connect);
    uv_run(&loop, UV_RUN_DEFAULT);
#ifdef FIXED
    uv_close((uv_handle_t *)&peer.pipe, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
#endif
    must(uv_tcp_init(&loop, &peer.tcp)); /* @call */
#ifdef FIXED
    finish(&loop);
#endif
    return 0;
}
