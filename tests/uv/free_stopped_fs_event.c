/* SPDX-License-Identifier: MIT */
/*
 * luau-lang/lute#568 "Use after free in fs.cpp's watch method": the watch is stopped, never closed,
 * and freed.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

typedef struct {
    char path[256];
    uv_fs_event_t event;
} watch_t;

static void on_change(uv_fs_event_t *event, const char *name, int events, int status)
{
    (void)event;
    (void)name;
    (void)events;
    (void)status;
}

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}
#endif

int main(void)
{
    uv_loop_t loop;
    watch_t *watch = calloc(1, sizeof(*watch));
    must(uv_loop_init(&loop));
    must(uv_fs_event_init(&loop, &watch->event)); /* @created */
    must(uv_fs_event_start(&watch->event, on_change, "/", 0));
    uv_run(&loop, UV_RUN_NOWAIT);
    must(uv_fs_event_stop(&watch->event));
#ifdef FIXED
    watch->event.data = watch;
    uv_close((uv_handle_t *)&watch->event, on_close);
    finish(&loop);
#else
    free(watch); /* @freed */
#endif
    return 0;
}
