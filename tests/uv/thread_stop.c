/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#196 "Can't STOP the uv_run!!!" (also libuv/help#18): one thread runs the loop, another
 * calls uv_stop(), which does not wake the loop up.
 *
 * @expect non-thread-safe-call call running
 */
#include "program.h"

static uv_loop_t loop;
static uv_async_t wakeup;

static void on_wakeup(uv_async_t *async)
{
#ifdef FIXED
    uv_stop(async->loop);
#else
    (void)async;
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
    must(uv_loop_init(&loop));
    must(uv_async_init(&loop, &wakeup, on_wakeup));
    tell_when_running(&loop, &running);
    must(uv_thread_create(&thread, run, NULL));
    uv_sem_wait(&running);
    uv_sleep(10); /* now it sleeps in the kernel */
#ifndef FIXED
    uv_stop(&loop); /* @call */
#endif
    uv_async_send(&wakeup); /* without it the program would hang here, as the reporter's did */
    uv_thread_join(&thread);
    finish(&loop);
    return has_run ? 0 : 4;
}
