/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#185 "event loop hang on uv_async_t": thousands of wake-ups whose callback takes its
 * time.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_async(uv_async_t *async)
{
    uv_sleep(TAKES);
    uv_close((uv_handle_t *)async, NULL);
}

static void other_thread(void *arg)
{
    for (int i = 0; i < 100; i++) {
        uv_async_send(arg);
    }
}

int main(void)
{
    uv_loop_t loop;
    uv_async_t async;
    uv_thread_t thread;
    must(uv_loop_init(&loop));
    must(uv_async_init(&loop, &async, on_async)); /* @created */
    must(uv_thread_create(&thread, other_thread, &async));
    uv_thread_join(&thread);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
