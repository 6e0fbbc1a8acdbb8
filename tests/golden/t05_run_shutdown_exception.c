/* SPDX-License-Identifier: MIT */
/* A task that fails while aiort_run() cancels it: "unhandled exception during ... shutdown". */
#include <aiort.h>

static int bad_cleanup(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_sleep(3600); /* is cancelled */
    return aiort_raise_from(aiort_current_error(), UV_EINVAL, "cleanup failed");
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(bad_cleanup, NULL));

    aiort_task_set_name(task, "bad");
    aiort_unref(task);
    return aiort_sleep(0);
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
