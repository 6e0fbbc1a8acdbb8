/* SPDX-License-Identifier: MIT */
/*
 * Locks: one task at a time. Nobody overtakes who waits already.
 *
 * Giving it back frees the lock and wakes the first waiter, which takes it when it runs. One that
 * is cancelled in between wakes the next: while the lock is free, the first in the list is woken.
 */
#include "sync.h"

struct aiort_lock_s {
    aiort__sync_t sync;
    bool locked;
};

static size_t lock_repr(const void *self, char *buf, size_t size)
{
    const aiort_lock_t *lock = self;

    return aiort__sync_repr(&lock->sync, "Lock", lock->locked ? "locked" : "unlocked", buf, size);
}

aiort_lock_t *aiort_lock_new(void)
{
    return aiort__sync_new(sizeof(aiort_lock_t), AIORT_KIND_LOCK, aiort__sync_destroy, lock_repr);
}

int aiort__lock_acquire(aiort_lock_t *lock, const aiort_site_t *site)
{
    bool woken;

    if (!lock->locked && !aiort__sync_awaited(&lock->sync)) {
        lock->locked = true;
        return 0;
    }
    aiort__ref(&lock->sync.base.object);
    int err = aiort__sync_wait(&lock->sync, site, &woken);
    if (!err) {
        lock->locked = true;
    } else if (!lock->locked) {
        aiort__sync_wake_first(&lock->sync);
    }
    aiort__unref(&lock->sync.base.object);
    return err;
}

int aiort_lock_acquire_at(const aiort_site_t *site, aiort_lock_t *lock)
{
    int err = aiort__sync_check(&lock->sync, "aiort_lock_acquire");

    return err ? err : aiort__lock_acquire(lock, site);
}

int aiort__lock_release(aiort_lock_t *lock)
{
    if (!lock->locked) {
        return aiort__failf(AIORT_EMISUSE, "Lock is not acquired.");
    }
    lock->locked = false;
    aiort__sync_wake_first(&lock->sync);
    return 0;
}

int aiort_lock_release(aiort_lock_t *lock)
{
    int err = aiort__sync_check(&lock->sync, "aiort_lock_release");

    return err ? err : aiort__lock_release(lock);
}

bool aiort__lock_locked(const aiort_lock_t *lock)
{
    return lock->locked;
}

int aiort_lock_locked(const aiort_lock_t *lock)
{
    (void)aiort__sync_check(&lock->sync, "aiort_lock_locked");
    return lock->locked;
}
