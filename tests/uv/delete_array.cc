/* SPDX-License-Identifier: MIT */
/*
 * lynckia/licode#1190 "Fix crashes calling uv_finish_close" (an object destroyed before its handle
 * is), in the shape of an array: delete[] gives back four handles of which the second was forgotten
 * when they were closed.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

int main()
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    uv_async_t *wakeups = new uv_async_t[4];
    for (int i = 0; i < 4; i++) {
        must(uv_async_init(&loop, &wakeups[i], [](uv_async_t *) {})); /* @created */
    }
    for (int i = 0; i < 4; i++) {
#ifndef FIXED
        if (i == 1) {
            continue;
        }
#endif
        uv_close((uv_handle_t *)&wakeups[i], nullptr);
    }
    uv_run(&loop, UV_RUN_NOWAIT);
#ifdef FIXED
    must(uv_loop_close(&loop));
#endif
    delete[] wakeups; /* @freed */
    return 0;
}
