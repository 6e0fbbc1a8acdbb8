/* SPDX-License-Identifier: MIT */
/* slow: a callback computes for 0.15 seconds, and everything else in the loop has to wait. */
#include <aiort.h>
#include <time.h>

static int slow(void *arg)
{
    clock_t start = clock();

    (void)arg;
    while (clock() - start < 0.15 * CLOCKS_PER_SEC)
        continue;
    return 0;
}

static int stop(void *loop)
{
    return aiort_loop_stop(loop);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);

    aiort_call_soon(loop, slow, NULL, NULL);
    aiort_call_soon(loop, stop, loop, NULL);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
