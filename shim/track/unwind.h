/* SPDX-License-Identifier: MIT */
/*
 * libunwind, brought in by dlopen(RTLD_LOCAL) so that its _Unwind_* functions do not take the
 * place of libgcc's in the program's C++ exceptions.
 *
 * unwind.c owns the function pointers and the thread-local "in the unwinder" mark. Nobody else
 * calls libunwind but through here (stacks.c, threads.c, stackcopy.c).
 */
#ifndef AIODEBUG_TRACK_UNWIND_H
#define AIODEBUG_TRACK_UNWIND_H

#include <stdbool.h>

/* Loads libunwind and warms it up; see aiodebug_stack_init(). */
bool aiodebug_unwind_init(void (*warn)(const char *line));

/* True when libunwind is there. */
bool aiodebug_unwind_available(void);

/*
 * Return addresses from here outwards, innermost first: pcs[0] is an address in the caller of this
 * function. At most `max`; returns how many, 0 when there is no libunwind or the thread is in the
 * unwinder already. Keeps errno. This is what the runtime's walk stub calls to walk a suspended
 * coroutine.
 */
int aiodebug_unwind_here(void **pcs, int max);

/* True when the calling thread is inside libunwind or the table of stacks. Whoever may be called
 * from there (an interposed libc function, a signal handler) must then not capture, and does better
 * to do nothing at all. Async-signal-safe. */
bool aiodebug_unwind_busy(void);

#endif
