/* SPDX-License-Identifier: MIT */
/*
 * The clock of the fast path: a processor's counter where it runs at one rate on all cores, else
 * CLOCK_MONOTONIC in nanoseconds.
 *
 * Ticks are compared and subtracted as integers; what a tick is, only this file and clock.c know.
 * Thresholds are turned into ticks once (aiodebug_ticks_from_seconds), so that the fast path has
 * no arithmetic but a subtraction. Ticks read on two cores may be compared: the counter is used
 * only where the kernel itself uses it as its clock.
 */
#ifndef AIODEBUG_TRACK_CLOCK_H
#define AIODEBUG_TRACK_CLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

/* Set once by aiodebug_clock_init(); false before it, which is right too (only slower): but ticks
 * from before and after it must not be compared. */
extern bool aiodebug_clock_counter;

/* Chooses the clock. Once, before the first ticks are taken. Costs a few microseconds. */
void aiodebug_clock_init(void);

/* CLOCK_MONOTONIC in nanoseconds. */
static inline uint64_t aiodebug_monotonic_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Now. Never goes backwards on one thread; across threads it is as good as the kernel's clock.
 * Async-signal-safe. */
static inline uint64_t aiodebug_ticks(void)
{
#if defined(__x86_64__)
    if (__builtin_expect(aiodebug_clock_counter, 1)) {
        return __builtin_ia32_rdtsc();
    }
#elif defined(__aarch64__)
    if (__builtin_expect(aiodebug_clock_counter, 1)) {
        uint64_t now;
        __asm__ volatile("mrs %0, cntvct_el0" : "=r"(now));
        return now;
    }
#endif
    return aiodebug_monotonic_ns();
}

/* A duration in ticks, rounded; negative or not-a-number gives 0, too long gives UINT64_MAX. */
uint64_t aiodebug_ticks_from_seconds(double seconds);

/* A duration in seconds. */
double aiodebug_seconds_from_ticks(uint64_t ticks);

/* The CLOCK_MONOTONIC time, in seconds, of a moment given in ticks. */
double aiodebug_monotonic_from_ticks(uint64_t ticks);

#endif
