/* SPDX-License-Identifier: MIT */
/* Changes of files: an inbox on libuv's watcher, whose oldest are dropped when there are too many.
 */
#include "inbox.h"

#include <string.h>

enum { KEPT = 1024 };

typedef struct {
    aiort__item_t item;
    int events;
    char name[];
} change_t;

struct aiort_watcher_s {
    aiort__inbox_t inbox;
    uv_fs_event_t uv;
    unsigned kept;
};

static size_t watcher_repr(const void *self, char *buf, size_t size)
{
    const aiort_watcher_t *watcher = self;
    char path[512] = "";
    size_t room = sizeof(path) - 1;

    if (!watcher->inbox.closing) {
        (void)uv_fs_event_getpath((uv_fs_event_t *)&watcher->uv, path, &room);
    }
    int n =
        snprintf(buf, size, "<Watcher %s%s>", watcher->inbox.closing ? "closed" : "path=", path);
    return n > 0 ? (size_t)n : 0;
}

static change_t *take(aiort_watcher_t *watcher)
{
    watcher->kept--;
    return (change_t *)aiort__inbox_take(&watcher->inbox);
}

static void close_watcher(aiort__inbox_t *inbox, bool now)
{
    (void)now;
    if (aiort__inbox_end(inbox)) {
        aiort__inbox_close_handle(inbox);
    }
}

static void on_change(uv_fs_event_t *handle, const char *name, int events, int status)
{
    aiort_watcher_t *watcher = handle->data;
    size_t size = name ? strlen(name) + 1 : 1;
    change_t *change = status ? NULL : aiort__malloc(sizeof(*change) + size);

    if (!change) {
        watcher->inbox.error = status ? status : UV_ENOMEM;
    } else {
        change->events = events;
        memcpy(change->name, name ? name : "", size);
        aiort__inbox_put(&watcher->inbox, &change->item);
        if (++watcher->kept > KEPT) {
            aiort__free(take(watcher));
        }
    }
    aiort__unpark(&watcher->inbox.waiting);
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
    int err = uv_fs_event_init(loop->uv->loop, &watcher->uv);
    if (err) {
        aiort__free(watcher);
        return aiort__fail(err);
    }
    aiort__inbox_init(&watcher->inbox, loop, (uv_handle_t *)&watcher->uv, AIORT_KIND_WATCHER,
                      watcher_repr, close_watcher);
    err = uv_fs_event_start(&watcher->uv, on_change, path, 0);
    if (err) {
        aiort__unref(&watcher->inbox.base.object);
        return aiort__failf(err, "%s: %s", path, aiort_strerror(err));
    }
    *result = watcher;
    return 0;
}

int aiort_watcher_next_at(const aiort_site_t *site, aiort_watcher_t *watcher, char *name,
                          size_t size)
{
    int err = aiort__scope_check(&watcher->inbox.base, "aiort_watcher_next");

    aiort__ref(&watcher->inbox.base.object);
    err = err ? err : aiort__inbox_wait(&watcher->inbox, site);
    if (!err) {
        change_t *change = take(watcher);
        err = change->events;
        if (name && size) {
            snprintf(name, size, "%s", change->name);
        }
        aiort__free(change);
    }
    aiort__unref(&watcher->inbox.base.object);
    return err;
}

int aiort_watcher_close(aiort_watcher_t *watcher)
{
    int err = aiort__scope_check(&watcher->inbox.base, "aiort_watcher_close");

    if (!err) {
        close_watcher(&watcher->inbox, true);
    }
    return err;
}
