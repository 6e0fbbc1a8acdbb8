/* SPDX-License-Identifier: MIT */
/* call_soon_threadsafe() from another thread, as it should be: silent. */
#include <aiort.h>
#include <stdio.h>

static int set_result(void *arg)
{
    return aiort_future_set_result((aiort_future_t *)arg, "42");
}

static void worker(void *arg)
{
    aiort_call_soon_threadsafe(aiort_future_loop(arg), set_result, arg, NULL);
}

static int run(void *arg, void **result)
{
    (void)arg;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    uv_thread_t thread;
    uv_thread_create(&thread, worker, future);
    int err = aiort_await(future, result);
    puts(*result);
    uv_thread_join(&thread);
    aiort_unref(future);
    return err;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
