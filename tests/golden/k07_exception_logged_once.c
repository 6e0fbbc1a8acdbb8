/* SPDX-License-Identifier: MIT */
/* An error retrieved long after the task failed, by aiort_future_result(): NO diagnostic. */
#include <aiort.h>

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "x");
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(bug, NULL));

    aiort_sleep(0.01);
    if (aiort_future_result(AIORT_FUTURE(task), NULL) == UV_EINVAL)
        puts("retrieved with aiort_future_result()");
    aiort_unref(task);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
