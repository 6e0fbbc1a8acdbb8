/* SPDX-License-Identifier: MIT */
/*
 * as_completed(): futures in the order in which they end.
 *
 * What has ended waits in done[taken..ended), whoever asks for the next waits in a list. Each end
 * wakes one of them, the timeout all. One that was woken but is cancelled at the same time hands
 * the waking on.
 */
#include "combine.h"
#include "graph.h"

#include <math.h>
#include <string.h>

typedef struct waiter {
    aiort_future_t *future;
    struct waiter *next;
} waiter_t;

struct aiort_as_completed_s {
    aiort_loop_t *loop; /* held by the futures */
    size_t n;
    size_t left; /* not given out, and nobody waits for them */
    size_t ended, taken;
    aiort_handle_t *timer;
    bool timed_out;
    waiter_t *first, *last;
    aiort_future_t **futures, **done;
    aiort_handle_t **watches;
};

static const aiort_site_t own_site = AIORT__OWN_SITE("_AsCompletedIterator._handle_completion");

static void wake_one(aiort_as_completed_t *it)
{
    waiter_t *waiter = it->first;

    if (!waiter) {
        return;
    }
    it->first = waiter->next;
    if (!it->first) {
        it->last = NULL;
    }
    waiter->next = waiter; /* it is in no list */
    if (waiter->future->object.state == AIORT_PENDING) {
        aiort__future_finish(waiter->future, NULL);
    }
}

static int on_end(aiort_future_t *future, void *arg)
{
    aiort_as_completed_t *it = arg;

    it->done[it->ended++] = future;
    wake_one(it);
    return 0;
}

static int on_timeout(void *arg)
{
    aiort_as_completed_t *it = arg;

    it->timed_out = true;
    while (it->first) {
        wake_one(it);
    }
    return 0;
}

void aiort__completed_behind(const aiort_handle_t *handle, aiort__found_fn found, void *arg)
{
    if (handle->callback == (aiort_callback_fn)(uintptr_t)on_end) {
        for (waiter_t *w = ((const aiort_as_completed_t *)handle->arg)->first; w; w = w->next) {
            found(arg, w->future, true);
        }
    }
}

void aiort_as_completed_free(aiort_as_completed_t *it)
{
    if (!it) {
        return;
    }
    for (size_t i = 0; i < it->n; i++) {
        aiort__unwatch(it->futures[i], it->watches[i]);
    }
    if (it->timer) {
        aiort__timer_stop(it->timer);
    }
    aiort__unref_futures(it->futures, it->n);
    aiort__free(it);
}

static int begin(aiort_as_completed_t *it, double timeout)
{
    if (timeout >= 0) {
        it->timer = aiort__timer_start(it->loop, aiort__now() + aiort__nanoseconds(timeout),
                                       on_timeout, it);
        if (!it->timer) {
            return aiort__fail(UV_ENOMEM);
        }
    }
    for (size_t i = 0; i < it->n; i++) {
        bool twice = false;
        for (size_t k = 0; k < i && !twice; k++) {
            twice = it->futures[k] == it->futures[i];
        }
        if (twice) {
            continue;
        }
        it->watches[i] = aiort__watch(it->futures[i], &own_site, on_end, it);
        if (!it->watches[i]) {
            return UV_ENOMEM;
        }
        it->left++;
    }
    return 0;
}

aiort_as_completed_t *aiort_as_completed_at(const aiort_site_t *site,
                                            aiort_awaitable_t *const *awaitables, size_t n,
                                            double timeout)
{
    size_t list = n * sizeof(void *);
    aiort_as_completed_t *it = NULL;

    (void)site;
    if (isnan(timeout)) {
        aiort__drop_awaitables(awaitables, 0, n);
        aiort__failf(UV_EINVAL, "Invalid delay: NaN (not a number)");
        return NULL;
    }
    if (n < SIZE_MAX / 64) {
        it = aiort__malloc(sizeof(*it) + 3 * list);
    }
    if (!it) {
        aiort__drop_awaitables(awaitables, 0, n);
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(it, 0, sizeof(*it) + 3 * list);
    it->futures = (aiort_future_t **)(it + 1);
    it->done = it->futures + n;
    it->watches = (aiort_handle_t **)(it->done + n);
    if (aiort__ensure_futures(&it->loop, awaitables, n, it->futures)) {
        aiort__free(it);
        return NULL;
    }
    it->n = n;
    if (begin(it, timeout)) {
        aiort_as_completed_free(it);
        return aiort__fail_null(UV_ENOMEM);
    }
    return it;
}

/* Out of the list, unless it was woken; then somebody else may be. */
static void leave(aiort_as_completed_t *it, waiter_t *waiter)
{
    if (waiter->next == waiter) {
        if (it->taken < it->ended) {
            wake_one(it);
        }
        return;
    }
    waiter_t *previous = NULL;
    for (waiter_t *w = it->first; w != waiter; w = w->next) {
        previous = w;
    }
    if (previous) {
        previous->next = waiter->next;
    } else {
        it->first = waiter->next;
    }
    if (it->last == waiter) {
        it->last = previous;
    }
}

/* Waits until something has ended that nobody has taken, or the time is up. */
static int wait_for_end(aiort_as_completed_t *it, aiort_task_t *task, const aiort_site_t *site)
{
    waiter_t waiter = {.future = aiort__future_new(it->loop)};

    if (!waiter.future) {
        return UV_ENOMEM;
    }
    if (it->last) {
        it->last->next = &waiter;
    } else {
        it->first = &waiter;
    }
    it->last = &waiter;
    int err = aiort__await_future(task, site, waiter.future, NULL);
    if (err) {
        leave(it, &waiter);
    }
    aiort__unref(&waiter.future->object);
    return err;
}

int aiort_as_completed_next_at(const aiort_site_t *site, aiort_as_completed_t *it,
                               aiort_future_t **future)
{
    aiort_loop_t *loop = aiort__tls.running;
    aiort_task_t *task = loop ? loop->current : NULL;

    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    if (it->left == 0) {
        return 0;
    }
    if (loop != it->loop) {
        return aiort__fail(AIORT_EOTHERLOOP);
    }
    it->left--;
    while (it->taken == it->ended) {
        int err =
            it->timed_out ? aiort__fail_at(site, UV_ETIMEDOUT, NULL) : wait_for_end(it, task, site);
        if (err) {
            it->left++;
            return err;
        }
    }
    if (future) {
        *future = it->done[it->taken];
    }
    it->taken++;
    return 1;
}
