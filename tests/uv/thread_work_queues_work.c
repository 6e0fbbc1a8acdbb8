/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#931 "Ask a question, how to post a task to main thread in node": the pool's thread
 * calls uv_queue_work() on the default loop to get something done there.
 *
 * @expect non-thread-safe-call call running
 */
#include "program.h"

static uv_work_t first, second;
static uv_sem_t done;

static void nop(uv_work_t *req)
{
    (void)req;
}

static void print_it(uv_work_t *req, int status)
{
    (void)req;
    (void)status;
}

static void in_the_pool(uv_work_t *req)
{
    uv_sleep(20); /* until the loop's thread waits */
#ifdef FIXED
    uv_async_send(req->data);
#else
    (void)req;
    must(uv_queue_work(uv_default_loop(), &second, nop, print_it)); /* @call */
#endif
    uv_sem_post(&done);
}

static void on_async(uv_async_t *async)
{
    uv_close((uv_handle_t *)async, NULL);
    must(uv_queue_work(uv_default_loop(), &second, nop, print_it));
}

static void on_timer(uv_timer_t *timer)
{
    must(uv_queue_work(timer->loop, &first, in_the_pool, NULL));
    uv_sem_wait(&done); /* @running */
    uv_close((uv_handle_t *)timer, NULL);
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    uv_timer_t timer;
    uv_async_t async;
    must(uv_sem_init(&done, 0));
    must(uv_async_init(loop, &async, on_async));
    first.data = &async;
#ifndef FIXED
    uv_close((uv_handle_t *)&async, NULL);
#endif
    must(uv_timer_init(loop, &timer));
    must(uv_timer_start(&timer, on_timer, 1, 0));
    uv_run(loop, UV_RUN_DEFAULT);
    finish(loop);
    return 0;
}
