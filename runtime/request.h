/* SPDX-License-Identifier: MIT */
/*
 * A libuv request that a task waits for. It lies on the heap with all that libuv's pool may touch,
 * because it outlives a task that is cancelled while the pool works: then its callback frees it.
 */
#ifndef AIORT_REQUEST_H
#define AIORT_REQUEST_H

#include "internal.h"

typedef struct aiort__request {
    union {
        uv_req_t any;
        uv_fs_t fs;
        uv_getaddrinfo_t addrinfo;
        uv_getnameinfo_t nameinfo;
    } u; /* data: the request */
    aiort_future_t *future;
    /* Gives back what the request holds besides its memory; may be NULL. */
    void (*release)(struct aiort__request *request);
    ssize_t result;
    bool done;
    bool abandoned; /* nobody waits any more */
} aiort__request_t;

/* For the running task (stored in *task), `extra` bytes larger than its type. NULL: the code is the
 * current error. */
AIORT__HIDDEN aiort__request_t *aiort__request_new(aiort_task_t **task, size_t extra);
/* It was submitted (err: it could not be, then it is freed): waits. 0: it is done, and the caller
 * frees it; else the code, and it is no longer the caller's. */
AIORT__HIDDEN int aiort__request_await(aiort__request_t *request, aiort_task_t *task,
                                       const aiort_site_t *site, int err);
/* From libuv's callback. */
AIORT__HIDDEN void aiort__request_done(aiort__request_t *request, ssize_t result);
AIORT__HIDDEN void aiort__request_free(aiort__request_t *request);

#endif
