/* SPDX-License-Identifier: MIT */
/* A thread that ignores the error of its call_soon: the log says it all the same, by its name. */
#define _GNU_SOURCE
#include <aiort.h>
#include <pthread.h>

static int ran(void *arg)
{
    (void)arg;
    puts("ran");
    return 0;
}

static void worker(void *loop)
{
    pthread_setname_np(pthread_self(), "bad-thread");
    uv_sleep(300); /* until the loop's thread waits for this one */
    aiort_call_soon(loop, ran, NULL, NULL);
}

static int main_coroutine(void *arg, void **result)
{
    uv_thread_t thread;

    (void)arg, (void)result;
    uv_thread_create(&thread, worker, aiort_get_running_loop());
    uv_thread_join(&thread);
    return aiort_sleep(0);
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
