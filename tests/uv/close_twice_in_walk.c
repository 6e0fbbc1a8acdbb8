/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#93 "uv_walk passe wrong handle": the walk at the end closes every handle it meets,
 * also those that are closing already ("That check is needed since handles are still part of the
 * loop while they are closing").
 *
 * @expect handle-closed-twice created closed call
 * @signal 6
 */
#include "program.h"

static void close_walked(uv_handle_t *handle, void *arg)
{
    (void)arg;
#ifdef FIXED
    if (uv_is_closing(handle)) {
        return;
    }
#endif
    uv_close(handle, NULL); /* @call */
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    uv_idle_t idle;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer)); /* @created */
    must(uv_idle_init(&loop, &idle));
    uv_close((uv_handle_t *)&timer, NULL); /* @closed */
    uv_walk(&loop, close_walked, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
