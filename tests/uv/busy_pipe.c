/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#156 "uv_loop_close() return EBUSY after uv_run() returned 0": an ipc pipe that never
 * was connected is an open handle too.
 *
 * @expect loop-busy-at-close created
 */
#include "program.h"

int main(void)
{
    uv_loop_t loop;
    uv_pipe_t ipc_client;
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &ipc_client, 0)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
#ifdef FIXED
    uv_close((uv_handle_t *)&ipc_client, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
#endif
    uv_loop_close(&loop); /* @call */
    return 0;
}
