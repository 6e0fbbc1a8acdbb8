/* SPDX-License-Identifier: MIT */
/*
 * Timers: call_later, call_at, and the heap of handles ordered by time.
 *
 * A 4-ary heap in one array: a million timers cost a tenth of libuv's red-black tree. Timers of the
 * same time fire in the order they were made. A cancelled timer stays in the heap until it comes to
 * the top, or until cancelled ones are more than half of more than a hundred, when the heap is
 * rebuilt without them, as asyncio does.
 */
#include "internal.h"

#include <math.h>

enum { MIN_PURGE = 100 };

/* Ids are given in order of creation; a wrap-around only disturbs the order of equal times. */
static inline bool before(const aiort__timer_t *a, const aiort__timer_t *b)
{
    if (a->when != b->when) {
        return a->when < b->when;
    }
    return (int32_t)(a->handle->object.id - b->handle->object.id) < 0;
}

static void sift_up(aiort__timer_t *heap, size_t i, aiort__timer_t timer)
{
    while (i > 0) {
        size_t parent = (i - 1) / 4;
        if (!before(&timer, &heap[parent])) {
            break;
        }
        heap[i] = heap[parent];
        i = parent;
    }
    heap[i] = timer;
}

static void sift_down(aiort__timer_t *heap, size_t n, size_t i, aiort__timer_t timer)
{
    for (;;) {
        size_t child = i * 4 + 1;
        if (child >= n) {
            break;
        }
        size_t end = child + 4 < n ? child + 4 : n;
        size_t least = child;
        for (size_t c = child + 1; c < end; c++) {
            if (before(&heap[c], &heap[least])) {
                least = c;
            }
        }
        if (!before(&heap[least], &timer)) {
            break;
        }
        heap[i] = heap[least];
        i = least;
    }
    heap[i] = timer;
}

static void purge_cancelled(aiort_loop_t *loop)
{
    aiort__timer_t *heap = loop->timers;
    size_t kept = 0;

    for (size_t i = 0; i < loop->ntimers; i++) {
        aiort_handle_t *handle = heap[i].handle;
        if (handle->object.flags & AIORT__CANCELLED) {
            handle->object.state = AIORT__IN_NONE;
            aiort__unref(&handle->object);
        } else {
            heap[kept++] = heap[i];
        }
    }
    loop->ntimers = kept;
    loop->cancelled_timers = 0;
    for (size_t i = kept; i-- > 0;) {
        sift_down(heap, kept, i, heap[i]);
    }
}

int aiort__timer_add(aiort_loop_t *loop, aiort_handle_t *handle)
{
    if (AIORT__UNLIKELY(loop->ntimers > MIN_PURGE &&
                        loop->cancelled_timers * 2 > loop->ntimers)) {
        purge_cancelled(loop);
    }
    if (AIORT__UNLIKELY(loop->ntimers == loop->timers_room)) {
        size_t room = loop->timers_room ? loop->timers_room * 2 : 64;
        aiort__timer_t *heap = aiort__realloc(loop->timers, room * sizeof(*heap));
        if (!heap) {
            return UV_ENOMEM;
        }
        loop->timers = heap;
        loop->timers_room = room;
    }
    handle->object.state = AIORT__IN_TIMERS;
    sift_up(loop->timers, loop->ntimers++,
            (aiort__timer_t){.when = handle->u.when, .handle = handle});
    if (AIORT__UNLIKELY(loop->embedded)) {
        aiort__wake_embedded(loop);
    }
    return 0;
}

static aiort_handle_t *pop(aiort_loop_t *loop)
{
    aiort__timer_t *heap = loop->timers;
    aiort_handle_t *handle = heap[0].handle;

    if (--loop->ntimers > 0) {
        sift_down(heap, loop->ntimers, 0, heap[loop->ntimers]);
    }
    handle->object.state = AIORT__IN_NONE;
    if (handle->object.flags & AIORT__CANCELLED) {
        loop->cancelled_timers--;
    }
    return handle;
}

uint64_t aiort__timers_next(aiort_loop_t *loop)
{
    while (loop->ntimers > 0) {
        if (!(loop->timers[0].handle->object.flags & AIORT__CANCELLED)) {
            return loop->timers[0].when;
        }
        aiort__unref(&pop(loop)->object);
    }
    return 0;
}

/* Moves what is due to the ready queue, which takes the heap's references over. */
void aiort__timers_due(aiort_loop_t *loop, uint64_t now)
{
    while (loop->ntimers > 0 && loop->timers[0].when <= now) {
        aiort_handle_t *handle = pop(loop);
        if (handle->object.flags & AIORT__CANCELLED) {
            aiort__unref(&handle->object);
        } else {
            aiort__push(loop, &handle->object);
        }
    }
}

void aiort__timers_destroy(aiort_loop_t *loop)
{
    for (size_t i = 0; i < loop->ntimers; i++) {
        loop->timers[i].handle->object.state = AIORT__IN_NONE;
        aiort__unref(&loop->timers[i].handle->object);
    }
    aiort__free(loop->timers);
    loop->timers = NULL;
    loop->ntimers = loop->timers_room = 0;
}

aiort_handle_t *aiort__timer_start(aiort_loop_t *loop, uint64_t when, aiort_callback_fn callback,
                                   void *arg)
{
    aiort_handle_t *handle = aiort__handle_new(loop, NULL, callback, arg, AIORT__TIMER);

    if (!handle) {
        return NULL;
    }
    handle->u.when = when;
    if (aiort__timer_add(loop, handle)) {
        aiort__unref(&handle->object);
        return NULL;
    }
    handle->object.refs++;
    return handle;
}

void aiort__timer_stop(aiort_handle_t *handle)
{
    if (!(handle->object.flags & AIORT__CANCELLED)) {
        handle->object.flags |= AIORT__CANCELLED;
        if (handle->object.state == AIORT__IN_TIMERS) {
            handle->object.loop->cancelled_timers++;
        }
    }
    aiort__unref(&handle->object);
}

uint64_t aiort__nanoseconds(double seconds)
{
    if (!(seconds > 0)) {
        return 0;
    }
    /* 2^63 ns are 292 years: as good as never, and sums with the clock cannot overflow. */
    return seconds < 9.2e9 ? (uint64_t)(seconds * 1e9 + 0.5) : (uint64_t)INT64_MAX;
}

static int call_at(const aiort_site_t *site, aiort_loop_t *loop, uint64_t when,
                   aiort_callback_fn callback, void *arg, aiort_handle_t **out)
{
    aiort_handle_t *handle = aiort__handle_new(loop, site, callback, arg, AIORT__TIMER);

    if (AIORT__UNLIKELY(!handle)) {
        return aiort__fail(UV_ENOMEM);
    }
    handle->u.when = when;
    if (AIORT__UNLIKELY(aiort__timer_add(loop, handle))) {
        aiort__unref(&handle->object);
        return aiort__fail(UV_ENOMEM);
    }
    aiort__created(&handle->object);
    if (out) {
        handle->object.refs++;
        *out = handle;
    }
    return 0;
}

int aiort_call_later_at(const aiort_site_t *site, aiort_loop_t *loop, double delay,
                        aiort_callback_fn callback, void *arg, aiort_handle_t **out)
{
    int err = aiort__callback_check(loop, (const void *)(uintptr_t)callback, "aiort_call_later");

    if (AIORT__UNLIKELY(err)) {
        return err;
    }
    if (AIORT__UNLIKELY(isnan(delay))) {
        return aiort__failf(UV_EINVAL, "Invalid delay: NaN (not a number)");
    }
    uint64_t now = aiort__now();
    uint64_t when = delay >= 0 ? now + aiort__nanoseconds(delay) : now - aiort__nanoseconds(-delay);
    /* A delay that reaches back before the clock's beginning is due first of all. */
    return call_at(site, loop, delay < 0 && when > now ? 0 : when, callback, arg, out);
}

int aiort_call_at_at(const aiort_site_t *site, aiort_loop_t *loop, double when,
                     aiort_callback_fn callback, void *arg, aiort_handle_t **out)
{
    int err = aiort__callback_check(loop, (const void *)(uintptr_t)callback, "aiort_call_at");

    if (AIORT__UNLIKELY(err)) {
        return err;
    }
    if (AIORT__UNLIKELY(isnan(when))) {
        return aiort__failf(UV_EINVAL, "Invalid time: NaN (not a number)");
    }
    return call_at(site, loop, aiort__nanoseconds(when), callback, arg, out);
}
