/* SPDX-License-Identifier: MIT */
/*
 * The printing half of the tests. Built into libprobe.so together with shim/report/symbols*.c, so
 * that the programs under test are ordinary programs, compiled and stripped in every way.
 *
 * PROBE_DEBUG_DIR and PROBE_LIBDW stand for /usr/lib/debug and libdw.so.1; PROBE_COLUMNS prints
 * columns, PROBE_SOURCE the line of source, PROBE_MODULE the module's path and build-id.
 */
#include <execinfo.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "probe.h"
#include "report/symbols.h"

#define EXPORT __attribute__((visibility("default")))

static void say(const char *line)
{
    printf("say: %s\n", line);
}

__attribute__((constructor)) static void begin(void)
{
    aiodebug_symbols_options_t options = {
        .debug_directory = getenv("PROBE_DEBUG_DIR"), .libdw = getenv("PROBE_LIBDW"), .say = say};
    aiodebug_symbols_init(&options);
    setvbuf(stdout, NULL, _IOLBF, 0);
}

static void print_frame(const char *tag, const aiodebug_frame_t *f)
{
    const char *slash = f->module ? strrchr(f->module, '/') : NULL;
    printf("%s:", tag);
    if (f->function)
        printf(" %s", f->function);
    else if (f->module)
        printf(" %s+0x%llx", slash ? slash + 1 : f->module, (unsigned long long)f->offset);
    else
        printf(" unknown");
    if (f->file)
        printf(" %s:%d", f->file, f->line);
    if (f->file && getenv("PROBE_COLUMNS"))
        printf(":%d", f->column);
    if (f->inlined)
        printf(" inlined");
    if (getenv("PROBE_MODULE"))
        printf(" in %s %s", f->module ? f->module : "-", f->build_id ? f->build_id : "-");
    if (getenv("PROBE_SOURCE")) {
        const char *source = f->file ? aiodebug_symbols_source(f->file, f->line) : NULL;
        printf(" | %s", source ? source : "-");
    }
    printf("\n");
}

EXPORT void probe_address(const char *tag, const void *return_address)
{
    aiodebug_frame_t frames[16];
    int n = aiodebug_symbols_resolve((uintptr_t)return_address, frames, 16);
    for (int i = 0; i < n; i++) {
        if (!aiodebug_symbols_startup(&frames[i]))
            print_frame(tag, &frames[i]);
    }
}

/* The stack of whoever called into this library: without its own frames, and without those of a
   sanitizer's backtrace(), which are further in. */
static int program_stack(void **pcs, int max)
{
    int n = backtrace(pcs, max), skip = 0;
    while (skip < n && !aiodebug_symbols_internal((uintptr_t)pcs[skip]))
        skip++;
    while (skip < n && aiodebug_symbols_internal((uintptr_t)pcs[skip]))
        skip++;
    memmove(pcs, pcs + skip, (size_t)(n - skip) * sizeof *pcs);
    return n - skip;
}

EXPORT void probe_stack(const char *tag)
{
    void *pcs[64];
    int n = program_stack(pcs, 64);
    for (int i = 0; i < n; i++)
        probe_address(tag, pcs[i]);
}

EXPORT void probe_function(const char *tag, const void *function)
{
    aiodebug_frame_t frame;
    bool known = aiodebug_symbols_function((uintptr_t)function, &frame);
    if (known != (frame.function != NULL))
        printf("%s: says %d but has %s\n", tag, known, frame.function);
    print_frame(tag, &frame);
}

EXPORT void probe_modules_changed(void)
{
    aiodebug_symbols_modules_changed();
}
