/* SPDX-License-Identifier: MIT */
/*
 * Conditions: tasks that hold a lock wait for a notification by another one that holds it.
 *
 * Whoever leaves wait() with a code may have been notified already; it notifies another one then,
 * so that no notification is lost. That one may wake for nothing, as the contract allows.
 */
#include "sync.h"

struct aiort_condition_s {
    aiort__sync_t sync;
    aiort_lock_t *lock; /* with a reference */
};

static size_t condition_repr(const void *self, char *buf, size_t size)
{
    const aiort_condition_t *condition = self;

    return aiort__sync_repr(&condition->sync, "Condition",
                            aiort__lock_locked(condition->lock) ? "locked" : "unlocked", buf, size);
}

static void condition_destroy(void *self)
{
    aiort_condition_t *condition = self;

    aiort_unref(condition->lock);
    aiort__sync_destroy(self);
}

aiort_condition_t *aiort_condition_new(aiort_lock_t *lock)
{
    aiort_condition_t *condition = aiort__sync_new(sizeof(*condition), AIORT_KIND_CONDITION,
                                                   condition_destroy, condition_repr);

    if (!condition) {
        return NULL;
    }
    condition->lock = lock ? aiort_ref(lock) : aiort_lock_new();
    if (!condition->lock) {
        aiort_unref(condition);
        return NULL;
    }
    return condition;
}

aiort_lock_t *aiort_condition_lock(const aiort_condition_t *condition)
{
    return condition->lock;
}

void aiort__condition_wake(aiort_condition_t *condition, size_t n)
{
    aiort__sync_wake(&condition->sync, n);
}

/* Takes the lock again, however often it is cancelled meanwhile: err is the code to return, and the
 * last cancellation is the one that counts. */
static int reacquire(aiort_condition_t *condition, const aiort_site_t *site, int err)
{
    aiort_error_t *error = err ? aiort__take_error(err) : NULL;

    for (;;) {
        int again = aiort__lock_acquire(condition->lock, site);
        if (again == 0) {
            break;
        }
        aiort_unref(error);
        error = aiort__take_error(again);
        err = again;
        if (again != UV_ECANCELED) {
            break; /* the task is being destroyed: without the lock */
        }
    }
    if (error) {
        aiort__set_current_error(error);
        aiort_unref(error);
    }
    return err;
}

static int wait_once(aiort_condition_t *condition, const aiort_site_t *site)
{
    bool woken;

    if (!aiort__lock_locked(condition->lock)) {
        return aiort__failf(AIORT_EMISUSE, "cannot wait on un-acquired lock");
    }
    if (!aiort_current_task()) {
        return aiort__fail(AIORT_ENOTASK);
    }
    aiort__lock_release(condition->lock);
    int err = aiort__sync_wait(&condition->sync, site, &woken);
    if (err != AIORT_ECLOSED) {
        err = reacquire(condition, site, err);
    }
    if (err) {
        aiort__sync_wake(&condition->sync, 1);
    }
    return err;
}

int aiort__condition_wait_until(aiort_condition_t *condition, const aiort_site_t *site,
                                int (*predicate)(void *arg), void *arg)
{
    int err = 0;
    int met = predicate(arg);

    aiort__ref(&condition->sync.base.object);
    while (!met && !err) {
        err = wait_once(condition, site);
        met = err ? 0 : predicate(arg);
    }
    aiort__unref(&condition->sync.base.object);
    return err ? err : met;
}

int aiort_condition_wait_at(const aiort_site_t *site, aiort_condition_t *condition)
{
    int err = aiort__sync_check(&condition->sync, "aiort_condition_wait");

    if (err) {
        return err;
    }
    aiort__ref(&condition->sync.base.object);
    err = wait_once(condition, site);
    aiort__unref(&condition->sync.base.object);
    return err;
}

int aiort_condition_wait_for_at(const aiort_site_t *site, aiort_condition_t *condition,
                                int (*predicate)(void *arg), void *arg)
{
    int err = aiort__sync_check(&condition->sync, "aiort_condition_wait_for");

    return err ? err : aiort__condition_wait_until(condition, site, predicate, arg);
}

int aiort_condition_notify(aiort_condition_t *condition, size_t n)
{
    int err = aiort__sync_check(&condition->sync, "aiort_condition_notify");

    if (err) {
        return err;
    }
    if (!aiort__lock_locked(condition->lock)) {
        return aiort__failf(AIORT_EMISUSE, "cannot notify on un-acquired lock");
    }
    aiort__sync_wake(&condition->sync, n);
    return 0;
}

int aiort_condition_notify_all(aiort_condition_t *condition)
{
    return aiort_condition_notify(condition, SIZE_MAX);
}
