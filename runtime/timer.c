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
#include <string.h>

enum { MIN_PURGE = 100, AT_ONCE = 4096 };

enum { ADDRESS_BITS = 43, ALIGNMENT_BITS = 4 }; /* user addresses have 47 bits, from malloc */

/* The order of creation in the high bits, modulo two million, and the handle's address below. */
static inline uint64_t tie_of(aiort_loop_t *loop, const aiort_handle_t *handle)
{
    return (uint64_t)loop->next_tie++ << ADDRESS_BITS | (uintptr_t)handle >> ALIGNMENT_BITS;
}

static inline aiort_handle_t *handle_of(const aiort__timer_t *timer)
{
    return (aiort_handle_t *)(uintptr_t)(timer->tie << (64 - ADDRESS_BITS) >>
                                         (64 - ADDRESS_BITS - ALIGNMENT_BITS));
}

/* Without a jump: which of two timers is earlier is nothing a processor could foresee. */
static inline size_t before(const aiort__timer_t *a, const aiort__timer_t *b)
{
    return (size_t)((a->when < b->when) | ((a->when == b->when) & (a->tie < b->tie)));
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

/* The least of the children of i, of which there is at least one. */
static inline size_t least_child(const aiort__timer_t *heap, size_t n, size_t i)
{
    size_t child = i * 4 + 1;

    if (AIORT__LIKELY(child + 4 <= n)) {
        size_t left = child + before(&heap[child + 1], &heap[child]);
        size_t right = child + 2 + before(&heap[child + 3], &heap[child + 2]);
        return before(&heap[right], &heap[left]) ? right : left;
    }
    size_t least = child;
    for (size_t c = child + 1; c < n; c++) {
        least = before(&heap[c], &heap[least]) ? c : least;
    }
    return least;
}

static void sift_down(aiort__timer_t *heap, size_t n, size_t i, aiort__timer_t timer)
{
    while (i * 4 + 1 < n) {
        size_t least = least_child(heap, n, i);
        if (!before(&heap[least], &timer)) {
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

static void purge_cancelled(aiort_loop_t *loop)
{
    aiort__timer_t *heap = loop->timers;
    size_t kept = 0;

    for (size_t i = 0; i < loop->ntimers; i++) {
        aiort_handle_t *handle = handle_of(&heap[i]);
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

/* The handle is most often not in the cache: it is fetched while the heap is put in order. */
static aiort_handle_t *pop(aiort_loop_t *loop)
{
    aiort__timer_t *heap = loop->timers;
    aiort_handle_t *handle = handle_of(&heap[0]);

    __builtin_prefetch(handle, 1);
    if (--loop->ntimers > 0) {
        remove_first(heap, loop->ntimers);
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
        if (!(handle_of(&loop->timers[0])->object.flags & AIORT__CANCELLED)) {
            return loop->timers[0].when;
        }
        aiort__unref(&pop(loop)->object);
    }
    return 0;
}

/*
 * Moves what is due to the ready queue, which takes the heap's references over; true when more is
 * due. Not all of a great many at once: they would be out of the cache again when their turn comes.
 */
bool aiort__timers_due(aiort_loop_t *loop, uint64_t now)
{
    for (int n = 0; n < AT_ONCE; n++) {
        if (loop->ntimers == 0 || loop->timers[0].when > now) {
            return false;
        }
        aiort_handle_t *handle = pop(loop);
        if (handle->object.flags & AIORT__CANCELLED) {
            aiort__unref(&handle->object);
        } else {
            aiort__push(loop, &handle->object);
        }
    }
    return loop->ntimers > 0 && loop->timers[0].when <= now;
}

void aiort__timers_destroy(aiort_loop_t *loop)
{
    for (size_t i = 0; i < loop->ntimers; i++) {
        aiort_handle_t *handle = handle_of(&loop->timers[i]);
        handle->object.state = AIORT__IN_NONE;
        aiort__unref(&handle->object);
    }
    aiort__free(loop->timers_memory);
    loop->timers = loop->timers_memory = NULL;
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
