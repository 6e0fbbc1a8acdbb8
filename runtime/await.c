/* SPDX-License-Identifier: MIT */
/*
 * Awaiting: where a task waits for a future, runs another coroutine in place, or sleeps.
 *
 * While a coroutine is inside an await, u.where says at which line; so a report can tell
 * where a pending task stands without walking its stack.
 */
#include "scheduler.h"

#include <math.h>

/* The message of a failed await names both objects; they may be deep. */
AIORT__COLD static int refuse(aiort_task_t *task, aiort_future_t *future, int code)
{
    char task_repr[512];
    char future_repr[512];

    aiort_repr(task, task_repr, sizeof(task_repr));
    if (code == AIORT_ESELFAWAIT) {
        return aiort__failf(code, "Task cannot await on itself: %s", task_repr);
    }
    aiort_repr(future, future_repr, sizeof(future_repr));
    return aiort__failf(code, "Task %s got Future %s attached to a different loop", task_repr,
                        future_repr);
}

/* A cancellation without a message gets its origin from the await it came out of. */
AIORT__COLD static int cancelled_at(const aiort_task_t *task, const aiort_site_t *site)
{
    uintptr_t current = task->current_error;

    if (current && !(current & 1)) {
        return UV_ECANCELED;
    }
    return site ? aiort__fail_at(site, UV_ECANCELED, NULL) : aiort__fail(UV_ECANCELED);
}

/* What a task that was resumed finds: 0, or the code its await returns instead of an outcome. */
AIORT__COLD static int interrupted(aiort_task_t *task, const aiort_site_t *site)
{
    if (AIORT__UNLIKELY(task->throw_code)) {
        return aiort__fail(task->throw_code);
    }
    if (AIORT__UNLIKELY(task->must_cancel)) {
        task->must_cancel = 0;
        if (task->cancel_error) {
            aiort__set_current_error(task->cancel_error);
            return UV_ECANCELED;
        }
        aiort__clear_error();
        return cancelled_at(task, site);
    }
    return 0;
}

/* A task that is being closed and waits again has nobody to wake it. */
static inline void may_stop(aiort_task_t *task)
{
    if (AIORT__UNLIKELY(task->throw_code)) {
        aiort__abandon(task->future.object.loop, task);
    }
}

static inline bool succeeded(const aiort_future_t *future)
{
    return future->object.state == AIORT_FINISHED && !(future->object.flags & AIORT__FAILED);
}

/* An await that ended with err: where the task stands and its current error follow. */
static inline int awaited(aiort_task_t *task, const aiort_site_t *site, int err)
{
    task->innermost->u.where = NULL;
    if (AIORT__LIKELY(err == 0)) {
        if (AIORT__UNLIKELY(task->current_error != 0)) {
            aiort__clear_error_slot(&task->current_error);
        }
    } else if (err == UV_ECANCELED) {
        cancelled_at(task, site);
    }
    return err;
}

/* What a task finds that was resumed in its wait for a future. */
static int resumed(aiort_task_t *task, const aiort_site_t *site, aiort_future_t *future,
                   void **result)
{
    if (AIORT__UNLIKELY(task->throw_code)) {
        return aiort__fail(task->throw_code);
    }
    int err = aiort__future_outcome(future, result);
    if (AIORT__UNLIKELY(task->must_cancel)) {
        if (err == UV_ECANCELED) {
            task->must_cancel = 0;
        } else {
            err = interrupted(task, site);
        }
    }
    return err;
}

/* Starts to wait: the future has a reference more until the wait is over. */
AIORT__INLINE void wait_for(aiort_task_t *task, const aiort_site_t *site, aiort_future_t *future)
{
    if (site) {
        task->innermost->u.where = site;
    }
    aiort__ref(&future->object);
    aiort__future_link(future, &task->future.object);
    task->waiter = future;
}

/* All of awaiting a future. */
int aiort__await_future(aiort_task_t *task, const aiort_site_t *site, aiort_future_t *future,
                        void **result)
{
    aiort_loop_t *loop = task->future.object.loop;
    int err;

    if (site) {
        task->innermost->u.where = site;
    }
    if (AIORT__UNLIKELY(future->object.loop != loop)) {
        err = refuse(task, future, AIORT_EOTHERLOOP);
    } else if (AIORT__UNLIKELY(future == &task->future)) {
        err = refuse(task, future, AIORT_ESELFAWAIT);
    } else if (future->object.state != AIORT_PENDING) {
        err = aiort__future_outcome(future, result);
    } else {
        may_stop(task);
        wait_for(task, site, future);
        if (AIORT__UNLIKELY(future->object.kind == AIORT_KIND_TASK &&
                            ((const aiort_task_t *)future)->waiter)) {
            aiort__await_cycle(task);
        }
        if (aiort__hooked(loop, AIORT__SEAM_AWAITED)) {
            aiort_instrument_awaited(task, future);
        }
        if (AIORT__UNLIKELY(task->must_cancel)) {
            const char *message =
                task->cancel_error ? aiort_error_message(task->cancel_error) : NULL;
            if (aiort__future_cancel(future, message)) {
                task->must_cancel = 0;
            }
        }
        aiort__suspend(loop, task);
        task->waiter = NULL;
        err = resumed(task, site, future, result);
        aiort__unref(&future->object);
    }
    return awaited(task, site, err);
}

/* The wait of aiort_await_at() has ended otherwise than with a result. */
AIORT__COLD static int ended_badly(aiort_task_t *task, const aiort_site_t *site,
                                   aiort_future_t *future, void **result)
{
    int err = resumed(task, site, future, result);

    aiort__unref(&future->object);
    return awaited(task, site, err);
}

AIORT__HOT int aiort__await_own(aiort_task_t *task, const aiort_site_t *site,
                                aiort_future_t *future)
{
    aiort_loop_t *loop = task->future.object.loop;

    if (AIORT__UNLIKELY(task->attention || aiort__hooked(loop, AIORT__SEAM_AWAITED))) {
        return aiort__await_future(task, site, future, NULL);
    }
    wait_for(task, site, future);
    aiort__suspend(loop, task);
    task->waiter = NULL;
    if (AIORT__UNLIKELY(task->attention || !succeeded(future))) {
        return ended_badly(task, site, future, NULL);
    }
    future->object.refs--;
    return awaited(task, site, 0);
}

/* Runs a coroutine on this task's stack, as a call. */
__attribute__((noinline)) static int await_coroutine(aiort_task_t *task, const aiort_site_t *site,
                           aiort_coroutine_t *coroutine, void **result)
{
    aiort_coroutine_t *outer = task->innermost;
    void *value = NULL;
    int err = aiort__coroutine_claim(coroutine, AIORT__CORO_RUNNING);

    if (AIORT__UNLIKELY(err)) {
        aiort_unref(coroutine);
        return err;
    }
    outer->u.where = site;
    coroutine->object.next = &outer->object;
    task->innermost = coroutine;
    err = coroutine->function(coroutine->arg, &value);
    task->innermost = outer;
    outer->u.where = NULL;
    coroutine->object.state = AIORT__CORO_DONE;
    aiort__unref(&coroutine->object);
    if (err >= 0) {
        if (result) {
            *result = value;
        }
        return 0;
    }
    return aiort__fail(err); /* keeps the current error when it is this one */
}

/* What aiort_await_at() does not do itself, as it seldom happens or takes long. */
__attribute__((noinline)) static int await_other(const aiort_site_t *site,
                                                 aiort_awaitable_t *awaitable, void **result)
{
    aiort_loop_t *loop = aiort__tls.running;
    aiort_task_t *task = loop ? loop->current : NULL;
    aiort__object_t *object = (aiort__object_t *)awaitable;

    if (AIORT__UNLIKELY(!object)) {
        return aiort__not_made();
    }
    if (AIORT__UNLIKELY(!task)) {
        if (object->kind == AIORT_KIND_COROUTINE) {
            aiort_coroutine_close((aiort_coroutine_t *)object);
        }
        return aiort__fail(AIORT_ENOTASK);
    }
    switch ((aiort_kind_t)object->kind) {
    case AIORT_KIND_FUTURE:
    case AIORT_KIND_TASK:
        return aiort__await_future(task, site, (aiort_future_t *)object, result);
    case AIORT_KIND_COROUTINE:
        return await_coroutine(task, site, (aiort_coroutine_t *)object, result);
    default:
        return aiort__fail(AIORT_EBADAWAIT);
    }
}

/* Waits itself for a future that is pending, which nothing speaks against: that is what counts. */
int aiort_await_at(const aiort_site_t *site, aiort_awaitable_t *awaitable, void **result)
{
    aiort_loop_t *loop = aiort__tls.running;
    aiort_task_t *task = loop ? loop->current : NULL;
    aiort_future_t *future = (aiort_future_t *)awaitable;

    if (AIORT__UNLIKELY(!task || !future || future->object.loop != loop ||
                        (future->object.kind != AIORT_KIND_FUTURE &&
                         (future->object.kind != AIORT_KIND_TASK ||
                          ((const aiort_task_t *)future)->waiter)) ||
                        future->object.state != AIORT_PENDING || future == &task->future ||
                        task->attention || aiort__hooked(loop, AIORT__SEAM_AWAITED))) {
        return await_other(site, awaitable, result);
    }
    wait_for(task, site, future);
    aiort__suspend(loop, task);
    task->waiter = NULL;
    if (AIORT__UNLIKELY(task->attention || !succeeded(future))) {
        return ended_badly(task, site, future, result);
    }
    if (result) {
        *result = future->u.result;
    }
    aiort__unref(&future->object);
    return awaited(task, site, 0);
}

/* ---- Sleeping ---- */

static int wake_sleeper(void *arg)
{
    aiort_future_t *future = arg;

    if (future->object.state == AIORT_PENDING) {
        aiort__future_finish(future, NULL);
    }
    return 0;
}

/* Lets everybody else who is ready run once. */
AIORT__INLINE int yield(aiort_loop_t *loop, aiort_task_t *task, const aiort_site_t *site)
{
    may_stop(task);
    if (site) {
        task->innermost->u.where = site;
    }
    aiort__push_task(loop, task);
    aiort__suspend(loop, task);
    task->innermost->u.where = NULL;
    return AIORT__UNLIKELY(task->attention) ? interrupted(task, site) : 0;
}

/* The future lives here, in the frame that waits for it: nobody else ever gets it to keep. */
__attribute__((noinline)) static int sleep_for(aiort_task_t *task, const aiort_site_t *site,
                                               double seconds)
{
    aiort_loop_t *loop = task->future.object.loop;
    aiort_future_t future;

    if (AIORT__UNLIKELY(isnan(seconds))) {
        return aiort__failf(UV_EINVAL, "Invalid delay: NaN (not a number)");
    }
    aiort__future_init(&future, loop, AIORT_KIND_FUTURE, 0);
    aiort__created(&future.object);
    aiort_handle_t *timer = aiort__timer_start(loop, aiort__now() + aiort__nanoseconds(seconds),
                                               wake_sleeper, &future);
    int err = timer ? aiort__await_future(task, site, &future, NULL) : aiort__fail(UV_ENOMEM);
    if (timer) {
        aiort__timer_stop(timer);
    }
    if (AIORT__UNLIKELY(future.object.trace != 0) && aiort__seam(AIORT__SEAM_DESTROYED)) {
        aiort_instrument_destroyed(AIORT_KIND_FUTURE, &future);
    }
    aiort__future_drop(&future);
    aiort__loop_release(loop);
    return err;
}

int aiort_sleep_at(const aiort_site_t *site, double seconds)
{
    aiort_loop_t *loop = aiort__tls.running;
    aiort_task_t *task = loop ? loop->current : NULL;

    if (AIORT__UNLIKELY(!task)) {
        return aiort__fail(AIORT_ENOTASK);
    }
    return seconds <= 0 ? yield(loop, task, site) : sleep_for(task, site, seconds);
}
