/* SPDX-License-Identifier: MIT */
/* The documentation's second fix: run_until_complete() returns the task's error. Silent. */
#include <aiort.h>
#include <stdio.h>

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "not consumed");
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(bug, NULL), NULL);
    if (aiort_loop_run_until_complete(loop, task, NULL) < 0)
        puts("exception consumed");
    aiort_unref(task);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
