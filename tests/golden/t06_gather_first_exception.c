/* SPDX-License-Identifier: MIT */
/* gather: the first error comes out; that of the second child counts as retrieved: NO diagnostic.
 */
#include <aiort.h>

static int bug(void *arg, void **result)
{
    int *n = arg;

    (void)result;
    aiort_sleep(0.01 * *n);
    return aiort_raise(UV_EINVAL, "%d", *n);
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_awaitable_t *bugs[] = {AIORT_AWAITABLE(AIORT_CORO_BY_VALUE(bug, 1)),
                                 AIORT_AWAITABLE(AIORT_CORO_BY_VALUE(bug, 2))};
    aiort_future_t *both = aiort_gather(bugs, 2, 0);

    if (aiort_await(both, NULL) == UV_EINVAL)
        printf("gather raised %s\n", aiort_error_message(aiort_current_error()));
    aiort_unref(both);
    return aiort_sleep(0.5);
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
