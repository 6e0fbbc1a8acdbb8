/* SPDX-License-Identifier: MIT */
/* A loop that owns its uv_loop_t is destroyed without close: warned about, and closed. */
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
    aiort_unref(loop);
    return 0;
}
