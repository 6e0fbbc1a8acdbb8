/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#765 "uv_loop_close() reports busy if idle is used": the guide's example, whose idle
 * handle is stopped.
 *
 * @expect loop-busy-at-close created
 */
#include "program.h"

static int64_t counter;

static void wait_for_a_while(uv_idle_t *idle)
{
    if (++counter >= 10) {
        uv_idle_stop(idle);
#ifdef FIXED
        uv_close((uv_handle_t *)idle, NULL);
#endif
    }
}

int main(void)
{
    uv_idle_t idler;
    must(uv_idle_init(uv_default_loop(), &idler)); /* @created */
    must(uv_idle_start(&idler, wait_for_a_while));
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    uv_loop_close(uv_default_loop()); /* @call */
    return 0;
}
