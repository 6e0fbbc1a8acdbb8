/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#588 "Calling uv_queue_work multiple times?": queueing the same request again from its
 * after-callback is right, as is one from the callback of a write: both are silent.
 *
 * @silent
 */
#include "program.h"

static int rounds;
static uv_buf_t buf;

static void work(uv_work_t *req)
{
    (void)req;
}

static void after_work(uv_work_t *req, int status)
{
    (void)status;
    if (++rounds < 3) {
        must(uv_queue_work(req->loop, req, work, after_work));
    }
}

static void on_write(uv_write_t *req, int status)
{
    must(status);
    if (++rounds < 6) {
        must(uv_write(req, req->handle, &buf, 1, on_write));
    }
}

int main(void)
{
    uv_loop_t loop;
    uv_pipe_t mine, theirs;
    uv_work_t job;
    uv_write_t req;
    buf = greeting();
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &mine, 0));
    must(uv_pipe_init(&loop, &theirs, 0));
    connect_pair(&mine, &theirs);
    must(uv_queue_work(&loop, &job, work, after_work));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_write(&req, (uv_stream_t *)&mine, &buf, 1, on_write));
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return rounds == 6 ? 0 : 4;
}
