/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#786 "Segfault when immediately closing async handle after init": a function that a
 * script may call any number of times initialises one static handle each time.
 *
 * @expect handle-reinitialized created call
 */
#include "program.h"

static uv_async_t wakeup;

static void on_wakeup(uv_async_t *async)
{
    (void)async;
}

static void start(uv_loop_t *loop)
{
#ifdef FIXED
    static int started;
    if (started) {
        return;
    }
    started = 1;
#endif
    must(uv_async_init(loop, &wakeup, on_wakeup)); /* @created @call */
}

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    start(loop);
    start(loop);
#ifdef FIXED
    finish(loop);
#endif
    return 0;
}
