/* SPDX-License-Identifier: MIT */
/*
 * coarse.c - finds the time of coarse.h.
 *
 * A process that asks often enough pays once for a look at /proc/self/maps: the kernel's data are
 * the mapping named [vvar], and the clock is where the two numbers are that clock_gettime() has
 * just given. They are believed when they are right again after the clock has moved. In a time
 * namespace, in an emulated kernel, or when a later one keeps its data in another way, they are
 * not there, and the questions go on.
 */
#include "track/coarse.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "track/clock.h"

enum {
    QUESTIONS = 1 << 10, /* before the search: less is not worth it */
    LOOKED_AT = 4096,    /* bytes; a second page of the mapping may be one that must not be read */
};

const volatile uint64_t *_Atomic aiodebug_coarse_time;

/* Of one thread at a time; the others go by. */
static struct {
    atomic_flag busy;
    _Atomic uint32_t questions;
    _Atomic bool over; /* nothing more to learn */
    const volatile uint64_t *time;
    uint64_t found; /* its value then */
} learning = {.busy = ATOMIC_FLAG_INIT};

static uint64_t ask(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return aiodebug_coarse_value((uint64_t)now.tv_sec, (uint64_t)now.tv_nsec);
}

/* Where the mapping begins that this line of /proc/self/maps tells of, if it is the kernel's data;
 * 0: it is not. */
static uintptr_t start_of_vvar(const char *line, size_t length)
{
    static const char name[] = " [vvar]";
    uintptr_t start = 0;
    if (length < sizeof name || memchr(line, '/', length) ||
        memcmp(line + length - (sizeof name - 1), name, sizeof name - 1) != 0) {
        return 0;
    }
    for (; *line != '-'; line++) {
        start = start << 4 | (uintptr_t)(*line <= '9' ? *line - '0' : *line - 'a' + 10);
    }
    return start;
}

/* Of the whole process; 0: there is none. */
static uintptr_t find_vvar(void)
{
    char text[4096], line[128]; /* lines of files may be longer, and are none the worse for it */
    size_t length = 0;
    uintptr_t start = 0;
    long got = 0;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    while (start == 0 && (got = syscall(SYS_read, fd, text, sizeof text)) > 0) {
        for (long i = 0; i < got && start == 0; i++) {
            if (text[i] == '\n') {
                start = start_of_vvar(line, length);
                length = 0;
            } else if (length < sizeof line) {
                line[length++] = text[i];
            }
        }
    }
    syscall(SYS_close, fd);
    return start;
}

/* Where in the kernel's data the time is; NULL: nowhere. */
static __attribute__((no_sanitize("address", "thread"))) const volatile uint64_t *find_time(
    uintptr_t data)
{
    const volatile uint64_t *word = (const volatile uint64_t *)data;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    for (int i = 0; data != 0 && i < LOOKED_AT / (int)sizeof *word - 1; i++) {
        if (word[i] == (uint64_t)now.tv_sec && word[i + 1] == (uint64_t)now.tv_nsec) {
            return &word[i];
        }
    }
    return NULL;
}

/* If the clock moves just while it is looked for, it is not found; that happens seldom, and is not
 * worth another look. */
static void begin(void)
{
    /* Valgrind, for one, hides the vDSO; its data are not to be read then either. */
    uintptr_t vvar = getauxval(AT_SYSINFO_EHDR) != 0 ? find_vvar() : 0;
    learning.time = find_time(vvar);
    learning.found = ask();
    learning.over = !learning.time;
}

/* The clock is asked, and looked at before and after: what changes meanwhile tells nothing. */
static __attribute__((no_sanitize("address", "thread"))) uint64_t learn(void)
{
    const volatile uint64_t *time = learning.time;
    uint64_t before = aiodebug_coarse_value(time[0], time[1]), now = ask();
    if (before == aiodebug_coarse_value(time[0], time[1]) &&
        (now != before || now != learning.found)) {
        learning.over = true;
        if (now == before) {
            atomic_store_explicit(&aiodebug_coarse_time, time, memory_order_relaxed);
        }
    }
    return now;
}

uint64_t aiodebug_coarse_asked(void)
{
    if (atomic_load_explicit(&learning.over, memory_order_relaxed)) {
        return ask();
    }
    uint32_t questions = atomic_load_explicit(&learning.questions, memory_order_relaxed);
    if (questions < QUESTIONS) {
        atomic_store_explicit(&learning.questions, questions + 1, memory_order_relaxed);
        return ask();
    }
    if (atomic_flag_test_and_set_explicit(&learning.busy, memory_order_acquire)) {
        return ask();
    }
    int saved = errno;
    if (!learning.time && !learning.over) {
        begin();
    }
    uint64_t now = learning.over ? ask() : learn();
    atomic_flag_clear_explicit(&learning.busy, memory_order_release);
    errno = saved;
    return now;
}

void aiodebug_coarse_doubt(void)
{
    if (aiodebug_coarse_time) {
        learning.over = true;
        atomic_store_explicit(&aiodebug_coarse_time, NULL, memory_order_relaxed);
    }
}

void aiodebug_coarse_after_fork_child(void)
{
    bool known = aiodebug_coarse_time != NULL;
    atomic_store_explicit(&aiodebug_coarse_time, NULL, memory_order_relaxed);
    atomic_flag_clear(&learning.busy);
    if (known || !learning.over) {
        learning.over = false;
        learning.time = NULL;
        learning.questions = 0;
    }
}

uint64_t aiodebug_coarse_ticks(void)
{
    struct timespec step = {0, 10000000};
    clock_getres(CLOCK_MONOTONIC_COARSE, &step);
    return aiodebug_ticks_from_seconds((double)step.tv_sec + (double)step.tv_nsec * 1e-9);
}
