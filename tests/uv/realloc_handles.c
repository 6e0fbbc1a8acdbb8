/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3266 "Double initialization of uv_tcp_t cause random segfaults" names moving and
 * freeing memory among the things a loop does not survive: here an array of handles grows by
 * realloc(), and the first one moves away.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

#ifdef FIXED
enum { STEP = 1000 };
#endif

int main(void)
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
#ifdef FIXED
    uv_timer_t *timers[2]; /* the table may grow; the handles stay where they are */
    for (int i = 0; i < 2; i++) {
        timers[i] = malloc(STEP * sizeof(uv_timer_t));
        must(uv_timer_init(&loop, timers[i]));
        must(uv_timer_start(timers[i], on_timer, 1, 0));
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    free(timers[0]);
    free(timers[1]);
#else
    uv_timer_t *timers = malloc(sizeof(*timers));
    must(uv_timer_init(&loop, &timers[0])); /* @created */
    must(uv_timer_start(&timers[0], on_timer, 1000, 0));
    void *wall = malloc(64); /* behind it, so that it cannot grow in place */
    timers = realloc(timers, 1000 * sizeof(*timers)); /* @freed */
    must(uv_timer_init(&loop, &timers[1]));
    free(wall);
    /* the loop now refers to memory that is free; and `timers` is not told to anybody any more */
    _exit(timers == NULL);
#endif
    return 0;
}
