/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#4837 "uv_queue_work seems not thread same" (also libuv/libuv#930, "how terrible it
 * is!!"): a thread queues work for a loop that runs in another; the count of active requests is not
 * atomic.
 *
 * @expect non-thread-safe-call call running
 */
#include "program.h"

static uv_loop_t loop;
static uv_work_t req;

static void work(uv_work_t *job)
{
    (void)job;
}

static void after_work(uv_work_t *job, int status)
{
    (void)job;
    (void)status;
}

static void other_thread(void *arg)
{
#ifdef FIXED
    uv_async_send(arg);
#else
    (void)arg;
    must(uv_queue_work(&loop, &req, work, after_work)); /* @call */
#endif
}

#ifdef FIXED
static void queue_it(uv_async_t *async)
{
    uv_close((uv_handle_t *)async, NULL);
    must(uv_queue_work(&loop, &req, work, after_work));
}
#endif

static void on_timer(uv_timer_t *timer)
{
    uv_thread_t thread;
    must(uv_thread_create(&thread, other_thread, timer->data));
    uv_thread_join(&thread); /* @running */
    uv_close((uv_handle_t *)timer, NULL);
}

int main(void)
{
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, on_timer, 1, 0));
#ifdef FIXED
    uv_async_t async;
    must(uv_async_init(&loop, &async, queue_it));
    timer.data = &async;
#endif
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
