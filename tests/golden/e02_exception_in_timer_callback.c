/* SPDX-License-Identifier: MIT */
/* The callback of a timer returns an error: its handle is a TimerHandle. */
#include <aiort.h>

static int f(void *arg)
{
    (void)arg;
    return aiort_raise(UV_EINVAL, "boom");
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_call_later(loop, 0.01, f, NULL, NULL);
    aiort_call_later(loop, 0.02, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
