/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#949 "uv__finish_close: Assertion `handle->flags & UV_CLOSING' failed": an add-on
 * closes its async handle a second time, when the close callback has long run.
 *
 * @expect handle-closed-twice created closed call
 * @signal 6
 */
#include "program.h"

static uv_async_t async;
static int is_open;

static void on_close(uv_handle_t *handle)
{
    (void)handle;
    is_open = 0;
}

static void on_wakeup(uv_async_t *handle)
{
    (void)handle;
}

static void destroy(uv_loop_t *loop)
{
    uv_close((uv_handle_t *)&async, on_close); /* @closed */
    uv_run(loop, UV_RUN_DEFAULT);
}

static void destroy_again(uv_loop_t *loop)
{
#ifdef FIXED
    if (!is_open) {
        return;
    }
#endif
    uv_close((uv_handle_t *)&async, on_close); /* @call */
    uv_run(loop, UV_RUN_DEFAULT);
}

int main(void)
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    must(uv_async_init(&loop, &async, on_wakeup)); /* @created */
    is_open = 1;
    destroy(&loop);
    destroy_again(&loop);
    must(uv_loop_close(&loop));
    return 0;
}
