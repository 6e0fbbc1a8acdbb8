/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#884 "assert did not call uv_close()!!???" has its clean-up in the shutdown's
 * callback; so has this.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_shutdown(uv_shutdown_t *req, int status)
{
    must(status);
    uv_sleep(TAKES);
    uv_close((uv_handle_t *)req->handle, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_pipe_t server, client;
    uv_shutdown_t req;
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &server, 0));
    must(uv_pipe_init(&loop, &client, 0));
    connect_pair(&server, &client);
    must(uv_shutdown(&req, (uv_stream_t *)&server, on_shutdown)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
