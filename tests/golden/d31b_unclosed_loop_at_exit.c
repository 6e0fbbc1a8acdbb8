/* SPDX-License-Identifier: MIT */
/* A loop that is still there at exit, never closed. CPython is silent; libaiodebug names it. */
#include <aiort.h>

static int nothing(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_sleep(0);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    aiort_loop_run_until_complete(loop, AIORT_CORO(nothing, NULL), NULL);
    return 0;
}
