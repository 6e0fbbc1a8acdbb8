/* SPDX-License-Identifier: MIT */
/*
 * add_done_callback on a future that is done, and set_result on one that a task waits for, from
 * another thread: under the shim both are refused, and nothing of them is done.
 */
#include <aiort.h>

static int done(aiort_future_t *future, void *arg)
{
    (void)future, (void)arg;
    puts("cb");
    return 0;
}

static int wait_for_it(void *future, void **result)
{
    return aiort_await((aiort_future_t *)future, result);
}

static void say(const char *name, int err)
{
    if (err < 0)
        printf("%s %s: %s\n", name, aiort_err_name(err), aiort_strerror(err));
    else
        printf("%s accepted\n", name);
}

static void worker(void *arg)
{
    aiort_future_t **futures = arg;
    uv_sleep(300); /* until the loop's thread waits for this one */
    say("add_done_callback", aiort_future_add_done_callback(futures[0], done, NULL));
    say("set_result", aiort_future_set_result(futures[1], NULL));
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_future_t *futures[2] = {aiort_future_new(loop), aiort_future_new(loop)};
    aiort_task_t *waiter = aiort_loop_create_task(loop, AIORT_CORO(wait_for_it, futures[1]),
                                                  &(aiort_task_options_t){.name = "waiter"});
    uv_thread_t thread;

    aiort_future_set_result(futures[0], NULL);
    aiort_sleep(0);
    uv_thread_create(&thread, worker, futures);
    uv_thread_join(&thread);
    aiort_sleep(0.01);
    printf("waiter done: %d\n", aiort_future_done(AIORT_FUTURE(waiter)));
    aiort_unref(waiter);
    aiort_unref(futures[0]);
    aiort_unref(futures[1]);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
