/* SPDX-License-Identifier: MIT */
/* Two tasks await the same failed task: that one of them retrieves it is enough: NO diagnostic. */
#include <aiort.h>

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_sleep(0.01);
    return aiort_raise(UV_EINVAL, "shared");
}

struct waiter {
    int n;
    aiort_task_t *task;
};

static int wait_for_it(void *arg, void **result)
{
    struct waiter *waiter = arg;

    (void)result;
    if (aiort_await(waiter->task, NULL) == UV_EINVAL)
        printf("%d %s\n", waiter->n, aiort_error_message(aiort_current_error()));
    return 0;
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(bug, NULL));
    aiort_task_t *one =
        aiort_create_task(AIORT_CORO_BY_VALUE(wait_for_it, ((struct waiter){1, task})));
    aiort_task_t *two =
        aiort_create_task(AIORT_CORO_BY_VALUE(wait_for_it, ((struct waiter){2, task})));

    aiort_await(one, NULL);
    aiort_await(two, NULL);
    aiort_unref(one);
    aiort_unref(two);
    aiort_unref(task);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
