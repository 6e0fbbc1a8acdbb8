/* SPDX-License-Identifier: MIT */
/* A future's done callback returns an error. */
#include <aiort.h>

static int cb(aiort_future_t *future, void *arg)
{
    (void)future, (void)arg;
    return aiort_raise(UV_EINVAL, "boom");
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    aiort_future_add_done_callback(future, cb, NULL);
    aiort_future_set_result(future, (void *)1);
    aiort_sleep(0);
    aiort_unref(future);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
