/* SPDX-License-Identifier: MIT */
/*
 * coarse.c - finds the word of coarse.h.
 *
 * A process that asks often enough pays once for a look at /proc/self/maps: the kernel's data are
 * the mapping named [vvar]. The places where the count has been in it, one a generation of kernels,
 * are compared with the clock at each further question, until one of them has moved as often as
 * MOVES with the clock and never without it. In a time namespace, in an emulated kernel, or when a
 * later one keeps its data in another way, none does, and the questions go on.
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
    QUESTIONS = 1 << 14, /* before the search: less is not worth it */
    MOVES = 8,
    PLACES = 2,
};

const volatile uint32_t *_Atomic aiodebug_coarse_word;

/* Of one thread at a time; the others go by. */
static struct {
    atomic_flag busy;
    _Atomic uint32_t questions;
    _Atomic bool over; /* nothing more to learn */
    bool begun;
    uint64_t ns;
    struct {
        const volatile uint32_t *word; /* NULL: is not it */
        uint32_t count, moves;
    } place[PLACES];
} learning = {.busy = ATOMIC_FLAG_INIT};

static uint64_t ask(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
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

static void begin(void)
{
    /* Linux 6.15 and later; 5.3 and later, of x86-64; and where both were before. */
    static const size_t places[PLACES] = {0, 0x80};
    /* Valgrind, for one, hides the vDSO; its data are not to be read then either. */
    uintptr_t vvar = getauxval(AT_SYSINFO_EHDR) != 0 ? find_vvar() : 0;
    for (int i = 0; i < PLACES && vvar != 0; i++) {
        learning.place[i].word = (const volatile uint32_t *)(vvar + places[i]);
    }
    learning.begun = true;
}

/* The clock is asked, and the places are looked at, before and after: what changes meanwhile tells
 * nothing. An odd count says that it is just being changed. */
static __attribute__((no_sanitize("thread"))) void learn(void)
{
    uint32_t before[PLACES] = {0}, after = 0;
    for (int i = 0; i < PLACES; i++) {
        before[i] = learning.place[i].word ? *learning.place[i].word : 0;
    }
    uint64_t ns = ask();
    bool moved = ns != learning.ns;
    for (int i = 0; i < PLACES; i++) {
        const volatile uint32_t *word = learning.place[i].word;
        after = word ? *word : 0;
        if (after != before[i] || after % 2 != 0) {
            return;
        }
    }
    bool over = true;
    for (int i = 0; i < PLACES; i++) {
        if (!learning.place[i].word) {
            continue;
        }
        over = false;
        bool changed = before[i] != learning.place[i].count;
        learning.place[i].count = before[i];
        if (changed != moved && learning.ns != 0) {
            learning.place[i].word = NULL;
        } else if (changed && ++learning.place[i].moves > MOVES) {
            atomic_store_explicit(&aiodebug_coarse_word, learning.place[i].word,
                                  memory_order_relaxed);
            over = true;
            break;
        }
    }
    learning.ns = ns;
    learning.over = over;
}

uint64_t aiodebug_coarse_asked(void)
{
    if (atomic_load_explicit(&learning.over, memory_order_relaxed)) {
        return ask();
    }
    int saved = errno;
    if (learning.questions < QUESTIONS) {
        learning.questions++;
    } else if (!atomic_flag_test_and_set_explicit(&learning.busy, memory_order_acquire)) {
        if (!learning.begun) {
            begin();
        }
        learn();
        atomic_flag_clear_explicit(&learning.busy, memory_order_release);
    }
    uint64_t ns = ask();
    errno = saved;
    return ns;
}

uint64_t aiodebug_coarse_ticks(void)
{
    struct timespec step = {0, 10000000};
    clock_getres(CLOCK_MONOTONIC_COARSE, &step);
    return aiodebug_ticks_from_seconds((double)step.tv_sec + (double)step.tv_nsec * 1e-9);
}
