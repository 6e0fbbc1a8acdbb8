/* SPDX-License-Identifier: MIT */
/* A slow callback duration of 0: every single callback is reported (the test is "at least"). */
#include <aiort.h>

static int f(void *arg)
{
    (void)arg;
    return 0;
}

static int stop(void *loop)
{
    return aiort_loop_stop(loop);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);

    aiort_loop_set_slow_callback_duration(loop, 0);
    aiort_call_soon(loop, f, NULL, NULL);
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
