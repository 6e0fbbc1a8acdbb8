/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#1170 "Make check handle runs before the callbacks" ("to record all the time spend by
 * user code in one frame"): a check callback's own time is time of the loop, too.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void after_poll(uv_check_t *check)
{
    uv_sleep(TAKES);
    uv_check_stop(check);
}

int main(void)
{
    uv_loop_t loop;
    uv_check_t check;
    must(uv_loop_init(&loop));
    must(uv_check_init(&loop, &check)); /* @created */
    must(uv_check_start(&check, after_poll));
    uv_run(&loop, UV_RUN_NOWAIT);
    finish(&loop);
    return 0;
}
