/* SPDX-License-Identifier: MIT */
/* One step of a task blocks for 150 ms: what is named is the task, where it stands after the step.
 */
#include <aiort.h>

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_sleep(0);
    uv_sleep(150);
    aiort_sleep(0);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
