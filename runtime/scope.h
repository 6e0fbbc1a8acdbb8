/* SPDX-License-Identifier: MIT */
/*
 * What the scopes share (timeouts, task groups): objects that may be made before their loop runs,
 * and belong to it from when they are entered.
 */
#ifndef AIORT_SCOPE_H
#define AIORT_SCOPE_H

#include "internal.h"

/* loop NULL: it gets one by aiort__scope_adopt(). */
static inline void aiort__scope_init(aiort__extended_t *scope, aiort_loop_t *loop,
                                     aiort_kind_t kind, void (*destroy)(void *),
                                     size_t (*repr)(const void *, char *, size_t))
{
    if (loop) {
        aiort__object_init(&scope->object, loop, kind, 0);
    } else {
        scope->object = (aiort__object_t){.refs = 1, .kind = (uint8_t)kind};
    }
    scope->destroy = destroy;
    scope->repr = repr;
}

/* 0, or AIORT_EOTHERLOOP. */
static inline int aiort__scope_adopt(aiort__extended_t *scope, aiort_loop_t *loop)
{
    if (!scope->object.loop) {
        scope->object.loop = loop;
        scope->object.id = ++loop->next_id;
        loop->children++;
    }
    return scope->object.loop == loop ? 0 : aiort__fail(AIORT_EOTHERLOOP);
}

static inline int aiort__scope_check(const aiort__extended_t *scope, const char *function)
{
    aiort_loop_t *loop = scope->object.loop;
    int err = loop ? aiort__check_thread(loop, scope, function) : 0;

    return err ? aiort__fail(err) : 0;
}

/*
 * A future in the frame that waits for it, which nobody else gets to keep: waiting needs no memory, so
 * that a lock can always be taken again. It ends where the frame does. Tools are not told of it: the
 * await's site says where it was made, and a stack for each wait costs as much as handing over itself.
 */
static inline void aiort__local_future(aiort_future_t *future, aiort_loop_t *loop,
                                       const aiort_site_t *site)
{
    aiort__future_init(future, loop, AIORT_KIND_FUTURE, 0);
    future->completed = site;
}

/* err: what aiort__await_own() returned. */
static inline void aiort__local_future_end(aiort_future_t *future, int err)
{
    if (AIORT__UNLIKELY(err)) {
        aiort__future_drop(future);
    }
    aiort__loop_release(future->object.loop);
}

static inline void aiort__scope_free(aiort__extended_t *scope)
{
    aiort_loop_t *loop = scope->object.loop;

    aiort__free(scope);
    if (loop) {
        aiort__loop_release(loop);
    }
}

#endif
