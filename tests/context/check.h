/* SPDX-License-Identifier: MIT */
/*
 * The smallest of harnesses, for programs that are also cross-compiled: each case in a child of its
 * own, a failed CHECK ends it, and main() prints what the caller of run.sh counts.
 */
#ifndef CHECK_H
#define CHECK_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/wait.h>

static int check_passed, check_failed;

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            _exit(1);                                                                              \
        }                                                                                          \
    } while (0)

#define CHECK_RUN(name) check_run(#name, name)

static inline void check_run(const char *name, void (*run)(void))
{
    int status;
    pid_t child;

    fflush(stdout);
    child = fork();
    if (child == 0) {
        alarm(60);
        run();
        exit(0); /* sanitizers speak up at exit */
    }
    if (child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
        WEXITSTATUS(status) == 0) {
        check_passed++;
        return;
    }
    check_failed++;
    printf("FAILED: %s (status %#x)\n", name, child > 0 ? (unsigned)status : 0U);
}

static inline int check_done(const char *program)
{
    printf("%s: %d passed, %d failed\n", program, check_passed, check_failed);
    return check_failed != 0;
}

#endif
