/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#1286 "Segmentation fault when uv_timer_stop->heap_remove": a timer of a running loop
 * is stopped from another thread, and the heap of the timers is corrupt for both.
 *
 * @expect non-thread-safe-call created call running
 */
#include "program.h"

static uv_loop_t loop;
static uv_timer_t timer;
static uv_async_t async;
static uv_sem_t running;
static int is_stopped;

static void on_timer(uv_timer_t *handle)
{
    (void)handle;
}

static void on_async(uv_async_t *handle)
{
#ifdef FIXED
    must(uv_timer_stop(&timer));
#endif
    uv_stop(handle->loop);
}

static void other_thread(void *arg)
{
    (void)arg;
    uv_sem_wait(&running);
    uv_sleep(10);
#ifndef FIXED
    must(uv_timer_stop(&timer)); /* @call */
#endif
    is_stopped = 1;
    uv_async_send(&async);
}

int main(void)
{
    uv_thread_t thread;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer)); /* @created */
    must(uv_timer_start(&timer, on_timer, 10000, 0));
    must(uv_async_init(&loop, &async, on_async));
    tell_when_running(&loop, &running);
    must(uv_thread_create(&thread, other_thread, NULL));
    uv_run(&loop, UV_RUN_DEFAULT); /* @running */
    uv_thread_join(&thread);
    finish(&loop);
    return is_stopped ? 0 : 4;
}
