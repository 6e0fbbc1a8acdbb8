/* SPDX-License-Identifier: MIT */
/* The fix: the coroutine is awaited. Silent. */
#include <aiort.h>
#include <stdio.h>

static int test(void *arg, void **result)
{
    (void)arg, (void)result;
    puts("scheduled");
    return 0;
}

static int run(void *arg, void **result)
{
    (void)arg;
    return aiort_await(AIORT_CORO(test, NULL), result);
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
