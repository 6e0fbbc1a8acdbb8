/* SPDX-License-Identifier: MIT */
/* A callback that stays below the threshold: silent. */
#include <aiort.h>

static int nap(void *arg)
{
    (void)arg;
    uv_sleep(50);
    return 0;
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_call_soon(loop, nap, NULL, NULL);
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
