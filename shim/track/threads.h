/* SPDX-License-Identifier: MIT */
/*
 * The stack of another thread of this process. Its one function for the rest of the shim,
 * aiodebug_stack_of_thread(), is declared in stacks.h; here is what tests and fork handling need.
 */
#ifndef AIODEBUG_TRACK_THREADS_H
#define AIODEBUG_TRACK_THREADS_H

#include <sys/types.h>

/* What a thread was doing when its stack was asked for. */
typedef enum {
    AIODEBUG_THREAD_GONE,    /* no such thread */
    AIODEBUG_THREAD_RUNNING, /* on a processor, or waiting for one */
    AIODEBUG_THREAD_ASLEEP,  /* in a system call */
} aiodebug_thread_state_t;

typedef struct {
    aiodebug_thread_state_t state;
    long syscall; /* number, when asleep; -1: asleep outside a system call (a page fault) */
    long arguments[6];
} aiodebug_thread_look_t;

/* Raw return addresses of thread `tid`, innermost first (internal frames included); 0 when they
 * cannot be had safely. `look` (may be NULL) tells what the thread was doing. */
int aiodebug_thread_walk(pid_t tid, void **pcs, int max, aiodebug_thread_look_t *look);

/* What thread `tid` does now, without touching it. */
void aiodebug_thread_look(pid_t tid, aiodebug_thread_look_t *look);

/* In the child of a fork(). */
void aiodebug_threads_after_fork_child(void);

#endif
