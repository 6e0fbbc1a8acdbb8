/* SPDX-License-Identifier: MIT */
/*
 * Changes of files: libuv's watcher with the events that nobody has asked for yet. The object's
 * memory stays until libuv's close callback.
 */
#include "stream.h"
#include "transport.h"

#include <string.h>

enum { KEPT = 1024 };

typedef struct change {
    struct change *next;
    int events;
    char name[];
} change_t;

struct aiort_watcher_s {
    aiort__extended_t base;
    aiort__attached_t attached;
    uv_fs_event_t uv;
    aiort__parking_t waiting;
    change_t *first, **last;
    unsigned kept;
    int error; /* libuv's, once */
    bool closing, closed, dropped;
};

static size_t watcher_repr(const void *self, char *buf, size_t size)
{
    const aiort_watcher_t *watcher = self;
    char path[512] = "";
    size_t room = sizeof(path) - 1;

    if (!watcher->closing) {
        (void)uv_fs_event_getpath((uv_fs_event_t *)&watcher->uv, path, &room);
    }
    int n = snprintf(buf, size, "<Watcher %s%s>", watcher->closing ? "closed" : "path=", path);
    return n > 0 ? (size_t)n : 0;
}

static void forget(aiort_watcher_t *watcher, change_t *change)
{
    watcher->first = change->next;
    if (!watcher->first) {
        watcher->last = &watcher->first;
    }
    watcher->kept--;
    aiort__free(change);
}

static void give_back(aiort_watcher_t *watcher)
{
    while (watcher->first) {
        forget(watcher, watcher->first);
    }
    aiort__scope_free(&watcher->base);
}

static void on_closed(uv_handle_t *handle)
{
    aiort_watcher_t *watcher = handle->data;

    watcher->closed = true;
    if (watcher->dropped) {
        give_back(watcher);
    }
}

static void close_watcher(aiort_watcher_t *watcher)
{
    if (!watcher->closing) {
        watcher->closing = true;
        aiort__detach(watcher->base.object.loop, &watcher->attached);
        aiort__unpark(&watcher->waiting);
        uv_close((uv_handle_t *)&watcher->uv, on_closed);
    }
}

static void destroy(void *self)
{
    aiort_watcher_t *watcher = self;

    watcher->dropped = true;
    if (watcher->closed) {
        give_back(watcher);
    } else {
        close_watcher(watcher);
    }
}

static void loop_closed(aiort__attached_t *attached)
{
    close_watcher((aiort_watcher_t *)((char *)attached - offsetof(aiort_watcher_t, attached)));
}

static void on_change(uv_fs_event_t *handle, const char *name, int events, int status)
{
    aiort_watcher_t *watcher = handle->data;
    size_t size = name ? strlen(name) + 1 : 1;
    change_t *change = status ? NULL : aiort__malloc(sizeof(*change) + size);

    if (!change) {
        watcher->error = status ? status : UV_ENOMEM;
    } else {
        change->next = NULL;
        change->events = events;
        memcpy(change->name, name ? name : "", size);
        *watcher->last = change;
        watcher->last = &change->next;
        if (++watcher->kept > KEPT) {
            forget(watcher, watcher->first);
        }
    }
    aiort__unpark(&watcher->waiting);
}

int aiort_watcher_new_at(const aiort_site_t *site, const char *path, aiort_watcher_t **result)
{
    aiort_loop_t *loop = aiort__tls.running;

    (void)site;
    *result = NULL;
    if (!loop) {
        return aiort__fail(AIORT_ENOLOOP);
    }
    aiort_watcher_t *watcher = aiort__malloc(sizeof(*watcher));
    if (!watcher) {
        return aiort__fail(UV_ENOMEM);
    }
    memset(watcher, 0, sizeof(*watcher));
    watcher->last = &watcher->first;
    int err = uv_fs_event_init(loop->uv->loop, &watcher->uv);
    if (err) {
        aiort__free(watcher);
        return aiort__fail(err);
    }
    watcher->uv.data = watcher;
    aiort__scope_init(&watcher->base, loop, AIORT_KIND_WATCHER, destroy, watcher_repr);
    aiort__created(&watcher->base.object);
    aiort__attach(loop, &watcher->attached, loop_closed);
    err = uv_fs_event_start(&watcher->uv, on_change, path, 0);
    if (err) {
        aiort__unref(&watcher->base.object);
        return aiort__failf(err, "%s: %s", path, aiort_strerror(err));
    }
    *result = watcher;
    return 0;
}

int aiort_watcher_next_at(const aiort_site_t *site, aiort_watcher_t *watcher, char *name,
                          size_t size)
{
    int err = aiort__scope_check(&watcher->base, "aiort_watcher_next");

    aiort__ref(&watcher->base.object);
    while (!err && !watcher->first) {
        if (watcher->closing || watcher->error) {
            err = aiort__fail(watcher->closing ? UV_EBADF : watcher->error);
            watcher->error = 0;
        } else {
            err = aiort__park(&watcher->waiting, site);
        }
    }
    if (!err) {
        err = watcher->first->events;
        if (name && size) {
            snprintf(name, size, "%s", watcher->first->name);
        }
        forget(watcher, watcher->first);
    }
    aiort__unref(&watcher->base.object);
    return err;
}

int aiort_watcher_close(aiort_watcher_t *watcher)
{
    int err = aiort__scope_check(&watcher->base, "aiort_watcher_close");

    if (!err) {
        close_watcher(watcher);
    }
    return err;
}
