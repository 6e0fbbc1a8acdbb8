/* SPDX-License-Identifier: MIT */
/*
 * MagicStack/uvloop#33 "Add slow_callback_duration property to uvloop" asks for it: a signal's
 * callback saves the state of the program.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void save_state(uv_signal_t *handle, int signum)
{
    (void)signum;
    uv_sleep(TAKES);
    uv_close((uv_handle_t *)handle, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_signal_t signals;
    must(uv_loop_init(&loop));
    must(uv_signal_init(&loop, &signals)); /* @created */
    must(uv_signal_start(&signals, save_state, SIGUSR2));
    kill(getpid(), SIGUSR2);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
