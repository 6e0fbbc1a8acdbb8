/* SPDX-License-Identifier: MIT */
/* A callback blocks for 150 ms: "Executing <Handle ...> took N seconds", in debug mode only. */
#include <aiort.h>

static int slow(void *arg)
{
    (void)arg;
    uv_sleep(150);
    return 0;
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_call_soon(loop, slow, "two", NULL);
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
