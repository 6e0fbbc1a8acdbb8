/* SPDX-License-Identifier: MIT */
/*
 * clock.c - chooses the clock and learns how long a tick is.
 *
 * The counter is used where the processor says that it runs at one rate in all states and the
 * kernel itself keeps time by it (it has then compared the cores). Its rate is measured against
 * CLOCK_MONOTONIC between aiodebug_clock_init() and the first conversion, at least 1 ms apart: a
 * first conversion that comes earlier waits for the rest of that millisecond, once. Later
 * conversions measure again over the longer time until 10 s have passed; then the rate is fixed,
 * so that a suspended machine (the counter runs on, CLOCK_MONOTONIC does not) cannot spoil it.
 */
#include "track/clock.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#define SHORTEST_NS 1000000u    /* of a measurement */
#define LONGEST_NS 10000000000u /* then the rate is fixed */

bool aiodebug_clock_counter;

typedef struct {
    uint64_t ticks, ns;
} moment_t;

static moment_t start;
/* Seconds a tick, as the bits of a double; 0: not known yet. Threads that measure at the same
 * time store about the same. */
static _Atomic uint64_t rate_bits;
static _Atomic uint64_t
    next_ns; /* CLOCK_MONOTONIC from which to measure again; UINT64_MAX: never */

static double as_double(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

static uint64_t as_bits(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

/* Both clocks at one time: the tightest of a few tries, since the thread may be put aside between
 * two reads. */
static moment_t now_on_both(void)
{
    moment_t best = {0, 0};
    uint64_t narrowest = UINT64_MAX;
    for (int i = 0; i < 5; i++) {
        uint64_t before = aiodebug_ticks();
        uint64_t ns = aiodebug_monotonic_ns();
        uint64_t gap = aiodebug_ticks() - before;
        if (gap < narrowest) {
            narrowest = gap;
            best.ticks = before + gap / 2;
            best.ns = ns;
        }
    }
    return best;
}

#if defined(__x86_64__)

static bool kernel_uses_tsc(bool unknown)
{
    char name[16] = "";
    int fd = (int)syscall(SYS_openat, AT_FDCWD,
                          "/sys/devices/system/clocksource/clocksource0/current_clocksource",
                          O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return unknown;
    long n = syscall(SYS_read, fd, name, sizeof(name) - 1);
    syscall(SYS_close, fd);
    return n == 4 && memcmp(name, "tsc\n", 4) == 0;
}

static bool counter_is_good(void)
{
    unsigned a, b, c, d;
    int allowed = 0;
    if (!__get_cpuid(0x80000007, &a, &b, &c, &d) || !(d & 1u << 8))
        return false; /* not invariant */
    if (prctl(PR_GET_TSC, &allowed) == 0 && allowed == PR_TSC_SIGSEGV)
        return false;
    /* Without /sys: believe the processor, but not a hypervisor that may move us about. */
    bool virtual = __get_cpuid(1, &a, &b, &c, &d) && (c & 1u << 31);
    return kernel_uses_tsc(!virtual);
}

#elif defined(__aarch64__)

static bool counter_is_good(void)
{
    return true; /* the architecture's own timer: one rate, one value for all cores */
}

#else

static bool counter_is_good(void)
{
    return false;
}

#endif

void aiodebug_clock_init(void)
{
    aiodebug_clock_counter = counter_is_good();
    if (!aiodebug_clock_counter) {
        atomic_store(&rate_bits, as_bits(1e-9));
        atomic_store(&next_ns, UINT64_MAX);
        return;
    }
    start = now_on_both();
}

static double measure(void)
{
    moment_t end = now_on_both();
    while (end.ns - start.ns < SHORTEST_NS)
        end = now_on_both();
    uint64_t elapsed = end.ns - start.ns;
    double rate = (double)elapsed * 1e-9 / (double)(end.ticks - start.ticks);
    atomic_store(&rate_bits, as_bits(rate));
    atomic_store(&next_ns, elapsed >= LONGEST_NS ? UINT64_MAX : end.ns + elapsed);
    return rate;
}

/* Seconds a tick. */
static double rate_now(void)
{
    if (!aiodebug_clock_counter)
        return 1e-9;
    uint64_t bits = atomic_load_explicit(&rate_bits, memory_order_relaxed);
    uint64_t next = atomic_load_explicit(&next_ns, memory_order_relaxed);
    if (bits == 0 || (next != UINT64_MAX && aiodebug_monotonic_ns() >= next))
        return measure();
    return as_double(bits);
}

uint64_t aiodebug_ticks_from_seconds(double seconds)
{
    if (!(seconds > 0))
        return 0;
    double ticks = seconds / rate_now() + 0.5;
    return ticks < 18446744073709549568.0 ? (uint64_t)ticks : UINT64_MAX;
}

double aiodebug_seconds_from_ticks(uint64_t ticks)
{
    return (double)ticks * rate_now();
}

double aiodebug_monotonic_from_ticks(uint64_t ticks)
{
    moment_t now = now_on_both();
    int64_t ago = (int64_t)(now.ticks - ticks);
    return (double)now.ns * 1e-9 - (double)ago * rate_now();
}
