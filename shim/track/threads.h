/* SPDX-License-Identifier: MIT */
/*
 * What another thread of this process does now, and its stack.
 *
 * For the reporter's and the hang watch's threads: the calls read /proc and may wait. The one that
 * the rest of the shim needs most, aiodebug_stack_of_thread(), is declared in stacks.h.
 */
#ifndef AIODEBUG_TRACK_THREADS_H
#define AIODEBUG_TRACK_THREADS_H

#include <stdint.h>
#include <sys/types.h>

typedef enum {
    AIODEBUG_THREAD_UNKNOWN, /* no such thread, or /proc is not there */
    AIODEBUG_THREAD_RUNNING, /* on a processor, or waiting for one */
    AIODEBUG_THREAD_ASLEEP,  /* waiting in the kernel */
} aiodebug_thread_state_t;

typedef struct {
    aiodebug_thread_state_t state;
    /* When asleep: the system call's number and arguments; -1: not in a system call (a page
     * fault, or stopped). */
    long syscall;
    unsigned long arguments[6];
    uintptr_t sp, pc;
    uintptr_t reached; /* of a walk: as far up the stack as this, from sp; 0: there was none */
} aiodebug_thread_look_t;

/* What thread `tid` does now, without touching it. */
void aiodebug_thread_look(pid_t tid, aiodebug_thread_look_t *look);

/* Return addresses of thread `tid`, innermost first, nothing left out; as
 * aiodebug_stackcopy_walk() gives them. 0 when they cannot be had safely. `look` (may be NULL)
 * tells what the thread was doing then, and where its stack was. */
int aiodebug_thread_walk(pid_t tid, void **pcs, int max, aiodebug_thread_look_t *look);

/* Called by aiodebug_stack_after_fork_child(). */
void aiodebug_threads_after_fork_child(void);

#endif
