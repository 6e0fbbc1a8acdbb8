/* SPDX-License-Identifier: MIT */
/*
 * Timeouts: a block of code with a deadline, and wait_for(), which is such a block around an await.
 *
 *   CREATED -> ACTIVE -> FINISHED            the block ended in time
 *                     -> EXPIRING -> EXPIRED the deadline came first: the task was cancelled
 *
 * What tells the deadline's cancellation from somebody else's is the count of requests: the block's
 * end takes its own back, and when no more are left than there were at its beginning, the
 * UV_ECANCELED that ends the block is the deadline's.
 *
 * The timer's callback borrows the scope: whoever drops the scope stops the timer.
 */
#include "combine.h"
#include "graph.h"
#include "scope.h"

#include <math.h>
#include <string.h>

enum { CREATED, ACTIVE, EXPIRING, EXPIRED, FINISHED }; /* base.object.state */

static const char *const state_names[] = {"created", "active", "expiring", "expired", "finished"};

struct aiort_timeout_s {
    aiort__extended_t base;
    aiort_task_t *task;    /* with a reference from the block's beginning to its end */
    aiort_handle_t *timer; /* with a reference; NULL: none, or it has fired */
    double when;
    int cancelling; /* requests to cancel the task when the block began */
};

/* ---- The deadline ---- */

static int on_timeout(void *arg)
{
    aiort_timeout_t *timeout = arg;

    timeout->base.object.state = EXPIRING;
    aiort__unref(&timeout->timer->object);
    timeout->timer = NULL;
    aiort__task_cancel(timeout->task, NULL);
    return 0;
}

static void stop(aiort_timeout_t *timeout)
{
    if (timeout->timer) {
        aiort__timer_stop(timeout->timer);
        timeout->timer = NULL;
    }
}

/* A callback in the next iteration, as call_soon() makes it. */
static aiort_handle_t *soon(aiort_loop_t *loop, aiort_timeout_t *timeout)
{
    aiort_handle_t *handle = aiort__handle_new(loop, NULL, on_timeout, timeout, 0);

    if (handle) {
        handle->object.refs++;
        aiort__push(loop, &handle->object);
    }
    return handle;
}

/* Sets the timer; on failure everything is as before. */
static int schedule(aiort_timeout_t *timeout, aiort_loop_t *loop, double when)
{
    aiort_handle_t *timer = NULL;

    if (when < AIORT_NO_TIMEOUT) {
        uint64_t at = aiort__nanoseconds(when);
        timer = at <= aiort__now() ? soon(loop, timeout)
                                   : aiort__timer_start(loop, at, on_timeout, timeout);
        if (!timer) {
            return aiort__fail(UV_ENOMEM);
        }
    }
    stop(timeout);
    timeout->timer = timer;
    timeout->when = when;
    return 0;
}

/* ---- The block ---- */

static int begin(aiort_timeout_t *timeout, aiort_task_t *task)
{
    int err = schedule(timeout, task->future.object.loop, timeout->when);

    if (err) {
        return err;
    }
    aiort__ref(&task->future.object);
    timeout->task = task;
    timeout->cancelling = (int)task->cancel_requests;
    timeout->base.object.state = ACTIVE;
    return 0;
}

static int expired_at(const aiort_site_t *site)
{
    aiort_error_t *cause = aiort__take_error(UV_ECANCELED);
    aiort_error_t *error = aiort__error_new(site, UV_ETIMEDOUT, "timed out", cause);
    int code = error->code; /* UV_ENOMEM when there is none for the error */

    aiort__set_current_error(error);
    aiort_unref(error);
    aiort_unref(cause);
    return code;
}

static int end(aiort_timeout_t *timeout, const aiort_site_t *site, int err)
{
    aiort_task_t *task = timeout->task;

    stop(timeout);
    timeout->task = NULL;
    if (timeout->base.object.state == EXPIRING) {
        timeout->base.object.state = EXPIRED;
        if (aiort_task_uncancel(task) <= timeout->cancelling && err == UV_ECANCELED) {
            err = expired_at(site);
        }
    } else {
        timeout->base.object.state = FINISHED;
    }
    aiort__unref(&task->future.object);
    return err;
}

/* ---- The object ---- */

static size_t timeout_repr(const void *self, char *buf, size_t size)
{
    const aiort_timeout_t *timeout = self;
    const char *state = state_names[timeout->base.object.state];
    char when[340]; /* any double in full */
    int length;

    if (timeout->base.object.state != ACTIVE) {
        length = snprintf(buf, size, "<Timeout [%s]>", state);
    } else if (!(timeout->when < AIORT_NO_TIMEOUT)) {
        length = snprintf(buf, size, "<Timeout [%s] when=None>", state);
    } else {
        /* As Python: round(when, 3), without zeros at the end but one. */
        size_t n = (size_t)snprintf(when, sizeof(when), "%.3f", timeout->when);
        while (n > 2 && when[n - 1] == '0' && when[n - 2] != '.') {
            when[--n] = '\0';
        }
        length = snprintf(buf, size, "<Timeout [%s] when=%s>", state, when);
    }
    return length > 0 ? (size_t)length : 0;
}

static void timeout_destroy(void *self)
{
    aiort_timeout_t *timeout = self;

    stop(timeout);
    if (timeout->task) {
        aiort__unref(&timeout->task->future.object);
    }
    aiort__scope_free(&timeout->base);
}

static aiort_timeout_t *timeout_new(aiort_loop_t *loop, double when)
{
    if (isnan(when)) {
        aiort__failf(UV_EINVAL, "Invalid time: NaN (not a number)");
        return NULL;
    }
    aiort_timeout_t *timeout = aiort__malloc(sizeof(*timeout));
    if (!timeout) {
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(timeout, 0, sizeof(*timeout));
    aiort__scope_init(&timeout->base, loop, AIORT_KIND_TIMEOUT, timeout_destroy, timeout_repr);
    timeout->base.object.state = CREATED;
    timeout->when = when;
    return timeout;
}

aiort_timeout_t *aiort_timeout(double seconds)
{
    aiort_loop_t *loop = aiort__tls.running;

    if (!loop) {
        return aiort__fail_null(AIORT_ENOLOOP);
    }
    return timeout_new(loop, aiort_loop_time(loop) + seconds);
}

aiort_timeout_t *aiort_timeout_at(double when)
{
    return timeout_new(aiort__tls.running, when);
}

int aiort_timeout_enter(aiort_timeout_t *timeout)
{
    if (!timeout) {
        return aiort__not_made();
    }
    int err = aiort__scope_check(&timeout->base, "aiort_timeout_enter");
    if (err) {
        return err;
    }
    if (timeout->base.object.state != CREATED) {
        return aiort__failf(AIORT_EMISUSE, "Timeout has already been entered");
    }
    aiort_task_t *task = aiort_current_task();
    if (!task) {
        return aiort__failf(AIORT_ENOTASK, "Timeout should be used inside a task");
    }
    err = aiort__scope_adopt(&timeout->base, task->future.object.loop);
    return err ? err : begin(timeout, task);
}

/* What may only be done inside the block. */
static int check_inside(const aiort_timeout_t *timeout, bool expiring)
{
    int state = timeout->base.object.state;

    if (state == ACTIVE || (expiring && state == EXPIRING)) {
        return 0;
    }
    if (state == CREATED) {
        return aiort__failf(AIORT_EMISUSE, "Timeout has not been entered");
    }
    return aiort__failf(AIORT_EMISUSE, "Cannot change state of %s Timeout", state_names[state]);
}

int aiort_timeout_exit_at(const aiort_site_t *site, aiort_timeout_t *timeout, int err)
{
    if (!timeout) {
        return err;
    }
    int misuse = aiort__scope_check(&timeout->base, "aiort_timeout_exit");
    if (!misuse) {
        misuse = check_inside(timeout, true);
    }
    return misuse ? misuse : end(timeout, site, err);
}

int aiort_timeout_reschedule(aiort_timeout_t *timeout, double when)
{
    int err = aiort__scope_check(&timeout->base, "aiort_timeout_reschedule");

    if (!err) {
        err = check_inside(timeout, false);
    }
    if (err) {
        return err;
    }
    if (isnan(when)) {
        return aiort__failf(UV_EINVAL, "Invalid time: NaN (not a number)");
    }
    return schedule(timeout, timeout->base.object.loop, when);
}

double aiort_timeout_when(const aiort_timeout_t *timeout)
{
    (void)aiort__scope_check(&timeout->base, "aiort_timeout_when");
    return timeout->when;
}

int aiort_timeout_expired(const aiort_timeout_t *timeout)
{
    (void)aiort__scope_check(&timeout->base, "aiort_timeout_expired");
    return timeout->base.object.state == EXPIRING || timeout->base.object.state == EXPIRED;
}

/* ---- wait_for ---- */

static const aiort_site_t release_site = AIORT__OWN_SITE("_release_waiter");

static int release_waiter(aiort_future_t *future, void *arg)
{
    aiort_future_t *waiter = arg;

    (void)future;
    if (waiter->object.state == AIORT_PENDING) {
        aiort__future_finish(waiter, NULL);
    }
    return 0;
}

void aiort__wait_for_behind(const aiort_handle_t *handle, aiort__found_fn found, void *arg)
{
    if (handle->callback == (aiort_callback_fn)(uintptr_t)release_waiter) {
        found(arg, handle->arg, true);
    }
}

/* Cancels it and waits until it is done. Not by awaiting it: being cancelled meanwhile must end
 * this wait and not reach the future a second time. */
static int cancel_and_wait(aiort_task_t *task, const aiort_site_t *site, aiort_future_t *future)
{
    aiort_future_t *waiter = aiort__future_new(task->future.object.loop);

    if (!waiter) {
        return UV_ENOMEM;
    }
    aiort_handle_t *watch = aiort__watch(future, &release_site, release_waiter, waiter);
    int err = UV_ENOMEM;
    if (watch) {
        aiort__future_cancel(future, NULL);
        err = aiort__await_future(task, site, waiter, NULL);
        aiort__unwatch(future, watch);
    }
    aiort__unref(&waiter->object);
    return err;
}

/* The time is over before it begins. */
static int wait_not_at_all(aiort_task_t *task, const aiort_site_t *site,
                           aiort_awaitable_t *awaitable, void **result)
{
    aiort_future_t *future = aiort__ensure_future(task->future.object.loop, awaitable);

    if (!future) {
        return aiort_last_error();
    }
    int err = 0;
    bool done = future->object.state != AIORT_PENDING;
    if (!done) {
        err = cancel_and_wait(task, site, future);
    }
    if (!err) {
        err = aiort__future_outcome(future, result);
        if (err == 0) {
            aiort__clear_error();
        } else if (err == UV_ECANCELED && !done) {
            err = expired_at(site);
        }
    }
    aiort_unref(future);
    return err;
}

static int refuse(aiort_awaitable_t *awaitable, int err)
{
    if (((aiort__object_t *)awaitable)->kind == AIORT_KIND_COROUTINE) {
        aiort_coroutine_close((aiort_coroutine_t *)awaitable);
    }
    return err;
}

int aiort_wait_for_at(const aiort_site_t *site, aiort_awaitable_t *awaitable, double seconds,
                      void **result)
{
    aiort_task_t *task = aiort_current_task();

    if (!awaitable) {
        return aiort__not_made();
    }
    if (!task) {
        return refuse(awaitable, aiort__fail(AIORT_ENOTASK));
    }
    if (isnan(seconds)) {
        return refuse(awaitable, aiort__failf(UV_EINVAL, "Invalid delay: NaN (not a number)"));
    }
    if (seconds <= 0) {
        return wait_not_at_all(task, site, awaitable, result);
    }
    /* On this stack: the block ends before this function does. Where the task is abandoned in it,
     * the stack stays, and the loop's timers are gone. */
    aiort_timeout_t timeout = {
        .base.object.kind = AIORT_KIND_TIMEOUT,
        .when = aiort_loop_time(task->future.object.loop) + seconds,
    };
    int err = begin(&timeout, task);
    if (err) {
        return refuse(awaitable, err);
    }
    err = aiort_await_at(site, awaitable, result);
    return end(&timeout, site, err);
}
