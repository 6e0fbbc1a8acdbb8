/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#2462 "libuv dead cycle in cmpxchgi" ("only uv_async_send() is thread-safe. You need
 * to call uv_async_init() from thread 1"): a thread makes the handle by which it wants to wake the
 * loop.
 *
 * @expect non-thread-safe-call call running
 */
#include "program.h"

static uv_loop_t loop;
static uv_async_t async;

static void on_async(uv_async_t *handle)
{
    uv_close((uv_handle_t *)handle, NULL);
}

static void other_thread(void *arg)
{
    (void)arg;
#ifndef FIXED
    must(uv_async_init(&loop, &async, on_async)); /* @call */
#endif
    uv_async_send(&async);
}

static void on_timer(uv_timer_t *timer)
{
    uv_thread_t thread;
    must(uv_thread_create(&thread, other_thread, NULL));
    uv_thread_join(&thread); /* @running */
    uv_close((uv_handle_t *)timer, NULL);
}

int main(void)
{
    uv_timer_t timer;
    must(uv_loop_init(&loop));
#ifdef FIXED
    must(uv_async_init(&loop, &async, on_async));
#endif
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, on_timer, 1, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
