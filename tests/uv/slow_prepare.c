/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#1317 "unix: prepare handles run too early": what a prepare callback does, it does
 * before every poll.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void before_poll(uv_prepare_t *prepare)
{
    uv_sleep(TAKES);
    uv_prepare_stop(prepare);
}

int main(void)
{
    uv_loop_t loop;
    uv_prepare_t prepare;
    must(uv_loop_init(&loop));
    must(uv_prepare_init(&loop, &prepare)); /* @created */
    must(uv_prepare_start(&prepare, before_poll));
    uv_run(&loop, UV_RUN_NOWAIT);
    finish(&loop);
    return 0;
}
