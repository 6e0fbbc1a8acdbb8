/* SPDX-License-Identifier: MIT */
/*
 * run_in_executor(): a call on a thread of libuv's pool.
 *
 * The request holds the future until libuv says that the call has ended, so that the loop's memory
 * is there; a loop that is closed meanwhile waits for it (an own one), or hears of it later.
 */
#include "combine.h"

typedef struct {
    uv_work_t request;
    aiort_work_fn function;
    void *arg;
    void *result;
    aiort_error_t *error;
    aiort_future_t *future;
} work_t;

typedef struct {
    aiort__special_t special;
    work_t *work; /* NULL: it has ended */
} executed_t;

/* On the pool's thread. */
static void on_work(uv_work_t *request)
{
    work_t *work = request->data;
    int err = work->function(work->arg, &work->result);

    if (err < 0) {
        work->error = aiort__take_error(err);
    }
    aiort__clear_error();
}

static void on_worked(uv_work_t *request, int status)
{
    work_t *work = request->data;
    aiort_future_t *future = work->future;

    ((executed_t *)future)->work = NULL;
    if (future->object.state != AIORT_PENDING) {
        aiort_unref(work->error);
    } else if (status == UV_ECANCELED) {
        aiort__future_cancelled(future, NULL);
    } else if (!work->error) {
        aiort__future_finish(future, work->result);
    } else if (work->error->code == UV_ECANCELED) {
        aiort__future_cancelled(future, work->error);
    } else {
        aiort__future_fail(future, work->error);
    }
    aiort__unref(&future->object);
    aiort__free(work);
}

static int cancel(aiort_future_t *future, const char *message)
{
    work_t *work = ((executed_t *)future)->work;

    if (work) {
        (void)uv_cancel((uv_req_t *)&work->request); /* UV_EBUSY: it runs, and runs on */
    }
    aiort__future_cancelled(future,
                            message ? aiort__error_new(NULL, UV_ECANCELED, message, NULL) : NULL);
    return 1;
}

static void destroy(aiort_future_t *future)
{
    (void)future;
}

static int check(aiort_loop_t *loop, aiort_work_fn function)
{
    if (!loop) {
        return aiort__fail(AIORT_ENOLOOP);
    }
    return aiort__callback_check(loop, (const void *)(uintptr_t)function, "aiort_run_in_executor");
}

aiort_future_t *aiort_run_in_executor_at(const aiort_site_t *site, aiort_loop_t *loop,
                                         aiort_work_fn function, void *arg)
{
    (void)site;
    loop = loop ? loop : aiort__tls.running;
    if (check(loop, function)) {
        return NULL;
    }
    executed_t *executed =
        aiort__special_new(loop, AIORT__CLASS_SPECIAL, sizeof(*executed), cancel, destroy);
    if (!executed) {
        return NULL;
    }
    aiort_future_t *future = &executed->special.future;
    work_t *work = aiort__malloc(sizeof(*work));
    if (!work) {
        aiort__unref(&future->object);
        return aiort__fail_null(UV_ENOMEM);
    }
    *work = (work_t){.function = function, .arg = arg, .future = future};
    work->request.data = work;
    int err = uv_queue_work(loop->uv->loop, &work->request, on_work, on_worked);
    if (err) {
        aiort__free(work);
        aiort__unref(&future->object);
        return aiort__fail_null(err);
    }
    executed->work = work;
    aiort__ref(&future->object);
    return future;
}
