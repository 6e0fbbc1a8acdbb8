/* SPDX-License-Identifier: MIT */
/*
 * The clock: conversions, from the first millisecond on, and order across processors.
 */
#include "check.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <unistd.h>

#include "track/clock.h"

typedef struct {
    uint64_t ns;
    double ticks;
} moment_t;

/* Both clocks at one time: of a few readings the one between whose ticks least time went by. */
static moment_t now_on_both(void)
{
    moment_t best = {0, 0};
    uint64_t narrowest = UINT64_MAX;
    for (int i = 0; i < 9; i++) {
        uint64_t before = aiodebug_ticks(), ns = aiodebug_monotonic_ns();
        uint64_t between = aiodebug_ticks() - before;
        if (between < narrowest) {
            narrowest = between;
            best = (moment_t){ns, (double)before + (double)between / 2};
        }
    }
    return best;
}

/* An interval taken with both clocks. The thread may be put aside between two reads, so the best of
 * a few tries counts. */
static double error_over(useconds_t pause)
{
    double best = 1;
    for (int i = 0; i < 7 && best > 0.001; i++) {
        moment_t start = now_on_both();
        usleep(pause);
        moment_t end = now_on_both();
        double seconds = (double)(end.ns - start.ns) * 1e-9;
        uint64_t ticks = (uint64_t)(end.ticks - start.ticks);
        double error = fabs(aiodebug_seconds_from_ticks(ticks) - seconds) / seconds;
        best = error < best ? error : best;
    }
    return best;
}

static void conversions(void)
{
    double error = error_over(1000);
    check(error <= 0.001, "1 ms to 0.1 percent", "%g", error);
    error = error_over(50000);
    check(error <= 0.001, "50 ms to 0.1 percent", "%g", error);
    double back = aiodebug_seconds_from_ticks(aiodebug_ticks_from_seconds(0.1));
    check(fabs(back - 0.1) < 0.0001, "there and back", "%g", back);
    check(aiodebug_ticks_from_seconds(-1) == 0 && aiodebug_ticks_from_seconds(0) == 0 &&
              aiodebug_ticks_from_seconds((double)NAN) == 0,
          "nothing is 0", "not 0");
    check(aiodebug_ticks_from_seconds((double)INFINITY) == UINT64_MAX, "off is never", "less");
    check(aiodebug_ticks_from_seconds(1e300) == UINT64_MAX, "too long is never", "less");
    double now = (double)aiodebug_monotonic_ns() * 1e-9;
    double same = aiodebug_monotonic_from_ticks(aiodebug_ticks());
    check(fabs(now - same) < 0.01, "a moment is the same on both clocks", "%g apart", same - now);
}

static _Atomic uint64_t latest;
static atomic_int backwards;

/* Each thread, on a processor of its own, takes the latest time that any has seen, then its own. */
static void *race(void *arg)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)(uintptr_t)arg, &set);
    sched_setaffinity(0, sizeof(set), &set);
    /* The counter may be read before the load in front of it, and a virtual machine's processors
     * may be some microseconds apart. Whoever measures with it must stand that; what nobody could
     * stand, and this finds, are counters that are not the same clock. */
    int64_t slop = (int64_t)aiodebug_ticks_from_seconds(50e-6);
    for (int i = 0; i < 300000; i++) {
        uint64_t seen = atomic_load(&latest), now = aiodebug_ticks();
        if ((int64_t)(now - seen) < -slop)
            atomic_fetch_add(&backwards, 1);
        atomic_store(&latest, now);
    }
    return NULL;
}

static void across_processors(void)
{
    pthread_t threads[2];
    for (uintptr_t i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, race, (void *)i);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    check(atomic_load(&backwards) == 0, "forwards across processors", "%d times backwards",
          atomic_load(&backwards));
}

int main(void)
{
    double early = aiodebug_seconds_from_ticks(1000);
    check(fabs(early - 1e-6) < 1e-12, "before its choice it counts nanoseconds", "%g", early);
    uint64_t begin = aiodebug_monotonic_ns();
    aiodebug_clock_init();
    uint64_t threshold = aiodebug_ticks_from_seconds(0.001);
    uint64_t took = aiodebug_monotonic_ns() - begin;
    check(took < 20000000, "ready at once", "%g s", (double)took * 1e-9);
    uint64_t end = aiodebug_ticks() + threshold, from = aiodebug_monotonic_ns();
    while (aiodebug_ticks() < end) {}
    uint64_t waited = aiodebug_monotonic_ns() - from;
    check(waited >= 998000, "a threshold taken at once is right", "%lu ns", (unsigned long)waited);
    conversions();
    across_processors();
    return check_failures != 0;
}
