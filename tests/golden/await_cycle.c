/* SPDX-License-Identifier: MIT */
/* A child waits for its parent, which waits for the child: said when the second one begins to wait.
 */
#include <aiort.h>

static int child(void *parent, void **result)
{
    return aiort_await((aiort_task_t *)parent, result);
}

static int parent(void *arg, void **result)
{
    (void)arg;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(child, aiort_current_task()));
    int err = aiort_await(task, result);
    aiort_unref(task);
    return err;
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg;
    int err = aiort_wait_for(AIORT_CORO(parent, NULL), 0.05, result);
    printf("%s\n", aiort_err_name(err));
    aiort_task_t *task = aiort_create_task(AIORT_CORO(parent, NULL));
    err = aiort_wait_for(task, 0.05, result);
    printf("%s\n", aiort_err_name(err));
    aiort_unref(task);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
