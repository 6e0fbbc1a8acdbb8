/* SPDX-License-Identifier: MIT */
/*
 * Semaphores: so many at a time.
 *
 * Waking a waiter takes for it: what it was woken for is gone from the value at once, so that
 * nobody overtakes it. One that is cancelled after that gives it back, and whoever stops waiting
 * wakes as many as there is something for.
 */
#include "sync.h"

#include <stdio.h>

struct aiort_semaphore_s {
    aiort__sync_t sync;
    size_t value;
    size_t bound; /* of a bounded one */
    bool bounded;
};

static size_t semaphore_repr(const void *self, char *buf, size_t size)
{
    const aiort_semaphore_t *semaphore = self;
    char state[40] = "locked";

    if (!aiort_semaphore_locked(semaphore)) {
        snprintf(state, sizeof(state), "unlocked, value:%zu", semaphore->value);
    }
    return aiort__sync_repr(&semaphore->sync, semaphore->bounded ? "BoundedSemaphore" : "Semaphore",
                            state, buf, size);
}

static aiort_semaphore_t *semaphore_new(size_t value, bool bounded)
{
    aiort_semaphore_t *semaphore = aiort__sync_new(sizeof(*semaphore), AIORT_KIND_SEMAPHORE,
                                                   aiort__sync_destroy, semaphore_repr);

    if (semaphore) {
        semaphore->value = semaphore->bound = value;
        semaphore->bounded = bounded;
    }
    return semaphore;
}

aiort_semaphore_t *aiort_semaphore_new(size_t value)
{
    return semaphore_new(value, false);
}

aiort_semaphore_t *aiort_bounded_semaphore_new(size_t value)
{
    return semaphore_new(value, true);
}

static bool locked(const aiort_semaphore_t *semaphore)
{
    return semaphore->value == 0 || aiort__sync_awaited(&semaphore->sync);
}

int aiort_semaphore_locked(const aiort_semaphore_t *semaphore)
{
    (void)aiort__sync_check(&semaphore->sync, "aiort_semaphore_locked");
    return locked(semaphore);
}

static void hand_on(aiort_semaphore_t *semaphore)
{
    semaphore->value -= aiort__sync_wake(&semaphore->sync, semaphore->value);
}

int aiort_semaphore_acquire_at(const aiort_site_t *site, aiort_semaphore_t *semaphore)
{
    bool woken;
    int err = aiort__sync_check(&semaphore->sync, "aiort_semaphore_acquire");

    if (err) {
        return err;
    }
    if (!locked(semaphore)) {
        semaphore->value--;
        return 0;
    }
    aiort__ref(&semaphore->sync.base.object);
    err = aiort__sync_wait(&semaphore->sync, site, &woken);
    if (err && woken) {
        semaphore->value++;
    }
    hand_on(semaphore);
    aiort__unref(&semaphore->sync.base.object);
    return err;
}

int aiort_semaphore_release(aiort_semaphore_t *semaphore)
{
    int err = aiort__sync_check(&semaphore->sync, "aiort_semaphore_release");

    if (err) {
        return err;
    }
    if (semaphore->bounded && semaphore->value >= semaphore->bound) {
        return aiort__failf(AIORT_EMISUSE, "BoundedSemaphore released too many times");
    }
    semaphore->value++;
    semaphore->value -= aiort__sync_wake(&semaphore->sync, 1);
    return 0;
}
