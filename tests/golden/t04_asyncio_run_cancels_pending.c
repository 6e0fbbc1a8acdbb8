/* SPDX-License-Identifier: MIT */
/* aiort_run() with tasks that are still pending: they are cancelled silently: NO diagnostic. */
#include <aiort.h>

static int forever(void *arg, void **result)
{
    int *n = arg;
    int err = aiort_sleep(3600);

    (void)result;
    if (err == UV_ECANCELED)
        printf("cancelled %d\n", *n);
    return err;
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_unref(aiort_create_task(AIORT_CORO_BY_VALUE(forever, 1)));
    aiort_unref(aiort_create_task(AIORT_CORO_BY_VALUE(forever, 2)));
    aiort_sleep(0);
    puts("main ends");
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
