/* SPDX-License-Identifier: MIT */
/*
 * call_soon_threadsafe: a queue of our own in front of one uv_async_t.
 *
 * Producers push onto loop->incoming, a stack, with compare-and-swap; the loop takes the whole
 * stack at once and reverses it, so there is no ABA problem. Only the producer that finds it empty
 * wakes the loop: in a burst the others pay one atomic operation.
 *
 *   producer: write the handle; CAS incoming (release)   --> loop: exchange (acquire); read it
 *   producer: if it was empty, uv_async_send             --> loop: exchange happens after the wake
 *   producer: wakers + 1; CAS (release); send; wakers - 1 --> close: exchange; wait for wakers 0
 *
 * The handles come from malloc (the pools belong to the loop's thread) and count their references
 * atomically. Their state tells call and cancel apart, which may race on different threads:
 *
 *   WAITING -> RUNNING -> RAN        the loop calls it
 *   WAITING -> GONE                  somebody cancels it
 *
 * A cancel that meets RUNNING on another thread waits for the end of the call (Python 3.14's
 * _ThreadSafeHandle), so that whoever cancels may free what the callback uses.
 */
#include "internal.h"

#include <sched.h>

enum { WAITING, RUNNING, RAN, GONE };

static _Atomic uint8_t *state_of(const aiort_handle_t *handle)
{
    return (_Atomic uint8_t *)(uintptr_t)&handle->object.state;
}

bool aiort__threadsafe_begin(aiort_handle_t *handle)
{
    uint8_t expected = WAITING;

    return atomic_compare_exchange_strong_explicit(state_of(handle), &expected, RUNNING,
                                                   memory_order_acq_rel, memory_order_acquire);
}

void aiort__threadsafe_end(aiort_handle_t *handle)
{
    atomic_store_explicit(state_of(handle), RAN, memory_order_release);
}

/* Waits for a call that is under way on the loop's thread, unless that is this one. */
static uint8_t settled(const aiort_handle_t *handle)
{
    uint8_t state;

    while ((state = atomic_load_explicit(state_of(handle), memory_order_acquire)) == RUNNING &&
           aiort__tls.running != handle->object.loop) {
        sched_yield();
    }
    return state;
}

void aiort__threadsafe_cancel(aiort_handle_t *handle)
{
    uint8_t expected = WAITING;

    if (!atomic_compare_exchange_strong_explicit(state_of(handle), &expected, GONE,
                                                 memory_order_acq_rel, memory_order_acquire)) {
        settled(handle);
    }
}

bool aiort__threadsafe_cancelled(const aiort_handle_t *handle)
{
    return settled(handle) == GONE;
}

/* false: the loop is closed. */
static bool enqueue(aiort_loop_t *loop, aiort__object_t *object)
{
    aiort__object_t *head = atomic_load_explicit(&loop->incoming, memory_order_relaxed);

    for (;;) {
        if (AIORT__UNLIKELY(head == AIORT__INCOMING_CLOSED)) {
            return false;
        }
        bool first = head == NULL;
        if (first) {
            atomic_fetch_add_explicit(&loop->wakers, 1, memory_order_relaxed);
        }
        object->next = head;
        bool pushed = atomic_compare_exchange_weak_explicit(
            &loop->incoming, &head, object, memory_order_release, memory_order_relaxed);
        if (first) {
            if (pushed) {
                uv_async_send(&loop->uv->async);
            }
            atomic_fetch_sub_explicit(&loop->wakers, 1, memory_order_release);
        }
        if (pushed) {
            return true;
        }
    }
}

aiort_handle_t *aiort__threadsafe_handle(const aiort_site_t *site, aiort_loop_t *loop,
                                         aiort_callback_fn callback, void *arg)
{
    aiort_handle_t *handle = aiort__malloc(sizeof(*handle));

    if (!handle) {
        return aiort__fail_null(UV_ENOMEM);
    }
    handle->object = (aiort__object_t){
        .refs = 1,
        .kind = AIORT_KIND_HANDLE,
        .flags = AIORT__SHARED | AIORT__THREADSAFE,
        .state = WAITING,
        .loop = loop,
    };
    handle->callback = callback;
    handle->arg = arg;
    handle->u.when = 0;
    handle->site = site;
    return handle;
}

void aiort__threadsafe_drop(aiort_handle_t *handle)
{
    atomic_store_explicit(state_of(handle), GONE, memory_order_release);
    aiort_unref(handle);
}

int aiort__threadsafe_post(aiort_handle_t *handle)
{
    if (AIORT__LIKELY(enqueue(handle->object.loop, &handle->object))) {
        return 0;
    }
    /* Refused: what it carries stays the caller's to deal with. */
    aiort__threadsafe_drop(handle);
    return aiort__fail(AIORT_ELOOPCLOSED);
}

int aiort_call_soon_threadsafe_at(const aiort_site_t *site, aiort_loop_t *loop,
                                  aiort_callback_fn callback, void *arg, aiort_handle_t **out)
{
    if (!callback) {
        return aiort__failf(UV_EINVAL,
                            "a callable object was expected by call_soon_threadsafe()");
    }
    aiort_handle_t *handle = aiort__threadsafe_handle(site, loop, callback, arg);
    if (!handle) {
        return UV_ENOMEM;
    }
    aiort__created(&handle->object);
    if (!out) {
        return aiort__threadsafe_post(handle);
    }
    handle->object.refs++;
    *out = handle;
    int err = aiort__threadsafe_post(handle);
    if (err) {
        aiort_unref(handle);
        *out = NULL;
    }
    return err;
}

static aiort__object_t *take(aiort_loop_t *loop, aiort__object_t *leave)
{
    aiort__object_t *list = atomic_exchange_explicit(&loop->incoming, leave, memory_order_acq_rel);
    aiort__object_t *reversed = NULL;

    while (list && list != AIORT__INCOMING_CLOSED) {
        aiort__object_t *next = list->next;
        list->next = reversed;
        reversed = list;
        list = next;
    }
    return reversed;
}

void aiort__incoming_drain(aiort_loop_t *loop)
{
    if (AIORT__LIKELY(atomic_load_explicit(&loop->incoming, memory_order_relaxed) == NULL)) {
        return;
    }
    for (aiort__object_t *object = take(loop, NULL); object;) {
        aiort__object_t *next = object->next;
        object->id = ++loop->next_id;
        aiort__push(loop, object);
        object = next;
    }
}

/* From now on producers are refused; what is queued is dropped. A producer that got in just before
 * may still be about to wake the loop: the handle it does that with is closed after this. */
void aiort__incoming_close(aiort_loop_t *loop)
{
    for (aiort__object_t *object = take(loop, AIORT__INCOMING_CLOSED); object;) {
        aiort__object_t *next = object->next;
        aiort_unref(object);
        object = next;
    }
    while (atomic_load_explicit(&loop->wakers, memory_order_acquire) != 0) {
        sched_yield();
    }
}
