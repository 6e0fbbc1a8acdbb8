/* SPDX-License-Identifier: MIT */
/* aiort_run() with and without its debug option. */
#include <aiort.h>
#include <stdio.h>

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    printf("debug: %d\n", aiort_loop_get_debug(aiort_get_running_loop()));
    return 0;
}

int main(void)
{
    aiort_run_with(AIORT_CORO(run, NULL), NULL, &(aiort_loop_options_t){.debug = 1});
    aiort_run(AIORT_CORO(run, NULL), NULL);
    return 0;
}
