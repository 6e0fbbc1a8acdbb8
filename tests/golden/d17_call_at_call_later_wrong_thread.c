/* SPDX-License-Identifier: MIT */
/* call_at, call_later, create_task and set_result from another thread: all refused in debug mode.
 */
#include <aiort.h>
#include <stdio.h>

static aiort_loop_t *loop;

static int callback(void *arg)
{
    puts(arg);
    return 0;
}

static int done(aiort_future_t *future, void *arg)
{
    (void)future, (void)arg;
    puts("done callback ran");
    return 0;
}

static int noop(void *arg, void **result)
{
    (void)arg, (void)result;
    puts("noop ran");
    return 0;
}

static void attempt(const char *name, int err)
{
    if (err == 0)
        printf("%s accepted\n", name);
    else
        printf("%s %s: %s\n", name, aiort_err_name(err), aiort_strerror(err));
}

static void worker(void *arg)
{
    uv_sleep(50); /* until the loop's thread waits for this one */
    attempt("call_at", aiort_call_at(loop, aiort_loop_time(loop), callback, "call_at ran", NULL));
    attempt("call_later", aiort_call_later(loop, 0, callback, "call_later ran", NULL));
    aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(noop, NULL), NULL);
    attempt("create_task", task != NULL ? 0 : aiort_last_error());
    aiort_unref(task);
    attempt("set_result", aiort_future_set_result((aiort_future_t *)arg, NULL));
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    loop = aiort_get_running_loop();
    aiort_future_t *future = aiort_future_new(loop);
    aiort_future_add_done_callback(future, done, NULL);
    uv_thread_t thread;
    uv_thread_create(&thread, worker, future);
    uv_thread_join(&thread);
    aiort_sleep(0.01);
    printf("fut %d\n", aiort_future_done(future));
    aiort_unref(future);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(run, NULL), NULL);
}
