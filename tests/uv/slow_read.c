/* SPDX-License-Identifier: MIT */
/*
 * luvit/luv and node programs alike: the whole request is worked on where its last bytes arrive
 * (libuv/libuv#4196 "Main thread hang detection" asks how to notice). A read's callback.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void handle_request(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    (void)nread;
    (void)buf;
    uv_sleep(TAKES);
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
    must(uv_read_start((uv_stream_t *)&server, give_buffer, handle_request));
    if (uv_try_write((uv_stream_t *)&client, &buf, 1) != 5) {
        return 4;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
