/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#491 "Feature Request: need actual idle handles": despite its name an idle handle's
 * callback is called in every turn, and all I/O waits for it.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void compute(uv_idle_t *idle)
{
    uv_sleep(TAKES);
    uv_idle_stop(idle);
}

int main(void)
{
    uv_loop_t loop;
    uv_idle_t idle;
    must(uv_loop_init(&loop));
    must(uv_idle_init(&loop, &idle)); /* @created */
    must(uv_idle_start(&idle, compute));
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
