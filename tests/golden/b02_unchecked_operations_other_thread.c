/* SPDX-License-Identifier: MIT */
/*
 * Operations from another thread that asyncio lets through even in debug mode. We check each that
 * is not documented "any thread": the shim reports and refuses it. The two that are stay accepted.
 */
#include <aiort.h>
#include <unistd.h>

struct things {
    aiort_loop_t *loop;
    int pipe[2];
    aiort_future_t *future;
    aiort_handle_t *handle;
};

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static int done(aiort_future_t *future, void *arg)
{
    (void)future, (void)arg;
    return 0;
}

static void say(const char *name, int err)
{
    if (err < 0)
        printf("%s %s %s\n", name, aiort_err_name(err), aiort_strerror(err));
    else
        printf("%s accepted\n", name);
}

static void worker(void *arg)
{
    struct things *our = arg;
    uv_sleep(300); /* until the loop's thread waits for this one */
    aiort_future_t *made = aiort_future_new(our->loop);
    say("future_new", made == NULL ? aiort_last_error() : 0);
    aiort_unref(made);
    say("add_reader", aiort_add_reader(our->loop, our->pipe[0], nothing, NULL));
    say("remove_reader", aiort_remove_reader(our->loop, our->pipe[0]));
    say("handle_cancel", aiort_handle_cancel(our->handle));
    say("add_done_callback", aiort_future_add_done_callback(our->future, done, NULL));
    say("time", aiort_loop_time(our->loop) > 0 ? 0 : UV_EINVAL);
    say("is_running", aiort_loop_is_running(our->loop) ? 0 : UV_EINVAL);
    aiort_loop_call_exception_handler(our->loop, &(aiort_report_t){.message = "from thread"});
    puts("call_exception_handler called");
}

static int main_coroutine(void *arg, void **result)
{
    struct things our = {.loop = aiort_get_running_loop()};
    uv_thread_t thread;

    (void)arg, (void)result;
    if (pipe(our.pipe) != 0)
        return aiort_raise(UV_EMFILE, "no pipe");
    our.future = aiort_future_new(our.loop);
    aiort_call_later(our.loop, 5, nothing, NULL, &our.handle);
    uv_thread_create(&thread, worker, &our);
    uv_thread_join(&thread);
    close(our.pipe[0]);
    close(our.pipe[1]);
    aiort_future_remove_done_callback(our.future, done, NULL);
    aiort_handle_cancel(our.handle);
    aiort_unref(our.handle);
    aiort_unref(our.future);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
