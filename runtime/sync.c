/* SPDX-License-Identifier: MIT */
/*
 * Waiting for an event, a lock, a condition, a semaphore: see sync.h.
 */
#include "sync.h"

#include <stdio.h>
#include <string.h>

void *aiort__sync_new(size_t size, aiort_kind_t kind, void (*destroy)(void *),
                      size_t (*repr)(const void *, char *, size_t))
{
    aiort__sync_t *sync = aiort__malloc(size);

    if (!sync) {
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(sync, 0, size);
    aiort__scope_init(&sync->base, NULL, kind, destroy, repr);
    return sync;
}

void aiort__sync_destroy(void *self)
{
    aiort__scope_free(self);
}

size_t aiort__sync_repr(const aiort__sync_t *sync, const char *kind, const char *state, char *buf,
                        size_t size)
{
    char waiters[40] = "";

    if (sync->waiters) {
        snprintf(waiters, sizeof(waiters), ", waiters:%zu", sync->waiters);
    }
    int length =
        snprintf(buf, size, "<%s object at %p [%s%s]>", kind, (const void *)sync, state, waiters);
    return length > 0 ? (size_t)length : 0;
}

static void enlist(aiort__sync_t *sync, aiort__waiter_t *waiter)
{
    waiter->next = NULL;
    waiter->previous = sync->last;
    if (sync->last) {
        sync->last->next = waiter;
    } else {
        sync->first = waiter;
    }
    sync->last = waiter;
    sync->waiters++;
}

static void delist(aiort__sync_t *sync, aiort__waiter_t *waiter)
{
    if (waiter->previous) {
        waiter->previous->next = waiter->next;
    } else {
        sync->first = waiter->next;
    }
    if (waiter->next) {
        waiter->next->previous = waiter->previous;
    } else {
        sync->last = waiter->previous;
    }
    sync->waiters--;
}

AIORT__COLD static int other_loop(const aiort__sync_t *sync)
{
    char repr[128];

    aiort_repr(sync, repr, sizeof(repr));
    return aiort__failf(AIORT_EOTHERLOOP, "%s is bound to a different event loop", repr);
}

int aiort__sync_wait(aiort__sync_t *sync, const aiort_site_t *site, bool *woken)
{
    aiort_task_t *task = aiort_current_task();
    aiort__waiter_t waiter;

    *woken = false;
    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    if (aiort__scope_adopt(&sync->base, task->future.object.loop)) {
        return other_loop(sync);
    }
    aiort__local_future(&waiter.future, task->future.object.loop, site);
    enlist(sync, &waiter);
    int err = aiort__await_own(task, site, &waiter.future);
    delist(sync, &waiter);
    *woken = waiter.future.object.state == AIORT_FINISHED;
    aiort__local_future_end(&waiter.future, err);
    return err;
}

size_t aiort__sync_wake(aiort__sync_t *sync, size_t n)
{
    size_t woken = 0;

    for (aiort__waiter_t *waiter = sync->first; waiter && woken < n; waiter = waiter->next) {
        if (waiter->future.object.state == AIORT_PENDING) {
            aiort__future_finish(&waiter->future, NULL);
            woken++;
        }
    }
    return woken;
}

void aiort__sync_wake_first(aiort__sync_t *sync)
{
    if (sync->first && sync->first->future.object.state == AIORT_PENDING) {
        aiort__future_finish(&sync->first->future, NULL);
    }
}

bool aiort__sync_awaited(const aiort__sync_t *sync)
{
    for (const aiort__waiter_t *waiter = sync->first; waiter; waiter = waiter->next) {
        if (waiter->future.object.state != AIORT_CANCELLED) {
            return true;
        }
    }
    return false;
}
