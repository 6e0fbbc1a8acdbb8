/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#824 "Crash in uv__async_event" is of this family: a thread asks for a file's status
 * on a loop that runs elsewhere. Right is the form without a callback, which touches no loop: any
 * thread may call it.
 *
 * @expect non-thread-safe-call call running
 */
#include "program.h"

static void on_stat(uv_fs_t *req)
{
    uv_fs_req_cleanup(req);
}

static void other_thread(void *arg)
{
    static uv_fs_t req;
#ifdef FIXED
    (void)arg;
    must(uv_fs_stat(NULL, &req, "/", NULL));
    on_stat(&req);
#else
    must(uv_fs_stat(arg, &req, "/", on_stat)); /* @call */
#endif
}

static void on_timer(uv_timer_t *timer)
{
    uv_thread_t thread;
    must(uv_thread_create(&thread, other_thread, timer->loop));
    uv_thread_join(&thread); /* @running */
    uv_close((uv_handle_t *)timer, NULL);
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
    return 0;
}
