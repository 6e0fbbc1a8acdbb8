/* SPDX-License-Identifier: MIT */
/* A gather that is dropped unawaited and fails: "_GatheringFuture exception was never retrieved". */
#include <aiort.h>

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "lost in gather");
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_awaitable_t *bugs[] = {AIORT_AWAITABLE(AIORT_CORO(bug, NULL)),
                                 AIORT_AWAITABLE(AIORT_CORO(bug, NULL))};

    aiort_unref(aiort_gather(bugs, 2, 0));
    return aiort_sleep(0.01);
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
