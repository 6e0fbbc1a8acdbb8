/* SPDX-License-Identifier: MIT */
/* aiort_wait() retrieves no errors: "Task exception was never retrieved" for the task that failed.
 */
#include <aiort.h>

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "in wait");
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(bug, NULL));
    aiort_future_t *futures[] = {AIORT_FUTURE(task)};

    aiort_task_set_name(task, "b");
    int done = aiort_wait(futures, 1, -1, AIORT_ALL_COMPLETED);
    printf("%d %d\n", done, 1 - done);
    aiort_unref(task);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
