/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#502 "why timer callback don't use uv_queue_work?" ("One timer may blocked by another
 * timer"): the work is done in the timer's callback; it belongs into the pool.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

#ifdef FIXED
static uv_work_t req;

static void work(uv_work_t *job)
{
    (void)job;
    uv_sleep(150); /* in the pool nobody waits for it */
}

static void on_timer(uv_timer_t *timer)
{
    must(uv_queue_work(timer->loop, &req, work, NULL));
}
#else
static void on_timer(uv_timer_t *timer)
{
    (void)timer;
    uv_sleep(TAKES);
}
#endif

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer)); /* @created */
    must(uv_timer_start(&timer, on_timer, 1, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
