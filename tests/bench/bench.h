/* SPDX-License-Identifier: MIT */
/*
 * What the benchmarks share. Each program measures one library and prints lines "NAME VALUE"; run
 * (beside this file) starts them by turns and makes the table.
 *
 * Time is the CPU time of this process, not the wall's: on a busy machine that is the steadier.
 */
#ifndef AIORT_BENCH_H
#define AIORT_BENCH_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
}

static inline uint64_t cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static inline void result(const char *name, double value)
{
    printf("%s %.2f\n", name, value);
    fflush(stdout);
}

/* AIORT_BENCH_SCALE divides the number of operations: a short form for CI. */
static inline long scaled(long n)
{
    const char *scale = getenv("AIORT_BENCH_SCALE");
    long by = scale ? atol(scale) : 1;

    return by > 1 ? n / by + 1 : n;
}

/* Resident bytes of this process. */
static inline double resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");

    if (!file || fscanf(file, "%*d %ld", &pages) != 1) {
        pages = 0;
    }
    if (file) {
        fclose(file);
    }
    return (double)pages * 4096;
}

/* Whether this operation is wanted: arguments name some, none means all. */
static inline int wanted(int argc, char **argv, const char *name)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            return 1;
        }
    }
    return argc < 2;
}

#endif
