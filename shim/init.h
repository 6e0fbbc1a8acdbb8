/* SPDX-License-Identifier: MIT */
/*
 * When the shim starts, and when it stops.
 *
 * Loaded into a process it does next to nothing (init.c). A wrapper that sees the first use of
 * one of the libraries asks aiodebug_on(), which starts the rest: complaints about the
 * environment, the clock, the unwinder, fork handling. It is never torn down: wrappers run after
 * every destructor.
 */
#ifndef AIODEBUG_INIT_H
#define AIODEBUG_INIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

enum { AIODEBUG_NEW, AIODEBUG_STARTING, AIODEBUG_ON, AIODEBUG_OFF };

extern _Atomic int aiodebug_state;

/* Starts the shim if nobody has yet; see aiodebug_on(). Idempotent, any thread. */
bool aiodebug_start(void);

/* Whether the shim is at work. False when AIODEBUG=0 or the program is set-user-id, and to
 * whoever asks while this thread is starting it further up. While another one does, it waits. One
 * load. */
static inline bool aiodebug_on(void)
{
    int state = atomic_load_explicit(&aiodebug_state, memory_order_acquire);
    return __builtin_expect(state == AIODEBUG_ON, 1) || (state < AIODEBUG_ON && aiodebug_start());
}

/* This process, as the shim knows it. Another number from getpid() means a child of vfork() or a
 * bare clone(), whose memory may be its parent's: nothing of the shim may be touched there. */
extern _Atomic pid_t aiodebug_pid;
bool aiodebug_in_own_process(void);

/* The program's name without directories. */
extern char aiodebug_program[64];

/* Tells Valgrind that nobody needs to have written this, since what is found there is not believed.
 */
extern bool aiodebug_on_valgrind;
void aiodebug_may_read(const void *memory, size_t size);

/* Up to 8 functions each. Called at normal exit, after the program's own atexit handlers and all
 * destructors, while records can still be submitted; and in the child of each fork(), where only
 * what is async-signal-safe may be done. */
void aiodebug_at_exit(void (*function)(void));
void aiodebug_at_fork_child(void (*function)(void));

/* What the wrappers in interpose/libc.c do before the real call ends the process image: all that
 * was reported is written out, within two seconds. */
void aiodebug_leave(void);

/* The exit status to use instead of this one (AIODEBUG_EXITCODE). */
int aiodebug_exit_status(int status);

/* quick_exit() was called with this status. */
void aiodebug_note_quick_exit(int status);

#endif
