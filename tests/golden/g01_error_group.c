/* SPDX-License-Identifier: MIT */
/* An error group that nobody retrieves, with a group in it: all that failed is told, each with its place. */
#include <aiort.h>

static int fails(void *arg, void **result)
{
    (void)result;
    return aiort_raise(UV_EINVAL, "%s", (const char *)arg);
}

static int with_cause(void *arg, void **result)
{
    int err = fails("the cause", result);

    (void)arg;
    return aiort_raise_from(aiort_current_error(), UV_EIO, "on top of error %d", err);
}

static int inner(void *arg, void **result)
{
    aiort_task_group_t *group = aiort_task_group_new();
    int err = aiort_task_group_enter(group);

    (void)result;
    if (err == 0) {
        aiort_task_group_create_task(group, AIORT_CORO(fails, arg), NULL);
        aiort_task_group_create_task(group, AIORT_CORO(with_cause, NULL), NULL);
        err = aiort_task_group_exit(group, err);
    }
    aiort_unref(group);
    return err;
}

static int outer(void *arg, void **result)
{
    aiort_task_group_t *group = aiort_task_group_new();
    int err = aiort_task_group_enter(group);

    (void)arg, (void)result;
    if (err == 0) {
        aiort_task_group_create_task(group, AIORT_CORO(fails, "the first"), NULL);
        aiort_task_group_create_task(group, AIORT_CORO(inner, "in the inner group"), NULL);
        aiort_sleep(0.01);
        err = aiort_task_group_exit(group, err);
    }
    aiort_unref(group);
    return err;
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_unref(aiort_create_task(AIORT_CORO(outer, NULL)));
    return aiort_sleep(0.5);
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
