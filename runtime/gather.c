/* SPDX-License-Identifier: MIT */
/*
 * gather(): one future for many.
 *
 * It holds a reference on each child, and a done callback at each. Until all of them are done, or
 * the loop is closed, it holds itself, as asyncio's is held by its children: one that nobody keeps
 * still ends, and says so when nobody has looked at its error.
 */
#include "combine.h"
#include "graph.h"

typedef struct {
    aiort_future_t *future;
    aiort_handle_t *watch;
} child_t;

typedef struct {
    aiort__special_t special;
    size_t n, finished;
    bool return_errors, cancel_requested;
    bool cancelling;            /* its children are being cancelled */
    aiort__attached_t attached; /* while it holds itself */
    aiort_outcome_t *outcomes;  /* made at the end, behind the children */
    child_t children[];
} gathering_t;

static const aiort_site_t own_site = AIORT__OWN_SITE("gather.<locals>._done_callback");

static bool is_cancelled(const aiort_future_t *future)
{
    return future->object.state == AIORT_CANCELLED;
}

static bool has_failed(const aiort_future_t *future)
{
    return is_cancelled(future) || (future->object.flags & AIORT__FAILED);
}

static void look_at(aiort_future_t *future)
{
    future->object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
}

/* All children are done. */
static void give_outcomes(gathering_t *all)
{
    for (size_t i = 0; i < all->n; i++) {
        aiort_future_t *child = all->children[i].future;
        aiort_outcome_t *outcome = &all->outcomes[i];
        look_at(child);
        if (!has_failed(child)) {
            *outcome = (aiort_outcome_t){.code = 0, .result = child->u.result};
            continue;
        }
        if (!child->u.error) {
            child->u.error = aiort__error_of(child); /* so that it can be borrowed */
        }
        *outcome = (aiort_outcome_t){.code = child->u.error->code, .error = child->u.error};
    }
    aiort__future_finish(&all->special.future, all->outcomes);
}

static void child_done(gathering_t *all, aiort_future_t *child)
{
    aiort_future_t *future = &all->special.future;

    all->finished++;
    if (future->object.state != AIORT_PENDING) {
        look_at(child);
        return;
    }
    /* As asyncio's, a child's cancellation is an error here: the future is not cancelled by it. */
    if (has_failed(child) && !all->return_errors) {
        look_at(child);
        aiort__future_fail(future, aiort__error_of(child));
    } else if (all->finished == all->n) {
        if (all->cancel_requested) {
            aiort__future_fail(future, is_cancelled(child)
                                           ? aiort__error_of(child)
                                           : aiort__error_new(NULL, UV_ECANCELED, NULL, NULL));
        } else {
            give_outcomes(all);
        }
    }
}

static void let_go(gathering_t *all)
{
    aiort__detach(all->special.future.object.loop, &all->attached);
    aiort__unref(&all->special.future.object);
}

static void on_close(aiort__attached_t *attached)
{
    let_go((gathering_t *)((char *)attached - offsetof(gathering_t, attached)));
}

static int on_child(aiort_future_t *child, void *arg)
{
    gathering_t *all = arg;

    child_done(all, child);
    if (all->finished == all->n) {
        let_go(all);
    }
    return 0;
}

void aiort__gather_behind(const aiort_handle_t *handle, aiort__found_fn found, void *arg)
{
    if (handle->callback == (aiort_callback_fn)(uintptr_t)on_child) {
        found(arg, &((gathering_t *)handle->arg)->special.future, true);
    }
}

static int cancel(aiort_future_t *future, const char *message)
{
    gathering_t *all = (gathering_t *)future;
    int any = 0;

    if (all->cancelling) {
        /* A child of it waits for it: nobody but the cancellation itself would ever end that. */
        if (future->object.state == AIORT_PENDING) {
            aiort__future_cancelled(
                future, message ? aiort__error_new(NULL, UV_ECANCELED, message, NULL) : NULL);
        }
        return 1;
    }
    all->cancelling = true;
    for (size_t i = 0; i < all->n; i++) {
        any |= aiort__future_cancel(all->children[i].future, message);
    }
    all->cancelling = false;
    all->cancel_requested |= any;
    return any;
}

static void destroy(aiort_future_t *future)
{
    gathering_t *all = (gathering_t *)future;

    for (size_t i = 0; i < all->n; i++) {
        child_t *child = &all->children[i];
        if (!child->future) {
            continue;
        }
        if (future->object.state == AIORT_PENDING) {
            aiort__unwatch(child->future, child->watch);
        } else {
            aiort__unwatch_and_forgive(child->future, child->watch);
        }
        aiort__unref(&child->future->object);
    }
}

/* Those that are done already, or started at once and are done by now, need no turn of the loop. */
static void begin(gathering_t *all)
{
    for (size_t i = 0; i < all->n; i++) {
        if (!all->children[i].watch) {
            child_done(all, all->children[i].future);
        }
    }
    if (all->n == 0) {
        aiort__future_finish(&all->special.future, all->outcomes);
    } else if (all->finished < all->n) {
        aiort__ref(&all->special.future.object);
        aiort__attach(all->special.future.object.loop, &all->attached, on_close);
    }
}

/* The futures' references are taken over. */
static gathering_t *gathering_new(aiort_loop_t *loop, aiort_future_t **futures, size_t n, int flags)
{
    size_t children = sizeof(gathering_t) + n * sizeof(child_t);
    gathering_t *all = aiort__special_new(loop, AIORT__CLASS_GATHERING,
                                          children + n * sizeof(aiort_outcome_t), cancel, destroy);

    if (!all) {
        aiort__unref_futures(futures, n);
        return NULL;
    }
    all->n = n;
    all->return_errors = flags & AIORT_RETURN_ERRORS;
    all->outcomes = (aiort_outcome_t *)((char *)all + children);
    for (size_t i = 0; i < n; i++) {
        all->children[i].future = futures[i];
    }
    for (size_t i = 0; i < n; i++) {
        if (futures[i]->object.state != AIORT_PENDING) {
            continue;
        }
        all->children[i].watch = aiort__watch(futures[i], &own_site, on_child, all);
        if (!all->children[i].watch) {
            aiort__unref(&all->special.future.object);
            return aiort__fail_null(UV_ENOMEM);
        }
    }
    begin(all);
    return all;
}

aiort_future_t *aiort_gather_at(const aiort_site_t *site, aiort_awaitable_t *const *awaitables,
                                size_t n, int flags)
{
    aiort_loop_t *loop = NULL;
    aiort_future_t *few[16];
    aiort_future_t **futures = few;

    (void)site;
    if (n > sizeof(few) / sizeof(few[0])) {
        futures = n < SIZE_MAX / 64 ? aiort__malloc(n * sizeof(*futures)) : NULL;
        if (!futures) {
            aiort__drop_awaitables(awaitables, 0, n);
            return aiort__fail_null(UV_ENOMEM);
        }
    }
    gathering_t *all = NULL;
    if (aiort__ensure_futures(&loop, awaitables, n, futures) == 0) {
        all = gathering_new(loop, futures, n, flags);
    }
    if (futures != few) {
        aiort__free(futures);
    }
    return (aiort_future_t *)all;
}
