/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#454 "Loop/multithreading enter/exit feature request" asks for a way to do this: a
 * thread starts an idle handle to have its callback run in the loop. The loop sleeps on.
 *
 * @expect non-thread-safe-call call running
 */
#include "program.h"

static uv_loop_t loop;
static uv_idle_t idle;

static void on_idle(uv_idle_t *handle)
{
    uv_idle_stop(handle);
}

static void on_async(uv_async_t *async)
{
    uv_close((uv_handle_t *)async, NULL);
#ifdef FIXED
    must(uv_idle_start(&idle, on_idle));
#endif
}

static uv_sem_t running;
static int has_run;

static void run(void *arg)
{
    (void)arg;
    uv_run(&loop, UV_RUN_DEFAULT); /* @running */
    has_run = 1;
}

int main(void)
{
    uv_thread_t thread;
    uv_async_t async;
    must(uv_loop_init(&loop));
    must(uv_idle_init(&loop, &idle));
    must(uv_async_init(&loop, &async, on_async));
    tell_when_running(&loop, &running);
    must(uv_thread_create(&thread, run, NULL));
    uv_sem_wait(&running);
    uv_sleep(10); /* now it sleeps in the kernel */
#ifndef FIXED
    must(uv_idle_start(&idle, on_idle)); /* @call */
#endif
    uv_async_send(&async);
    uv_thread_join(&thread);
    finish(&loop);
    return has_run ? 0 : 4;
}
