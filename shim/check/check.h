/* SPDX-License-Identifier: MIT */
/*
 * The checks, one function for each event at which something can be wrong. interpose/ calls them;
 * each looks at what track/ knows and, where something is wrong, submits a record.
 */
#ifndef AIODEBUG_CHECK_CHECK_H
#define AIODEBUG_CHECK_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include <aiort.h>

#include "../report/record.h"
#include "../track/stacks.h"

/* reports.c: what the runtime itself noticed. 1: it was logged (or is not wanted). */
int aiodebug_check_report(aiort_loop_t *loop, const aiort_report_t *report);
/* Fills in where the objects were created. */
void aiodebug_check_enrich(aiort_loop_t *loop, aiort_report_t *report);

/* timing.c: a step that took so many ticks; the selector. */
void aiodebug_check_slow_step(aiort_loop_t *loop, const void *ended, uint64_t ticks);
/* One that is not slow, but may be among the dearest of its turn. */
void aiodebug_check_dear_step(const void *ended, uint64_t ticks);
/* A turn of the loop, from poll to poll, has ended. */
void aiodebug_check_turn(aiort_loop_t *loop);
void aiodebug_check_poll(aiort_loop_t *loop, double timeout, uint64_t ticks, int events);

/* ownership.c. Who called, from where: this thread. And what the loop's thread was at, the first
 * few times for each place of call. */
void aiodebug_check_add_caller(aiodebug_record_t *r, aiodebug_stack_t call);
void aiodebug_check_add_owner(aiodebug_record_t *r, aiodebug_stack_t call, int owner);
/* A call on a loop that runs in another thread. 0: let it through. */
int aiodebug_check_wrong_thread(aiort_loop_t *loop, const void *object, const char *function);

/* lifetime.c */
void aiodebug_check_invalid_state(aiort_future_t *future, const char *function);
void aiodebug_check_pending_at_close(aiort_loop_t *loop, size_t pending);
void aiodebug_check_unclosed_loop(aiort_loop_t *loop, uint32_t trace);
/* At exit: every loop nobody closed. */
void aiodebug_check_unclosed_loops(void);
/* A transport or a server that nobody closed. */
void aiodebug_check_unclosed_transport(aiort_loop_t *loop, void *object);
/* At exit: every one that is still open. */
void aiodebug_check_unclosed_transports(void);
/* In a signal handler. */
void aiodebug_check_stack_overflow(const char *name, size_t size, const void *ucontext);

#endif
