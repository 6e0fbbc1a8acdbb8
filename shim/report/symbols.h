/* SPDX-License-Identifier: MIT */
/*
 * Naming of frames: an address in, function, file and line out.
 *
 * The names come from DWARF where there is any (in the file itself, or apart from it under
 * /usr/lib/debug), else from the symbol tables, else there is module + offset + build-id, with
 * which the log can be symbolised elsewhere. A name that may be wrong is not given: a file on disk
 * that is not the one that was loaded is not read, and an address between two symbols belongs to
 * neither.
 *
 * Any thread may call these; one mutex serialises the work, so they belong on the reporter's
 * thread. Not from a signal handler. Nothing is loaded and no file is opened before the first frame
 * is to be named, and nothing goes over the network, whatever DEBUGINFOD_URLS says.
 */
#ifndef AIODEBUG_REPORT_SYMBOLS_H
#define AIODEBUG_REPORT_SYMBOLS_H

#include <stdbool.h>
#include <stdint.h>

/* Every string lives as long as the process; NULL and 0 mean unknown. */
typedef struct {
    const char *function;
    const char *file; /* relative to the compilation directory when below it, else as in `path` */
    int line, column;
    bool inlined;         /* into the frame that follows */
    bool part;            /* the compiler split this code off its function, which calls it */
    const char *module;   /* path of the program or library */
    const char *build_id; /* hexadecimal */
    uint64_t
        offset; /* in the module, as `addr2line -e module` takes it; without a module the address.
                   For a return address that of the call, one less, which is on the right line */
    const char *path; /* `file` as DWARF has it, normally absolute */
    bool startup; /* what aiodebug_symbols_startup() found out when there was no name to go by */
} aiodebug_frame_t;

typedef struct {
    const char *debug_directory; /* NULL: /usr/lib/debug */
    const char *libdw;           /* NULL: libdw.so.1 */
    void (*say)(
        const char *line); /* told once, without newline, when libdw is missing; NULL: stderr */
} aiodebug_symbols_options_t;

/* Optional, before anything else is called. The strings are kept, not copied. */
void aiodebug_symbols_init(const aiodebug_symbols_options_t *options);

/* Names a return address, as a stack holds it. Gives the number of frames written to `out`, at
   least 1 (0 when `max` is): first what was inlined there, innermost first, then the function
   itself. */
int aiodebug_symbols_resolve(uintptr_t return_address, aiodebug_frame_t *out, int max);

/* The function that starts at or contains `address`, the value of a function pointer say, with the
   file and line of its definition. False when not even its name is known; `out` then has module and
   offset. */
bool aiodebug_symbols_function(uintptr_t address, aiodebug_frame_t *out);

/* A line of source without the white space around it, or NULL when it cannot be read or the file
   has been changed since the module was built. `file` is a frame's `file` (preferably the very
   pointer: two modules may both have a main.c) or an absolute path. Lines count from 1. */
const char *aiodebug_symbols_source(const char *file, int line);

/* Whether `pc` lies in libaiort or libaiodebug. Takes no lock when it does, 50 ns when it does not.
 */
bool aiodebug_symbols_internal(uintptr_t pc);

/* Whether the frame is libc's or the loader's way into main() or into a thread's function. */
bool aiodebug_symbols_startup(const aiodebug_frame_t *frame);

/* To be called before dlclose() where that is interposed: stacks in the library can then still be
   named after it has gone, and are not taken for those of the next one at the same addresses.
   Cheap: looks at the list of modules only, never waits for a frame that is being named. */
void aiodebug_symbols_modules_changed(void);

/* In the child of fork(), before anything else here: a lock that another thread held at that moment
   is made anew, and what it protected is dropped. Strings given out before stay valid. Called by
   itself from the first frame on; calling it once more does no harm. */
void aiodebug_symbols_after_fork_child(void);

#endif
