/* SPDX-License-Identifier: MIT */
/*
 * Stacks that repeat, and are recognised without unwinding, against what unwinding says: random
 * chains of functions of all kinds of frames, in stretches in which the same chain comes many times
 * and changes in one call, in the size of a frame, or not at all. run.sh builds this with both
 * compilers, with and without optimisation and frame pointers.
 */
#include "check.h"

#include <alloca.h>
#include <time.h>

#include "track/stacks.h"
#include "track/unwind.h"

enum { LINKS = 12, ROUNDS = 60000 };

/* What is called at each link, and with how much room. */
static int kinds[LINKS], rooms[LINKS];
static long captures, wrong;
static char first_wrong[4200];

static uint32_t state = 1;
static int any(int below)
{
    state = state * 1664525u + 1013904223u;
    return (int)((state >> 8) % (unsigned)below);
}

/* The innermost address of each is in here, at two places: the others must be equal. */
NOINLINE void leaf(void)
{
    void *pcs[40], *kept[AIODEBUG_STACK_DEPTH_MAX];
    aiodebug_stack_t id = aiodebug_stack_capture();
    int n = aiodebug_unwind_here(pcs, 40);
    int k = aiodebug_stack_frames(id, kept, AIODEBUG_STACK_DEPTH_MAX);
    captures++;
    if (k < 2 || k > n || memcmp(kept + 1, pcs + 1, (size_t)(k - 1) * sizeof(*pcs)) != 0) {
        if (wrong++ == 0)
            snprintf(first_wrong, sizeof(first_wrong), "%s", names_of(kept, k));
    }
}

#define USE(memory) __asm__ volatile("" ::"r"(memory) : "memory")

static void next(int link);

NOINLINE void small(int link)
{
    next(link);
    STAY();
}

NOINLINE void large(int link)
{
    char room[700];
    USE(room);
    next(link);
    USE(room);
}

NOINLINE void other_large(int link)
{
    char room[300];
    USE(room);
    next(link);
    USE(room);
}

/* The frame's size is not known before. */
NOINLINE void moving(int link)
{
    char *room = alloca((size_t)rooms[link - 1] * 16 + 16);
    USE(room);
    next(link);
    USE(room);
}

NOINLINE void aligned(int link)
{
    char room[64] __attribute__((aligned(64)));
    USE(room);
    next(link);
    USE(room);
}

NOINLINE void aligned_and_moving(int link)
{
    char fixed[64] __attribute__((aligned(64)));
    char *room = alloca((size_t)rooms[link - 1] * 16 + 16);
    USE(fixed);
    USE(room);
    next(link);
    USE(room);
    USE(fixed);
}

/* Keeps much across the call: rbp may hold anything. */
NOINLINE void busy(int link)
{
    volatile long a = link, b = a + 1, c = b * 3, d = c - a, e = d * b, f = e + c;
    long x = a, y = b, z = c, u = d, v = e, w = f;
    next(link);
    a = x + y + z + u + v + w;
}

static void next(int link)
{
    static void (*const functions[])(int) = {small,   large, other_large,       moving,
                                             aligned, busy,  aligned_and_moving};
    if (link == LINKS) {
        leaf();
    } else {
        functions[kinds[link]](link + 1 < LINKS ? link + 1 : LINKS);
    }
    STAY();
}

static double nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

int main(void)
{
    aiodebug_stack_init(NULL);
    for (int round = 0; round < ROUNDS; round++) {
        if (round % 500 == 0) {
            for (int i = 0; i < LINKS; i++) {
                kinds[i] = any(7);
                rooms[i] = any(6);
            }
        }
        if (round % 20 >= 15) {
            kinds[any(LINKS)] = any(7);
            rooms[any(LINKS)] = any(6);
        }
        next(0);
    }
    check(wrong == 0, "as unwinding says", "%ld of %ld, the first is %s", wrong, captures,
          first_wrong);

    double started = nanoseconds();
    for (int i = 0; i < 100000; i++)
        aiodebug_stack_capture();
    printf("# the same stack again: %.0f ns\n", (nanoseconds() - started) / 1e5);
    return check_failures != 0;
}
