/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#425 "Sporadic SIGSEGV in src/unix/stream.c" (uv_write() under a mutex of the
 * program's own, which uv_run() does not take): with AIODEBUG_THREAD=error the shim refuses the
 * call, and it returns an error code.
 *
 * @expect non-thread-safe-call created call running
 * @env AIODEBUG_THREAD=error
 */
#include "program.h"

static uv_loop_t loop;
static uv_pipe_t client, peer;
static uv_async_t async;
static uv_write_t req;
static uv_sem_t running;
static uv_mutex_t mutex;
static int answer;

static int write_greeting(void)
{
    uv_buf_t buf = greeting();
    uv_mutex_lock(&mutex);
    int err = uv_write(&req, (uv_stream_t *)&client, &buf, 1, NULL); /* @call */
    uv_mutex_unlock(&mutex);
    return err;
}

static void on_async(uv_async_t *handle)
{
#ifdef FIXED
    answer = write_greeting();
#endif
    uv_stop(handle->loop);
}

static void worker(void *arg)
{
    (void)arg;
    uv_sem_wait(&running);
    uv_sleep(10);
#ifndef FIXED
    answer = write_greeting();
#endif
    uv_async_send(&async);
}

int main(void)
{
    uv_thread_t thread;
    must(uv_loop_init(&loop));
    must(uv_mutex_init(&mutex));
    must(uv_pipe_init(&loop, &client, 0)); /* @created */
    must(uv_pipe_init(&loop, &peer, 0));
    connect_pair(&client, &peer);
    must(uv_async_init(&loop, &async, on_async));
    tell_when_running(&loop, &running);
    must(uv_thread_create(&thread, worker, NULL));
    uv_run(&loop, UV_RUN_DEFAULT); /* @running */
    uv_thread_join(&thread);
    finish(&loop);
#ifdef FIXED
    return answer == 0 ? 0 : 4;
#else
    return answer == UV_EPERM ? 0 : 4;
#endif
}
