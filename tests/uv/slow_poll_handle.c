/* SPDX-License-Identifier: MIT */
/*
 * curl/curl#4306 "connection socket not get reuse with multi API" shows how curl's sockets are
 * polled with libuv: all of the transfer's work happens in the poll callback.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_readable(uv_poll_t *poll, int status, int events)
{
    (void)events;
    must(status);
    uv_sleep(TAKES);
    uv_close((uv_handle_t *)poll, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_poll_t poll;
    int fds[2];
    if (pipe(fds) != 0 || write(fds[1], "x", 1) != 1) {
        return 3;
    }
    must(uv_loop_init(&loop));
    must(uv_poll_init(&loop, &poll, fds[0])); /* @created */
    must(uv_poll_start(&poll, UV_READABLE, on_readable));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
