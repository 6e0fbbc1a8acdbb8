/* SPDX-License-Identifier: MIT */
/* The shield is cancelled, then what is behind it fails: nobody is left to hear of it. */
#include <aiort.h>
#include <stdio.h>

static int inner(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_sleep(0.01);
    return aiort_raise(UV_EINVAL, "inner failed");
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(inner, NULL));
    aiort_future_t *shield = aiort_shield(task);
    aiort_future_cancel(shield, NULL);
    aiort_sleep(0.5);
    printf("inner done: %d\n", aiort_future_done(AIORT_FUTURE(task)));
    aiort_unref(shield);
    aiort_unref(task);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
