/* SPDX-License-Identifier: MIT */
/* A coroutine is made and dropped: "coroutine 'test' was never awaited". */
#include <aiort.h>
#include <stdio.h>

static int test(void *arg, void **result)
{
    (void)arg, (void)result;
    puts("never scheduled");
    return 0;
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_unref(AIORT_CORO(test, NULL));
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
