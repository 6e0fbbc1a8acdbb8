/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#108 "How to run uv_run until uv_stop is called?": other threads add their timers to
 * the loop of a scheduler's thread ("You cannot create a timer outside of the loop thread. Well,
 * you can, if the loop is not running").
 *
 * @expect non-thread-safe-call call running
 */
#include "program.h"

static uv_loop_t loop;
static uv_timer_t timer, keep;

static void on_timer(uv_timer_t *handle)
{
    uv_close((uv_handle_t *)handle, NULL);
}

#ifdef FIXED
static void start_timer(uv_async_t *async)
{
    uv_close((uv_handle_t *)async, NULL);
    must(uv_timer_start(&timer, on_timer, 1, 0));
}
#endif

static void other_thread(void *arg)
{
#ifdef FIXED
    uv_async_send(arg);
#else
    (void)arg;
    must(uv_timer_start(&timer, on_timer, 1, 0)); /* @call */
#endif
}

static void on_keep(uv_timer_t *handle)
{
    uv_thread_t thread;
    must(uv_thread_create(&thread, other_thread, handle->data));
    uv_thread_join(&thread); /* @running */
    uv_close((uv_handle_t *)handle, NULL);
}

int main(void)
{
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_init(&loop, &keep));
    must(uv_timer_start(&keep, on_keep, 1, 0));
#ifdef FIXED
    uv_async_t async;
    must(uv_async_init(&loop, &async, start_timer));
    keep.data = &async;
#endif
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
