/* SPDX-License-Identifier: MIT */
/*
 * A copy of a stretch of another thread's stack, and the walk over it.
 *
 * The copy is taken in a moment (in a signal handler, or while the thread sleeps); it is walked
 * afterwards, at leisure, when the thread may long be elsewhere. Only x86-64 knows how; elsewhere
 * aiodebug_stackcopy_supported() is false and nothing is copied.
 */
#ifndef AIODEBUG_TRACK_STACKCOPY_H
#define AIODEBUG_TRACK_STACKCOPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

enum {
    AIODEBUG_STACKCOPY_BYTES = 256 * 1024,
    AIODEBUG_STACKCOPY_PAGES = AIODEBUG_STACKCOPY_BYTES / 4096 + 1,
};

/* The registers at the moment of the copy. From a sleeping thread only pc and sp are known. */
typedef struct {
    uintptr_t pc, sp;
    bool complete; /* `all` is valid */
    bool returns;  /* pc is behind a call or a system call, as return addresses are */
    mcontext_t all;
} aiodebug_stackcopy_registers_t;

typedef struct {
    char *memory;   /* AIODEBUG_STACKCOPY_BYTES, fenced by unreadable pages; NULL: not there yet */
    uintptr_t from; /* where on the stack the copy begins */
    size_t length;  /* 0: nothing was copied */
    uintptr_t reached; /* after a walk: how far up the stack that came */
} aiodebug_stackcopy_t;

bool aiodebug_stackcopy_supported(void);

/* Makes room. False when there is no memory. Not for signal handlers. */
bool aiodebug_stackcopy_prepare(aiodebug_stackcopy_t *copy);

/* Copies this process's memory from a little below `sp` up to the end of what is mapped. One system
 * call and async-signal-safe; `scratch` is for its use. A second caller must wait. */
typedef struct {
    struct {
        void *base;
        size_t length;
    } pages[AIODEBUG_STACKCOPY_PAGES];
} aiodebug_stackcopy_scratch_t;

void aiodebug_stackcopy_take(aiodebug_stackcopy_t *copy, uintptr_t sp,
                             aiodebug_stackcopy_scratch_t *scratch);

/* Return addresses of the copied stack, innermost first. The first stands for the pc itself; where
 * a frame was interrupted, not left by a call, its address is one higher than the interrupted one:
 * so address - 1 lies in the right instruction for each of them. The copy is used up. */
int aiodebug_stackcopy_walk(aiodebug_stackcopy_t *copy,
                            const aiodebug_stackcopy_registers_t *registers, void **pcs, int max);

#endif
