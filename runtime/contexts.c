/* SPDX-License-Identifier: MIT */
/*
 * Contexts as objects: to be copied, to be run in, and shared by several tasks and callbacks.
 */
#include "context_vars.h"

#include <stdio.h>

static size_t context_repr(const void *self, char *buf, size_t size)
{
    int length = snprintf(buf, size, "<Context object at %p>", self);

    return length > 0 ? (size_t)length : 0;
}

static void context_destroy(void *self)
{
    aiort_context_t *context = self;

    aiort__context_unref(context->values);
    aiort__free(context);
}

/* Takes over the reference, also on failure. */
static aiort_context_t *context_new(struct aiort__context *values)
{
    aiort_context_t *context = aiort__malloc(sizeof(*context));

    if (!context) {
        aiort__context_unref(values);
        return aiort__fail_null(UV_ENOMEM);
    }
    aiort__scope_init(&context->base, NULL, AIORT_KIND_CONTEXT, context_destroy, context_repr);
    context->base.object.flags = AIORT__SHARED;
    context->values = values;
    return context;
}

aiort_context_t *aiort_context_new(void)
{
    return context_new(NULL);
}

aiort_context_t *aiort_copy_context(void)
{
    return context_new(aiort__context_take(*aiort__context_slot()));
}

aiort_context_t *aiort_context_copy(const aiort_context_t *context)
{
    return context_new(aiort__context_ref(context->values));
}

void *aiort_context_get(const aiort_context_t *context, const aiort_context_var_t *var)
{
    return aiort__context_get(context->values, var);
}

size_t aiort_context_size(const aiort_context_t *context)
{
    return aiort__context_size(context->values);
}

aiort_context_t *aiort_task_get_context(aiort_task_t *task)
{
    int err = aiort__check_thread(task->future.object.loop, task, "aiort_task_get_context");

    if (err) {
        return aiort__fail_null(err);
    }
    aiort_context_t *context = aiort__context_box(task->context);
    if (!context) {
        /* From now on it has an object, which is what others see of it. */
        context = context_new(aiort__context_ref(task->context));
        if (!context) {
            return NULL;
        }
        aiort__context_unref(task->context);
        task->context = aiort__context_boxed(context);
    }
    return aiort_ref(context);
}

/* ---- Running something in one ---- */

struct aiort__context *aiort__context_enter(struct aiort__context *context)
{
    struct aiort__context **slot = aiort__context_slot();
    struct aiort__context *before = *slot;

    *slot = aiort__context_ref(context);
    return before;
}

void aiort__context_leave(struct aiort__context *before)
{
    struct aiort__context **slot = aiort__context_slot();
    struct aiort__context *entered = *slot;

    *slot = before;
    aiort__context_unref(entered);
}

int aiort_context_run(aiort_context_t *context, aiort_coroutine_fn function, void *arg,
                      void **result)
{
    void *value = NULL;

    if (!function) {
        return aiort__failf(UV_EINVAL, "a callable object was expected by context_run()");
    }
    struct aiort__context *before = aiort__context_enter(aiort__context_boxed(context));
    int err = function(arg, &value);
    aiort__context_leave(before);
    if (err < 0) {
        return aiort__fail(err);
    }
    if (result) {
        *result = value;
    }
    return 0;
}

/* ---- Callbacks in one ---- */

typedef struct {
    aiort_handle_t handle;
    aiort_context_t *context; /* with a reference */
} contextual_t;

static aiort_handle_t *contextual_new(aiort_loop_t *loop, const aiort_site_t *site,
                                      aiort_context_t *context, aiort_callback_fn callback,
                                      void *arg, uint8_t flags)
{
    contextual_t *made = aiort__malloc(sizeof(*made));

    if (!made) {
        return aiort__fail_null(UV_ENOMEM);
    }
    aiort__object_init(&made->handle.object, loop, AIORT_KIND_HANDLE, flags | AIORT__IN_CONTEXT);
    made->handle.callback = callback;
    made->handle.arg = arg;
    made->handle.u.when = 0;
    made->handle.site = site;
    made->context = aiort_ref(context);
    aiort__created(&made->handle.object);
    return &made->handle;
}

void aiort__contextual_destroy(aiort_handle_t *handle)
{
    aiort_loop_t *loop = handle->object.loop;

    aiort_unref(((contextual_t *)handle)->context);
    aiort__free(handle);
    aiort__loop_release(loop);
}

struct aiort__context *aiort__contextual_enter(const aiort_handle_t *handle)
{
    return aiort__context_enter(aiort__context_boxed(((const contextual_t *)handle)->context));
}

int aiort_call_soon_in_context_at(const aiort_site_t *site, aiort_loop_t *loop,
                                  aiort_context_t *context, aiort_callback_fn callback, void *arg,
                                  aiort_handle_t **out)
{
    int err = aiort__callback_check(loop, (const void *)(uintptr_t)callback, "aiort_call_soon");

    if (err) {
        return err;
    }
    aiort_handle_t *handle = contextual_new(loop, site, context, callback, arg, 0);
    if (!handle) {
        return UV_ENOMEM;
    }
    aiort__push(loop, &handle->object);
    if (out) {
        *out = aiort_ref(handle);
    }
    return 0;
}

int aiort_future_add_done_callback_in_context_at(const aiort_site_t *site, aiort_future_t *future,
                                                 aiort_context_t *context, aiort_done_fn callback,
                                                 void *arg)
{
    aiort_loop_t *loop = future->object.loop;
    bool done = future->object.state != AIORT_PENDING;
    int err = aiort__check_thread(loop, future, "aiort_future_add_done_callback");

    if (err) {
        return aiort__fail(err);
    }
    if (!callback) {
        return aiort__failf(UV_EINVAL, "a callable object was expected by add_done_callback()");
    }
    if (done && loop->closed) {
        return aiort__fail(AIORT_ELOOPCLOSED);
    }
    aiort_handle_t *handle = contextual_new(
        loop, site, context, (aiort_callback_fn)(uintptr_t)callback, arg, AIORT__DONE_CALLBACK);
    if (!handle) {
        return UV_ENOMEM;
    }
    handle->u.future = future;
    if (done) {
        aiort__ref(&future->object); /* as a queued one */
        aiort__push(loop, &handle->object);
    } else {
        aiort__future_append(future, &handle->object);
    }
    return 0;
}
