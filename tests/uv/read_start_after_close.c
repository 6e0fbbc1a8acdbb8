/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#842 "call uv_tcp_read_start is unsafe when libuv in UV__HANDLE_CLOSING trigger
 * write_cb" ("Is it undefined behaviour to call uv_read_start after uv_close?"): a write's
 * callback, which comes with UV_ECANCELED, goes on reading.
 *
 * @expect handle-used-after-close created closed call
 */
#include "program.h"

static char megabyte[1 << 20];

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    (void)stream;
    (void)nread;
    (void)buf;
}

static void on_write(uv_write_t *req, int status)
{
#ifdef FIXED
    if (status == UV_ECANCELED) {
        return;
    }
#endif
    (void)status;
    uv_read_start(req->handle, give_buffer, on_read); /* @call */
}

int main(void)
{
    uv_loop_t loop;
    uv_pipe_t client, peer;
    uv_write_t req;
    uv_buf_t buf = uv_buf_init(megabyte, sizeof(megabyte)); /* more than the socket takes at once */
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &client, 0)); /* @created */
    must(uv_pipe_init(&loop, &peer, 0));
    connect_pair(&client, &peer);
    must(uv_write(&req, (uv_stream_t *)&client, &buf, 1, on_write));
    uv_close((uv_handle_t *)&client, NULL); /* @closed */
    uv_close((uv_handle_t *)&peer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
