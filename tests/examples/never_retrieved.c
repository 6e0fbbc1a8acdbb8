/* SPDX-License-Identifier: MIT */
/* never_retrieved: a task fails, and nobody awaits it. */
#include <aiort.h>

static int bug(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "not consumed");
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_unref(aiort_create_task(AIORT_CORO(bug, NULL)));
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) < 0;
}
