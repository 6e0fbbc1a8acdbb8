/* SPDX-License-Identifier: MIT */
/*
 * wait(): a task waits for several futures. Everything lives on its stack, but the handles of the
 * callbacks when there are many.
 */
#include "combine.h"
#include "graph.h"

#include <math.h>

typedef struct {
    aiort_future_t *waiter;
    size_t left;
    aiort_return_when_t when;
} wait_t;

static const aiort_site_t own_site = AIORT__OWN_SITE("_wait.<locals>._on_completion");

static void wake(wait_t *wait)
{
    if (wait->waiter->object.state == AIORT_PENDING) {
        aiort__future_finish(wait->waiter, NULL);
    }
}

static int on_completion(aiort_future_t *future, void *arg)
{
    wait_t *wait = arg;
    bool failed = future->object.state == AIORT_FINISHED && (future->object.flags & AIORT__FAILED);

    wait->left--;
    if (wait->when == AIORT_FIRST_EXCEPTION && failed) {
        /* As asyncio, which has to look at the error to know that there is one. */
        future->object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
    }
    if (wait->left == 0 || wait->when == AIORT_FIRST_COMPLETED ||
        (wait->when == AIORT_FIRST_EXCEPTION && failed)) {
        wake(wait);
    }
    return 0;
}

void aiort__wait_behind(const aiort_handle_t *handle, aiort__found_fn found, void *arg)
{
    if (handle->callback == (aiort_callback_fn)(uintptr_t)on_completion) {
        found(arg, ((const wait_t *)handle->arg)->waiter, true);
    }
}

static int on_timeout(void *arg)
{
    wake(arg);
    return 0;
}

static int check(aiort_loop_t *loop, aiort_future_t *const *futures, size_t n, double timeout,
                 aiort_return_when_t when)
{
    if (n == 0) {
        return aiort__failf(AIORT_EEMPTY, "Set of Tasks/Futures is empty.");
    }
    if ((int)when < 0 || when > AIORT_FIRST_EXCEPTION) {
        return aiort__failf(UV_EINVAL, "Invalid return_when value: %d", (int)when);
    }
    if (isnan(timeout)) {
        return aiort__failf(UV_EINVAL, "Invalid delay: NaN (not a number)");
    }
    if (n > INT32_MAX) {
        return aiort__fail(UV_EINVAL);
    }
    for (size_t i = 0; i < n; i++) {
        if (!futures[i]) {
            return aiort__not_made();
        }
        if (futures[i]->object.kind != AIORT_KIND_FUTURE &&
            futures[i]->object.kind != AIORT_KIND_TASK) {
            return aiort__failf(AIORT_EBADAWAIT, "%s", aiort_strerror(AIORT_EBADAWAIT));
        }
        if (futures[i]->object.loop != loop) {
            return aiort__fail(AIORT_EOTHERLOOP);
        }
    }
    return 0;
}

/* Waits with the callbacks in place, and takes them back. */
static int wait_watched(aiort_task_t *task, const aiort_site_t *site, wait_t *wait,
                        aiort_future_t *const *futures, aiort_handle_t **watches, size_t n,
                        double timeout)
{
    aiort_loop_t *loop = task->future.object.loop;
    aiort_handle_t *timer = NULL;
    size_t watched = 0;
    int err = 0;

    if (timeout >= 0) {
        timer =
            aiort__timer_start(loop, aiort__now() + aiort__nanoseconds(timeout), on_timeout, wait);
        if (!timer) {
            return aiort__fail(UV_ENOMEM);
        }
    }
    while (watched < n && !err) {
        watches[watched] = aiort__watch(futures[watched], &own_site, on_completion, wait);
        err = watches[watched] ? 0 : UV_ENOMEM;
        watched += !err;
    }
    if (!err) {
        err = aiort__await_future(task, site, wait->waiter, NULL);
    }
    for (size_t i = 0; i < watched; i++) {
        aiort__unwatch(futures[i], watches[i]);
    }
    if (timer) {
        aiort__timer_stop(timer);
    }
    return err;
}

int aiort_wait_at(const aiort_site_t *site, aiort_future_t *const *futures, size_t n,
                  double timeout, aiort_return_when_t return_when)
{
    aiort_loop_t *loop = aiort__tls.running;
    aiort_task_t *task = loop ? loop->current : NULL;
    aiort_handle_t *few[16];
    aiort_handle_t **watches = few;

    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    int err = check(loop, futures, n, timeout, return_when);
    if (err) {
        return err;
    }
    wait_t wait = {.waiter = aiort__future_new(loop), .left = n, .when = return_when};
    if (!wait.waiter) {
        return UV_ENOMEM;
    }
    if (n > sizeof(few) / sizeof(few[0])) {
        watches = aiort__malloc(n * sizeof(*watches));
    }
    err = watches ? wait_watched(task, site, &wait, futures, watches, n, timeout)
                  : aiort__fail(UV_ENOMEM);
    if (watches && watches != few) {
        aiort__free(watches);
    }
    aiort__unref(&wait.waiter->object);
    if (err) {
        return err;
    }
    int done = 0;
    for (size_t i = 0; i < n; i++) {
        done += futures[i]->object.state != AIORT_PENDING;
    }
    return done;
}
