/* SPDX-License-Identifier: MIT */
/* The same with no loop at all. CPython tracks no origin then; libaiodebug does. */
#include <aiort.h>
#include <stdio.h>

static int test(void *arg, void **result)
{
    (void)arg, (void)result;
    puts("never scheduled");
    return 0;
}

int main(void)
{
    aiort_unref(AIORT_CORO(test, NULL));
    return 0;
}
