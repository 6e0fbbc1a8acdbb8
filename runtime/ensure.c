/* SPDX-License-Identifier: MIT */
/*
 * ensure_future for one and for many, and done callbacks that can be taken back.
 */
#include "combine.h"

aiort_future_t *aiort_ensure_future_at(const aiort_site_t *site, aiort_loop_t *loop,
                                       aiort_awaitable_t *awaitable)
{
    aiort__object_t *object = (aiort__object_t *)awaitable;

    (void)site;
    if (!loop && object && object->kind != AIORT_KIND_COROUTINE) {
        loop = object->loop;
    }
    if (!loop) {
        loop = aiort__tls.running;
    }
    if (!loop) {
        if (object && object->kind == AIORT_KIND_COROUTINE) {
            aiort_coroutine_close((aiort_coroutine_t *)awaitable);
        }
        return object ? aiort__fail_null(AIORT_ENOLOOP) : (aiort__not_made(), NULL);
    }
    return aiort__ensure_future(loop, awaitable);
}

/* ---- Callbacks that can be taken back ---- */

static int do_nothing(aiort_future_t *future, void *arg)
{
    (void)future;
    (void)arg;
    return 0;
}

static int forgive(aiort_future_t *future, void *arg)
{
    (void)arg;
    future->object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
    return 0;
}

aiort_handle_t *aiort__watch(aiort_future_t *future, const aiort_site_t *site,
                             aiort_done_fn callback, void *arg)
{
    aiort_loop_t *loop = future->object.loop;
    aiort_handle_t *handle = aiort__handle_new(loop, site, (aiort_callback_fn)(uintptr_t)callback,
                                               arg, AIORT__DONE_CALLBACK);

    if (!handle) {
        return aiort__fail_null(UV_ENOMEM);
    }
    aiort__ref(&handle->object);
    handle->u.future = future;
    if (future->object.state == AIORT_PENDING) {
        aiort__future_append(future, &handle->object);
    } else {
        aiort__ref(&future->object);
        aiort__push(loop, &handle->object);
    }
    return handle;
}

static void replace(aiort_handle_t *handle, aiort_done_fn callback)
{
    handle->callback = (aiort_callback_fn)(uintptr_t)callback;
    handle->arg = NULL;
}

void aiort__unwatch(aiort_future_t *future, aiort_handle_t *handle)
{
    if (!handle) {
        return;
    }
    if (future->object.state == AIORT_PENDING && handle->object.queued) {
        aiort__future_remove(future, &handle->object);
        aiort__unref(&handle->object);
    } else {
        replace(handle, do_nothing); /* it may be in the ready queue */
    }
    aiort__unref(&handle->object);
}

void aiort__unwatch_and_forgive(aiort_future_t *future, aiort_handle_t *handle)
{
    if (!handle) {
        return;
    }
    if (future->object.state != AIORT_PENDING) {
        (void)forgive(future, NULL);
    }
    replace(handle, forgive);
    aiort__unref(&handle->object);
}

aiort_error_t *aiort__error_of(const aiort_future_t *future)
{
    return future->u.error ? aiort_ref(future->u.error)
                           : aiort__error_new(NULL, UV_ECANCELED, NULL, NULL);
}

/* ---- Many ---- */

void aiort__drop_awaitables(aiort_awaitable_t *const *awaitables, size_t from, size_t n)
{
    for (size_t i = from; i < n; i++) {
        /* One may occur twice, and its memory goes with the first. */
        bool again = awaitables[i] == NULL;
        for (size_t k = 0; k < i && !again; k++) {
            again = awaitables[k] == awaitables[i];
        }
        if (!again && ((aiort__object_t *)awaitables[i])->kind == AIORT_KIND_COROUTINE) {
            aiort_coroutine_close((aiort_coroutine_t *)awaitables[i]);
        }
    }
}

static int check_all(aiort_loop_t **loop, aiort_awaitable_t *const *awaitables, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const aiort__object_t *object = (const aiort__object_t *)awaitables[i];
        if (!object) {
            return aiort__not_made();
        }
        if (object->kind == AIORT_KIND_COROUTINE) {
            continue;
        }
        if (object->kind != AIORT_KIND_FUTURE && object->kind != AIORT_KIND_TASK) {
            return aiort__failf(AIORT_EBADAWAIT, "%s", aiort_strerror(AIORT_EBADAWAIT));
        }
        if (*loop && object->loop != *loop) {
            return aiort__failf(AIORT_EOTHERLOOP, "The future belongs to a different loop than the "
                                                  "one specified as the loop argument");
        }
        *loop = object->loop;
    }
    if (!*loop) {
        *loop = aiort__tls.running;
    }
    return *loop ? 0 : aiort__fail(AIORT_ENOLOOP);
}

void aiort__unref_futures(aiort_future_t **futures, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        aiort__unref(&futures[i]->object);
    }
}

/* The task that an earlier occurrence of the coroutine has become; NULL: it is the first. */
static aiort_future_t *seen_before(aiort_awaitable_t *const *awaitables, aiort_future_t **futures,
                                   size_t i)
{
    const aiort_coroutine_t *coroutine = (const aiort_coroutine_t *)awaitables[i];

    if (coroutine->object.kind != AIORT_KIND_COROUTINE ||
        coroutine->object.state == AIORT__CORO_CREATED) {
        return NULL;
    }
    for (size_t k = 0; k < i; k++) {
        if (awaitables[k] == awaitables[i]) {
            aiort__ref(&futures[k]->object);
            return futures[k];
        }
    }
    return NULL;
}

int aiort__ensure_futures(aiort_loop_t **loop, aiort_awaitable_t *const *awaitables, size_t n,
                          aiort_future_t **futures)
{
    int err = check_all(loop, awaitables, n);

    if (err) {
        aiort__drop_awaitables(awaitables, 0, n);
        return err;
    }
    for (size_t i = 0; i < n; i++) {
        futures[i] = seen_before(awaitables, futures, i);
        if (futures[i]) {
            continue;
        }
        bool coroutine = ((aiort__object_t *)awaitables[i])->kind == AIORT_KIND_COROUTINE;
        futures[i] = aiort__ensure_future(*loop, awaitables[i]);
        if (!futures[i]) {
            err = aiort_last_error();
            aiort__unref_futures(futures, i);
            aiort__drop_awaitables(awaitables, i + 1, n); /* those before it are tasks */
            return err;
        }
        if (coroutine) {
            /* Nobody else has it: that it is pending at the end is its awaiter's affair. */
            futures[i]->object.flags |= AIORT__QUIET;
        }
    }
    return 0;
}
