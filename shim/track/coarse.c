/* SPDX-License-Identifier: MIT */
/*
 * coarse.c - finds the word of coarse.h.
 *
 * A process that asks often enough pays once for a look at /proc/self/maps: the kernel's data are
 * the mapping named [vvar], and what is looked for there is the counter of a moment ago. From then
 * on each further question compares what was found with the answer: the word must have changed when
 * the clock has moved, and not otherwise. In a time namespace, in an emulated kernel, when the
 * kernel keeps time by something else or a later one keeps its data in another way, there is none,
 * and the questions go on.
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
    MOVES = 3,           /* with the clock, until it is believed */
    PLACES = 4,          /* that may be it */
};

const volatile uint64_t *_Atomic aiodebug_coarse_word;

typedef struct {
    const volatile uint64_t *word; /* NULL: is not it */
    uint64_t value;
    int moves;
} place_t;

/* Of one thread at a time; the others go by. */
static struct {
    atomic_flag busy;
    _Atomic uint32_t questions;
    _Atomic bool over; /* nothing more to learn */
    bool begun;
    uint64_t time; /* the last answer */
    place_t place[PLACES];
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

/* What the counter may have been when the clock moved last. */
static __attribute__((no_sanitize("address", "thread"))) void find_places(uintptr_t data,
                                                                          uint64_t most)
{
    const volatile uint64_t *word = (const volatile uint64_t *)data;
    uint64_t now = aiodebug_ticks();
    int n = 0;
    memset(learning.place, 0, sizeof learning.place);
    for (int i = 0; n < PLACES && i < LOOKED_AT / (int)sizeof *word; i++) {
        uint64_t value = word[i];
        if (now - value < most) {
            learning.place[n++] = (place_t){.word = &word[i], .value = value};
        }
    }
}

static void begin(void)
{
    enum { STEPS = 16, TRIES = 3 }; /* a clock that is not needed is moved more seldom */
    /* Valgrind, for one, hides the vDSO; its data are not to be read then either. */
    uintptr_t vvar = aiodebug_clock_counter && getauxval(AT_SYSINFO_EHDR) != 0 ? find_vvar() : 0;
    uint64_t most = STEPS * aiodebug_coarse_ticks(), now = 0;
    learning.begun = true;
    for (int i = 0; i < TRIES && vvar != 0 && (i == 0 || now != learning.time); i++) {
        learning.time = ask();
        find_places(vvar, most);
        now = ask(); /* if it has moved meanwhile, who knows when the words were read */
    }
}

/* The clock is asked, and the words are looked at before and after: what changes meanwhile tells
 * nothing. */
static __attribute__((no_sanitize("address", "thread"))) uint64_t learn(void)
{
    uint64_t before[PLACES];
    bool over = true;
    for (int i = 0; i < PLACES; i++) {
        before[i] = learning.place[i].word ? *learning.place[i].word : 0;
    }
    uint64_t now = ask();
    for (int i = 0; i < PLACES; i++) {
        if (learning.place[i].word && *learning.place[i].word != before[i]) {
            return now;
        }
    }
    for (int i = 0; i < PLACES && !aiodebug_coarse_word; i++) {
        place_t *place = &learning.place[i];
        if (!place->word || (before[i] != place->value) != (now != learning.time)) {
            place->word = NULL;
            continue;
        }
        place->moves += before[i] != place->value;
        place->value = before[i];
        over = place->moves == MOVES;
        if (over) {
            atomic_store_explicit(&aiodebug_coarse_word, place->word, memory_order_relaxed);
        }
    }
    learning.time = now;
    learning.over = over;
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
    if (!learning.begun) {
        begin();
    }
    uint64_t now = learn();
    atomic_flag_clear_explicit(&learning.busy, memory_order_release);
    errno = saved;
    return now;
}

void aiodebug_coarse_doubt(void)
{
    if (aiodebug_coarse_word) {
        learning.over = true;
        atomic_store_explicit(&aiodebug_coarse_word, NULL, memory_order_relaxed);
    }
}

void aiodebug_coarse_after_fork_child(void)
{
    bool known = aiodebug_coarse_word != NULL;
    atomic_store_explicit(&aiodebug_coarse_word, NULL, memory_order_relaxed);
    atomic_flag_clear(&learning.busy);
    if (known || !learning.over) {
        learning.over = false;
        learning.begun = false;
        memset(learning.place, 0, sizeof learning.place);
        learning.questions = 0;
    }
}

uint64_t aiodebug_coarse_ticks(void)
{
    struct timespec step = {0, 10000000};
    clock_getres(CLOCK_MONOTONIC_COARSE, &step);
    return aiodebug_ticks_from_seconds((double)step.tv_sec + (double)step.tv_nsec * 1e-9);
}
