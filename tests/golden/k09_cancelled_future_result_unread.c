/* SPDX-License-Identifier: MIT */
/* A cancelled future and a cancelled task whose UV_ECANCELED nobody reads: NO diagnostic. */
#include <aiort.h>

static int nap(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_sleep(10);
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    aiort_task_t *task = aiort_create_task(AIORT_CORO(nap, NULL));

    aiort_future_cancel(future, NULL);
    aiort_task_cancel(task, NULL);
    aiort_sleep(0.01);
    aiort_unref(future);
    aiort_unref(task);
    puts("silent");
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
