/* SPDX-License-Identifier: MIT */
/*
 * Whether the coarse clock has moved, for a load from memory.
 *
 * The kernel's clocks are kept in memory that every process has mapped, for the vDSO to read. Its
 * first word is a count that changes whenever the coarse clock does, and that is all this clock is
 * good for. Where the word lies is no promise of the kernel's: it is used only after it was seen to
 * move with clock_gettime(CLOCK_MONOTONIC_COARSE), and to stand with it, for some time in this very
 * process. Until then, and where it is not found, that function is asked.
 */
#ifndef AIODEBUG_TRACK_COARSE_H
#define AIODEBUG_TRACK_COARSE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The word; NULL: not known (yet). */
extern const volatile uint32_t *_Atomic aiodebug_coarse_word;

/* By clock_gettime(), and learns. Any thread; async-signal-safe; leaves errno as it was. */
uint64_t aiodebug_coarse_asked(void);

/* A value that stays the same while the coarse clock, some milliseconds at a time, stands still.
 * Only whether it is the same means anything; it may change without need. */
static inline uint64_t aiodebug_coarse(void)
{
    const volatile uint32_t *word =
        atomic_load_explicit(&aiodebug_coarse_word, memory_order_relaxed);
    return __builtin_expect(word != NULL, 1) ? *word : aiodebug_coarse_asked();
}

/* How long it stands still, in ticks. */
uint64_t aiodebug_coarse_ticks(void);

#endif
