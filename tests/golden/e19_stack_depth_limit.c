/* SPDX-License-Identifier: MIT */
/* A handle made 20 calls deep: its stack is kept up to AIODEBUG_STACK_DEPTH frames, the inner ones.
 */
#include <aiort.h>
#include <stdio.h>

static int bad(void *arg)
{
    (void)arg;
    return aiort_raise(UV_EINVAL, "deep");
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

/* What the compiler may not turn into a loop. */
__attribute__((noinline)) static int deep(int n, aiort_loop_t *loop)
{
    int err;
    if (n > 0)
        err = deep(n - 1, loop);
    else
        err = aiort_call_soon(loop, bad, NULL, NULL);
    __asm__ volatile("" : "+r"(err));
    return err;
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    deep(20, loop);
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
