/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#154 "Fast-completing io may starve other callbacks": 30 connections have data at
 * once, each read takes 10 ms, and a timer that was due long ago waits for all of them.
 *
 * @expect slow-iteration
 * @env AIODEBUG_SLOW_ITERATION=0.25
 */
#include "program.h"

enum { CONNECTIONS = 30 };

static void on_read(uv_stream_t *stream, ssize_t nread, const uv_buf_t *buf)
{
    (void)nread;
    (void)buf;
    uv_read_stop(stream);
#ifdef FIXED
    uv_sleep(1);
#else
    uv_sleep(10);
#endif
}

int main(void)
{
    uv_loop_t loop;
    static uv_pipe_t servers[CONNECTIONS], clients[CONNECTIONS];
    uv_buf_t buf = greeting();
    must(uv_loop_init(&loop));
    for (int i = 0; i < CONNECTIONS; i++) {
        must(uv_pipe_init(&loop, &servers[i], 0));
        must(uv_pipe_init(&loop, &clients[i], 0));
        connect_pair(&servers[i], &clients[i]);
        must(uv_read_start((uv_stream_t *)&servers[i], give_buffer, on_read));
        if (uv_try_write((uv_stream_t *)&clients[i], &buf, 1) != 5) {
            return 4;
        }
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
