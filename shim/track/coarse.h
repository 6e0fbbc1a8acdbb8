/* SPDX-License-Identifier: MIT */
/*
 * Whether the coarse clock has moved, for two loads from memory.
 *
 * The kernel keeps its clocks in memory that every process has mapped, for the vDSO to read, and
 * among them CLOCK_MONOTONIC_COARSE, its seconds and its nanoseconds. Where they lie is no promise
 * of the kernel's: they are looked for by what they are, and read only after they were seen to move
 * with clock_gettime() in this very process. Until then, and where they are not found, that
 * function is asked.
 */
#ifndef AIODEBUG_TRACK_COARSE_H
#define AIODEBUG_TRACK_COARSE_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* Seconds, nanoseconds; NULL: not known (yet). */
extern const volatile uint64_t *_Atomic aiodebug_coarse_time;

/* By clock_gettime(), and learns. Any thread; async-signal-safe; leaves errno as it was. */
uint64_t aiodebug_coarse_asked(void);

/* One value of both. What is read while the kernel writes may be any, and is the same again never.
 */
static inline uint64_t aiodebug_coarse_value(uint64_t seconds, uint64_t nanoseconds)
{
    return (seconds << 30) + nanoseconds;
}

/* A value that stays the same while the coarse clock, some milliseconds at a time, stands still.
 * Only whether it is the same means anything; it may change without need. */
static inline uint64_t aiodebug_coarse(void)
{
    const volatile uint64_t *time =
        atomic_load_explicit(&aiodebug_coarse_time, memory_order_relaxed);
    return __builtin_expect(time != NULL, 1) ? aiodebug_coarse_value(time[0], time[1])
                                             : aiodebug_coarse_asked();
}

/* It has stood still for longer than it ever does: it is read no more where it was found. */
void aiodebug_coarse_doubt(void);
/* A child may live in another time namespace, and begins anew. Async-signal-safe. */
void aiodebug_coarse_after_fork_child(void);

/* How long it stands still, in ticks. */
uint64_t aiodebug_coarse_ticks(void);

#endif
