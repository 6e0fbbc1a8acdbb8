/* SPDX-License-Identifier: MIT */
/* Inboxes: what comes in is queued until somebody takes it; see inbox.h for how they end. */
#include "inbox.h"

static void give_back(aiort__inbox_t *inbox)
{
    while (inbox->first) {
        aiort__free(aiort__inbox_take(inbox));
    }
    aiort__scope_free(&inbox->base);
}

static void on_closed(uv_handle_t *handle)
{
    aiort__inbox_t *inbox = handle->data;

    inbox->closed = true;
    if (inbox->dropped) {
        give_back(inbox);
    }
}

static void destroy(void *self)
{
    aiort__inbox_t *inbox = self;

    inbox->dropped = true;
    if (inbox->closed) {
        give_back(inbox);
    } else {
        inbox->left(inbox, false);
    }
}

static void loop_closed(aiort__attached_t *attached)
{
    aiort__inbox_t *inbox =
        (aiort__inbox_t *)((char *)attached - offsetof(aiort__inbox_t, attached));

    inbox->left(inbox, true);
}

void aiort__inbox_init(aiort__inbox_t *inbox, aiort_loop_t *loop, uv_handle_t *handle,
                       aiort_kind_t kind, size_t (*repr)(const void *, char *, size_t),
                       void (*left)(aiort__inbox_t *, bool))
{
    inbox->handle = handle;
    inbox->left = left;
    inbox->waiting.first = NULL;
    inbox->first = NULL;
    inbox->last = &inbox->first;
    inbox->error = 0;
    inbox->closing = inbox->closed = inbox->dropped = false;
    handle->data = inbox;
    aiort__scope_init(&inbox->base, loop, kind, destroy, repr);
    aiort__created(&inbox->base.object);
    aiort__attach(loop, &inbox->attached, loop_closed);
}

void aiort__inbox_put(aiort__inbox_t *inbox, aiort__item_t *item)
{
    item->next = NULL;
    *inbox->last = item;
    inbox->last = &item->next;
}

aiort__item_t *aiort__inbox_take(aiort__inbox_t *inbox)
{
    aiort__item_t *item = inbox->first;

    inbox->first = item->next;
    if (!inbox->first) {
        inbox->last = &inbox->first;
    }
    return item;
}

int aiort__inbox_wait(aiort__inbox_t *inbox, const aiort_site_t *site)
{
    int err = 0;

    while (!err && !inbox->first) {
        if (inbox->error || inbox->closing) {
            err = aiort__fail(inbox->error ? inbox->error : UV_EBADF);
            inbox->error = 0;
        } else {
            err = aiort__park(&inbox->waiting, site);
        }
    }
    return err;
}

bool aiort__inbox_end(aiort__inbox_t *inbox)
{
    if (inbox->closing) {
        return false;
    }
    inbox->closing = true;
    aiort__detach(inbox->base.object.loop, &inbox->attached);
    aiort__unpark(&inbox->waiting);
    return true;
}

void aiort__inbox_close_handle(aiort__inbox_t *inbox)
{
    if (!uv_is_closing(inbox->handle)) {
        uv_close(inbox->handle, on_closed);
    }
}
