/* SPDX-License-Identifier: MIT */
/*
 * The selector waits for 2.5 seconds, as it was asked to: asyncio's "poll 2500.000 ms took ...:
 * timeout", which CPython 3.8 lost although its documentation still promises it.
 */
#include <aiort.h>

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_call_later(loop, 2.5, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
