/* SPDX-License-Identifier: MIT */
/*
 * Barriers: tasks wait until so many of them do.
 *
 *   FILLING -> DRAINING -> FILLING    the last one has come; when all have gone it fills again
 *   FILLING -> RESETTING -> FILLING   reset: who waits is sent away; then it fills again
 *   any     -> BROKEN                 abort: nobody may wait, until a reset
 *
 * Who comes while it drains or resets waits at the door until that is over.
 */
#include "sync.h"

#include <stdio.h>

enum { FILLING, DRAINING, RESETTING, BROKEN };

static const char *const state_names[] = {"filling", "draining", "resetting", "broken"};

struct aiort_barrier_s {
    aiort__extended_t base;
    aiort_condition_t *condition; /* with a reference; its lock is held only between two waits */
    size_t parties;
    size_t count; /* tasks inside */
    int state;
};

static size_t n_waiting(const aiort_barrier_t *barrier)
{
    return barrier->state == FILLING ? barrier->count : 0;
}

static size_t barrier_repr(const void *self, char *buf, size_t size)
{
    const aiort_barrier_t *barrier = self;
    char waiters[64] = "";

    if (barrier->state != BROKEN) {
        snprintf(waiters, sizeof(waiters), ", waiters:%zu/%zu", n_waiting(barrier),
                 barrier->parties);
    }
    int length = snprintf(buf, size, "<Barrier object at %p [%s%s]>", self,
                          state_names[barrier->state], waiters);
    return length > 0 ? (size_t)length : 0;
}

static void barrier_destroy(void *self)
{
    aiort_barrier_t *barrier = self;

    aiort_unref(barrier->condition);
    aiort__scope_free(self);
}

aiort_barrier_t *aiort_barrier_new(size_t parties)
{
    if (parties < 1 || parties > INT32_MAX) {
        aiort__failf(UV_EINVAL, "parties must be >= 1");
        return NULL;
    }
    aiort_condition_t *condition = aiort_condition_new(NULL);
    aiort_barrier_t *barrier = condition ? aiort__malloc(sizeof(*barrier)) : NULL;
    if (!barrier) {
        aiort_unref(condition);
        return aiort__fail_null(UV_ENOMEM);
    }
    aiort__scope_init(&barrier->base, NULL, AIORT_KIND_BARRIER, barrier_destroy, barrier_repr);
    barrier->condition = condition;
    barrier->parties = parties;
    barrier->count = 0;
    barrier->state = FILLING;
    return barrier;
}

static int is_open(void *arg)
{
    const aiort_barrier_t *barrier = arg;

    return barrier->state != DRAINING && barrier->state != RESETTING;
}

static int is_over(void *arg)
{
    return ((const aiort_barrier_t *)arg)->state != FILLING;
}

/* Inside, as one of them. */
static int stay(aiort_barrier_t *barrier, const aiort_site_t *site)
{
    if (barrier->count == barrier->parties) {
        barrier->state = DRAINING;
        aiort__condition_wake(barrier->condition, SIZE_MAX);
        return 0;
    }
    int err = aiort__condition_wait_until(barrier->condition, site, is_over, barrier);
    if (err < 0) {
        return err;
    }
    if (barrier->state == BROKEN || barrier->state == RESETTING) {
        return aiort__failf(AIORT_EBROKEN, "Abort or reset of barrier");
    }
    return 0;
}

static int pass(aiort_barrier_t *barrier, const aiort_site_t *site)
{
    int err = aiort__condition_wait_until(barrier->condition, site, is_open, barrier);

    if (err < 0) {
        return err;
    }
    if (barrier->state == BROKEN) {
        return aiort__failf(AIORT_EBROKEN, "Barrier aborted");
    }
    int index = (int)barrier->count++;
    err = stay(barrier, site);
    if (--barrier->count == 0) {
        if (barrier->state == RESETTING || barrier->state == DRAINING) {
            barrier->state = FILLING;
        }
        aiort__condition_wake(barrier->condition, SIZE_MAX);
    }
    return err < 0 ? err : index;
}

/* Takes the lock; the barrier lives until leave(). */
static int enter(aiort_barrier_t *barrier, const aiort_site_t *site, const char *function)
{
    int err = aiort__scope_check(&barrier->base, function);

    if (err) {
        return err;
    }
    aiort__ref(&barrier->base.object);
    err = aiort__lock_acquire(aiort_condition_lock(barrier->condition), site);
    if (err) {
        aiort__unref(&barrier->base.object);
    }
    return err;
}

static void leave(aiort_barrier_t *barrier, int err)
{
    /* Who is being destroyed has not got the lock back from its wait. */
    if (err != AIORT_ECLOSED) {
        aiort__lock_release(aiort_condition_lock(barrier->condition));
    }
    aiort__unref(&barrier->base.object);
}

int aiort_barrier_wait_at(const aiort_site_t *site, aiort_barrier_t *barrier)
{
    int err = enter(barrier, site, "aiort_barrier_wait");

    if (!err) {
        err = pass(barrier, site);
        leave(barrier, err);
    }
    return err;
}

int aiort_barrier_reset_at(const aiort_site_t *site, aiort_barrier_t *barrier)
{
    int err = enter(barrier, site, "aiort_barrier_reset");

    if (!err) {
        barrier->state = barrier->count > 0 ? RESETTING : FILLING;
        aiort__condition_wake(barrier->condition, SIZE_MAX);
        leave(barrier, 0);
    }
    return err;
}

int aiort_barrier_abort_at(const aiort_site_t *site, aiort_barrier_t *barrier)
{
    int err = enter(barrier, site, "aiort_barrier_abort");

    if (!err) {
        barrier->state = BROKEN;
        aiort__condition_wake(barrier->condition, SIZE_MAX);
        leave(barrier, 0);
    }
    return err;
}

size_t aiort_barrier_parties(const aiort_barrier_t *barrier)
{
    return barrier->parties;
}

size_t aiort_barrier_n_waiting(const aiort_barrier_t *barrier)
{
    (void)aiort__scope_check(&barrier->base, "aiort_barrier_n_waiting");
    return n_waiting(barrier);
}

int aiort_barrier_broken(const aiort_barrier_t *barrier)
{
    (void)aiort__scope_check(&barrier->base, "aiort_barrier_broken");
    return barrier->state == BROKEN;
}
