/* SPDX-License-Identifier: MIT */
/*
 * Timers: call_later, call_at, and the heap of handles ordered by time.
 *
 * A 4-ary heap in one array: a million timers cost a tenth of libuv's red-black tree. Timers of the
 * same time fire in the order they were made. A cancelled timer stays in the heap until it comes to
 * the top, or until cancelled ones are more than half of more than a hundred, when the heap is
 * rebuilt without them, as asyncio does.
 */
#include "timer.h"

#include <math.h>
#include <string.h>

enum { MIN_PURGE = 100, AT_ONCE = 4096 };

/* The order of creation in the high bits, modulo a million, and the handle's address below. */
static inline uint64_t tie_of(aiort_loop_t *loop, const aiort_handle_t *handle)
{
    return (uint64_t)loop->next_tie++ << AIORT__ADDRESS_BITS | (uintptr_t)handle >> AIORT__ALIGNMENT_BITS;
}

static void sift_up(aiort__timer_t *heap, size_t i, aiort__timer_t timer)
{
    while (i > 0) {
        size_t parent = (i - 1) / 4;
        if (!aiort__timer_before(&timer, &heap[parent])) {
            break;
        }
        heap[i] = heap[parent];
        i = parent;
    }
    heap[i] = timer;
}

/* The least of the children of i, of which there is at least one. */
static inline size_t least_child(const aiort__timer_t *heap, size_t n, size_t i)
{
    size_t child = i * 4 + 1;

    if (AIORT__LIKELY(child + 4 <= n)) {
        size_t left = child + aiort__timer_before(&heap[child + 1], &heap[child]);
        size_t right = child + 2 + aiort__timer_before(&heap[child + 3], &heap[child + 2]);
        return aiort__timer_before(&heap[right], &heap[left]) ? right : left;
    }
    size_t least = child;
    for (size_t c = child + 1; c < n; c++) {
        least = aiort__timer_before(&heap[c], &heap[least]) ? c : least;
    }
    return least;
}

static void sift_down(aiort__timer_t *heap, size_t n, size_t i, aiort__timer_t timer)
{
    while (i * 4 + 1 < n) {
        size_t least = least_child(heap, n, i);
        if (!aiort__timer_before(&heap[least], &timer)) {
            break;
        }
        heap[i] = heap[least];
        i = least;
    }
    heap[i] = timer;
}

/* The children of all four children, before it is known which of them matter. */
static inline void prefetch_grandchildren(const aiort__timer_t *heap, size_t n, size_t i)
{
    size_t first = i * 16 + 5;

    if (first + 16 <= n) {
        __builtin_prefetch(&heap[first]);
        __builtin_prefetch(&heap[first + 4]);
        __builtin_prefetch(&heap[first + 8]);
        __builtin_prefetch(&heap[first + 12]);
    }
}

/* The last timer takes the place of the first. It belongs near the bottom again: so first the least
 * children move up all the way, and then it goes up from there. */
static void remove_first(aiort__timer_t *heap, size_t n)
{
    size_t i = 0;

    while (i * 4 + 1 < n) {
        prefetch_grandchildren(heap, n, i);
        size_t least = least_child(heap, n, i);
        heap[i] = heap[least];
        i = least;
    }
    sift_up(heap, i, heap[n]);
}

/* Room for twice as many. The first child of every timer begins a cache line: the array begins 48
 * bytes into one. */
static bool grow(aiort_loop_t *loop)
{
    size_t room = loop->timers_room ? loop->timers_room * 2 : 61;
    char *memory = aiort__malloc(room * sizeof(aiort__timer_t) + 112);

    if (!memory) {
        return false;
    }
    aiort__timer_t *heap =
        (aiort__timer_t *)((((uintptr_t)memory + 63) & ~(uintptr_t)63) + 48);
    aiort__huge(memory, room * sizeof(*heap));
    if (loop->ntimers > 0) {
        memcpy(heap, loop->timers, loop->ntimers * sizeof(*heap));
    }
    aiort__free(loop->timers_memory);
    loop->timers_memory = memory;
    loop->timers = heap;
    loop->timers_room = room;
    return true;
}

void aiort__timers_heapify(aiort__timer_t *heap, size_t n)
{
    for (size_t i = (n + 2) / 4; i-- > 0;) {
        sift_down(heap, n, i, heap[i]);
    }
}

static void purge_cancelled(aiort_loop_t *loop)
{
    aiort__timer_t *heap = loop->timers;
    size_t kept = 0;

    for (size_t i = 0; i < loop->ntimers; i++) {
        aiort_handle_t *handle = aiort__timer_handle(&heap[i]);
        if (handle->object.flags & AIORT__CANCELLED) {
            handle->object.state = AIORT__IN_NONE;
            aiort__unref(&handle->object);
        } else {
            heap[kept++] = heap[i];
        }
    }
    loop->ntimers = kept;
    loop->cancelled_timers = 0;
    aiort__timers_heapify(heap, kept);
}

int aiort__timer_add(aiort_loop_t *loop, aiort_handle_t *handle)
{
    if (AIORT__UNLIKELY(loop->ntimers > MIN_PURGE &&
                        loop->cancelled_timers * 2 > loop->ntimers)) {
        purge_cancelled(loop);
    }
    if (AIORT__UNLIKELY(loop->ntimers == loop->timers_room) && !grow(loop)) {
        return UV_ENOMEM;
    }
    handle->object.state = AIORT__IN_TIMERS;
    sift_up(loop->timers, loop->ntimers++,
            (aiort__timer_t){.when = handle->u.when, .tie = tie_of(loop, handle)});
    if (AIORT__UNLIKELY(loop->embedded)) {
        aiort__wake_embedded(loop);
    }
    return 0;
}

/* The earliest of all, or NULL. */
static const aiort__timer_t *first(const aiort_loop_t *loop)
{
    const aiort__timer_t *burst = loop->burst_at < loop->burst_end ? loop->burst_at : NULL;
    const aiort__timer_t *heap = loop->ntimers > 0 ? &loop->timers[0] : NULL;

    if (AIORT__LIKELY(!burst)) {
        return heap;
    }
    return heap && aiort__timer_before(heap, burst) ? heap : burst;
}

/* Takes it out. The handle is most often not in the cache: it is fetched while the heap is put in
 * order. */
static aiort_handle_t *take(aiort_loop_t *loop, const aiort__timer_t *timer)
{
    aiort_handle_t *handle = aiort__timer_handle(timer);

    __builtin_prefetch(handle, 1);
    if (timer == loop->burst_at) {
        if (++loop->burst_at == loop->burst_end) {
            aiort__free(loop->burst);
            loop->burst = loop->burst_at = loop->burst_end = NULL;
        } else if (loop->burst_at + 8 < loop->burst_end) {
            __builtin_prefetch(aiort__timer_handle(loop->burst_at + 8), 1);
        }
    } else if (--loop->ntimers > 0) {
        remove_first(loop->timers, loop->ntimers);
    }
    handle->object.state = AIORT__IN_NONE;
    if (handle->object.flags & AIORT__CANCELLED && loop->cancelled_timers > 0) {
        loop->cancelled_timers--;
    }
    return handle;
}

uint64_t aiort__timers_next(aiort_loop_t *loop)
{
    for (;;) {
        const aiort__timer_t *timer = first(loop);
        if (!timer) {
            return 0;
        }
        if (!(aiort__timer_handle(timer)->object.flags & AIORT__CANCELLED)) {
            return timer->when;
        }
        aiort__unref(&take(loop, timer)->object);
    }
}

/*
 * Moves what is due to the ready queue, which takes the references over; true when more is due. Not
 * all of a great many at once: they would be out of the cache again when their turn comes.
 */
bool aiort__timers_due(aiort_loop_t *loop, uint64_t now)
{
    const aiort__timer_t *timer;
    int n = 0;

    while ((timer = first(loop)) != NULL && timer->when <= now) {
        if (n++ == AT_ONCE) {
            aiort__timers_burst(loop, now);
            return true;
        }
        aiort_handle_t *handle = take(loop, timer);
        if (handle->object.flags & AIORT__CANCELLED) {
            aiort__unref(&handle->object);
        } else {
            aiort__push(loop, &handle->object);
        }
    }
    return false;
}

static void drop(const aiort__timer_t *timer)
{
    aiort_handle_t *handle = aiort__timer_handle(timer);

    handle->object.state = AIORT__IN_NONE;
    aiort__unref(&handle->object);
}

void aiort__timers_destroy(aiort_loop_t *loop)
{
    for (size_t i = 0; i < loop->ntimers; i++) {
        drop(&loop->timers[i]);
    }
    for (const aiort__timer_t *timer = loop->burst_at; timer < loop->burst_end; timer++) {
        drop(timer);
    }
    aiort__free(loop->timers_memory);
    aiort__free(loop->burst);
    loop->timers = loop->timers_memory = NULL;
    loop->burst = loop->burst_at = loop->burst_end = NULL;
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
    aiort__handle_cancel(handle);
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
