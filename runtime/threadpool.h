/* SPDX-License-Identifier: MIT */
/*
 * The inside of an executor, for threadpool.c, which runs it, and default_executor.c, which gives a
 * loop one of its own. Everything in the pool is under its lock.
 */
#ifndef AIORT_THREADPOOL_H
#define AIORT_THREADPOOL_H

#include "scope.h"

#include <pthread.h>

typedef struct aiort__threads {
    pthread_mutex_t lock;
    pthread_cond_t work; /* there is some, or it is shut */
    pthread_cond_t gone; /* the last thread is */
    struct job *first, *last;
    size_t queued;
    unsigned most, threads, idle;
    unsigned numbers; /* threads ever started */
    int refs;         /* the executor, its threads, its jobs */
    bool shut;
    aiort_handle_t *tell; /* a list: to be posted when the last thread goes */
    char name[11];
} aiort__threads_t;

struct aiort_executor_s {
    aiort__extended_t base;
    aiort__threads_t *pool;
};

/* Locked. No more work is taken on. */
AIORT__HIDDEN void aiort__threads_shut(aiort__threads_t *pool);
/* Locked. Takes a handle out of the list `tell`; false: it is not there any more. */
AIORT__HIDDEN bool aiort__threads_untell(aiort__threads_t *pool, const aiort_handle_t *handle);
/* aiort_executor_run(); with_context: the function sees, in a copy, the context variables that are
 * set here. name: of the public function, for its refusals. */
AIORT__HIDDEN aiort_future_t *aiort__executor_run(aiort_executor_t *executor, aiort_loop_t *loop,
                                                  aiort_work_fn function, void *arg,
                                                  bool with_context, const char *name);
/* default_executor.c: borrowed; NULL: UV_ENOMEM, AIORT_ESHUTDOWN. */
AIORT__HIDDEN aiort_executor_t *aiort__default_executor(aiort_loop_t *loop);

#endif
