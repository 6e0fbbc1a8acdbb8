/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#180 "Crash on uv_loop_close after freeing watcher handle": a stopped timer is freed.
 * It is still in the loop's queue, since only uv_close() takes a handle out of it.
 *
 * @expect handle-destroyed-active created freed
 * @env AIODEBUG_RESOURCE=1
 */
#include "program.h"

static void on_timer(uv_timer_t *timer)
{
    uv_timer_stop(timer);
}

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle);
}
#endif

int main(void)
{
    uv_loop_t loop;
    uv_timer_t *timer = malloc(sizeof(*timer));
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, timer)); /* @created */
    must(uv_timer_start(timer, on_timer, 1, 1000));
    uv_run(&loop, UV_RUN_DEFAULT);
#ifdef FIXED
    uv_close((uv_handle_t *)timer, on_close);
    finish(&loop);
#else
    free(timer); /* @freed */
#endif
    return 0;
}
