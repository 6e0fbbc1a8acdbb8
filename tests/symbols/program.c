/* SPDX-License-Identifier: MIT */
/* The program that is compiled in every way: static, exported and inlined functions, function
   pointers, and a library (plugin.c) linked to it. run.sh finds the lines by the marks. */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plugin.h"
#include "probe.h"

INLINE void innermost(const char *tag)
{
    probe_stack(tag); /* @innermost */
    STAY();
}

INLINE void middle(const char *tag)
{
    innermost(tag); /* @middle */
    STAY();
}

/* A static function between exported ones, so that a stripped file has a symbol right before it. */
NOINLINE void exported_before(const char *tag);
NOINLINE void exported_before(const char *tag) /* @exported_before_definition */
{
    probe_stack(tag); /* @exported_before */
    STAY();
}

NOINLINE static void hidden(const char *tag) /* @hidden_definition */
{
    middle(tag); /* @hidden */
    STAY();
}

NOINLINE void exported_after(const char *tag);
NOINLINE void exported_after(const char *tag)
{
    hidden(tag); /* @exported_after */
    STAY();
}

static void *thread(void *argument)
{
    probe_stack(argument); /* @thread */
    STAY();
    return NULL;
}

static void functions(void)
{
    probe_function("static", (void *)hidden);
    probe_function("global", (void *)exported_before);
    probe_function("library", (void *)plugin_enter);
    probe_function("libc", (void *)getpgid);
    probe_function("inside", (char *)(void *)hidden + 1);
    STAY();
}

static void from_library(const char *tag)
{
    probe_stack(tag); /* @from_library */
    STAY();
}

static void run(const char *what)
{
    pthread_t id;
    if (strcmp(what, "stack") == 0) {
        exported_after(what); /* @run_stack */
    } else if (strcmp(what, "before") == 0) {
        exported_before(what); /* @run_before */
    } else if (strcmp(what, "thread") == 0) {
        pthread_create(&id, NULL, thread, (void *)what);
        pthread_join(id, NULL);
    } else if (strcmp(what, "functions") == 0) {
        functions();
    } else if (strcmp(what, "library") == 0) {
        plugin_enter(from_library, what); /* @run_library */
    } else if (access(what, F_OK) == 0) {
        unlink(what); /* the program's own name: what runs then has no file */
    }
    STAY();
}

int main(int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        run(argv[i]); /* @main */
    return 0;
}
