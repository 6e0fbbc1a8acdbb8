/* SPDX-License-Identifier: MIT */
/*
 * Waiting on a 32-bit word without a descriptor, a lock or libpthread: three words of futex(2).
 * Private to the process. Waking may be done anywhere, in a signal handler too.
 */
#ifndef AIODEBUG_REPORT_FUTEX_H
#define AIODEBUG_REPORT_FUTEX_H

#include <limits.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

typedef _Atomic uint32_t aiodebug_futex_t;

/* CLOCK_MONOTONIC, in nanoseconds. */
static inline int64_t aiodebug_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Sleeps while the word holds `value`, until it is woken or until `deadline` (aiodebug_now_ns). May
 * return early; false when the deadline has passed. */
static inline bool aiodebug_futex_wait(aiodebug_futex_t *word, uint32_t value, int64_t deadline)
{
    int64_t left = deadline - aiodebug_now_ns();
    if (left <= 0) {
        return false;
    }
    struct timespec timeout = {left / 1000000000, left % 1000000000};
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &timeout, NULL, 0);
    return true;
}

static inline void aiodebug_futex_wake(aiodebug_futex_t *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

#endif
