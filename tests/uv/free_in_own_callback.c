/* SPDX-License-Identifier: MIT */
/*
 * wren-lang/wren#293 "Fix some bugs in the libuv timer module": a timer that fires once frees
 * itself in its callback.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle);
}
#endif

static void resume_fiber(uv_timer_t *timer)
{
#ifdef FIXED
    uv_close((uv_handle_t *)timer, on_close);
#else
    free(timer); /* @freed */
#endif
}

static void sleep_fiber(uv_loop_t *loop, uint64_t ms)
{
    uv_timer_t *timer = malloc(sizeof(*timer));
    must(uv_timer_init(loop, timer)); /* @created */
    must(uv_timer_start(timer, resume_fiber, ms, 0));
}

int main(void)
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    sleep_fiber(&loop, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
#ifdef FIXED
    must(uv_loop_close(&loop));
#endif
    return 0;
}
