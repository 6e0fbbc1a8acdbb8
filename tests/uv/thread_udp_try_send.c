/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#4907 "uv_udp_try_send Is it thread safe?": it works a million times, so it is taken
 * to be.
 *
 * @expect non-thread-safe-call call running
 */
#include "program.h"

static uv_loop_t loop;
static uv_udp_t udp;
static uv_async_t async;
static struct sockaddr_in addr;

static void send_it(void)
{
    uv_buf_t buf = greeting();
    uv_udp_try_send(&udp, &buf, 1, as_sockaddr(&addr)); /* @call */
}

static void on_async(uv_async_t *handle)
{
#ifdef FIXED
    send_it();
#endif
    uv_stop(handle->loop);
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
    addr = any_port();
    must(uv_loop_init(&loop));
    must(uv_udp_init(&loop, &udp));
    must(uv_udp_bind(&udp, as_sockaddr(&addr), 0));
    addr = udp_address(&udp);
    must(uv_async_init(&loop, &async, on_async));
    tell_when_running(&loop, &running);
    must(uv_thread_create(&thread, run, NULL));
    uv_sem_wait(&running);
    uv_sleep(10); /* now it sleeps in the kernel */
#ifndef FIXED
    send_it();
#endif
    uv_async_send(&async);
    uv_thread_join(&thread);
    finish(&loop);
    return has_run ? 0 : 4;
}
