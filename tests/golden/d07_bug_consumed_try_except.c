/* SPDX-License-Identifier: MIT */
/* The documentation's first fix: another coroutine awaits bug() and handles its error. Silent. */
#include <aiort.h>
#include <stdio.h>

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "not consumed");
}

static int handle_exception(void *arg, void **result)
{
    (void)arg;
    if (aiort_await(AIORT_CORO(bug, NULL), result) < 0)
        puts("exception consumed");
    return 0;
}

static int stop(void *arg)
{
    return aiort_loop_stop(arg);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_unref(aiort_loop_create_task(loop, AIORT_CORO(handle_exception, NULL), NULL));
    aiort_call_later(loop, 0.02, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
