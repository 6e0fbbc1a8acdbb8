/* SPDX-License-Identifier: MIT */
/*
 * nodejs/node#30814 "src: improve checked uv loop close output": a worker's add-on leaves several
 * handles behind: one entry for each place that made them, with how many and in which state.
 *
 * @expect loop-busy-at-close created
 */
#include "program.h"

enum { TIMERS = 5, CLOSING = 2 };

static uv_timer_t timers[TIMERS];
static uv_check_t check;

static void open_timers(uv_loop_t *loop)
{
    for (int i = 0; i < TIMERS; i++) {
        must(uv_timer_init(loop, &timers[i])); /* @created */
    }
}

static void open_check(uv_loop_t *loop)
{
    must(uv_check_init(loop, &check));
}

int main(void)
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    open_timers(&loop);
    open_check(&loop);
#ifdef FIXED
    finish(&loop);
#else
    for (int i = 0; i < CLOSING; i++) {
        uv_close((uv_handle_t *)&timers[i], NULL);
    }
    uv_loop_close(&loop); /* @call */
#endif
    return 0;
}
