/* SPDX-License-Identifier: MIT */
/*
 * What unwind.c found in libunwind, for the files of this directory only.
 *
 * Types come from the installed <libunwind.h>, functions by dlsym() under the names that header
 * gives them on this processor (_ULx86_64_step and so on): nothing links to libunwind.
 */
#ifndef AIODEBUG_TRACK_UNWIND_OPS_H
#define AIODEBUG_TRACK_UNWIND_OPS_H

#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct {
    int (*backtrace)(void **pcs, int max);
    /* The cursor; all NULL or none. */
    int (*init_local2)(unw_cursor_t *, unw_context_t *, int flag);
    int (*step)(unw_cursor_t *);
    int (*get_reg)(unw_cursor_t *, unw_regnum_t, unw_word_t *);
    int (*get_proc_info)(unw_cursor_t *, unw_proc_info_t *);
    int (*is_signal_frame)(unw_cursor_t *);
    int (*get_save_loc)(unw_cursor_t *, int, unw_save_loc_t *); /* NULL also alone */
} aiodebug_unwind_ops_t;

/* Written once by aiodebug_unwind_init(); all NULL before and when there is no libunwind. */
extern aiodebug_unwind_ops_t aiodebug_unwind_ops;

/* The mark behind aiodebug_unwind_busy(). Only its own thread and signal handlers on that thread
 * look at it, so it needs no atomics but must be written before what it guards. */
extern _Thread_local volatile bool aiodebug_unwind_mark __attribute__((tls_model("initial-exec")));

/* False: the thread is in the unwinder already, leave. */
static inline bool aiodebug_unwind_enter(void)
{
    if (aiodebug_unwind_mark)
        return false;
    aiodebug_unwind_mark = true;
    atomic_signal_fence(memory_order_seq_cst);
    return true;
}

static inline void aiodebug_unwind_leave(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    aiodebug_unwind_mark = false;
}

/* unwind_quiet.c: makes the libunwind of this dlopen() handle, which must not have unwound yet,
 * check addresses without keeping a pipe open. False when it cannot be done; nothing is changed
 * then. */
bool aiodebug_unwind_quiet(void *handle);

#endif
