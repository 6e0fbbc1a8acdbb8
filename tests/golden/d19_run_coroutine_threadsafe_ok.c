/* SPDX-License-Identifier: MIT */
/* run_coroutine_threadsafe() from another thread, which waits for its result: silent. */
#include <aiort.h>
#include <stdio.h>

static aiort_loop_t *loop;

static int coro_func(void *arg, void **result)
{
    int err = aiort_sleep(0.01);
    *result = arg;
    return err;
}

static int set_done(void *arg)
{
    return aiort_future_set_result((aiort_future_t *)arg, NULL);
}

static void worker(void *arg)
{
    void *result = NULL;
    aiort_concurrent_t *future = aiort_run_coroutine_threadsafe(AIORT_CORO(coro_func, "42"), loop);
    if (aiort_concurrent_result(future, 10, &result) == 0)
        printf("result %s\n", (char *)result);
    aiort_unref(future);
    aiort_call_soon_threadsafe(loop, set_done, arg, NULL);
}

static int run(void *arg, void **result)
{
    (void)arg;
    loop = aiort_get_running_loop();
    aiort_future_t *done = aiort_future_new(loop);
    uv_thread_t thread;
    uv_thread_create(&thread, worker, done);
    int err = aiort_await(done, result);
    uv_thread_join(&thread);
    aiort_unref(done);
    return err;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
