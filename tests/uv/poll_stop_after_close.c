/* SPDX-License-Identifier: MIT */
/*
 * c4milo/node-inotify#33 "Inotify destructor can cause libuv assertion failure": close() closes the
 * poll handle, and the destructor that the collector calls later stops it.
 *
 * @expect handle-used-after-close created closed call
 * @signal 6
 */
#include "program.h"

static uv_poll_t poll_handle;

static void on_event(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
}

static void inotify_close(void)
{
    must(uv_poll_stop(&poll_handle));
    uv_close((uv_handle_t *)&poll_handle, NULL); /* @closed */
}

static void inotify_destroy(void)
{
#ifdef FIXED
    if (uv_is_closing((uv_handle_t *)&poll_handle)) {
        return;
    }
#endif
    uv_poll_stop(&poll_handle); /* @call */
}

int main(void)
{
    uv_loop_t loop;
    int fds[2];
    if (pipe(fds) != 0) {
        return 3;
    }
    must(uv_loop_init(&loop));
    must(uv_poll_init(&loop, &poll_handle, fds[0])); /* @created */
    must(uv_poll_start(&poll_handle, UV_READABLE, on_event));
    inotify_close();
    inotify_destroy();
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
