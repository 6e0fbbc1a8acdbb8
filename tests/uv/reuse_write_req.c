/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#122 "Assertion failed when write v1.34.0" ("the smart money is on you reusing
 * m_writeReq before onWriteDone() is called"): the stream takes no more for now, so the first write
 * waits; the second uses its request.
 *
 * @expect request-reused scheduled call
 */
#include "program.h"

static char megabyte[1 << 20];

static void on_write(uv_write_t *req, int status)
{
    (void)req;
    (void)status;
}

int main(void)
{
    uv_loop_t loop;
    uv_pipe_t mine, theirs;
    uv_write_t req;
    uv_buf_t buf = uv_buf_init(megabyte, sizeof(megabyte));
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &mine, 0));
    must(uv_pipe_init(&loop, &theirs, 0));
    connect_pair(&mine, &theirs);
    must(uv_write(&req, (uv_stream_t *)&mine, &buf, 1, on_write)); /* @scheduled */
#ifdef FIXED
    uv_write_t another;
    must(uv_write(&another, (uv_stream_t *)&mine, &buf, 1, on_write));
    finish(&loop);
    return 0;
#else
    must(uv_write(&req, (uv_stream_t *)&mine, &buf, 1, on_write)); /* @call */
    _exit(0);                                                      /* the stream's queue is a ring of one now: the loop would never come out of it */
#endif
}
