/* SPDX-License-Identifier: MIT */
/* A future cancelled from another thread: refused in debug mode, accepted without. */
#include <aiort.h>
#include <stdio.h>

static int done(aiort_future_t *future, void *arg)
{
    (void)future, (void)arg;
    puts("callback ran");
    return 0;
}

static void worker(void *arg)
{
    uv_sleep(50); /* until the loop's thread waits for this one */
    int n = aiort_future_cancel((aiort_future_t *)arg, NULL);
    if (n >= 0)
        printf("cancel -> %d\n", n);
    else
        printf("%s: %s\n", aiort_err_name(n), aiort_strerror(n));
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_future_t *future = aiort_future_new(aiort_get_running_loop());
    aiort_future_add_done_callback(future, done, NULL);
    uv_thread_t thread;
    uv_thread_create(&thread, worker, future);
    uv_thread_join(&thread);
    printf("state after: %d\n", aiort_future_cancelled(future));
    aiort_sleep(0.01);
    aiort_unref(future);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
