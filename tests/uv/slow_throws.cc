/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#758 "unix, windows: make uv_run() re-entrant?" ("we flamed someone for calling
 * longjmp() from a callback"): an exception leaves the callback through uv_run(), is caught
 * outside, and the loop is run again. The callback was slow all the same, and what comes after it
 * is watched as before.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

#include <stdexcept>

static int ticks;

static void on_timer(uv_timer_t *timer)
{
    uv_sleep(TAKES);
    if (++ticks == 1) {
        throw std::runtime_error("first tick");
    }
    uv_timer_stop(timer);
}

int main()
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer)); /* @created */
    must(uv_timer_start(&timer, on_timer, 1, 1));
    try {
        uv_run(&loop, UV_RUN_DEFAULT);
        return 4;
    } catch (const std::runtime_error &) {
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return ticks == 2 ? 0 : 4;
}
