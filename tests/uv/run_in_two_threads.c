/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#96 "libuv loop is thread safe?": two threads run one loop, as they may wait on one
 * epoll descriptor.
 *
 * @expect loop-reentered call running
 */
#include "program.h"

static int has_run;

static void run_it_too(void *arg)
{
#ifdef FIXED
    uv_loop_t loop;
    (void)arg;
    must(uv_loop_init(&loop)); /* each thread a loop of its own */
    uv_run(&loop, UV_RUN_NOWAIT);
    must(uv_loop_close(&loop));
#else
    uv_run(arg, UV_RUN_NOWAIT); /* @call */
#endif
    has_run = 1;
}

static void on_timer(uv_timer_t *timer)
{
    uv_thread_t thread;
    uv_close((uv_handle_t *)timer, NULL);
    must(uv_thread_create(&thread, run_it_too, timer->loop));
    uv_thread_join(&thread); /* @running */
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, on_timer, 1, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return has_run ? 0 : 4;
}
