/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#560 "Remain handle in loop's handle_queue": uv_close() was called, but the loop does
 * not run any more, so that the handle is still closing when the loop is.
 *
 * @expect loop-busy-at-close created
 */
#include "program.h"

int main(void)
{
    uv_loop_t loop;
    uv_udp_t udp;
    must(uv_loop_init(&loop));
    must(uv_udp_init(&loop, &udp)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&udp, NULL);
#ifdef FIXED
    uv_run(&loop, UV_RUN_DEFAULT);
    return uv_loop_close(&loop) == 0 ? 0 : 4;
#else
    return uv_loop_close(&loop) == UV_EBUSY ? 0 : 4; /* @call */
#endif
}
