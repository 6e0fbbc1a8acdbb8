/* SPDX-License-Identifier: MIT */
/* call_soon from another thread while the loop does NOT run: legal, NO diagnostic. */
#include <aiort.h>

static int ran(void *arg)
{
    (void)arg;
    puts("ran");
    return 0;
}

static int stop(void *loop)
{
    return aiort_loop_stop(loop);
}

static void worker(void *loop)
{
    aiort_call_soon(loop, ran, NULL, NULL);
    aiort_call_soon(loop, stop, loop, NULL);
}

int main(void)
{
    aiort_loop_t *loop = aiort_loop_new(NULL);
    uv_thread_t thread;

    uv_thread_create(&thread, worker, loop);
    uv_thread_join(&thread);
    aiort_loop_run_forever(loop);
    aiort_loop_close(loop);
    aiort_unref(loop);
    return 0;
}
