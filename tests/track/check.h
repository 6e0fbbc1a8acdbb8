/* SPDX-License-Identifier: MIT */
/*
 * The smallest test frame: CHECK prints one line a case, "ok NAME" or "not ok NAME: what", which
 * run.sh counts. A program's exit status is 0 when all cases held. Needs -rdynamic.
 */
#ifndef TRACK_CHECK_H
#define TRACK_CHECK_H

#include <dlfcn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_failures;

__attribute__((format(printf, 3, 4))) static inline void check(bool holds, const char *name,
                                                               const char *format, ...)
{
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    if (holds)
        printf("ok %s\n", name);
    else
        printf("not ok %s: %s\n", name, text);
    fflush(stdout);
    check_failures += !holds;
}

static inline void skip(const char *name, const char *why)
{
    printf("skip %s: %s\n", name, why);
}

/* The exported function that a return address lies in; "?": none. */
static inline const char *function_at(void *pc)
{
    Dl_info info;
    return dladdr((char *)pc - 1, &info) != 0 && info.dli_sname != NULL ? info.dli_sname : "?";
}

/* "inner<-middle<-outer" of n frames, for messages and comparison. The static buffer is the
 * caller's until the next call. */
static inline const char *names_of(void *const *pcs, int n)
{
    static char text[4096];
    size_t length = 0;
    text[0] = '\0';
    for (int i = 0; i < n && length < sizeof(text) - 100; i++) {
        length += (size_t)snprintf(text + length, sizeof(text) - length, "%s%.64s",
                                   i > 0 ? "<-" : "", function_at(pcs[i]));
    }
    return text;
}

#define NOINLINE __attribute__((noinline, noclone, used, visibility("default")))
#if defined(__clang__)
#undef NOINLINE
#define NOINLINE __attribute__((noinline, used, visibility("default")))
#endif

/* Behind a call, so that it is not a tail call. */
#define STAY() __asm__ volatile("" ::: "memory")

#endif
