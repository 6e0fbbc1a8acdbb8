/* SPDX-License-Identifier: MIT */
/* A task group not entered, entered twice, finished, shutting down: errors, no reports. */
#include <aiort.h>

static int c(void *arg, void **result)
{
    (void)arg, (void)result;
    return 0;
}

static int fail(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "fail");
}

static void show(int err)
{
    if (err < 0)
        printf("%s: %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
    else
        puts("ok");
}

static void show_create(aiort_task_group_t *group)
{
    show(aiort_task_group_create_task(group, AIORT_CORO(c, NULL), NULL));
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_task_group_t *group = aiort_task_group_new();
    char repr[256];

    show_create(group);
    aiort_task_group_enter(group);
    show(aiort_task_group_enter(group));
    aiort_task_group_exit(group, 0);
    show_create(group);
    aiort_unref(group);

    group = aiort_task_group_new();
    aiort_task_group_enter(group);
    aiort_task_group_create_task(group, AIORT_CORO(fail, NULL), NULL);
    int err = aiort_sleep(1);
    if (err == UV_ECANCELED)
        show_create(group);
    if (aiort_task_group_exit(group, err) == AIORT_EGROUP) {
        aiort_repr(aiort_current_error(), repr, sizeof(repr));
        puts(repr);
    }
    aiort_unref(group);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
