/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3044 "uv_write causes coredump if the peer closed the tcp connection": a job's
 * after-callback writes to a connection that was closed while the job ran.
 *
 * @expect handle-used-after-close created closed call
 */
#include "program.h"

static uv_pipe_t client, peer;
static uv_write_t req;
static uv_sem_t closed;

static void on_close(uv_handle_t *handle)
{
    (void)handle;
    uv_sem_post(&closed);
}

static void encode_frame(uv_work_t *work)
{
    (void)work;
    uv_sem_wait(&closed); /* that is how long it takes */
}

static void send_frame(uv_work_t *work, int status)
{
    uv_buf_t buf = greeting();
    (void)work;
    (void)status;
#ifdef FIXED
    if (uv_is_closing((uv_handle_t *)&client)) {
        return;
    }
#endif
    if (uv_write(&req, (uv_stream_t *)&client, &buf, 1, NULL) == 0) { /* @call */
        exit(4);
    }
}

int main(void)
{
    uv_loop_t loop;
    uv_work_t work;
    must(uv_sem_init(&closed, 0));
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &client, 0)); /* @created */
    must(uv_pipe_init(&loop, &peer, 0));
    connect_pair(&client, &peer);
    must(uv_queue_work(&loop, &work, encode_frame, send_frame));
    uv_close((uv_handle_t *)&client, on_close); /* @closed */
    uv_close((uv_handle_t *)&peer, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
