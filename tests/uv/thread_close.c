/* SPDX-License-Identifier: MIT */
/*
 * lynckia/licode#1443 "Do not call uv_close from uv loop other than the main one": a thread closes
 * the async handle of a loop that runs elsewhere.
 *
 * @expect non-thread-safe-call call running
 */
#include "program.h"

static uv_async_t async;
static int is_closed;

static void on_async(uv_async_t *handle)
{
#ifdef FIXED
    uv_close((uv_handle_t *)handle, NULL);
#else
    (void)handle;
#endif
}

static void other_thread(void *arg)
{
    (void)arg;
#ifdef FIXED
    uv_async_send(&async);
#else
    uv_close((uv_handle_t *)&async, NULL); /* @call */
#endif
    is_closed = 1;
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
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_async_init(&loop, &async, on_async));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, on_timer, 1, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return is_closed ? 0 : 4;
}
