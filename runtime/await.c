/* SPDX-License-Identifier: MIT */
/*
 * Awaiting: where a task waits for a future, runs another coroutine in place, or sleeps.
 *
 * While a coroutine is inside an await, u.where says at which line; so a report can tell
 * where a pending task stands without walking its stack.
 */
#include "internal.h"

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
static inline int interrupted(aiort_task_t *task, const aiort_site_t *site)
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

/* Where the task stands, and whether it may stand there. */
static inline void stop_at(aiort_task_t *task, const aiort_site_t *site)
{
    if (AIORT__UNLIKELY(task->throw_code)) {
        aiort__abandon(task->future.object.loop, task);
    }
    if (site) {
        task->innermost->u.where = site;
    }
}

static inline int outcome(aiort_future_t *future, void **result)
{
    if (AIORT__LIKELY(future->object.state == AIORT_FINISHED &&
                      !(future->object.flags & AIORT__FAILED))) {
        if (result) {
            *result = future->u.result;
        }
        return 0;
    }
    return aiort__future_outcome(future, result);
}

__attribute__((always_inline)) static inline int await_future(aiort_task_t *task,
                                                              const aiort_site_t *site,
                                                              aiort_future_t *future,
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
        stop_at(task, site);
        aiort__ref(&future->object);
        aiort__future_append(future, &task->future.object);
        task->waiter = future;
        if (aiort__seam(AIORT__SEAM_AWAITED)) {
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
        if (AIORT__UNLIKELY(task->throw_code)) {
            err = aiort__fail(task->throw_code);
        } else {
            err = outcome(future, result);
            if (AIORT__UNLIKELY(task->must_cancel)) {
                if (err == UV_ECANCELED) {
                    task->must_cancel = 0;
                } else {
                    err = interrupted(task, site);
                }
            }
        }
        aiort__unref(&future->object);
    }
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

int aiort__await_future(aiort_task_t *task, const aiort_site_t *site, aiort_future_t *future,
                        void **result)
{
    return await_future(task, site, future, result);
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

int aiort_await_at(const aiort_site_t *site, aiort_awaitable_t *awaitable, void **result)
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
        return await_future(task, site, (aiort_future_t *)object, result);
    case AIORT_KIND_COROUTINE:
        return await_coroutine(task, site, (aiort_coroutine_t *)object, result);
    default:
        return aiort__fail(AIORT_EBADAWAIT);
    }
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
static inline int yield(aiort_loop_t *loop, aiort_task_t *task, const aiort_site_t *site)
{
    stop_at(task, site);
    aiort__push(loop, &task->future.object);
    aiort__suspend(loop, task);
    task->innermost->u.where = NULL;
    return interrupted(task, site);
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
    int err = timer ? await_future(task, site, &future, NULL) : aiort__fail(UV_ENOMEM);
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
