/* SPDX-License-Identifier: MIT */
/*
 * libunwind, brought in by dlopen(RTLD_LOCAL) so that its _Unwind_* functions do not take the
 * place of libgcc's in the program's C++ exceptions.
 *
 * unwind.c owns the function pointers and the thread-local "in the unwinder" mark. What is above
 * it (stacks.c, threads.c) never calls libunwind without going through here.
 */
#ifndef AIODEBUG_TRACK_UNWIND_H
#define AIODEBUG_TRACK_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

/* Loads libunwind and warms it up; see aiodebug_stack_init(). */
bool aiodebug_unwind_init(void (*warn)(const char *line));

/* True when libunwind is there. */
bool aiodebug_unwind_available(void);

/*
 * Return addresses from here outwards, innermost first: pcs[0] is an address in the caller of this
 * function. At most `max`; returns how many, 0 when there is no libunwind or the thread is in the
 * unwinder already. This is what the runtime's walk stub calls to walk a suspended coroutine.
 */
int aiodebug_unwind_here(void **pcs, int max);

/* True when the calling thread is inside libunwind: for signal handlers, which then must not
 * unwind. Async-signal-safe. */
bool aiodebug_unwind_busy(void);

/* Walks a stack of this process from a given place, with safe reads. See unwind.c. */
typedef struct {
    uintptr_t pc, sp, fp;
} aiodebug_unwind_start_t;

/* As aiodebug_unwind_here(), but of another thread's stack, which must not move meanwhile. pcs[0]
 * is start->pc. Slow (tens of microseconds): for the reporter's thread. */
int aiodebug_unwind_from(const aiodebug_unwind_start_t *start, void **pcs, int max);

#endif
