/* SPDX-License-Identifier: MIT */
/* A result, then an error, set on a cancelled future: invalid state. */
#include <aiort.h>
#include <stdio.h>

static void print_error(int err)
{
    printf("%s: %s\n", aiort_err_name(err), aiort_strerror(err));
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    aiort_future_cancel(future, NULL);
    print_error(aiort_future_set_result(future, "done"));
    print_error(aiort_future_set_error(future, UV_EINVAL, "x"));
    printf("again %d %d %d\n", aiort_future_cancel(future, NULL), aiort_future_cancelled(future),
           aiort_future_done(future));
    aiort_unref(future);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
