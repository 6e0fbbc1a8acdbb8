/* SPDX-License-Identifier: MIT */
/* Who awaits a shield is cancelled; what is behind the shield goes on to its end. Silent. */
#include <aiort.h>
#include <stdio.h>

static int inner(void *arg, void **result)
{
    (void)arg;
    int err = aiort_sleep(0.02);
    puts("inner finished");
    *result = "1";
    return err;
}

static int waiter(void *arg, void **result)
{
    aiort_future_t *shield = aiort_shield((aiort_task_t *)arg);
    int err = aiort_await(shield, result);
    aiort_unref(shield);
    return err;
}

static int run(void *arg, void **result)
{
    (void)arg;
    aiort_task_t *inner_task = aiort_create_task(AIORT_CORO(inner, NULL));
    aiort_task_t *waiting_task = aiort_create_task(AIORT_CORO(waiter, inner_task));
    aiort_sleep(0);
    aiort_task_cancel(waiting_task, NULL);
    if (aiort_await(waiting_task, result) == UV_ECANCELED)
        printf("waiter cancelled; inner cancelled? %d\n",
               aiort_future_cancelled(AIORT_FUTURE(inner_task)));
    int err = aiort_await(inner_task, result);
    puts(*result);
    aiort_unref(waiting_task);
    aiort_unref(inner_task);
    return err;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
