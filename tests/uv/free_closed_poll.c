/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3962 "uv_walk segmentation fault": a poll handle is closed and its memory given back
 * in the same callback; the handle stays in the loop's queue until the closing is done.
 *
 * @expect handle-destroyed-active created closed freed
 */
#include "program.h"

typedef struct {
    char padding[64];
    uv_poll_t poll;
} watcher_t;

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}
#endif

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)status;
    (void)events;
#ifdef FIXED
    uv_close((uv_handle_t *)poll, on_close);
#else
    watcher_t *watcher = poll->data;
    uv_close((uv_handle_t *)poll, NULL); /* @closed */
    free(watcher);                       /* @freed */
#endif
}

int main(void)
{
    uv_loop_t loop;
    int fds[2];
    watcher_t *watcher = malloc(sizeof(*watcher));
    if (pipe(fds) != 0 || write(fds[1], "x", 1) != 1) {
        return 3;
    }
    must(uv_loop_init(&loop));
    must(uv_poll_init(&loop, &watcher->poll, fds[0])); /* @created */
    watcher->poll.data = watcher;
    must(uv_poll_start(&watcher->poll, UV_READABLE, on_readable));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
