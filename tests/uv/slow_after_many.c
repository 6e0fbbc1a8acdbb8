/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#1170 wants "to record all the time spend by user code in one frame": one slow
 * callback after very many quick ones, so many that the shim does not time each any more but looks
 * whether a coarser clock has moved.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static int calls;

static void on_idle(uv_idle_t *idle)
{
    if (++calls == 300000) {
        uv_sleep(TAKES);
        uv_idle_stop(idle);
    }
}

int main(void)
{
    uv_loop_t loop;
    uv_idle_t idle;
    must(uv_loop_init(&loop));
    must(uv_idle_init(&loop, &idle)); /* @created */
    must(uv_idle_start(&idle, on_idle));
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
