/* SPDX-License-Identifier: MIT */
/*
 * What the shim knows of libaiort: the table of accessors the library gave when it was loaded, the
 * loop that runs in this thread with the clock of its steps, and the list of all loops.
 *
 * The clock: one read at the end of a step; the end of one is the start of the next. What the shim
 * itself takes to report a slow step is left out of the next one.
 *
 * Reading it is most of what a step's timing costs. While the coarse clock stands still, some
 * milliseconds, nothing was slow since it was read; so it is read once in AIODEBUG_UNREAD + 1 steps,
 * or when that clock has moved, and a step is taken to have begun when it was read: by some steps too
 * early, which all together have taken less than that clock's step. In a turn that takes long the
 * further steps are timed one by one.
 */
#ifndef AIODEBUG_TRACK_RUNTIME_H
#define AIODEBUG_TRACK_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include <aiort.h>

/* NULL until libaiort is loaded. */
extern const aiort_instrument_api_t *aiodebug_aiort;

void aiodebug_runtime_attach(const aiort_instrument_api_t *api);

typedef struct {
    aiort_loop_t *loop;   /* that runs in this thread, or NULL */
    uint64_t last;        /* ticks at the end of the last step */
    int64_t slow;         /* ticks from which a step is slow; INT64_MAX: never */
    int64_t notable;      /* ticks from which a step is looked at: slow, or dear to its turn */
    double seconds;       /* what slow was reckoned from; negative: never slow */
    uint32_t rests;       /* so often it need not be reckoned again if that is the same: the length of
                             a tick becomes better known in the first seconds */
    uint64_t poll_start;  /* ticks */
    uint64_t turn_start;  /* ticks at the end of the last poll */
    uint64_t excused;     /* ticks of the turn that were reported already, or were the shim's own */
    uint32_t steps;       /* callbacks and steps of the turn */
    bool coarse;          /* the coarse clock may be looked at instead, */
    bool exact;           /* but not in what is left of this turn */
    bool polling;         /* poll_start was just now, or the selector waits */
    bool fresh;           /* nothing is known of this turn's dearest steps */
    uint32_t spared;      /* so many ends may go by unseen from the last count on, */
    uint32_t left;        /* and so many still */
    uint64_t stood;       /* the coarse clock when the other one was read */
    aiort_instrument_pace_t *pace; /* the loop's, or NULL */
    bool paced;           /* the loop counts `left` down itself */
    bool building;        /* a record is being built: reprs keep references (report/record.h) */
} aiodebug_thread_t;

extern _Thread_local aiodebug_thread_t aiodebug_thread;

/* The loop starts to run in this thread (NULL: none does any more). */
void aiodebug_runtime_running(aiort_loop_t *loop);
/* Reads the thresholds of the loop again: they, or its debug mode, may have been changed. */
void aiodebug_runtime_thresholds(void);
/* The threshold has been set: may the coarse clock be looked at? */
void aiodebug_runtime_precision(void);
double aiodebug_runtime_slow_seconds(const aiort_loop_t *loop);
int64_t aiodebug_runtime_slow_ticks(const aiort_loop_t *loop);

enum { AIODEBUG_UNREAD = 255 };

/* The clock was read. */
void aiodebug_runtime_read(uint64_t now);
/* Adds the steps that went by unseen. */
void aiodebug_runtime_count(void);

/* A poll has ended: a turn begins. */
void aiodebug_runtime_turn(uint64_t now);

/* Every loop that was made and not closed. A loop's memory never goes before it is closed, so what
 * is in the list may be looked at. The functions lock a mutex: they are for what happens once in a
 * loop's life. */
void aiodebug_loops_add(aiort_loop_t *loop, uint32_t trace);
/* Forgets it; true when it was still in the list. */
bool aiodebug_loops_remove(aiort_loop_t *loop);
void aiodebug_loops_unclosed(void (*fn)(aiort_loop_t *loop, uint32_t trace));
void aiodebug_loops_after_fork_child(void);

/* An object's repr with references instead of names, for a record. Returns buf. */
const char *aiodebug_repr(const void *object, char *buf, size_t size);

/* The trace without what lies outside of the innermost run of the program's frames: for an error,
 * the frames from the callback or coroutine to the raise. */
uint32_t aiodebug_trace_of_error(uint32_t trace);

/* Where a suspended task waits, 0 when it is not suspended. */
uint32_t aiodebug_trace_suspended(const aiort_task_t *task);

#endif
