/* SPDX-License-Identifier: MIT */
/*
 * What capturing costs on this machine, beside unw_backtrace() alone. Prints; judges nothing.
 */
#include "check.h"

#include <unistd.h>

#include "track/clock.h"
#include "track/stacks.h"
#include "track/unwind.h"

enum { ROUNDS = 25, CALLS = 1000 };

static volatile aiodebug_stack_t sink;
static void *pcs[AIODEBUG_STACK_DEPTH_MAX];

static void captures(void)
{
    for (int i = 0; i < CALLS; i++)
        sink = aiodebug_stack_capture();
}

static void unwinds(void)
{
    for (int i = 0; i < CALLS; i++)
        sink = (aiodebug_stack_t)aiodebug_unwind_here(pcs, aiodebug_stack_depth());
}

static void ticks(void)
{
    for (int i = 0; i < CALLS; i++)
        sink = (aiodebug_stack_t)aiodebug_ticks();
}

static void clock_reads(void)
{
    for (int i = 0; i < CALLS; i++)
        sink = (aiodebug_stack_t)aiodebug_monotonic_ns();
}

/* ns a call, the best round. */
static double time_of(void (*what)(void))
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begin = aiodebug_monotonic_ns();
        what();
        uint64_t took = aiodebug_monotonic_ns() - begin;
        best = took < best ? took : best;
    }
    return (double)best / CALLS;
}

NOINLINE double at_depth(int n, void (*what)(void))
{
    double result = n > 0 ? at_depth(n - 1, what) : time_of(what);
    STAY();
    return result;
}

enum { DEPTH = 16 };

/* Stack `k`, made anew each time: one that lay in memory would cost a cache miss of its own. */
static inline void make(uint64_t k, void **frames)
{
    for (uint64_t i = 0; i < DEPTH; i++)
        frames[i] = (void *)(uintptr_t)(0x400000 + (k * 0x9e3779b97f4a7c15u >> (i + 8)) % 0x100000);
}

static double per_call(uint64_t stacks, bool intern)
{
    void *frames[DEPTH];
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < 5; round++) {
        uint64_t begin = aiodebug_monotonic_ns();
        for (uint64_t i = 0; i < 100000; i++) {
            make(i * 7919 % stacks, frames);
            __asm__ volatile("" : : "r"(frames) : "memory");
            if (intern)
                sink = aiodebug_stack_intern(frames, DEPTH);
        }
        uint64_t took = aiodebug_monotonic_ns() - begin;
        best = took < best ? took : best;
    }
    return (double)best / 1e5;
}

static void hits(uint64_t stacks)
{
    printf("# interning 16 frames, %6lu stacks: %3.0f ns\n", (unsigned long)stacks,
           per_call(stacks, true) - per_call(stacks, false));
}

int main(void)
{
    uint64_t begin = aiodebug_monotonic_ns();
    if (!aiodebug_stack_init(NULL))
        return 0;
    uint64_t took = aiodebug_monotonic_ns() - begin;
    aiodebug_clock_init();
    printf("# start-up %.2f ms; ticks %.1f ns (%s), clock_gettime %.1f ns\n", (double)took * 1e-6,
           time_of(ticks), aiodebug_clock_counter ? "counter" : "clock", time_of(clock_reads));
    for (int depth = 8; depth <= 32; depth *= 2) {
        aiodebug_stack_set_depth(depth);
        double unwind = at_depth(50, unwinds), capture = at_depth(50, captures);
        printf("# %2d frames: unwinding %4.0f ns, capturing and interning %4.0f ns\n", depth,
               unwind, capture);
    }
    hits(100);
    hits(10000);
    hits(100000);
    return 0;
}
