/* SPDX-License-Identifier: MIT */
/*
 * Whether the coarse clock has moved, for a load from memory.
 *
 * The kernel keeps its clocks in memory that every process has mapped, for the vDSO to read. When it
 * moves the coarse ones it notes what the processor's counter was then, and that is a word that
 * never has the same value twice. Where it lies is no promise of the kernel's: it is looked for by
 * what it is, and read only after it was seen to change with clock_gettime(CLOCK_MONOTONIC_COARSE),
 * and not without, in this very process. Until then, and where it is not found, that function is
 * asked.
 */
#ifndef AIODEBUG_TRACK_COARSE_H
#define AIODEBUG_TRACK_COARSE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The word; NULL: not known (yet). */
extern const volatile uint64_t *_Atomic aiodebug_coarse_word;

/* By clock_gettime(), and learns. Any thread; async-signal-safe; leaves errno as it was. */
uint64_t aiodebug_coarse_asked(void);

/* A value that stays the same while the coarse clock, some milliseconds at a time, stands still.
 * Only whether it is the same means anything; it may change without need. */
static inline uint64_t aiodebug_coarse(void)
{
    const volatile uint64_t *word =
        atomic_load_explicit(&aiodebug_coarse_word, memory_order_relaxed);
    return __builtin_expect(word != NULL, 1) ? *word : aiodebug_coarse_asked();
}

/* It has stood still for longer than it ever does: it is read no more where it was found. */
void aiodebug_coarse_doubt(void);
/* A child may live in another time namespace, and begins anew. Async-signal-safe. */
void aiodebug_coarse_after_fork_child(void);

/* How long it stands still, in ticks. */
uint64_t aiodebug_coarse_ticks(void);

#endif
