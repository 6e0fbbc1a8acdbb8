/* SPDX-License-Identifier: MIT */
/*
 * Coroutine objects: a call that has not been made yet.
 *
 * One that was never started is in a list until it is claimed: its loop's, or, when it was made
 * outside of a running loop, a global one under a lock. What is left in these lists when the loop
 * closes, and at exit, nobody awaited. C has no destructor that would notice earlier: the usual
 * mistake drops the only pointer.
 */
#include "internal.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
    pthread_mutex_t lock;
    aiort_coroutine_t *first;
    bool registered; /* the report at exit */
} homeless = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void link_first(aiort_coroutine_t **list, aiort_coroutine_t *coroutine)
{
    coroutine->u.newer = NULL;
    coroutine->object.next = (aiort__object_t *)*list;
    if (*list) {
        (*list)->u.newer = coroutine;
    }
    *list = coroutine;
}

static void unlink_from(aiort_coroutine_t **list, aiort_coroutine_t *coroutine)
{
    aiort_coroutine_t *newer = coroutine->u.newer;
    aiort_coroutine_t *older = aiort__older(coroutine);

    if (newer) {
        newer->object.next = (aiort__object_t *)older;
    } else if (*list == coroutine) {
        *list = older;
    }
    if (older) {
        older->u.newer = newer;
    }
}

static void report_all(aiort_coroutine_t **list)
{
    aiort_coroutine_t *oldest = *list;

    while (oldest && aiort__older(oldest)) {
        oldest = aiort__older(oldest);
    }
    *list = NULL;
    while (oldest) {
        aiort_coroutine_t *newer = oldest->u.newer;
        oldest->u.newer = NULL;
        oldest->object.next = NULL;
        if (!(oldest->object.flags & AIORT__QUIET)) {
            aiort__coroutine_never_awaited(oldest);
        }
        oldest = newer;
    }
}

static void report_homeless(void)
{
    pthread_mutex_lock(&homeless.lock);
    aiort_coroutine_t *list = homeless.first;
    homeless.first = NULL;
    pthread_mutex_unlock(&homeless.lock);
    report_all(&list);
}

void aiort__coroutines_closed(aiort_loop_t *loop)
{
    report_all(&loop->unstarted);
}

static void enlist(aiort_coroutine_t *coroutine)
{
    if (AIORT__LIKELY(coroutine->object.loop != NULL)) {
        link_first(&coroutine->object.loop->unstarted, coroutine);
        return;
    }
    pthread_mutex_lock(&homeless.lock);
    if (!homeless.registered) {
        homeless.registered = true;
        atexit(report_homeless);
    }
    link_first(&homeless.first, coroutine);
    pthread_mutex_unlock(&homeless.lock);
}

static void delist(aiort_coroutine_t *coroutine)
{
    if (AIORT__LIKELY(coroutine->object.loop != NULL)) {
        unlink_from(&coroutine->object.loop->unstarted, coroutine);
        return;
    }
    pthread_mutex_lock(&homeless.lock);
    unlink_from(&homeless.first, coroutine);
    pthread_mutex_unlock(&homeless.lock);
}

/* One made in a loop comes from that loop's pool, if it needs no room for its argument. */
static aiort_coroutine_t *coroutine_alloc(aiort_loop_t *loop, size_t size)
{
    aiort_coroutine_t *coroutine;

    if (loop && size == 0) {
        coroutine =
            aiort__pool_get(&loop->pools[AIORT__POOL_COROUTINE], AIORT__COROUTINE_SIZE);
        if (coroutine) {
            aiort__object_init(&coroutine->object, loop, AIORT_KIND_COROUTINE, AIORT__POOLED);
        }
        return coroutine;
    }
    coroutine = aiort__malloc(sizeof(*coroutine) + size);
    if (!coroutine) {
        return NULL;
    }
    memset(coroutine, 0, sizeof(*coroutine));
    if (loop) {
        aiort__object_init(&coroutine->object, loop, AIORT_KIND_COROUTINE, 0);
    } else {
        coroutine->object.refs = 1;
        coroutine->object.kind = AIORT_KIND_COROUTINE;
    }
    return coroutine;
}

__attribute__((noinline)) static aiort_coroutine_t *new_slowly(const aiort_site_t *site,
                                                               aiort_coroutine_fn function,
                                                               void *arg, size_t size)
{
    if (AIORT__UNLIKELY(!function)) {
        aiort__failf(UV_EINVAL, "a coroutine function was expected");
        return NULL;
    }
    aiort_coroutine_t *coroutine = coroutine_alloc(aiort__tls.running, size);
    if (AIORT__UNLIKELY(!coroutine)) {
        return aiort__fail_null(UV_ENOMEM);
    }
    coroutine->function = function;
    coroutine->site = site;
    coroutine->arg = arg;
    if (size > 0) {
        memcpy(coroutine->copy, arg, size);
        coroutine->arg = coroutine->copy;
    }
    enlist(coroutine);
    aiort__created(&coroutine->object);
    return coroutine;
}

/* In a running loop, the argument a pointer, and memory at hand: nothing can fail. */
aiort_coroutine_t *aiort_coroutine_new(const aiort_site_t *site, aiort_coroutine_fn function,
                                       void *arg, size_t size)
{
    aiort_loop_t *loop = aiort__tls.running;

    if (AIORT__UNLIKELY(!loop || !loop->pools[AIORT__POOL_COROUTINE].free || size || !function ||
                        aiort__hooked(loop, AIORT__SEAM_CREATED))) {
        return new_slowly(site, function, arg, size);
    }
    aiort_coroutine_t *coroutine =
        aiort__pool_get(&loop->pools[AIORT__POOL_COROUTINE], AIORT__COROUTINE_SIZE);
    aiort__object_init(&coroutine->object, loop, AIORT_KIND_COROUTINE, AIORT__POOLED);
    coroutine->function = function;
    coroutine->arg = arg;
    coroutine->site = site;
    link_first(&loop->unstarted, coroutine);
    return coroutine;
}

int aiort__coroutine_claim_slowly(aiort_coroutine_t *coroutine, uint8_t state)
{
    if (AIORT__UNLIKELY(coroutine->object.state != AIORT__CORO_CREATED)) {
        return aiort__fail(coroutine->object.state == AIORT__CORO_DONE ? AIORT_EREUSED
                                                                       : AIORT_EAWAITED);
    }
    delist(coroutine);
    coroutine->object.state = state;
    coroutine->object.next = NULL;
    coroutine->u.where = NULL;
    return 0;
}

AIORT__COLD void aiort__coroutine_never_awaited(aiort_coroutine_t *coroutine)
{
    const aiort_site_t *site = coroutine->site;
    char message[512];

    coroutine->object.flags |= AIORT__QUIET;
    snprintf(message, sizeof(message), "%s:%d: RuntimeWarning: coroutine '%s' was never awaited",
             site ? site->file : "?", site ? site->line : 0,
             site && site->what ? site->what : "?");
    aiort_report_t report = {
        .message = message,
        .check = "coroutine-never-awaited",
        .coroutine = coroutine,
        .source_trace = coroutine->object.trace,
    };
    /* A warning, not an error of the loop: it goes past the exception handler, as in Python. */
    if (!aiort_instrument_report(coroutine->object.loop, &report)) {
        fprintf(stderr, "%s\n", message);
    }
}

int aiort_coroutine_close(aiort_coroutine_t *coroutine)
{
    if (!coroutine) {
        return 0;
    }
    if (coroutine->object.state == AIORT__CORO_SCHEDULED ||
        coroutine->object.state == AIORT__CORO_RUNNING) {
        return aiort__fail(AIORT_EAWAITED);
    }
    coroutine->object.flags |= AIORT__QUIET;
    aiort_unref(coroutine);
    return 0;
}

void aiort__coroutine_destroy(aiort_coroutine_t *coroutine)
{
    aiort_loop_t *loop = coroutine->object.loop;

    if (AIORT__UNLIKELY(coroutine->object.state == AIORT__CORO_CREATED)) {
        delist(coroutine);
        if (!(coroutine->object.flags & AIORT__QUIET)) {
            aiort__coroutine_never_awaited(coroutine);
        }
    }
    if (AIORT__UNLIKELY(coroutine->object.trace != 0) && aiort__seam(AIORT__SEAM_DESTROYED)) {
        aiort_instrument_destroyed(AIORT_KIND_COROUTINE, coroutine);
    }
    if (AIORT__LIKELY(coroutine->object.flags & AIORT__POOLED)) {
        aiort__pool_put(&loop->pools[AIORT__POOL_COROUTINE], coroutine);
    } else {
        aiort__free(coroutine);
    }
    if (loop) {
        aiort__loop_release(loop);
    }
}
