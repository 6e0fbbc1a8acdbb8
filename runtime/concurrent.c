/* SPDX-License-Identifier: MIT */
/*
 * Bridges between threads: a future that any thread may complete, ask and wait for; a task in
 * another thread's loop behind one; a loop's own future in front of one.
 *
 * A concurrent future has a lock, and below it its state, the task behind it (a chain) and the
 * loops that wait for it (listeners). Chains and listeners are each freed by one place:
 *
 *   chain     made by run_coroutine_threadsafe(); its references: one for the start and then the
 *             task, one for each cancel on its way. The start, run in the loop, attaches it, so
 * that closing the loop completes the future. listener  made by wrap_future(); completing the
 * future posts it to its loop, where the wrapping future is completed. Taken back under the lock
 * when that goes first; once posted, it is freed in the loop.
 *
 * What is posted and never called (the loop was closed) comes back through
 * aiort__concurrent_dropped().
 */
#include "combine.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

typedef struct chain chain_t;

typedef struct listener {
    struct listener *next;
    aiort_loop_t *loop;
    aiort_future_t *future; /* the wrapping one; NULL: it is gone. Only in the loop's thread */
    aiort_concurrent_t *concurrent;
    aiort_handle_t *news; /* the call of deliver(), made while there was memory */
    bool posted;
} listener_t;

struct aiort_concurrent_s {
    aiort__object_t object;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    aiort_state_t state;
    void *result;
    aiort_error_t *error;
    chain_t *chain; /* while its task may be cancelled */
    listener_t *listeners;
};

struct chain {
    aiort__attached_t attached; /* first; once it has started */
    _Atomic unsigned refs;
    aiort_loop_t *loop;
    aiort_coroutine_t *coroutine; /* until it has started */
    aiort_concurrent_t *concurrent;
    aiort_future_t *task; /* while it is not done */
    aiort_handle_t *watch;
    aiort_handle_t *cancel; /* the call of cancel_task(), made in time; NULL: posted */
};

static const aiort_site_t start_site =
    AIORT__OWN_SITE("run_coroutine_threadsafe.<locals>.callback");
static const aiort_site_t state_site = AIORT__OWN_SITE("_chain_future.<locals>._call_set_state");
static const aiort_site_t cancel_site = AIORT__OWN_SITE("Task.cancel");

/* ---- The future itself ---- */

aiort_concurrent_t *aiort_concurrent_new(void)
{
    aiort_concurrent_t *concurrent = aiort__malloc(sizeof(*concurrent));
    pthread_condattr_t attributes;

    if (!concurrent) {
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(concurrent, 0, sizeof(*concurrent));
    concurrent->object.refs = 1;
    concurrent->object.kind = AIORT_KIND_CONCURRENT;
    concurrent->object.flags = AIORT__SHARED;
    pthread_mutex_init(&concurrent->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&concurrent->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    return concurrent;
}

void aiort__concurrent_destroy(aiort_concurrent_t *concurrent)
{
    pthread_cond_destroy(&concurrent->changed);
    pthread_mutex_destroy(&concurrent->lock);
    aiort_unref(concurrent->error);
    aiort__free(concurrent);
}

static int deliver(void *arg);
static int cancel_task(void *arg);
static void chain_unref(chain_t *chain);

/* With the lock held. Takes the error's reference over. false: it was done. */
static bool complete(aiort_concurrent_t *concurrent, aiort_state_t state, void *result,
                     aiort_error_t *error)
{
    if (concurrent->state != AIORT_PENDING) {
        aiort_unref(error);
        return false;
    }
    concurrent->state = state;
    concurrent->result = result;
    concurrent->error = error;
    pthread_cond_broadcast(&concurrent->changed);
    while (concurrent->listeners) {
        listener_t *listener = concurrent->listeners;
        aiort_handle_t *news = listener->news;
        concurrent->listeners = listener->next;
        listener->posted = true;
        listener->news = NULL;
        /* Refused when that loop is closed: then nobody waits, and its future frees the listener.
         */
        if (aiort__threadsafe_post(news)) {
            listener->posted = false;
        }
    }
    return true;
}

static int complete_by_program(aiort_concurrent_t *concurrent, void *result, aiort_error_t *error)
{
    aiort_state_t state = error && error->code == UV_ECANCELED ? AIORT_CANCELLED : AIORT_FINISHED;

    pthread_mutex_lock(&concurrent->lock);
    bool first = complete(concurrent, state, result, error);
    pthread_mutex_unlock(&concurrent->lock);
    return first ? 0 : aiort__fail(AIORT_EINVALIDSTATE);
}

int aiort_concurrent_set_result(aiort_concurrent_t *concurrent, void *result)
{
    return complete_by_program(concurrent, result, NULL);
}

int aiort_concurrent_set_error_object(aiort_concurrent_t *concurrent, aiort_error_t *error)
{
    if (!error) {
        return aiort__failf(UV_EINVAL, "an error is required");
    }
    return complete_by_program(concurrent, NULL, aiort_ref(error));
}

int aiort_concurrent_cancel(aiort_concurrent_t *concurrent)
{
    pthread_mutex_lock(&concurrent->lock);
    bool was_cancelled = concurrent->state == AIORT_CANCELLED;
    bool first = complete(concurrent, AIORT_CANCELLED, NULL, NULL);
    chain_t *chain = concurrent->chain;
    if (first && chain) {
        aiort_handle_t *handle = chain->cancel;
        concurrent->chain = NULL;
        chain->cancel = NULL;
        atomic_fetch_add(&chain->refs, 1);
        if (aiort__threadsafe_post(handle)) {
            chain_unref(chain);
        }
    }
    pthread_mutex_unlock(&concurrent->lock);
    return first || was_cancelled;
}

static aiort_state_t state_of(aiort_concurrent_t *concurrent)
{
    pthread_mutex_lock(&concurrent->lock);
    aiort_state_t state = concurrent->state;
    pthread_mutex_unlock(&concurrent->lock);
    return state;
}

int aiort_concurrent_done(aiort_concurrent_t *concurrent)
{
    return state_of(concurrent) != AIORT_PENDING;
}

int aiort_concurrent_cancelled(aiort_concurrent_t *concurrent)
{
    return state_of(concurrent) == AIORT_CANCELLED;
}

/* With the lock held. */
static void wait_until_done(aiort_concurrent_t *concurrent, double timeout)
{
    struct timespec until;
    double whole;

    if (timeout < 0 || timeout > 1e9) {
        while (concurrent->state == AIORT_PENDING) {
            pthread_cond_wait(&concurrent->changed, &concurrent->lock);
        }
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    double part = modf(timeout, &whole);
    until.tv_sec += (time_t)whole;
    until.tv_nsec += (long)(part * 1e9);
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    while (concurrent->state == AIORT_PENDING &&
           pthread_cond_timedwait(&concurrent->changed, &concurrent->lock, &until) != ETIMEDOUT) {
        ;
    }
}

int aiort_concurrent_result(aiort_concurrent_t *concurrent, double timeout, void **result)
{
    if (isnan(timeout)) {
        return aiort__failf(UV_EINVAL, "Invalid delay: NaN (not a number)");
    }
    pthread_mutex_lock(&concurrent->lock);
    wait_until_done(concurrent, timeout);
    aiort_state_t state = concurrent->state;
    aiort_error_t *error = aiort_ref(concurrent->error);
    if (state == AIORT_FINISHED && !error && result) {
        *result = concurrent->result;
    }
    pthread_mutex_unlock(&concurrent->lock);

    if (error) {
        int code = error->code;
        aiort__set_current_error(error);
        aiort_unref(error);
        return code;
    }
    if (state == AIORT_FINISHED) {
        return 0;
    }
    aiort__clear_error();
    return aiort__fail(state == AIORT_CANCELLED ? UV_ECANCELED : UV_ETIMEDOUT);
}

/* ---- A task behind it ---- */

static void chain_unref(chain_t *chain)
{
    if (atomic_fetch_sub(&chain->refs, 1) == 1) {
        if (chain->cancel) {
            aiort__threadsafe_drop(chain->cancel);
        }
        aiort_unref(chain->concurrent);
        aiort__free(chain);
    }
}

/* The chain ends: from now on nobody cancels its task. Takes the error's reference over. */
static void end_chain(chain_t *chain, aiort_state_t state, void *result, aiort_error_t *error)
{
    aiort_concurrent_t *concurrent = chain->concurrent;

    pthread_mutex_lock(&concurrent->lock);
    concurrent->chain = NULL;
    (void)complete(concurrent, state, result, error);
    pthread_mutex_unlock(&concurrent->lock);
}

static void leave_task(chain_t *chain)
{
    aiort__detach(chain->loop, &chain->attached);
    aiort__unwatch(chain->task, chain->watch);
    aiort__unref(&chain->task->object);
    chain->task = NULL;
    chain_unref(chain);
}

static int on_task_done(aiort_future_t *task, void *arg)
{
    chain_t *chain = arg;

    if (task->object.state == AIORT_CANCELLED) {
        end_chain(chain, AIORT_CANCELLED, NULL, aiort_ref(task->u.error));
    } else if (task->object.flags & AIORT__FAILED) {
        task->object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
        end_chain(chain, AIORT_FINISHED, NULL, aiort_ref(task->u.error));
    } else {
        end_chain(chain, AIORT_FINISHED, task->u.result, NULL);
    }
    leave_task(chain);
    return 0;
}

static void close_chain(aiort__attached_t *attached)
{
    chain_t *chain = (chain_t *)attached;

    end_chain(chain, AIORT_FINISHED, NULL, aiort__error_new(NULL, AIORT_ELOOPCLOSED, NULL, NULL));
    leave_task(chain);
}

/* In the loop. */
static int start_chain(void *arg)
{
    chain_t *chain = arg;
    aiort_coroutine_t *coroutine = chain->coroutine;

    chain->coroutine = NULL;
    if (aiort_concurrent_cancelled(chain->concurrent)) {
        aiort_coroutine_close(coroutine);
        chain_unref(chain);
        return 0;
    }
    aiort_task_t *task = aiort_create_task_at(NULL, chain->loop, coroutine, NULL);
    chain->task = (aiort_future_t *)task;
    chain->watch = task ? aiort__watch(chain->task, &state_site, on_task_done, chain) : NULL;
    if (!chain->watch) {
        int err = aiort_last_error();
        if (task) {
            aiort__task_cancel(task, NULL);
            aiort__unref(&task->future.object);
            chain->task = NULL;
        }
        end_chain(chain, AIORT_FINISHED, NULL, aiort__take_error(err));
        chain_unref(chain);
        return err;
    }
    aiort__attach(chain->loop, &chain->attached, close_chain);
    return 0;
}

/* In the loop. */
static int cancel_task(void *arg)
{
    chain_t *chain = arg;

    if (chain->task) {
        (void)aiort__future_cancel(chain->task, NULL);
    }
    chain_unref(chain);
    return 0;
}

aiort_concurrent_t *aiort_run_coroutine_threadsafe(aiort_coroutine_t *coroutine, aiort_loop_t *loop)
{
    aiort_concurrent_t *concurrent = coroutine ? aiort_concurrent_new() : NULL;
    chain_t *chain = concurrent ? aiort__malloc(sizeof(*chain)) : NULL;

    if (!coroutine) {
        aiort__not_made();
        return NULL;
    }
    aiort_handle_t *handle =
        chain ? aiort__threadsafe_handle(&cancel_site, loop, cancel_task, chain) : NULL;
    if (!handle) {
        aiort__free(chain);
        aiort_unref(concurrent);
        aiort_coroutine_close(coroutine);
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(chain, 0, sizeof(*chain));
    chain->cancel = handle;
    chain->refs = 1;
    chain->loop = loop;
    chain->coroutine = coroutine;
    chain->concurrent = aiort_ref(concurrent);
    concurrent->chain = chain;
    int err = aiort_call_soon_threadsafe_at(&start_site, loop, start_chain, chain, NULL);
    if (err) {
        concurrent->chain = NULL;
        aiort_coroutine_close(coroutine);
        chain_unref(chain);
        aiort_unref(concurrent);
        return aiort__fail_null(err);
    }
    return concurrent;
}

/* ---- A loop's future in front of it ---- */

typedef struct {
    aiort__special_t special;
    listener_t *listener;
} wrapped_t;

static void take_outcome(aiort_future_t *future, aiort_concurrent_t *concurrent)
{
    pthread_mutex_lock(&concurrent->lock);
    aiort_state_t state = concurrent->state;
    void *result = concurrent->result;
    aiort_error_t *error = aiort_ref(concurrent->error);
    pthread_mutex_unlock(&concurrent->lock);

    if (state == AIORT_CANCELLED) {
        aiort__future_cancelled(future, error);
    } else if (error) {
        aiort__future_fail(future, error);
    } else {
        aiort__future_finish(future, result);
    }
}

static void listener_free(listener_t *listener)
{
    if (listener->news) {
        aiort__threadsafe_drop(listener->news);
    }
    aiort_unref(listener->concurrent);
    aiort__free(listener);
}

/* In the loop. */
static int deliver(void *arg)
{
    listener_t *listener = arg;
    aiort_future_t *future = listener->future;

    if (future) {
        ((wrapped_t *)future)->listener = NULL;
        if (future->object.state == AIORT_PENDING) {
            take_outcome(future, listener->concurrent);
        }
    }
    listener_free(listener);
    return 0;
}

/* The wrapping future needs it no more. */
static void leave_listener(wrapped_t *wrapped)
{
    listener_t *listener = wrapped->listener;

    if (!listener) {
        return;
    }
    wrapped->listener = NULL;
    listener->future = NULL;
    pthread_mutex_lock(&listener->concurrent->lock);
    bool posted = listener->posted;
    for (listener_t **link = &listener->concurrent->listeners; *link; link = &(*link)->next) {
        if (*link == listener) {
            *link = listener->next;
            break;
        }
    }
    pthread_mutex_unlock(&listener->concurrent->lock);
    if (!posted) {
        listener_free(listener);
    }
}

static int cancel_wrapped(aiort_future_t *future, const char *message)
{
    wrapped_t *wrapped = (wrapped_t *)future;
    aiort_concurrent_t *concurrent =
        wrapped->listener ? aiort_ref(wrapped->listener->concurrent) : NULL;

    leave_listener(wrapped);
    aiort__future_cancelled(future,
                            message ? aiort__error_new(NULL, UV_ECANCELED, message, NULL) : NULL);
    if (concurrent) {
        (void)aiort_concurrent_cancel(concurrent);
        aiort_unref(concurrent);
    }
    return 1;
}

static void destroy_wrapped(aiort_future_t *future)
{
    leave_listener((wrapped_t *)future);
}

aiort_future_t *aiort_wrap_future_at(const aiort_site_t *site, aiort_concurrent_t *concurrent,
                                     aiort_loop_t *loop)
{
    (void)site;
    loop = loop ? loop : aiort__tls.running;
    if (!loop) {
        return aiort__fail_null(AIORT_ENOLOOP);
    }
    int err = aiort__check_thread(loop, NULL, "aiort_wrap_future");
    if (err) {
        return aiort__fail_null(err);
    }
    wrapped_t *wrapped = aiort__special_new(loop, AIORT__CLASS_SPECIAL, sizeof(*wrapped),
                                            cancel_wrapped, destroy_wrapped);
    listener_t *listener = wrapped ? aiort__malloc(sizeof(*listener)) : NULL;
    aiort_handle_t *news =
        listener ? aiort__threadsafe_handle(&state_site, loop, deliver, listener) : NULL;
    if (!news) {
        aiort__free(listener);
        if (wrapped) {
            aiort__unref(&wrapped->special.future.object);
        }
        return aiort__fail_null(UV_ENOMEM);
    }
    *listener = (listener_t){.loop = loop,
                             .news = news,
                             .future = &wrapped->special.future,
                             .concurrent = aiort_ref(concurrent)};
    wrapped->listener = listener;
    pthread_mutex_lock(&concurrent->lock);
    bool done = concurrent->state != AIORT_PENDING;
    if (!done) {
        listener->next = concurrent->listeners;
        concurrent->listeners = listener;
    }
    pthread_mutex_unlock(&concurrent->lock);
    if (done) {
        take_outcome(&wrapped->special.future, concurrent);
        leave_listener(wrapped);
    }
    return &wrapped->special.future;
}

/* ---- What was posted and never called ---- */

void aiort__concurrent_dropped(aiort_handle_t *handle)
{
    if (atomic_load((_Atomic uint8_t *)&handle->object.state) != 0) {
        return; /* it was called: see threadsafe.c, where 0 is WAITING */
    }
    if (handle->callback == start_chain) {
        chain_t *chain = handle->arg;
        aiort_coroutine_close(chain->coroutine);
        end_chain(chain, AIORT_FINISHED, NULL,
                  aiort__error_new(NULL, AIORT_ELOOPCLOSED, NULL, NULL));
        chain_unref(chain);
    } else if (handle->callback == cancel_task) {
        chain_unref(handle->arg);
    } else if (handle->callback == deliver) {
        listener_t *listener = handle->arg;
        if (listener->future) {
            ((wrapped_t *)listener->future)->listener = NULL;
        }
        listener_free(listener);
    }
}
