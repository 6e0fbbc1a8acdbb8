/* SPDX-License-Identifier: MIT */
/*
 * shield(): a future that ends as another does, but keeps its own cancelling to itself. It holds
 * the inner future, which holds nothing of it.
 */
#include "combine.h"
#include "graph.h"

#include <stdio.h>

typedef struct {
    aiort__special_t special;
    aiort_future_t *inner;
    aiort_handle_t *watch;
} shield_t;

static const aiort_site_t inner_site = AIORT__OWN_SITE("shield.<locals>._inner_done_callback");
static const aiort_site_t log_site = AIORT__OWN_SITE("_log_on_exception");

/* Nobody waits for the inner future any more: what it fails with is said here. */
static int log_on_exception(aiort_future_t *inner, void *arg)
{
    char message[64];

    (void)arg;
    if (!(inner->object.flags & AIORT__FAILED) || inner->object.state != AIORT_FINISHED) {
        return 0;
    }
    inner->object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
    snprintf(message, sizeof(message), "%s exception in shielded future",
             aiort_err_name(inner->u.error->code));
    aiort_report_t report = {
        .message = message,
        .check = inner->object.kind == AIORT_KIND_TASK ? "task-exception-never-retrieved"
                                                       : "future-exception-never-retrieved",
        .future = inner,
        .error = inner->u.error,
    };
    aiort__report(inner->object.loop, &report);
    return 0;
}

static int on_inner(aiort_future_t *inner, void *arg)
{
    aiort_future_t *outer = arg;

    if (outer->object.state != AIORT_PENDING) {
        return 0;
    }
    if (inner->object.state == AIORT_CANCELLED) {
        aiort__future_cancelled(outer, aiort_ref(inner->u.error));
    } else if (inner->object.flags & AIORT__FAILED) {
        inner->object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
        aiort__future_fail(outer, aiort_ref(inner->u.error));
    } else {
        aiort__future_finish(outer, inner->u.result);
    }
    return 0;
}

void aiort__shield_behind(const aiort_handle_t *handle, aiort__found_fn found, void *arg)
{
    if (handle->callback == (aiort_callback_fn)(uintptr_t)on_inner) {
        found(arg, handle->arg, true);
    }
}

static int cancel(aiort_future_t *outer, const char *message)
{
    shield_t *shield = (shield_t *)outer;
    aiort_future_t *inner = shield->inner;

    aiort__unwatch(inner, shield->watch);
    shield->watch = NULL;
    /* One such callback is enough, however often it is shielded. */
    (void)aiort_future_remove_done_callback(inner, log_on_exception, NULL);
    (void)aiort__future_add_callback(inner, &log_site, log_on_exception, NULL);
    aiort__future_cancelled(outer,
                            message ? aiort__error_new(NULL, UV_ECANCELED, message, NULL) : NULL);
    return 1;
}

static void destroy(aiort_future_t *outer)
{
    shield_t *shield = (shield_t *)outer;

    aiort__unwatch(shield->inner, shield->watch);
    aiort__unref(&shield->inner->object);
}

aiort_future_t *aiort_shield_at(const aiort_site_t *site, aiort_awaitable_t *awaitable)
{
    aiort_future_t *inner = aiort_ensure_future_at(site, NULL, awaitable);

    if (!inner || inner->object.state != AIORT_PENDING) {
        return inner;
    }
    shield_t *shield = aiort__special_new(inner->object.loop, AIORT__CLASS_SPECIAL, sizeof(*shield),
                                          cancel, destroy);
    if (!shield) {
        aiort__unref(&inner->object);
        return NULL;
    }
    shield->inner = inner;
    shield->watch = aiort__watch(inner, &inner_site, on_inner, &shield->special.future);
    if (!shield->watch) {
        aiort__unref(&shield->special.future.object);
        return aiort__fail_null(UV_ENOMEM);
    }
    return &shield->special.future;
}
