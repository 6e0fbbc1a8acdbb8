/* SPDX-License-Identifier: MIT */
/* Work that blocks runs on a thread of the pool: the loop is not held up. Silent. */
#include <aiort.h>
#include <stdio.h>

static int blocking(void *arg, void **result)
{
    (void)arg;
    uv_sleep(150);
    *result = "done";
    return 0;
}

static int divide(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_ERANGE, "division by zero");
}

static int run(void *arg, void **result)
{
    (void)arg;
    aiort_future_t *future = aiort_run_in_executor(NULL, blocking, NULL);
    int err = aiort_await(future, result);
    if (err == 0)
        puts(*result);
    aiort_unref(future);

    future = aiort_run_in_executor(NULL, divide, NULL);
    err = aiort_await(future, result);
    printf("%s: %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
    aiort_unref(future);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
