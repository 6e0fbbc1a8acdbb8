/* SPDX-License-Identifier: MIT */
/* again: makes the same mistake ten times. The log shows three, and then how many there were. */
#include <aiort.h>

static int forgotten(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_sleep(0);
}

static int run(void *arg, void **result)
{
    (void)arg;
    (void)result;
    for (int i = 0; i < 10; i++)
        aiort_unref(AIORT_CORO(forgotten, NULL));
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL) < 0;
}
