/* SPDX-License-Identifier: MIT */
/*
 * as_completed with a timeout: what is not done by then is UV_ETIMEDOUT; its task stays pending,
 * and aiort_run() cancels it: NO diagnostic.
 */
#include <aiort.h>

static int nap(void *arg, void **result)
{
    double *seconds = arg;

    *result = *seconds < 1 ? "0.01" : "5";
    return aiort_sleep(*seconds);
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_awaitable_t *naps[] = {AIORT_AWAITABLE(AIORT_CORO_BY_VALUE(nap, 0.01)),
                                 AIORT_AWAITABLE(AIORT_CORO_BY_VALUE(nap, 5.0))};
    aiort_as_completed_t *iterator = aiort_as_completed(naps, 2, 1.5);
    aiort_future_t *future;
    void *value;
    int more;

    while ((more = aiort_as_completed_next(iterator, &future)) > 0)
        if (aiort_future_result(future, &value) == 0)
            puts(value);
    puts(aiort_err_name(more));
    aiort_as_completed_free(iterator);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
