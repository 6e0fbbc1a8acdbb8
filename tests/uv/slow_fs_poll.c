/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#2287 "New assertion failure in uv__make_close_pending as of 1.27.0" is about the
 * closing of an fs_poll in its callback; this callback also takes long.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_change(uv_fs_poll_t *poll, int status, const uv_stat_t *was, const uv_stat_t *is)
{
    (void)was;
    (void)is;
    (void)status;
    uv_sleep(TAKES);
    uv_close((uv_handle_t *)poll, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_fs_poll_t poll;
    must(uv_loop_init(&loop));
    must(uv_fs_poll_init(&loop, &poll)); /* @created */
    must(uv_fs_poll_start(&poll, on_change, "/there/is/no/such/file", 10));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
