/* SPDX-License-Identifier: MIT */
/*
 * What events, locks, conditions, semaphores and barriers share: an object that belongs to a loop
 * from when somebody first waits for it, and the list of who waits, in the order of coming.
 *
 * A waiter lives on the stack of its task and is in the list for as long as the task waits. Waking
 * it completes its future; the task takes itself out of the list when it runs. Between the two it
 * is woken, but still there: it can be cancelled yet, and then hands on what it was woken for.
 */
#ifndef AIORT_SYNC_H
#define AIORT_SYNC_H

#include "scope.h"

typedef struct aiort__waiter {
    struct aiort__waiter *previous, *next;
    aiort_future_t future;
} aiort__waiter_t;

typedef struct {
    aiort__extended_t base;
    aiort__waiter_t *first, *last;
    size_t waiters;
} aiort__sync_t;

/* Zeroed behind the head. NULL: UV_ENOMEM. */
AIORT__HIDDEN void *aiort__sync_new(size_t size, aiort_kind_t kind, void (*destroy)(void *),
                                    size_t (*repr)(const void *, char *, size_t));
/* For an object with nothing of its own to release. */
AIORT__HIDDEN void aiort__sync_destroy(void *self);
/* "<KIND object at 0x... [STATE, waiters:N]>" */
AIORT__HIDDEN size_t aiort__sync_repr(const aiort__sync_t *sync, const char *kind,
                                      const char *state, char *buf, size_t size);

/* Waits in the list until it is woken. *woken says whether it was, also when this returns a code
 * (it was cancelled after that). */
AIORT__HIDDEN int aiort__sync_wait(aiort__sync_t *sync, const aiort_site_t *site, bool *woken);
/* Wakes up to n of those who were not woken yet, and returns how many. */
AIORT__HIDDEN size_t aiort__sync_wake(aiort__sync_t *sync, size_t n);
/* Wakes the first one, if it was not woken yet. */
AIORT__HIDDEN void aiort__sync_wake_first(aiort__sync_t *sync);
/* Whether somebody waits who was not cancelled. */
AIORT__HIDDEN bool aiort__sync_awaited(const aiort__sync_t *sync);

static inline int aiort__sync_check(const aiort__sync_t *sync, const char *function)
{
    return aiort__scope_check(&sync->base, function);
}

/* ---- lock.c, condition.c ---- */

AIORT__HIDDEN int aiort__lock_acquire(aiort_lock_t *lock, const aiort_site_t *site);
AIORT__HIDDEN int aiort__lock_release(aiort_lock_t *lock);
AIORT__HIDDEN bool aiort__lock_locked(const aiort_lock_t *lock);
AIORT__HIDDEN int aiort__condition_wait_until(aiort_condition_t *condition,
                                              const aiort_site_t *site,
                                              int (*predicate)(void *arg), void *arg);
AIORT__HIDDEN void aiort__condition_wake(aiort_condition_t *condition, size_t n);

#endif
