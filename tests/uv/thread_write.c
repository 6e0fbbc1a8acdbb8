/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#1314 "uv_write crash from time to time": the loop runs in one thread, a worker
 * writes to a client from its own. Here the loop sleeps in the kernel meanwhile.
 *
 * @expect non-thread-safe-call call running
 */
#include "program.h"

static uv_loop_t loop;
static uv_pipe_t client, peer;
static uv_async_t async;
static uv_write_t req;
static uv_sem_t running;

static void write_greeting(void)
{
    uv_buf_t buf = greeting();
    must(uv_write(&req, (uv_stream_t *)&client, &buf, 1, NULL)); /* @call */
}

static void on_async(uv_async_t *handle)
{
    (void)handle;
#ifdef FIXED
    write_greeting();
#endif
    uv_stop(&loop);
}

static void worker(void *arg)
{
    (void)arg;
    uv_sem_wait(&running);
    uv_sleep(10); /* now it sleeps in the kernel */
#ifndef FIXED
    write_greeting();
#endif
    uv_async_send(&async);
}

int main(void)
{
    uv_thread_t thread;
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &client, 0));
    must(uv_pipe_init(&loop, &peer, 0));
    connect_pair(&client, &peer);
    must(uv_async_init(&loop, &async, on_async));
    tell_when_running(&loop, &running);
    must(uv_thread_create(&thread, worker, NULL));
    uv_run(&loop, UV_RUN_DEFAULT); /* @running */
    uv_thread_join(&thread);
    uv_run(&loop, UV_RUN_NOWAIT);
    finish(&loop);
    return 0;
}
