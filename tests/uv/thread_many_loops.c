/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#125 "stack smashing detected / segmentation fault" (multiple loops): each thread has
 * its own loop and they wake each other by uv_async_send(), which any thread may call: silent.
 *
 * @silent
 */
#include "program.h"

enum { LOOPS = 4 };

typedef struct {
    uv_loop_t loop;
    uv_async_t async;
    uv_thread_t thread;
} worker_t;

static worker_t workers[LOOPS];

static void on_async(uv_async_t *async)
{
    worker_t *worker = async->data;
    uv_close((uv_handle_t *)async, NULL);
    if (worker + 1 < workers + LOOPS) {
        uv_async_send(&worker[1].async);
    }
}

static void run(void *arg)
{
    worker_t *worker = arg;
    uv_run(&worker->loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&worker->loop));
}

int main(void)
{
    for (int i = 0; i < LOOPS; i++) {
        must(uv_loop_init(&workers[i].loop));
        must(uv_async_init(&workers[i].loop, &workers[i].async, on_async));
        workers[i].async.data = &workers[i];
    }
    for (int i = 0; i < LOOPS; i++) {
        must(uv_thread_create(&workers[i].thread, run, &workers[i]));
    }
    uv_async_send(&workers[0].async);
    for (int i = 0; i < LOOPS; i++) {
        uv_thread_join(&workers[i].thread);
    }
    return 0;
}
