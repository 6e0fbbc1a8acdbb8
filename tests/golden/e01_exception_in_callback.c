/* SPDX-License-Identifier: MIT */
/* A callback returns an error: "Exception in callback", and the loop goes on. */
#include <aiort.h>
#include <stdio.h>

static int f(void *arg)
{
    (void)arg;
    return aiort_raise(UV_EINVAL, "boom");
}

static int print(void *arg)
{
    puts(arg);
    return 0;
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_call_soon(loop, f, "x", NULL);
    aiort_call_soon(loop, print, "loop goes on", NULL);
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
