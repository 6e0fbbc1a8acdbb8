/* SPDX-License-Identifier: MIT */
/* call_soon() from another thread while the loop runs: refused in debug mode, accepted without. */
#include <aiort.h>
#include <stdio.h>

static int callback(void *arg)
{
    puts(arg);
    return 0;
}

static void worker(void *arg)
{
    uv_sleep(50); /* until the loop's thread waits for this one */
    int err = aiort_call_soon((aiort_loop_t *)arg, callback, "callback ran", NULL);
    if (err == 0)
        puts("call_soon accepted");
    else
        printf("%s: %s\n", aiort_err_name(err), aiort_strerror(err));
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    uv_thread_t thread;
    uv_thread_create(&thread, worker, aiort_get_running_loop());
    uv_thread_join(&thread);
    return aiort_sleep(0.01);
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
