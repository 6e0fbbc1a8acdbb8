/* SPDX-License-Identifier: MIT */
/* never_awaited: a coroutine is made, and then neither awaited nor made a task. */
#include <aiort.h>

static int test(void *arg, void **result)
{
    (void)arg, (void)result;
    puts("never scheduled");
    return 0;
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_unref(AIORT_CORO(test, NULL));
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) < 0;
}
