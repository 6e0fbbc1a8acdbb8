/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#78 "Hit assert() in uv__async_io()" ("I've called uv_run() to implement synchronous
 * operations"): inside a read callback the loop is run until a file operation is done.
 *
 * @expect loop-reentered call running
 */
#include "program.h"

static uv_pipe_t mine, theirs;

static void on_stat(uv_fs_t *req)
{
    *(int *)req->data = 1;
    uv_fs_req_cleanup(req);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    uv_fs_t req;
    int done = 0;
    (void)nread;
    (void)buf;
    uv_read_stop(stream);
    req.data = &done;
#ifdef FIXED
    must(uv_fs_stat(NULL, &req, "/", NULL)); /* without a callback libuv does it at once */
    on_stat(&req);
#else
    must(uv_fs_stat(stream->loop, &req, "/", on_stat));
    while (!done) {
        uv_run(stream->loop, UV_RUN_ONCE); /* @call */
    }
#endif
}

int main(void)
{
    uv_loop_t loop;
    uv_write_t req;
    uv_buf_t buf = greeting();
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &mine, 0));
    must(uv_pipe_init(&loop, &theirs, 0));
    connect_pair(&mine, &theirs);
    must(uv_read_start((uv_stream_t *)&mine, give_buffer, on_read));
    must(uv_write(&req, (uv_stream_t *)&theirs, &buf, 1, NULL));
    uv_run(&loop, UV_RUN_DEFAULT); /* @running */
    finish(&loop);
    return 0;
}
