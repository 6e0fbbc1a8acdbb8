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
 * The handles come from batches, blocks of malloc (the pools belong to the loop's thread), out of
 * which producers take one after another by compare-and-swap of one word: the address of the next
 * and, in its low bits, how many are left. A batch ends with a count of handles not destroyed yet,
 * and goes with the last of them; no handle is used twice, so here is no ABA problem either: a word
 * that is the same again, of a batch in the same place, means the same. What the word says is enough
 * to take one: nobody looks into a batch that may be gone.
 *
 * The handles count their references atomically. Their state tells call and cancel apart, which may
 * race on different threads:
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
static inline bool enqueue(aiort_loop_t *loop, aiort__object_t *object)
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

/* ---- Memory ---- */

enum { SLOT = 64, LEFT_MASK = SLOT - 1, NONE_LEFT = SLOT }; /* the last: the loop is closed */

_Static_assert(sizeof(aiort_handle_t) <= SLOT, "a slot holds a handle");

/* Behind the last slot of a batch. */
typedef struct aiort__batch {
    _Atomic uint32_t live; /* slots not taken, and handles not destroyed */
    void *memory;
} batch_t;

static void batch_release(batch_t *batch, uint32_t n)
{
    if (atomic_fetch_sub_explicit(&batch->live, n, memory_order_acq_rel) == n) {
        aiort__free(batch->memory);
    }
}

static inline batch_t *batch_of(uintptr_t word)
{
    return (batch_t *)((word & ~(uintptr_t)LEFT_MASK) + (word & LEFT_MASK) * SLOT);
}

/* A batch of n; what it has left is nobody's yet. */
static uintptr_t batch_new(uint32_t n)
{
    char *memory = aiort__malloc((n + 1) * (size_t)SLOT + sizeof(batch_t));

    if (!memory) {
        return 0;
    }
    uintptr_t word = (((uintptr_t)memory + SLOT - 1) & ~(uintptr_t)(SLOT - 1)) | n;
    batch_t *batch = batch_of(word);
    atomic_init(&batch->live, n);
    batch->memory = memory;
    return word;
}

static aiort_handle_t *take_slot(uintptr_t word)
{
    aiort_handle_t *handle = (aiort_handle_t *)(word & ~(uintptr_t)LEFT_MASK);

    handle->object.flags = AIORT__SHARED | AIORT__THREADSAFE | AIORT__BATCHED;
    handle->u.batch = batch_of(word);
    return handle;
}

/* The word after a slot was taken. */
static inline uintptr_t one_less(uintptr_t word)
{
    return word + SLOT - 1;
}

/* No batch, or none that has any left: the first handle of a loop comes alone, then the batches grow.
 */
__attribute__((noinline)) static aiort_handle_t *alloc_slowly(aiort_loop_t *loop, uintptr_t word)
{
    uint32_t n = atomic_load_explicit(&loop->batch_size, memory_order_relaxed);

    if (!AIORT__USE_POOLS || n == 0 || word == NONE_LEFT) {
        aiort_handle_t *handle = aiort__malloc(sizeof(*handle));
        if (handle) {
            handle->object.flags = AIORT__SHARED | AIORT__THREADSAFE;
            atomic_store_explicit(&loop->batch_size, 3, memory_order_relaxed);
        }
        return handle;
    }
    uintptr_t fresh = batch_new(n);
    if (!fresh) {
        return NULL;
    }
    aiort_handle_t *handle = take_slot(fresh);
    atomic_store_explicit(&loop->batch_size, n < LEFT_MASK ? n * 4 + 3 : n, memory_order_relaxed);
    if (!atomic_compare_exchange_strong_explicit(&loop->batch, &word, one_less(fresh),
                                                 memory_order_release, memory_order_relaxed)) {
        batch_release(batch_of(fresh), n - 1); /* somebody else was first, or it was closed */
    }
    return handle;
}

static inline aiort_handle_t *alloc(aiort_loop_t *loop)
{
    uintptr_t word = atomic_load_explicit(&loop->batch, memory_order_relaxed);

    while (AIORT__LIKELY(word & LEFT_MASK)) {
        if (AIORT__LIKELY(atomic_compare_exchange_weak_explicit(&loop->batch, &word, one_less(word),
                                                                memory_order_acquire,
                                                                memory_order_relaxed))) {
            return take_slot(word);
        }
    }
    return alloc_slowly(loop, word);
}

void aiort__threadsafe_free(aiort_handle_t *handle)
{
    if (handle->object.flags & AIORT__BATCHED) {
        batch_release(handle->u.batch, 1);
    } else {
        aiort__free(handle);
    }
}

/* ---- Calling ---- */

static inline aiort_handle_t *handle_new(const aiort_site_t *site, aiort_loop_t *loop,
                                         aiort_callback_fn callback, void *arg)
{
    aiort_handle_t *handle = alloc(loop);

    if (AIORT__UNLIKELY(!handle)) {
        return aiort__fail_null(UV_ENOMEM);
    }
    handle->object = (aiort__object_t){
        .refs = 1,
        .kind = AIORT_KIND_HANDLE,
        .flags = handle->object.flags,
        .state = WAITING,
        .loop = loop,
    };
    handle->callback = callback;
    handle->arg = arg;
    handle->site = site;
    return handle;
}

aiort_handle_t *aiort__threadsafe_handle(const aiort_site_t *site, aiort_loop_t *loop,
                                         aiort_callback_fn callback, void *arg)
{
    return handle_new(site, loop, callback, arg);
}

void aiort__threadsafe_drop(aiort_handle_t *handle)
{
    atomic_store_explicit(state_of(handle), GONE, memory_order_release);
    aiort_unref(handle);
}

/* What it carries stays the caller's to deal with. */
AIORT__COLD static int refused(aiort_handle_t *handle)
{
    aiort__threadsafe_drop(handle);
    return aiort__fail(AIORT_ELOOPCLOSED);
}

int aiort__threadsafe_post(aiort_handle_t *handle)
{
    return AIORT__LIKELY(enqueue(handle->object.loop, &handle->object)) ? 0 : refused(handle);
}

int aiort_call_soon_threadsafe_at(const aiort_site_t *site, aiort_loop_t *loop,
                                  aiort_callback_fn callback, void *arg, aiort_handle_t **out)
{
    if (!callback) {
        return aiort__failf(UV_EINVAL,
                            "a callable object was expected by call_soon_threadsafe()");
    }
    aiort_handle_t *handle = handle_new(site, loop, callback, arg);
    if (!handle) {
        return UV_ENOMEM;
    }
    aiort__created(&handle->object);
    if (AIORT__LIKELY(!out)) {
        return AIORT__LIKELY(enqueue(loop, &handle->object)) ? 0 : refused(handle);
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
    uintptr_t word = atomic_exchange_explicit(&loop->batch, NONE_LEFT, memory_order_acq_rel);
    if (word & LEFT_MASK) {
        batch_release(batch_of(word), (uint32_t)(word & LEFT_MASK));
    }
    while (atomic_load_explicit(&loop->wakers, memory_order_acquire) != 0) {
        sched_yield();
    }
}
