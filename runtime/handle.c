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
        aiort__threadsafe_free(handle);
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

/* What a handle is that this made and nobody else has: it waits in the ready queue, to be called. */
static inline uint64_t plain(void)
{
    return aiort__head_of(1, AIORT_KIND_HANDLE, AIORT__POOLED, 0, 1);
}

/* In the running loop, with memory at hand and nobody to tell, nothing can fail. */
int aiort_call_soon_at(const aiort_site_t *site, aiort_loop_t *loop, aiort_callback_fn callback,
                       void *arg, aiort_handle_t **out)
{
    aiort__pool_t *pool = &loop->pools[AIORT__POOL_SMALL];

    if (AIORT__UNLIKELY(loop != aiort__tls.running || loop->hooks || !pool->free || !callback ||
                        out)) {
        return call_soon_slowly(site, loop, callback, arg, out);
    }
    aiort_handle_t *handle = aiort__pool_get(pool, AIORT__SMALL_SIZE);
    aiort__object_init_as(&handle->object, loop, plain(), ++loop->next_id);
    handle->callback = callback;
    handle->arg = arg;
    handle->site = site;
    aiort__enqueue(loop, &handle->object);
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

static inline void call(aiort_loop_t *loop, aiort_handle_t *handle)
{
    loop->running_object = handle;
    int err = handle->callback(handle->arg);
    if (AIORT__UNLIKELY(err < 0)) {
        callback_failed(loop, handle, err);
    } else if (AIORT__UNLIKELY(aiort__tls.current_error != 0)) {
        aiort__clear_error(); /* what this one has dealt with is not the next one's */
    }
}

/* A future's done callback, or one from another thread. */
static void run_other(aiort_loop_t *loop, aiort_handle_t *handle)
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
}

static void leave_context(struct aiort__context **before)
{
    aiort__context_leave(*before);
}

/* What is not simply called. */
static void run_special(aiort_loop_t *loop, aiort_handle_t *handle)
{
    if (!(handle->object.flags & AIORT__IN_CONTEXT)) {
        run_other(loop, handle);
        return;
    }
    __attribute__((cleanup(leave_context))) struct aiort__context *before =
        aiort__contextual_enter(handle);
    (void)before;
    if (handle->object.flags & AIORT__DONE_CALLBACK) {
        run_other(loop, handle);
    } else {
        call(loop, handle);
    }
}

/* Takes the queue's reference over. */
__attribute__((noinline)) static void run(aiort_loop_t *loop, aiort_handle_t *handle)
{
    if (AIORT__LIKELY(!(handle->object.flags & (AIORT__CANCELLED | AIORT__DONE_CALLBACK |
                                                AIORT__THREADSAFE | AIORT__IN_CONTEXT)))) {
        call(loop, handle);
    } else if (!(handle->object.flags & AIORT__CANCELLED)) {
        run_special(loop, handle);
    }
    loop->running_object = NULL;
    if (aiort__seam(AIORT__SEAM_STEP) && !aiort__spared(loop)) {
        aiort_instrument_step(loop, handle);
    }
    aiort_unref(handle);
}

void aiort__handle_left(aiort_loop_t *loop)
{
    aiort_handle_t *handle = loop->running_object;

    if (handle) {
        loop->running_object = NULL;
        if (handle->object.flags & AIORT__DONE_CALLBACK && handle->u.future) {
            aiort__unref(&handle->u.future->object);
            handle->u.future = NULL;
        } else if (handle->object.flags & AIORT__THREADSAFE) {
            aiort__threadsafe_end(handle);
        }
        aiort_unref(handle);
    }
}

void aiort__handles_run(aiort_loop_t *loop)
{
    while (aiort__remaining(loop) > 0 && loop->head->kind == AIORT_KIND_HANDLE) {
        aiort_handle_t *handle = (aiort_handle_t *)loop->head;
        /* The flags first: the rest of one from another thread is not looked at. */
        if (AIORT__UNLIKELY(handle->object.flags != AIORT__POOLED ||
                            aiort__head(&handle->object) != plain() ||
                            aiort__hooked(loop, AIORT__SEAM_STEP))) {
            aiort__pop(loop);
            run(loop, handle);
            continue;
        }
        aiort__pop_first(loop, &handle->object);
        call(loop, handle);
        if (AIORT__UNLIKELY(aiort__head(&handle->object) != plain() || handle->object.trace)) {
            aiort_unref(handle); /* the callback has got at it by a report */
            continue;
        }
        aiort__pool_put(&loop->pools[AIORT__POOL_SMALL], handle);
        loop->children--; /* the loop runs: it is the program's still */
    }
    loop->running_object = NULL;
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
