/* SPDX-License-Identifier: MIT */
/*
 * Very many timers due at once: after a pause, or when a program sets a million of them. Taken one
 * by one each costs a walk down the heap with its cache misses; together they are split off in one
 * pass and sorted by the digits of their times.
 *
 * The sorted ones lie in loop->burst, from burst_at to burst_end. New timers go to the heap as
 * ever; whoever takes the first timer compares the two.
 */
#include "timer.h"

#include <string.h>

enum { ENOUGH = 16384, DIGIT_BITS = 11, DIGITS = 1 << DIGIT_BITS };

/* Stable, by one digit of (when - least). */
static void sort_by_digit(const aiort__timer_t *from, aiort__timer_t *to, size_t n, uint64_t least,
                          unsigned shift)
{
    size_t start[DIGITS] = {0};
    size_t sum = 0;

    for (size_t i = 0; i < n; i++) {
        start[(from[i].when - least) >> shift & (DIGITS - 1)]++;
    }
    for (int d = 0; d < DIGITS; d++) {
        size_t count = start[d];
        start[d] = sum;
        sum += count;
    }
    for (size_t i = 0; i < n; i++) {
        to[start[(from[i].when - least) >> shift & (DIGITS - 1)]++] = from[i];
    }
}

/* Equal times came together in no order; what is left to do is near its place. */
static void sort_equal_times(aiort__timer_t *timers, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        aiort__timer_t timer = timers[i];
        size_t j = i;
        for (; j > 0 && aiort__timer_before(&timer, &timers[j - 1]); j--) {
            timers[j] = timers[j - 1];
        }
        timers[j] = timer;
    }
}

/* The heap's array in two: what is due to the array given, what is not stays. How many are due. */
static size_t split(aiort_loop_t *loop, uint64_t now, aiort__timer_t *due)
{
    size_t n = 0, kept = 0;

    for (size_t i = 0; i < loop->ntimers; i++) {
        if (loop->timers[i].when <= now) {
            due[n++] = loop->timers[i];
        } else {
            loop->timers[kept++] = loop->timers[i];
        }
    }
    loop->ntimers = kept;
    aiort__timers_heapify(loop->timers, kept);
    return n;
}

/* Many of the very same time would make the last step take for ever: then one by one it is. */
static bool worth_it(const aiort_loop_t *loop, uint64_t now, size_t *due, uint64_t *least,
                     uint64_t *most)
{
    size_t same = 0;

    *due = 0;
    *least = UINT64_MAX;
    *most = 0;
    for (size_t i = 0; i < loop->ntimers; i++) {
        uint64_t when = loop->timers[i].when;
        if (when <= now) {
            ++*due;
            *least = when < *least ? when : *least;
            *most = when > *most ? when : *most;
        }
    }
    for (size_t i = 0; i < loop->ntimers; i += 64) {
        same += loop->timers[i].when == loop->timers[0].when;
    }
    return *due >= ENOUGH && *due >= loop->ntimers / 8 && *most - *least >= *due && same < 16;
}

void aiort__timers_burst(aiort_loop_t *loop, uint64_t now)
{
    size_t due;
    uint64_t least, most;

    if (loop->burst || loop->ntimers < ENOUGH || !worth_it(loop, now, &due, &least, &most)) {
        return;
    }
    aiort__timer_t *from = aiort__malloc(due * sizeof(*from));
    aiort__timer_t *to = aiort__malloc(due * sizeof(*to));
    if (!from || !to) {
        aiort__free(from);
        aiort__free(to);
        return;
    }
    aiort__huge(from, due * sizeof(*from));
    aiort__huge(to, due * sizeof(*to));
    split(loop, now, from);
    for (unsigned shift = 0; shift < 64 && (most - least) >> shift; shift += DIGIT_BITS) {
        sort_by_digit(from, to, due, least, shift);
        aiort__timer_t *swap = from;
        from = to;
        to = swap;
    }
    aiort__free(to);
    sort_equal_times(from, due);
    loop->burst = loop->burst_at = from;
    loop->burst_end = from + due;
}
