/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#447 "uv_idle_start() and uv_timer_start() ignored when called on a stream write req
 * callback" looks for a stall behind a write's callback; this callback is the stall.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void after_write(uv_write_t *req, int status)
{
    (void)req;
    must(status);
    uv_sleep(TAKES);
}

int main(void)
{
    uv_loop_t loop;
    uv_pipe_t server, client;
    uv_write_t req;
    uv_buf_t buf = greeting();
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &server, 0));
    must(uv_pipe_init(&loop, &client, 0));
    connect_pair(&server, &client);
    must(uv_write(&req, (uv_stream_t *)&server, &buf, 1, after_write)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
