/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#863 "uv_loop_close() returns -16 after uv_close()": SIGINT's callback closes
 * everything and stops the loop; the program ends before the close callbacks, and what they were to
 * free is never freed.
 *
 * @expect unclosed-handle created
 * @env AIODEBUG_RESOURCE=1
 */
#include "program.h"

static uv_loop_t loop;
static uv_pipe_t client;
static uv_timer_t timer;

static void on_signal(uv_timer_t *handle)
{
    uv_close((uv_handle_t *)handle, NULL);
}

int main(void)
{
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &client, 0)); /* @created */
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, on_signal, 1, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&client, NULL);
#ifdef FIXED
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
#endif
    return 0;
}
