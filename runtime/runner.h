/* SPDX-License-Identifier: MIT */
/*
 * Running a main coroutine, for run.c (one), runner.c (several in one loop) and runner_sigint.c
 * (Ctrl-C meanwhile).
 */
#ifndef AIORT_RUNNER_H
#define AIORT_RUNNER_H

#include "context_vars.h"

#include <signal.h>

/* ---- run.c ---- */

/* Runs the awaitable to its end, in the context (NULL: a task begins with a copy of the current
 * one). A coroutine is taken over, also on failure. */
AIORT__HIDDEN int aiort__run_main(const aiort_site_t *site, aiort_loop_t *loop,
                                  aiort_awaitable_t *awaitable, aiort_context_t *context,
                                  void **result);
/* Cancels what is left and waits for it, waits for the default executor's threads, closes. */
AIORT__HIDDEN void aiort__run_close(aiort_loop_t *loop);

/* ---- runner_sigint.c ---- */

typedef struct {
    aiort_future_t *main;               /* borrowed */
    aiort_handle_t *handle;             /* with a reference; NULL: SIGINT is not ours */
    _Atomic(aiort_handle_t *) unposted; /* the same, with another one, until the first SIGINT */
    _Atomic int count;
    int pid;
    bool cancelled;
} aiort__interrupt_t;

/* From begin to end, the first SIGINT cancels the future, and a second one ends the process; if
 * this is the process's main thread and nobody else has set SIGINT. begin: 0, or UV_ENOMEM. */
AIORT__HIDDEN int aiort__interrupt_begin(aiort__interrupt_t *interrupt, aiort_future_t *main);
/* Whether the future was cancelled by it. */
AIORT__HIDDEN bool aiort__interrupt_end(aiort__interrupt_t *interrupt);

#endif
