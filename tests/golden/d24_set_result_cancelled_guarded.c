/* SPDX-License-Identifier: MIT */
/* The documentation's guard, "if not cancelled: set_result": silent. */
#include <aiort.h>
#include <stdio.h>

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    aiort_future_cancel(future, NULL);
    if (!aiort_future_cancelled(future))
        aiort_future_set_result(future, "done");
    puts("guarded");
    aiort_unref(future);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
