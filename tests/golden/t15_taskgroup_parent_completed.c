/* SPDX-License-Identifier: MIT */
/*
 * A task of a group fails after the task that entered the group has ended without leaving it:
 * "Task ... has errored out but its parent task ... is already completed".
 */
#include <aiort.h>

static int late(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_sleep(0.01);
    return aiort_raise(UV_EINVAL, "late");
}

static int parent(void *group, void **result)
{
    (void)result;
    aiort_task_group_enter(group);
    return aiort_task_group_create_task_with((aiort_task_group_t *)group, AIORT_CORO(late, NULL),
                                             &(aiort_task_options_t){.name = "late"}, NULL);
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_task_group_t *group = aiort_task_group_new();
    aiort_task_t *task = aiort_create_task(AIORT_CORO(parent, group));

    aiort_task_set_name(task, "parent");
    aiort_await(task, NULL);
    aiort_sleep(0.5);
    aiort_unref(task);
    aiort_unref(group);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
