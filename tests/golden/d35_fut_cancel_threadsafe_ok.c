/* SPDX-License-Identifier: MIT */
/* The right way: call_soon_threadsafe() of a callback that cancels. Silent. */
#include <aiort.h>
#include <stdio.h>

static int cancel(void *arg)
{
    aiort_future_cancel((aiort_future_t *)arg, NULL);
    return 0;
}

static void worker(void *arg)
{
    aiort_call_soon_threadsafe(aiort_future_loop(arg), cancel, arg, NULL);
}

static int run(void *arg, void **result)
{
    (void)arg;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    uv_thread_t thread;
    uv_thread_create(&thread, worker, future);
    if (aiort_await(future, result) == UV_ECANCELED)
        puts("cancelled");
    uv_thread_join(&thread);
    aiort_unref(future);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
