/* SPDX-License-Identifier: MIT */
/* A callback that sets a result runs after the future was cancelled: "Exception in callback". */
#include <aiort.h>

static int set_result(void *arg)
{
    return aiort_future_set_result((aiort_future_t *)arg, "done");
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    aiort_call_soon(aiort_get_running_loop(), set_result, future, NULL);
    aiort_future_cancel(future, NULL);
    aiort_sleep(0);
    aiort_sleep(0);
    aiort_unref(future);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
