/* SPDX-License-Identifier: MIT */
/*
 * Handles: callbacks that the loop will call. call_soon, running one, cancelling one.
 *
 * A queued handle is held by its queue (ready queue, timers, a future's list, the thread-safe
 * queue). A cancelled handle stays where it is and is skipped when its turn comes.
 */
#include "internal.h"

_Static_assert(sizeof(aiort_handle_t) <= 64 && sizeof(aiort_future_t) <= 80,
               "see pool_sizes: one class serves both");

aiort_handle_t *aiort__handle_new(aiort_loop_t *loop, const aiort_site_t *site,
                                  aiort_callback_fn callback, void *arg, uint8_t flags)
{
    aiort_handle_t *handle =
        aiort__pool_get(&loop->pools[AIORT__POOL_SMALL], AIORT__SMALL_SIZE);

    if (AIORT__UNLIKELY(!handle)) {
        return NULL;
    }
    aiort__object_init(&handle->object, loop, AIORT_KIND_HANDLE, flags | AIORT__POOLED);
    handle->callback = callback;
    handle->arg = arg;
    handle->u.when = 0;
    handle->site = site;
    return handle;
}

void aiort__handle_destroy(aiort_handle_t *handle)
{
    aiort_loop_t *loop = handle->object.loop;

    if (handle->object.flags & AIORT__POOLED) {
        aiort__pool_put(&loop->pools[AIORT__POOL_SMALL], handle);
        aiort__loop_release(loop);
    } else if (handle->object.flags & AIORT__IN_CONTEXT) {
        aiort__contextual_destroy(handle);
    } else {
        /* Made by another thread: malloc's, and it holds no reference on the loop. */
        aiort__concurrent_dropped(handle);
        aiort__free(handle);
    }
}

/* What call_soon, call_later and call_at refuse. */
int aiort__callback_check(aiort_loop_t *loop, const void *callback, const char *function)
{
    int err = aiort__check_thread(loop, NULL, function);

    if (AIORT__UNLIKELY(err)) {
        return aiort__fail(err);
    }
    if (AIORT__UNLIKELY(loop->closed)) {
        return aiort__fail(AIORT_ELOOPCLOSED);
    }
    if (AIORT__UNLIKELY(!callback)) {
        return aiort__failf(UV_EINVAL, "a callable object was expected by %s()", function + 6);
    }
    return 0;
}

AIORT__COLD static int call_soon_slowly(const aiort_site_t *site, aiort_loop_t *loop,
                                        aiort_callback_fn callback, void *arg,
                                        aiort_handle_t **out)
{
    int err = aiort__callback_check(loop, (const void *)(uintptr_t)callback, "aiort_call_soon");

    if (err) {
        return err;
    }
    aiort_handle_t *handle = aiort__handle_new(loop, site, callback, arg, 0);
    if (!handle) {
        return aiort__fail(UV_ENOMEM);
    }
    aiort__created(&handle->object);
    aiort__push(loop, &handle->object);
    if (out) {
        handle->object.refs++;
        *out = handle;
    }
    return 0;
}

/* A loop that runs in this thread is not closed; with a handle at hand nothing can fail. */
int aiort_call_soon_at(const aiort_site_t *site, aiort_loop_t *loop, aiort_callback_fn callback,
                       void *arg, aiort_handle_t **out)
{
    aiort__pool_t *pool = &loop->pools[AIORT__POOL_SMALL];
    aiort__object_t *object = pool->free;

    if (AIORT__UNLIKELY(atomic_load_explicit(&loop->owner, memory_order_relaxed) != &aiort__tls ||
                        !object || !callback || out || loop->embedded || aiort__seams)) {
        return call_soon_slowly(site, loop, callback, arg, out);
    }
    pool->free = object->next;
    aiort__object_init(object, loop, AIORT_KIND_HANDLE, AIORT__POOLED);
    aiort_handle_t *handle = (aiort_handle_t *)object;
    handle->callback = callback;
    handle->arg = arg;
    handle->site = site;
    aiort__push_plainly(loop, object);
    return 0;
}

AIORT__COLD static void callback_failed(aiort_loop_t *loop, aiort_handle_t *handle, int err)
{
    aiort_error_t *error = aiort__take_error(err);
    char repr[512];
    char message[600];

    if (!loop->handler) {
        aiort_instrument_building(loop, 1);
    }
    aiort__callback_repr(handle, repr, sizeof(repr));
    if (!loop->handler) {
        aiort_instrument_building(loop, 0);
    }
    snprintf(message, sizeof(message), "Exception in callback %s", repr);
    aiort_report_t report = {
        .message = message,
        .check = "callback-exception",
        .handle = handle,
        .error = error,
    };
    aiort__report(loop, &report);
    aiort_unref(error);
    aiort__clear_error();
}

/* Takes the queue's reference over. */
void aiort__handle_run(aiort_loop_t *loop, aiort_handle_t *handle)
{
    if (AIORT__LIKELY(!(handle->object.flags & (AIORT__CANCELLED | AIORT__DONE_CALLBACK |
                                                AIORT__THREADSAFE | AIORT__IN_CONTEXT)))) {
        loop->running_object = handle;
        int err = handle->callback(handle->arg);
        if (AIORT__UNLIKELY(err < 0)) {
            callback_failed(loop, handle, err);
        } else if (AIORT__UNLIKELY(aiort__tls.current_error != 0)) {
            aiort__clear_error(); /* what this one has dealt with is not the next one's */
        }
        loop->running_object = NULL;
    } else if (!(handle->object.flags & AIORT__CANCELLED)) {
        aiort__handle_run_special(loop, handle);
    }
    if (aiort__seam(AIORT__SEAM_STEP)) {
        aiort_instrument_step(loop, handle);
    }
    /* A shared one's count belongs to all threads: it is not looked at. */
    if (AIORT__LIKELY(!(handle->object.flags & (AIORT__SHARED | AIORT__IN_CONTEXT)) &&
                      handle->object.refs == 1 && handle->object.trace == 0)) {
        aiort__pool_put(&loop->pools[AIORT__POOL_SMALL], handle);
        loop->children--; /* the loop runs: it is the program's still */
    } else {
        aiort_unref(handle);
    }
}

/* A future's done callback, or one from another thread. */
static void run_special(aiort_loop_t *loop, aiort_handle_t *handle)
{
    int err;

    loop->running_object = handle;
    if (handle->object.flags & AIORT__DONE_CALLBACK) {
        aiort_future_t *future = handle->u.future;
        err = ((aiort_done_fn)(uintptr_t)handle->callback)(future, handle->arg);
        if (AIORT__UNLIKELY(err < 0)) {
            callback_failed(loop, handle, err);
        }
        aiort__clear_error();
        handle->u.future = NULL;
        loop->running_object = NULL;
        aiort__unref(&future->object);
        return;
    }
    if (aiort__threadsafe_begin(handle)) {
        err = handle->callback(handle->arg);
        if (AIORT__UNLIKELY(err < 0)) {
            callback_failed(loop, handle, err);
        }
        aiort__clear_error();
        aiort__threadsafe_end(handle);
    }
    loop->running_object = NULL;
}

/* One that is to be called in a context, and the like. */
void aiort__handle_run_special(aiort_loop_t *loop, aiort_handle_t *handle)
{
    if (!(handle->object.flags & AIORT__IN_CONTEXT)) {
        run_special(loop, handle);
        return;
    }
    struct aiort__context *before = aiort__contextual_enter(handle);
    if (handle->object.flags & AIORT__DONE_CALLBACK) {
        run_special(loop, handle);
    } else {
        loop->running_object = handle;
        int err = handle->callback(handle->arg);
        if (err < 0) {
            callback_failed(loop, handle, err);
        }
        aiort__clear_error();
        loop->running_object = NULL;
    }
    aiort__context_leave(before);
}

void aiort__handle_cancel(aiort_handle_t *handle)
{
    if (!(handle->object.flags & AIORT__CANCELLED)) {
        handle->object.flags |= AIORT__CANCELLED;
        if (handle->object.state == AIORT__IN_TIMERS) {
            handle->object.loop->cancelled_timers++;
        }
    }
}

int aiort_handle_cancel(aiort_handle_t *handle)
{
    aiort_loop_t *loop = handle->object.loop;

    if (handle->object.flags & AIORT__THREADSAFE) {
        aiort__threadsafe_cancel(handle);
        return 0;
    }
    int err = aiort__check_thread(loop, handle, "aiort_handle_cancel");
    if (err) {
        return aiort__fail(err);
    }
    aiort__handle_cancel(handle);
    return 0;
}

int aiort_handle_cancelled(const aiort_handle_t *handle)
{
    if (handle->object.flags & AIORT__THREADSAFE) {
        return aiort__threadsafe_cancelled(handle);
    }
    (void)aiort__check_thread(handle->object.loop, handle, "aiort_handle_cancelled");
    return !!(handle->object.flags & AIORT__CANCELLED);
}

double aiort_handle_when(const aiort_handle_t *handle)
{
    return handle->object.flags & AIORT__TIMER ? (double)handle->u.when * 1e-9 : 0;
}
