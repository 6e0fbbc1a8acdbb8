/* SPDX-License-Identifier: MIT */
/* wrong_thread: another thread calls aiort_call_soon(), which is not for other threads. (Right:
 * aiort_call_soon_threadsafe(), which also wakes the loop.) */
#include <aiort.h>

static int callback(void *arg)
{
    (void)arg;
    puts("callback ran");
    return 0;
}

static void worker(void *loop)
{
    int err = aiort_call_soon(loop, callback, NULL, NULL);

    printf("aiort_call_soon: %s\n", err < 0 ? aiort_err_name(err) : "accepted");
}

static int main_coroutine(void *arg, void **result)
{
    uv_thread_t thread;

    (void)arg, (void)result;
    uv_thread_create(&thread, worker, aiort_get_running_loop());
    uv_thread_join(&thread);
    return aiort_sleep(0.01);
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) < 0;
}
