/* SPDX-License-Identifier: MIT */
/* wait_for() runs out of time: it cancels what it waits for and says so. Silent. */
#include <aiort.h>
#include <stdio.h>

static int eternity(void *arg, void **result)
{
    (void)arg, (void)result;
    int err = aiort_sleep(3600);
    if (err == UV_ECANCELED)
        puts("eternity cancelled");
    return err;
}

static int run(void *arg, void **result)
{
    (void)arg;
    int err = aiort_wait_for(AIORT_CORO(eternity, NULL), 0.02, result);
    if (err == UV_ETIMEDOUT)
        printf("timeout! %s\n", aiort_err_name(err));
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
