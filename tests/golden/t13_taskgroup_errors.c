/* SPDX-License-Identifier: MIT */
/*
 * Tasks of a group fail: the others are cancelled, and the block ends with "unhandled errors in a
 * TaskGroup (2 sub-exceptions)": NO diagnostic.
 */
#include <aiort.h>

static int bug(void *arg, void **result)
{
    int *n = arg;

    (void)result;
    aiort_sleep(0);
    return aiort_raise(UV_EINVAL, "%d", *n);
}

static int sibling(void *arg, void **result)
{
    int err = aiort_sleep(10);

    (void)arg, (void)result;
    if (err == UV_ECANCELED)
        puts("sibling cancelled");
    return err;
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_task_group_t *group = aiort_task_group_new();
    char repr[256];

    aiort_task_group_enter(group);
    aiort_task_group_create_task(group, AIORT_CORO(sibling, NULL), NULL);
    aiort_task_group_create_task(group, AIORT_CORO_BY_VALUE(bug, 1), NULL);
    aiort_task_group_create_task(group, AIORT_CORO_BY_VALUE(bug, 2), NULL);
    aiort_repr(group, repr, sizeof(repr));
    puts(repr);
    if (aiort_task_group_exit(group, 0) == AIORT_EGROUP) {
        aiort_repr(aiort_current_error(), repr, sizeof(repr));
        printf("%s | %s\n", repr, aiort_error_message(aiort_current_error()));
    }
    aiort_unref(group);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
