/* SPDX-License-Identifier: MIT */
/* A callback that is slow and fails: the error is logged first, then how long it took. */
#include <aiort.h>

static int slow(void *arg)
{
    (void)arg;
    uv_sleep(150);
    return aiort_raise(UV_EINVAL, "slow and broken");
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_call_soon(loop, slow, NULL, NULL);
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
