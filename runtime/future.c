/* SPDX-License-Identifier: MIT */
/*
 * Futures: a result that is not there yet, its done callbacks and the tasks that wait for it.
 *
 * What waits is one list, in the order in which it came: handles of done callbacks, and tasks
 * themselves. Completing the future moves that list to the loop's ready queue, without allocating.
 * A done callback's handle borrows the future until then, so that a future with callbacks can still
 * be dropped; once queued it holds a reference.
 */
#include "scheduler.h"

#include <stdio.h>
#include <string.h>

const char *aiort__class_name(const aiort_future_t *future)
{
    static const char *const names[8] = {
        [AIORT__CLASS_FUTURE] = "Future",
        [AIORT__CLASS_GATHERING] = "_GatheringFuture",
        [AIORT__CLASS_SPECIAL] = "Future",
    };

    return future->object.kind == AIORT_KIND_TASK ? "Task" : names[aiort__class(future)];
}

aiort_future_t *aiort__future_new(aiort_loop_t *loop)
{
    aiort_future_t *future =
        aiort__pool_get(&loop->pools[AIORT__POOL_SMALL], AIORT__SMALL_SIZE);

    if (AIORT__UNLIKELY(!future)) {
        return aiort__fail_null(UV_ENOMEM);
    }
    aiort__future_init(future, loop, AIORT_KIND_FUTURE, AIORT__POOLED);
    aiort__created(&future->object);
    return future;
}

static aiort_future_t *new_slowly(aiort_loop_t *loop)
{
    if (!loop) {
        loop = aiort__tls.running;
        if (!loop) {
            return aiort__fail_null(AIORT_ENOLOOP);
        }
    }
    int err = aiort__check_thread(loop, NULL, "aiort_future_new");

    return err ? aiort__fail_null(err) : aiort__future_new(loop);
}

/* Of the running loop, with memory at hand, nothing can fail. */
aiort_future_t *aiort_future_new_at(const aiort_site_t *site, aiort_loop_t *loop)
{
    aiort_loop_t *running = aiort__tls.running;

    (void)site;
    if (AIORT__UNLIKELY(!running || (loop && loop != running) ||
                        aiort__hooked(running, AIORT__SEAM_CREATED) ||
                        !running->pools[AIORT__POOL_SMALL].free)) {
        return new_slowly(loop);
    }
    aiort_future_t *future =
        aiort__pool_get(&running->pools[AIORT__POOL_SMALL], AIORT__SMALL_SIZE);
    aiort__future_init(future, running, AIORT_KIND_FUTURE, AIORT__POOLED);
    return future;
}

/* Everything but the memory: what a task, which has its own, needs too. */
void aiort__future_drop(aiort_future_t *future)
{
    for (aiort__object_t *object = future->first; object;) {
        aiort__object_t *next = object->next;
        object->queued = 0;
        if (object->kind == AIORT_KIND_HANDLE) {
            aiort__unref(object);
        }
        object = next;
    }
    if (future->object.state == AIORT_CANCELLED || (future->object.flags & AIORT__FAILED)) {
        aiort_unref(future->u.error);
    }
}

/* What is said when it is destroyed; true when a handler took a reference and it lives on. */
bool aiort__future_last_words(aiort_future_t *future)
{
    char message[64];
    bool task = future->object.kind == AIORT_KIND_TASK;

    future->object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
    future->object.refs = 1;
    snprintf(message, sizeof(message), "%s exception was never retrieved",
             aiort__class_name(future));
    aiort_report_t report = {
        .message = message,
        .check = task ? "task-exception-never-retrieved" : "future-exception-never-retrieved",
        .future = future,
        .error = future->u.error,
    };
    aiort__report(future->object.loop, &report);
    return --future->object.refs > 0;
}

void aiort__future_destroy(aiort_future_t *future)
{
    aiort_loop_t *loop = future->object.loop;

    if (AIORT__UNLIKELY(future->object.flags & AIORT__UNRETRIEVED) &&
        aiort__future_last_words(future)) {
        return;
    }
    if (AIORT__UNLIKELY(future->object.trace != 0) && aiort__seam(AIORT__SEAM_DESTROYED)) {
        aiort_instrument_destroyed(AIORT_KIND_FUTURE, future);
    }
    aiort__future_drop(future);
    if (AIORT__LIKELY(future->object.flags & AIORT__POOLED)) {
        aiort__pool_put(&loop->pools[AIORT__POOL_SMALL], future);
    } else {
        ((aiort__special_t *)future)->destroy(future);
        aiort__free(future);
    }
    aiort__loop_release(loop);
}

/* ---- Waiting and completing ---- */

void aiort__future_remove(aiort_future_t *future, aiort__object_t *object)
{
    aiort__object_t *previous = NULL;

    for (aiort__object_t *o = future->first; o; previous = o, o = o->next) {
        if (o != object) {
            continue;
        }
        if (previous) {
            previous->next = o->next;
        } else {
            future->first = o->next;
        }
        if (future->last == o) {
            future->last = previous;
        }
        o->queued = 0;
        return;
    }
}

static void schedule_callback(aiort_future_t *future, aiort_handle_t *handle)
{
    aiort__ref(&future->object);
    handle->u.future = future;
    aiort__push(future->object.loop, &handle->object);
}

AIORT__HOT void aiort__future_complete(aiort_future_t *future)
{
    aiort_loop_t *loop = future->object.loop;
    aiort__object_t *object = future->first;

    future->first = future->last = NULL;
    while (object) {
        aiort__object_t *next = object->next;
        if (AIORT__UNLIKELY(loop->closed)) {
            object->queued = 0;
            if (object->kind == AIORT_KIND_HANDLE) {
                aiort__unref(object);
            }
        } else if (object->kind == AIORT_KIND_TASK) {
            aiort__push_task(loop, (aiort_task_t *)object);
        } else {
            schedule_callback(future, (aiort_handle_t *)object);
        }
        object = next;
    }
}

AIORT__HOT void aiort__future_finish(aiort_future_t *future, void *result)
{
    future->object.state = AIORT_FINISHED;
    future->u.result = result;
    aiort__future_complete(future);
}

void aiort__future_fail(aiort_future_t *future, aiort_error_t *error)
{
    future->object.state = AIORT_FINISHED;
    future->object.flags |= AIORT__FAILED | AIORT__UNRETRIEVED;
    future->u.error = error;
    aiort__future_complete(future);
}

void aiort__future_cancelled(aiort_future_t *future, aiort_error_t *error)
{
    future->object.state = AIORT_CANCELLED;
    future->u.error = error;
    aiort__future_complete(future);
}

/* The common refusals of set_result and set_error. */
static int check_set(const aiort_site_t *site, aiort_future_t *future, const char *function)
{
    int err = aiort__check_thread(future->object.loop, future, function);

    if (err) {
        return aiort__fail(err);
    }
    if (AIORT__UNLIKELY(future->object.kind == AIORT_KIND_TASK)) {
        const char *operation = function + sizeof("aiort_future_") - 1;
        return aiort__failf(AIORT_ETASKRESULT, "Task does not support %s operation", operation);
    }
    if (AIORT__UNLIKELY(future->object.state != AIORT_PENDING)) {
        aiort_instrument_invalid_state(future, function);
        return aiort__fail_at(site, AIORT_EINVALIDSTATE,
                              aiort_strerror(AIORT_EINVALIDSTATE));
    }
    return 0;
}

/* As asyncio's call_soon would raise for the callbacks of a future that completes too late. */
static int completed(aiort_loop_t *loop, bool had_callbacks)
{
    return AIORT__UNLIKELY(loop->closed && had_callbacks) ? aiort__fail(AIORT_ELOOPCLOSED) : 0;
}

__attribute__((noinline)) static int set_result_slowly(const aiort_site_t *site,
                                                       aiort_future_t *future, void *result)
{
    int err = check_set(site, future, "aiort_future_set_result");

    if (AIORT__UNLIKELY(err)) {
        return err;
    }
    bool had_callbacks = future->first != NULL;
    future->completed = site;
    aiort__future_finish(future, result);
    return completed(future->object.loop, had_callbacks);
}

/* A pending future of the running loop, which at most one task waits for. */
int aiort_future_set_result_at(const aiort_site_t *site, aiort_future_t *future, void *result)
{
    aiort_loop_t *loop = future->object.loop;
    aiort__object_t *waiting = future->first;

    if (AIORT__UNLIKELY(loop != aiort__tls.running ||
                        aiort__hooked(loop, AIORT__CLOSED | AIORT__EMBEDDED |
                                                AIORT__SEAM_SCHEDULED) ||
                        future->object.kind != AIORT_KIND_FUTURE ||
                        future->object.state != AIORT_PENDING ||
                        (waiting && (waiting->next || waiting->kind != AIORT_KIND_TASK)))) {
        return set_result_slowly(site, future, result);
    }
    aiort__set_state(&future->object, AIORT_FINISHED);
    future->u.result = result;
    future->completed = site;
    if (waiting) {
        future->first = NULL;
        aiort__enqueue(loop, waiting);
    }
    return 0;
}

static int set_error(const aiort_site_t *site, aiort_future_t *future, aiort_error_t *error)
{
    bool had_callbacks = future->first != NULL;

    future->completed = site;
    if (error->code == UV_ECANCELED) {
        aiort__future_cancelled(future, error);
    } else {
        aiort__future_fail(future, error);
    }
    return completed(future->object.loop, had_callbacks);
}

int aiort_future_set_error_at(const aiort_site_t *site, aiort_future_t *future, int code,
                              const char *format, ...)
{
    int err = check_set(site, future, "aiort_future_set_error");
    va_list args;

    if (AIORT__UNLIKELY(err)) {
        return err;
    }
    if (code >= 0) {
        return aiort__failf(UV_EINVAL, "an error code must be negative, got %d", code);
    }
    va_start(args, format);
    /* Never raised, so without an origin: as asyncio prints no traceback for set_exception(). */
    aiort_error_t *error = aiort__error_newv(NULL, code, format, args);
    va_end(args);
    return set_error(site, future, error);
}

int aiort_future_set_error_object(aiort_future_t *future, aiort_error_t *error)
{
    int err = check_set(NULL, future, "aiort_future_set_error");

    if (AIORT__UNLIKELY(err)) {
        return err;
    }
    if (!error) {
        return aiort__failf(UV_EINVAL, "an error is required");
    }
    return set_error(NULL, future, aiort_ref(error));
}

int aiort__future_cancel(aiort_future_t *future, const char *message)
{
    if (future->object.kind == AIORT_KIND_TASK) {
        return aiort__task_cancel((aiort_task_t *)future, message);
    }
    if (future->object.state != AIORT_PENDING) {
        /* As asyncio: who cancels a failed future has taken notice of it. */
        future->object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
        return 0;
    }
    if (AIORT__UNLIKELY(aiort__class(future) != AIORT__CLASS_FUTURE)) {
        return ((aiort__special_t *)future)->cancel(future, message);
    }
    aiort__future_cancelled(
        future, message ? aiort__error_new(NULL, UV_ECANCELED, message, NULL) : NULL);
    return 1;
}

int aiort_future_cancel(aiort_future_t *future, const char *message)
{
    int err = aiort__check_thread(future->object.loop, future, "aiort_future_cancel");

    return err ? aiort__fail(err) : aiort__future_cancel(future, message);
}

/* ---- Looking ---- */

static void looked_at(const aiort_future_t *future, const char *function)
{
    /* What only looks has no way to be refused; the tool is told all the same. */
    (void)aiort__check_thread(future->object.loop, future, function);
}

int aiort_future_done(const aiort_future_t *future)
{
    looked_at(future, "aiort_future_done");
    return future->object.state != AIORT_PENDING;
}

int aiort_future_cancelled(const aiort_future_t *future)
{
    looked_at(future, "aiort_future_cancelled");
    return future->object.state == AIORT_CANCELLED;
}

aiort_state_t aiort_future_state(const aiort_future_t *future)
{
    looked_at(future, "aiort_future_state");
    return (aiort_state_t)future->object.state;
}

aiort_loop_t *aiort_future_loop(const aiort_future_t *future)
{
    return future->object.loop;
}

int aiort__future_outcome(aiort_future_t *future, void **result)
{
    if (AIORT__LIKELY(future->object.state == AIORT_FINISHED &&
                      !(future->object.flags & AIORT__FAILED))) {
        if (result) {
            *result = future->u.result;
        }
        return 0;
    }
    future->object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
    if (future->u.error) {
        aiort__set_current_error(future->u.error);
        return future->u.error->code;
    }
    aiort__clear_error();
    return aiort__fail(UV_ECANCELED);
}

int aiort_future_result(aiort_future_t *future, void **result)
{
    int err = aiort__check_thread(future->object.loop, future, "aiort_future_result");

    if (err) {
        return aiort__fail(err);
    }
    if (future->object.state == AIORT_PENDING) {
        return aiort__failf(AIORT_ENOTSET, "Result is not set.");
    }
    return aiort__future_outcome(future, result);
}

int aiort_future_error(aiort_future_t *future, aiort_error_t **error)
{
    int err = aiort__check_thread(future->object.loop, future, "aiort_future_error");

    if (err) {
        return aiort__fail(err);
    }
    if (future->object.state == AIORT_PENDING) {
        return aiort__failf(AIORT_ENOTSET, "Exception is not set.");
    }
    if (future->object.state == AIORT_CANCELLED) {
        return aiort__future_outcome(future, NULL);
    }
    future->object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
    if (error) {
        *error = future->object.flags & AIORT__FAILED ? future->u.error : NULL;
    }
    return 0;
}

/* ---- Done callbacks ---- */

int aiort__future_add_callback(aiort_future_t *future, const aiort_site_t *site,
                               aiort_done_fn callback, void *arg)
{
    aiort_loop_t *loop = future->object.loop;
    aiort_handle_t *handle = aiort__handle_new(
        loop, site, (aiort_callback_fn)(uintptr_t)callback, arg, AIORT__DONE_CALLBACK);

    if (!handle) {
        return aiort__fail(UV_ENOMEM);
    }
    handle->u.future = future;
    if (site) {
        aiort__created(&handle->object);
    }
    if (future->object.state != AIORT_PENDING) {
        schedule_callback(future, handle);
    } else {
        aiort__future_append(future, &handle->object);
    }
    return 0;
}

int aiort_future_add_done_callback_at(const aiort_site_t *site, aiort_future_t *future,
                                      aiort_done_fn callback, void *arg)
{
    int err = aiort__check_thread(future->object.loop, future, "aiort_future_add_done_callback");

    if (err) {
        return aiort__fail(err);
    }
    if (!callback) {
        return aiort__failf(UV_EINVAL, "a callable object was expected by add_done_callback()");
    }
    if (future->object.state != AIORT_PENDING && future->object.loop->closed) {
        return aiort__fail(AIORT_ELOOPCLOSED);
    }
    return aiort__future_add_callback(future, site, callback, arg);
}

int aiort_future_remove_done_callback(aiort_future_t *future, aiort_done_fn callback, void *arg)
{
    int removed = 0;
    int err = aiort__check_thread(future->object.loop, future,
                                  "aiort_future_remove_done_callback");

    if (err) {
        return aiort__fail(err);
    }
    for (aiort__object_t *object = future->first; object;) {
        aiort__object_t *next = object->next;
        const aiort_handle_t *handle = (const aiort_handle_t *)object;
        if (object->kind == AIORT_KIND_HANDLE && handle->arg == arg &&
            handle->callback == (aiort_callback_fn)(uintptr_t)callback) {
            aiort__future_remove(future, object);
            aiort__unref(object);
            removed++;
        }
        object = next;
    }
    return removed;
}

/* ---- Futures that stand for more ---- */

void *aiort__special_new(aiort_loop_t *loop, int class, size_t size,
                         int (*cancel)(aiort_future_t *, const char *),
                         void (*destroy)(aiort_future_t *))
{
    aiort__special_t *special = aiort__malloc(size);

    if (!special) {
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(special, 0, size);
    aiort__future_init(&special->future, loop, AIORT_KIND_FUTURE,
                       (uint8_t)(class << AIORT__CLASS_SHIFT));
    special->cancel = cancel;
    special->destroy = destroy;
    aiort__created(&special->future.object);
    return special;
}
