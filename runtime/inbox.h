/* SPDX-License-Identifier: MIT */
/*
 * An inbox: one of libuv's handles with what came in and nobody has asked for yet, and who waits
 * for it. Datagram endpoints and watchers begin with one.
 *
 * The life: made -> closing (nothing comes in any more) -> closed (libuv's close callback was
 * called) and dropped (the last reference is gone), in either order; then its memory is given back.
 * It is in its loop's list (attached) until it is closing.
 */
#ifndef AIORT_INBOX_H
#define AIORT_INBOX_H

#include "scope.h"
#include "stream.h"
#include "transport.h"

/* Something that came in begins with this; allocated, and freed by whoever takes it. */
typedef struct aiort__item {
    struct aiort__item *next;
} aiort__item_t;

typedef struct aiort__inbox {
    aiort__extended_t base;
    aiort__attached_t attached;
    uv_handle_t *handle;
    /* Nobody closed it, but its last reference is gone, or (now) its loop is closed. */
    void (*left)(struct aiort__inbox *inbox, bool now);
    aiort__parking_t waiting;
    aiort__item_t *first, **last;
    int error; /* for the next who asks */
    bool closing, closed, dropped;
} aiort__inbox_t;

/* For a handle that libuv has initialised. */
AIORT__HIDDEN void aiort__inbox_init(aiort__inbox_t *inbox, aiort_loop_t *loop, uv_handle_t *handle,
                                     aiort_kind_t kind,
                                     size_t (*repr)(const void *, char *, size_t),
                                     void (*left)(aiort__inbox_t *, bool));

AIORT__HIDDEN void aiort__inbox_put(aiort__inbox_t *inbox, aiort__item_t *item);
/* The oldest, of at least one. */
AIORT__HIDDEN aiort__item_t *aiort__inbox_take(aiort__inbox_t *inbox);
/* Waits until there is something. 0, or a code: with nothing there, the inbox's error comes first
 * and once, then UV_EBADF when it is closing. */
AIORT__HIDDEN int aiort__inbox_wait(aiort__inbox_t *inbox, const aiort_site_t *site);

/* Nothing comes in any more; who waits is told. False: that was so already. */
AIORT__HIDDEN bool aiort__inbox_end(aiort__inbox_t *inbox);
AIORT__HIDDEN void aiort__inbox_close_handle(aiort__inbox_t *inbox);

#endif
