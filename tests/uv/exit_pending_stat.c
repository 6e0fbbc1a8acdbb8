/* SPDX-License-Identifier: MIT */
/*
 * luvit/luv#654 "chore: fix crash in loop_gc": a script submits a file operation and never runs the
 * loop ("note: calling uv.run() would fix this example"). Its callback comes too late, or never.
 *
 * @expect request-pending-at-exit created
 * @env AIODEBUG_RESOURCE=1
 */
#include "program.h"

static uv_loop_t loop;
static uv_fs_t req;

static void on_stat(uv_fs_t *fs)
{
    uv_fs_req_cleanup(fs);
}

int main(void)
{
    must(uv_loop_init(&loop));
    must(uv_fs_stat(&loop, &req, "/", on_stat)); /* @created */
#ifdef FIXED
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
#endif
    return 0;
}
