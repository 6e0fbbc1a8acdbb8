/* SPDX-License-Identifier: MIT */
/* Requests that a task waits for: see request.h. */
#include "request.h"

#include <string.h>

aiort__request_t *aiort__request_new(aiort_task_t **task, size_t extra)
{
    *task = aiort_current_task();
    if (!*task) {
        return aiort__fail_null(AIORT_ENOTASK);
    }
    aiort__request_t *request = aiort__malloc(sizeof(*request) + extra);
    aiort_future_t *future = request ? aiort__future_new((*task)->future.object.loop) : NULL;
    if (!future) {
        aiort__free(request);
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(request, 0, sizeof(*request));
    request->future = future;
    request->u.any.data = request;
    return request;
}

void aiort__request_free(aiort__request_t *request)
{
    if (request->release) {
        request->release(request);
    }
    aiort__free(request);
}

int aiort__request_await(aiort__request_t *request, aiort_task_t *task, const aiort_site_t *site,
                         int err)
{
    aiort_future_t *future = request->future;

    if (err) {
        request->release = NULL; /* it holds nothing yet */
        aiort__request_free(request);
        aiort__unref(&future->object);
        return aiort__fail(err);
    }
    err = aiort__await_future(task, site, future, NULL);
    aiort__unref(&future->object);
    if (request->done) {
        if (err) { /* cancelled in the same turn in which it ended */
            aiort__request_free(request);
        }
        return err;
    }
    request->abandoned = true;
    (void)uv_cancel(&request->u.any); /* what runs, runs to its end */
    return err;
}

void aiort__request_done(aiort__request_t *request, ssize_t result)
{
    request->result = result;
    if (request->abandoned) {
        aiort__request_free(request);
        return;
    }
    request->done = true;
    if (request->future->object.state == AIORT_PENDING) {
        aiort__future_finish(request->future, NULL);
    }
}
