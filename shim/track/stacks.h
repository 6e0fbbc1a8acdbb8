/* SPDX-License-Identifier: MIT */
/*
 * Captured stacks, stored once each.
 *
 * A stack is a list of return addresses, innermost first, known by a 32-bit id (0: none). Equal
 * lists have equal ids for the life of the process; what an id names never changes and is never
 * freed, so ids may be kept in any object and compared. Frames are named later, on the reporter's
 * thread (report/symbols.h).
 *
 * Any thread may call anything here at any time after aiodebug_stack_init(); before it, and where
 * libunwind is missing, captures give 0 and nothing else changes. Nothing here calls malloc().
 * aiodebug_stack_capture() must not be called from a signal handler (it says 0 when the handler
 * interrupted the unwinder, but not when it interrupted the loader).
 */
#ifndef AIODEBUG_TRACK_STACKS_H
#define AIODEBUG_TRACK_STACKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef uint32_t aiodebug_stack_t; /* 0: none */

/* The most frames a stack keeps, whatever AIODEBUG_STACK_DEPTH says. */
enum { AIODEBUG_STACK_DEPTH_MAX = 64 };

/*
 * Loads libunwind and makes the first unwind. False when it cannot be had; `warn` is then called
 * once with a line of text for the user, without a newline (NULL: say nothing). Idempotent: a
 * second call returns the first one's answer. One thread, before the program's own code if
 * possible: it calls dlopen().
 */
bool aiodebug_stack_init(void (*warn)(const char *line));

/* Frames a capture keeps: 0 (captures give 0) to AIODEBUG_STACK_DEPTH_MAX; 16 until it is set. */
void aiodebug_stack_set_depth(int depth);
int aiodebug_stack_depth(void);

/* Bounds the table: distinct stacks and bytes of memory; 0 leaves a bound as it is. For tests, and
 * for a program that must not spend the default 1 Mi stacks or 256 MiB. Only before the first
 * stack is stored. */
void aiodebug_stack_set_limits(uint32_t stacks, size_t bytes);

/*
 * Code from lo up to hi is not the program's (the shim's own, libaiort's; not libuv's): frames in
 * it are left out at the innermost end of captured stacks, so that the depth counts the program's
 * frames. The shim's own text is added by aiodebug_stack_init(). A few ranges only (8); more are
 * ignored. Call it from one thread at a time.
 */
void aiodebug_stack_add_internal_range(uintptr_t lo, uintptr_t hi);

/* Adds the text of the shared library that contains `address` (of code or data) as an internal
 * range. Does nothing for an address in the executable itself. */
void aiodebug_stack_add_internal_object(const void *address);

/* The caller's stack, without internal frames at its innermost end; 0 when it cannot be had. */
aiodebug_stack_t aiodebug_stack_capture(void);

/* May be set, once: gives a place on an idle stack of this thread to capture on, or NULL when the
 * one it runs on is as good. See other_stack.h. */
extern void *(*aiodebug_stack_elsewhere)(void);

/* Another thread's stack now (threads.c); 0 when it cannot be had safely. Takes some 0.1 ms,
 * but up to 0.3 s when the thread waits for a processor. Not for a loop's thread: the reporter's
 * and the hang watch's only. */
aiodebug_stack_t aiodebug_stack_of_thread(pid_t tid);

/* The id of these n return addresses, innermost first; 0 when n is 0 or the table is full. No
 * frame is left out; more than AIODEBUG_STACK_DEPTH_MAX are cut at the outermost end. */
aiodebug_stack_t aiodebug_stack_intern(void *const *pcs, int n);

/* Copies up to `max` return addresses of a stack, innermost first, and returns how many were
 * copied (0 for id 0). Lock-free, async-signal-safe. */
int aiodebug_stack_frames(aiodebug_stack_t id, void **pcs, int max);

/* How many leading (innermost) entries of pcs lie in internal ranges. */
int aiodebug_stack_internal_prefix(void *const *pcs, int n);

/* Counters, read at leisure. */
typedef struct {
    uint32_t stacks;  /* distinct stacks stored */
    size_t bytes;     /* memory mapped for them */
    uint64_t refused; /* captures lost because the table was full or memory could not be had */
} aiodebug_stack_stats_t;

void aiodebug_stack_stats(aiodebug_stack_stats_t *out);

/* In the child of a fork(), before anything else here is called: a lock that another thread held
 * in the parent is free again (threads.c's too). The table stays as it was. */
void aiodebug_stack_after_fork_child(void);

#endif
