/* SPDX-License-Identifier: MIT */
/*
 * What gather, wait, shield, as_completed and the bridges to other threads share: done callbacks
 * that can be taken back at any time, and things that end with their loop.
 */
#ifndef AIORT_COMBINE_H
#define AIORT_COMBINE_H

#include "internal.h"

/* The name that a callback of the runtime's own has in reprs: cb=[NAME()]. */
#define AIORT__OWN_SITE(name)                                                                      \
    {                                                                                              \
        NULL, NULL, name, 0                                                                        \
    }

/* ---- ensure.c ---- */

/*
 * A done callback whose handle the caller holds (one reference). It is called at most once; after
 * aiort__unwatch(), which gives the handle back, no more, even when it is scheduled already. It
 * holds no reference on the future while that is pending. NULL: out of memory.
 */
AIORT__HIDDEN aiort_handle_t *aiort__watch(aiort_future_t *future, const aiort_site_t *site,
                                           aiort_done_fn callback, void *arg);
AIORT__HIDDEN void aiort__unwatch(aiort_future_t *future, aiort_handle_t *handle);
/* The same, but from now on the future's error counts as retrieved. */
AIORT__HIDDEN void aiort__unwatch_and_forgive(aiort_future_t *future, aiort_handle_t *handle);

/* A new reference to the error of a future that failed or was cancelled. */
AIORT__HIDDEN aiort_error_t *aiort__error_of(const aiort_future_t *future);

/*
 * Futures for n awaitables of one loop (*loop; NULL: that of the first future, or the running one),
 * each with a reference. A coroutine that occurs twice gives the same task twice. 0, or a code;
 * then all coroutines are dropped and nothing is kept.
 */
AIORT__HIDDEN int aiort__ensure_futures(aiort_loop_t **loop, aiort_awaitable_t *const *awaitables,
                                        size_t n, aiort_future_t **futures);
/* Drops the coroutines among the awaitables from that one on. */
AIORT__HIDDEN void aiort__drop_awaitables(aiort_awaitable_t *const *awaitables, size_t from,
                                          size_t n);
AIORT__HIDDEN void aiort__unref_futures(aiort_future_t **futures, size_t n);

/* ---- attached.c ---- */

/* Attached to an open loop: close is called when the loop is closed, and has to detach. */
AIORT__HIDDEN void aiort__attach(aiort_loop_t *loop, aiort__attached_t *attached,
                                 void (*close)(aiort__attached_t *));
AIORT__HIDDEN void aiort__detach(aiort_loop_t *loop, aiort__attached_t *attached);

#endif
