/* SPDX-License-Identifier: MIT */
/* Debug mode switched off and on while the loop runs. */
#include <aiort.h>
#include <stdio.h>

static int test(void *arg, void **result)
{
    (void)arg, (void)result;
    return 0;
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_loop_set_debug(loop, 0);
    uv_sleep(150);
    aiort_sleep(0);
    aiort_unref(AIORT_CORO(test, NULL));
    puts("--- set_debug(1)");
    aiort_loop_set_debug(loop, 1);
    aiort_sleep(0);
    aiort_unref(AIORT_CORO(test, NULL));
    uv_sleep(150);
    return aiort_sleep(0);
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
