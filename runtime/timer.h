/* SPDX-License-Identifier: MIT */
/* What timer.c, the heap, and burst.c, very many timers due at once, share. */
#ifndef AIORT_TIMER_H
#define AIORT_TIMER_H

#include "internal.h"

/* User addresses have 48 bits at most (on 64-bit ARM; on x86-64 47), and malloc's are multiples of
 * 16. */
enum { AIORT__ADDRESS_BITS = 44, AIORT__ALIGNMENT_BITS = 4 };

static inline aiort_handle_t *aiort__timer_handle(const aiort__timer_t *timer)
{
    return (aiort_handle_t *)(uintptr_t)(timer->tie << (64 - AIORT__ADDRESS_BITS) >>
                                         (64 - AIORT__ADDRESS_BITS - AIORT__ALIGNMENT_BITS));
}

/* Without a jump: which of two timers is earlier is nothing a processor could foresee. The order of
 * creation starts anew after a million: the difference tells which came first. */
static inline size_t aiort__timer_before(const aiort__timer_t *a, const aiort__timer_t *b)
{
    return (size_t)((a->when < b->when) | ((a->when == b->when) & ((int64_t)(a->tie - b->tie) < 0)));
}

/* Makes a heap of any array. */
AIORT__HIDDEN void aiort__timers_heapify(aiort__timer_t *heap, size_t n);

/* Takes all that is due out of the heap, in order, into loop->burst, if it is so much that this is
 * cheaper than one after another. Out of memory: nothing is changed. */
AIORT__HIDDEN void aiort__timers_burst(aiort_loop_t *loop, uint64_t now);

#endif
