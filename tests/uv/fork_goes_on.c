/* SPDX-License-Identifier: MIT */
/*
 * MagicStack/uvloop#33 and others have servers that fork their workers: uv_loop_fork() in the
 * child, which then uses the loop as its own. Silent in both.
 *
 * @silent
 */
#include "program.h"

#include <sys/wait.h>

static int ticks;

static void on_timer(uv_timer_t *timer)
{
    if (++ticks == 3) {
        uv_close((uv_handle_t *)timer, NULL);
    }
}

static void on_async(uv_async_t *async)
{
    uv_close((uv_handle_t *)async, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    uv_async_t async;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_async_init(&loop, &async, on_async));
    must(uv_timer_start(&timer, on_timer, 1, 1));
    uv_run(&loop, UV_RUN_ONCE);
    pid_t child = fork();
    if (child == 0) {
        must(uv_loop_fork(&loop));
    }
    uv_async_send(&async);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    if (child == 0) {
        return 0;
    }
    int status;
    waitpid(child, &status, 0);
    return status == 0 && ticks == 3 ? 0 : 4;
}
