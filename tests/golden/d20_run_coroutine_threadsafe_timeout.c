/* SPDX-License-Identifier: MIT */
/* The thread waits too short a time, and cancels: the coroutine in the loop is told. Silent. */
#include <aiort.h>
#include <stdio.h>

static aiort_loop_t *loop;
static uv_sem_t begun;

static int coro_func(void *arg, void **result)
{
    (void)arg, (void)result;
    uv_sem_post(&begun);
    int err = aiort_sleep(30);
    if (err == UV_ECANCELED)
        puts("cancelled in loop");
    return err;
}

static int set_done(void *arg)
{
    return aiort_future_set_result((aiort_future_t *)arg, NULL);
}

static void worker(void *arg)
{
    aiort_concurrent_t *future = aiort_run_coroutine_threadsafe(AIORT_CORO(coro_func, NULL), loop);
    uv_sem_wait(&begun); /* what never began would not be told */
    if (aiort_concurrent_result(future, 0.1, NULL) == UV_ETIMEDOUT) {
        puts("The coroutine took too long, cancelling the task...");
        aiort_concurrent_cancel(future);
    }
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
    aiort_await(done, result);
    uv_thread_join(&thread);
    aiort_unref(done);
    return aiort_sleep(0.01);
}

int main(void)
{
    uv_sem_init(&begun, 0);
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
