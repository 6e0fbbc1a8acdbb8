/* SPDX-License-Identifier: MIT */
/*
 * neovim/neovim#7396 "Load of large (binary?) files becomes blocking after some point": the file
 * was read in the pool, and then its content is worked on in the callback, on the loop's thread.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_stat(uv_fs_t *req)
{
    uv_sleep(TAKES);
    uv_fs_req_cleanup(req);
}

int main(void)
{
    uv_loop_t loop;
    uv_fs_t req;
    must(uv_loop_init(&loop));
    must(uv_fs_stat(&loop, &req, "/", on_stat)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
