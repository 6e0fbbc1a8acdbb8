/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#187 "uv_write_cb called time not equal uv_write(without any error) called": the peer
 * does not read, so the write is not over when the program ends, and its data is lost.
 *
 * @expect request-pending-at-exit created
 * @env AIODEBUG_RESOURCE=1 AIODEBUG_CHECKS=all,-unclosed-handle
 */
#include "program.h"

static char megabyte[1 << 20];
static uv_loop_t loop;
static uv_pipe_t mine, theirs;
static uv_write_t req;

static void on_write(uv_write_t *write, int status)
{
    (void)write;
    (void)status;
}

int main(void)
{
    uv_buf_t buf = uv_buf_init(megabyte, sizeof(megabyte));
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &mine, 0));
    must(uv_pipe_init(&loop, &theirs, 0));
    connect_pair(&mine, &theirs);
    must(uv_write(&req, (uv_stream_t *)&mine, &buf, 1, on_write)); /* @created */
    uv_run(&loop, UV_RUN_NOWAIT);
#ifdef FIXED
    finish(&loop); /* closing the stream calls the write's callback with UV_ECANCELED */
#endif
    return 0;
}
