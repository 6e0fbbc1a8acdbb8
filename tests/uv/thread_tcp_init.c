/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#1269 "uv_tcp_init thread safe": the thread that accepts makes the connection's
 * handle in the loop of the thread that is to serve it.
 *
 * @expect non-thread-safe-call call running
 */
#include "program.h"

static uv_loop_t serving;
static uv_tcp_t connection;

static void on_async(uv_async_t *async)
{
#ifdef FIXED
    must(uv_tcp_init(async->loop, &connection));
#endif
    uv_stop(async->loop);
}

static uv_sem_t running;
static int has_run;

static void serve(void *arg)
{
    (void)arg;
    uv_run(&serving, UV_RUN_DEFAULT); /* @running */
    has_run = 1;
}

int main(void)
{
    uv_thread_t thread;
    uv_async_t async;
    must(uv_loop_init(&serving));
    must(uv_async_init(&serving, &async, on_async));
    tell_when_running(&serving, &running);
    must(uv_thread_create(&thread, serve, NULL));
    uv_sem_wait(&running);
    uv_sleep(10); /* now it sleeps in the kernel */
#ifndef FIXED
    must(uv_tcp_init(&serving, &connection)); /* @call */
#endif
    uv_async_send(&async);
    uv_thread_join(&thread);
    finish(&serving);
    return has_run ? 0 : 4;
}
