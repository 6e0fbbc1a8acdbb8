/* SPDX-License-Identifier: MIT */
/*
 * The coarse clock: stands and moves with the kernel's, whether it asks or has learned where to
 * read, in several threads and in a forked child.
 */
#include "check.h"

#include <pthread.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "track/clock.h"
#include "track/coarse.h"

static uint64_t kernel(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

typedef struct {
    int moved, stood; /* the kernel's, */
    int missed, idle; /* and ours did not; ours did without it */
} compared_t;

/* Pairs of samples: between the two readings of ours of one sample lies one of the kernel's. */
static compared_t compare(uint64_t ns)
{
    compared_t c = {0, 0, 0, 0};
    uint64_t end = aiodebug_monotonic_ns() + ns, ours = 0, theirs = 0;
    while (aiodebug_monotonic_ns() < end) {
        uint64_t before = aiodebug_coarse(), now = kernel();
        if (aiodebug_coarse() != before) {
            continue; /* it moved just now */
        }
        if (theirs != 0 && now != theirs) {
            c.moved++;
            c.missed += before == ours;
        } else if (theirs != 0) {
            c.stood++;
            c.idle += before != ours;
        }
        ours = before, theirs = now;
    }
    return c;
}

static void same(const char *moves, const char *stands)
{
    compared_t c = compare(150 * 1000 * 1000);
    check(c.moved > 3 && c.missed == 0, moves, "%d of %d missed", c.missed, c.moved);
    /* Once where it begins to be read in another way; and a clock that is being set. */
    check(c.idle <= 3, stands, "not in %d of %d", c.idle, c.stood);
}

static void *learns(void *arg)
{
    uint64_t end = aiodebug_monotonic_ns() + 1000000000;
    while (!aiodebug_coarse_word && aiodebug_monotonic_ns() < end) {
        aiodebug_coarse();
    }
    return arg;
}

int main(void)
{
    pthread_t threads[3];
    aiodebug_clock_init();
    same("asked, it moves with the kernel's", "and stands with it");
    for (int i = 0; i < 3; i++) {
        pthread_create(&threads[i], NULL, learns, NULL);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("# the coarse clock's word is %s\n", aiodebug_coarse_word ? "known" : "not known");
    same("learned, it moves with the kernel's", "and stands with it");
    pid_t pid = fork();
    if (pid == 0) {
        compared_t c = compare(100 * 1000 * 1000);
        _exit(c.moved > 3 && c.missed == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    check(status == 0, "in a forked child as well", "status %d", status);
    pid = fork();
    if (pid == 0) {
        aiodebug_coarse_after_fork_child();
        bool anew = !aiodebug_coarse_word;
        learns(NULL);
        compared_t c = compare(100 * 1000 * 1000);
        _exit(anew && c.moved > 3 && c.missed == 0 ? 0 : 1);
    }
    waitpid(pid, &status, 0);
    check(status == 0, "which may learn it anew", "status %d", status);
    uint64_t begin = aiodebug_monotonic_ns();
    for (int i = 0; i < 1000000; i++) {
        aiodebug_coarse();
    }
    printf("# figures: coarse clock: %.1f ns\n", (double)(aiodebug_monotonic_ns() - begin) / 1e6);
    aiodebug_coarse_doubt();
    same("doubted, it moves with the kernel's", "and stands with it");
    check(!aiodebug_coarse_word, "and is not read any more", "it is");
    return check_failures != 0;
}
