/* SPDX-License-Identifier: MIT */
/*
 * Events: tasks wait until somebody sets it.
 */
#include "sync.h"

struct aiort_event_s {
    aiort__sync_t sync;
    bool set;
};

static size_t event_repr(const void *self, char *buf, size_t size)
{
    const aiort_event_t *event = self;

    return aiort__sync_repr(&event->sync, "Event", event->set ? "set" : "unset", buf, size);
}

aiort_event_t *aiort_event_new(void)
{
    return aiort__sync_new(sizeof(aiort_event_t), AIORT_KIND_EVENT, aiort__sync_destroy,
                           event_repr);
}

int aiort_event_set(aiort_event_t *event)
{
    int err = aiort__sync_check(&event->sync, "aiort_event_set");

    if (!err && !event->set) {
        event->set = true;
        aiort__sync_wake(&event->sync, SIZE_MAX);
    }
    return err;
}

int aiort_event_clear(aiort_event_t *event)
{
    int err = aiort__sync_check(&event->sync, "aiort_event_clear");

    if (!err) {
        event->set = false;
    }
    return err;
}

int aiort_event_is_set(const aiort_event_t *event)
{
    (void)aiort__sync_check(&event->sync, "aiort_event_is_set");
    return event->set;
}

int aiort_event_wait_at(const aiort_site_t *site, aiort_event_t *event)
{
    bool woken;
    int err = aiort__sync_check(&event->sync, "aiort_event_wait");

    if (err || event->set) {
        return err;
    }
    aiort__ref(&event->sync.base.object);
    err = aiort__sync_wait(&event->sync, site, &woken);
    aiort__unref(&event->sync.base.object);
    return err;
}
