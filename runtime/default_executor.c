/* SPDX-License-Identifier: MIT */
/*
 * A loop's default executor: made when it is needed, shut down by aiort_run() while the loop still
 * runs, so that a thread that needs the loop can end. Only on the loop's thread.
 */
#include "threadpool.h"

#include <math.h>

aiort_executor_t *aiort__default_executor(aiort_loop_t *loop)
{
    if (!loop->executor && !loop->executor_shut) {
        loop->executor = aiort_executor_new(NULL);
        return loop->executor;
    }
    if (!loop->executor) {
        aiort__failf(AIORT_ESHUTDOWN, "Executor shutdown has been called");
    }
    return loop->executor;
}

aiort_future_t *aiort_run_in_executor_at(const aiort_site_t *site, aiort_loop_t *loop,
                                         aiort_work_fn function, void *arg)
{
    (void)site;
    return aiort__executor_run(NULL, loop, function, arg, false, "aiort_run_in_executor");
}

int aiort_to_thread_at(const aiort_site_t *site, aiort_work_fn function, void *arg, void **result)
{
    aiort_task_t *task = aiort_current_task();

    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    aiort_future_t *future =
        aiort__executor_run(NULL, task->future.object.loop, function, arg, true, "aiort_to_thread");
    if (!future) {
        return aiort_last_error();
    }
    int err = aiort__await_future(task, site, future, result);
    aiort__unref(&future->object);
    return err;
}

/* ---- Setting it, shutting it down ---- */

int aiort_loop_set_default_executor(aiort_loop_t *loop, aiort_executor_t *executor)
{
    int err = aiort__check_thread(loop, NULL, "aiort_loop_set_default_executor");

    if (!err && loop->closed) {
        err = AIORT_ELOOPCLOSED;
    }
    if (err) {
        return aiort__fail(err);
    }
    aiort_executor_t *before = loop->executor;
    loop->executor = aiort_ref(executor);
    aiort_unref(before);
    return 0;
}

static int wake(void *arg)
{
    aiort_future_t *waiter = arg;

    if (waiter->object.state == AIORT_PENDING) {
        aiort__future_finish(waiter, NULL);
    }
    return 0;
}

/* Waits with the handle in the pool's hands; takes it back. */
static int wait_told(aiort_task_t *task, const aiort_site_t *site, aiort__threads_t *pool,
                     aiort_handle_t *handle, aiort_future_t *waiter)
{
    pthread_mutex_lock(&pool->lock);
    aiort__threads_shut(pool);
    bool gone = pool->threads == 0;
    if (!gone) {
        handle->object.next = (aiort__object_t *)pool->tell;
        pool->tell = handle;
    }
    pthread_mutex_unlock(&pool->lock);
    int err = gone ? 0 : aiort__await_future(task, site, waiter, NULL);
    pthread_mutex_lock(&pool->lock);
    bool ours = gone || aiort__threads_untell(pool, handle);
    if (!err && pool->threads > 0) {
        err = UV_ETIMEDOUT;
    }
    pthread_mutex_unlock(&pool->lock);
    if (ours) {
        aiort__threadsafe_drop(handle);
    } else {
        aiort__threadsafe_cancel(handle); /* it may be on its way */
    }
    return err;
}

static int wait_for_threads(aiort_task_t *task, const aiort_site_t *site, aiort__threads_t *pool,
                            double timeout)
{
    aiort_loop_t *loop = task->future.object.loop;
    aiort_future_t *waiter = aiort__future_new(loop);
    aiort_handle_t *handle = waiter ? aiort__threadsafe_handle(NULL, loop, wake, waiter) : NULL;
    aiort_handle_t *timer = NULL;
    int err = handle ? 0 : UV_ENOMEM;

    if (!err && timeout < AIORT_NO_TIMEOUT) {
        timer = aiort__timer_start(loop, aiort__now() + aiort__nanoseconds(timeout), wake, waiter);
        err = timer ? 0 : UV_ENOMEM;
    }
    if (!err) {
        aiort_ref(handle);
        err = wait_told(task, site, pool, handle, waiter);
        aiort_unref(handle);
    } else if (handle) {
        aiort__threadsafe_drop(handle);
    }
    if (timer) {
        aiort__timer_stop(timer);
    }
    if (waiter) {
        aiort__unref(&waiter->object);
    }
    return err ? aiort__fail(err) : 0;
}

int aiort_loop_shutdown_default_executor_at(const aiort_site_t *site, aiort_loop_t *loop,
                                            double timeout)
{
    aiort_task_t *task = aiort_current_task();
    int err = aiort__check_thread(loop, NULL, "aiort_loop_shutdown_default_executor");

    if (!err && (!task || task->future.object.loop != loop)) {
        err = AIORT_ENOTASK;
    }
    if (err || isnan(timeout)) {
        return aiort__fail(err ? err : UV_EINVAL);
    }
    aiort_executor_t *executor = loop->executor;
    loop->executor = NULL;
    loop->executor_shut = true;
    if (executor) {
        err = wait_for_threads(task, site, executor->pool, timeout);
        aiort_unref(executor);
    }
    return err;
}

enum { JOIN_TIMEOUT = 300 };

static int finish(void *arg, void **result)
{
    aiort_loop_t *loop = arg;

    (void)result;
    if (aiort_loop_shutdown_default_executor_at(NULL, loop, JOIN_TIMEOUT) == UV_ETIMEDOUT) {
        aiort_report_t report = {
            .message = "The executor did not finishing joining its threads within 300 seconds.",
        };
        aiort__report(loop, &report);
    }
    return 0;
}

void aiort__executor_finish(aiort_loop_t *loop)
{
    static const aiort_site_t site = {NULL, NULL, "shutdown_default_executor", 0};

    if (loop->executor) {
        aiort_coroutine_t *coroutine = aiort_coroutine_new(&site, finish, loop, 0);
        (void)aiort_loop_run_until_complete_at(NULL, loop, AIORT_AWAITABLE(coroutine), NULL);
    }
    loop->executor_shut = true;
}

void aiort__executor_close(aiort_loop_t *loop)
{
    aiort_executor_t *executor = loop->executor;

    loop->executor = NULL;
    loop->executor_shut = true;
    if (executor) {
        (void)aiort_executor_shutdown(executor, 0);
        aiort_unref(executor);
    }
}
