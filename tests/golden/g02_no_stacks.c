/* SPDX-License-Identifier: MIT */
/* Without stacks the shim still says what plain mode says: where the error was raised, where the
 * coroutine was made. */
#include <aiort.h>

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "not consumed");
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_unref(aiort_create_task(AIORT_CORO(bug, NULL)));
    (void)AIORT_CORO(bug, NULL);
    return aiort_sleep(0);
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
