/* SPDX-License-Identifier: MIT */
/* The same under run_forever: the task is made before the loop runs. */
#include <aiort.h>

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "not consumed");
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_unref(aiort_loop_create_task(loop, AIORT_CORO(bug, NULL), NULL));
    aiort_call_later(loop, 0.02, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
