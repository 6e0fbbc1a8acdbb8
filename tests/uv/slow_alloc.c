/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#4196 "Main thread hang detection": it is the allocation callback that takes long here
 * (a pool that has to grow), not the read.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void grow_pool(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    uv_sleep(TAKES);
    give_buffer(handle, size, buf);
}

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    (void)nread;
    (void)buf;
    uv_read_stop(stream);
}

int main(void)
{
    uv_loop_t loop;
    uv_pipe_t server, client;
    uv_buf_t buf = greeting();
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &server, 0)); /* @created */
    must(uv_pipe_init(&loop, &client, 0));
    connect_pair(&server, &client);
    must(uv_read_start((uv_stream_t *)&server, grow_pool, on_read));
    if (uv_try_write((uv_stream_t *)&client, &buf, 1) != 5) {
        return 4;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
