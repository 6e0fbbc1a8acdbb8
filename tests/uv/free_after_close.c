/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#106 "delete timer get segment fault error": the memory is freed right after
 * uv_close(), which only begins the closing; the loop writes into it when it finishes.
 *
 * @expect handle-destroyed-active created closed freed
 * @env AIODEBUG_RESOURCE=1
 */
#include "program.h"

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle);
}
#endif

static void on_timer(uv_timer_t *timer)
{
    uv_timer_stop(timer);
#ifdef FIXED
    uv_close((uv_handle_t *)timer, on_close);
#else
    uv_close((uv_handle_t *)timer, NULL); /* @closed */
    free(timer);                          /* @freed */
    exit(0);                              /* the loop would now walk through freed memory */
#endif
}

int main(void)
{
    uv_timer_t *timer = malloc(sizeof(*timer));
    must(uv_timer_init(uv_default_loop(), timer)); /* @created */
    must(uv_timer_start(timer, on_timer, 1, 0));
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    finish(uv_default_loop());
    return 0;
}
