/* SPDX-License-Identifier: MIT */
/*
 * Executors: threads that run blocking functions, and futures for what they return.
 *
 * The pool is apart from the executor object, which is the program's handle on it: it lives until
 * the last of its threads has gone. Everything in it, and in its jobs, is under its lock.
 *
 * A job belongs to two sides, the pool's and the loop's, and goes when both have let go of it. The
 * handle by which a thread tells the loop is made with the job, so that the news cannot fail for
 * want of memory; it is posted under the lock, so that a loop that is being closed, which takes the
 * handle back under the lock, is never told too late. The loop's side holds the future.
 */
#include "combine.h"
#include "context_vars.h"
#include "threadpool.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { QUEUED, RUNNING, ENDED };

typedef struct executed executed_t;

typedef struct job {
    struct job *previous, *next; /* while QUEUED */
    aiort__threads_t *pool;
    aiort_work_fn function;
    void *arg;
    void *result;
    aiort_error_t *error;           /* with a reference */
    struct aiort__context *context; /* with a reference, where with_context */
    bool with_context;              /* it sees its submitter's context variables */
    aiort_handle_t *handle;         /* to be posted; NULL: nobody wants to know, or it has been */
    executed_t *executed;           /* the loop's side */
    int state;
    int sides;
} job_t;

struct executed {
    aiort__special_t special;
    aiort__attached_t attached; /* while there is a job */
    job_t *job;                 /* NULL: it has ended, or was taken back */
};

/* ---- The pool ---- */

static void pool_unlock_unref(aiort__threads_t *pool)
{
    bool last = --pool->refs == 0;

    pthread_mutex_unlock(&pool->lock);
    if (last) {
        pthread_cond_destroy(&pool->work);
        pthread_cond_destroy(&pool->gone);
        pthread_mutex_destroy(&pool->lock);
        aiort__free(pool);
    }
}

/* Locked on entry, not on return: the pool may go with the job. */
static void job_release_unlock(job_t *job)
{
    aiort__threads_t *pool = job->pool;

    if (--job->sides > 0) {
        pthread_mutex_unlock(&pool->lock);
        return;
    }
    aiort_error_t *error = job->error;
    aiort__context_unref(job->context);
    aiort__free(job);
    pool_unlock_unref(pool);
    aiort_unref(error);
}

static void enqueue(aiort__threads_t *pool, job_t *job)
{
    job->next = NULL;
    job->previous = pool->last;
    if (pool->last) {
        pool->last->next = job;
    } else {
        pool->first = job;
    }
    pool->last = job;
    pool->queued++;
}

static void dequeue(aiort__threads_t *pool, job_t *job)
{
    if (job->previous) {
        job->previous->next = job->next;
    } else {
        pool->first = job->next;
    }
    if (job->next) {
        job->next->previous = job->previous;
    } else {
        pool->last = job->previous;
    }
    pool->queued--;
}

/* ---- Its threads ---- */

/* In the context that was current where it was submitted, or in the thread's own. */
static int call(const job_t *job, void **result)
{
    if (!job->with_context) {
        return job->function(job->arg, result);
    }
    struct aiort__context *before = aiort__context_enter(job->context);
    int err = job->function(job->arg, result);
    aiort__context_leave(before);
    return err;
}

/* Locked on entry, and on return. The loop is told, and the pool's side lets go of the job; the
 * pool stays: whoever calls this holds it. */
static void end_job(aiort__threads_t *pool, job_t *job, void *result, aiort_error_t *error)
{
    job->result = result;
    job->error = error;
    job->state = ENDED;
    if (job->handle) {
        aiort_handle_t *handle = job->handle;
        job->handle = NULL;
        (void)aiort__threadsafe_post(handle); /* refused: the close of the loop sees to the job */
    }
    job_release_unlock(job);
    pthread_mutex_lock(&pool->lock);
}

/* Locked on entry, and on return. */
static void run_job(aiort__threads_t *pool, job_t *job)
{
    void *result = NULL;

    dequeue(pool, job);
    job->state = RUNNING;
    pthread_mutex_unlock(&pool->lock);
    int err = call(job, &result);
    aiort_error_t *error = err < 0 ? aiort__take_error(err) : NULL;
    aiort__clear_error();
    pthread_mutex_lock(&pool->lock);
    end_job(pool, job, result, error);
}

/* Locked on entry, and on return. */
static void cancel_queued(aiort__threads_t *pool)
{
    while (pool->first) {
        job_t *job = pool->first;
        dequeue(pool, job);
        end_job(pool, job, NULL, aiort__error_new(NULL, UV_ECANCELED, NULL, NULL));
    }
}

static void tell(aiort__threads_t *pool)
{
    while (pool->tell) {
        aiort_handle_t *handle = pool->tell;
        pool->tell = (aiort_handle_t *)handle->object.next;
        (void)aiort__threadsafe_post(handle);
    }
}

bool aiort__threads_untell(aiort__threads_t *pool, const aiort_handle_t *handle)
{
    aiort_handle_t *previous = NULL;

    for (aiort_handle_t *h = pool->tell; h; previous = h, h = (aiort_handle_t *)h->object.next) {
        if (h == handle && previous) {
            previous->object.next = h->object.next;
        } else if (h == handle) {
            pool->tell = (aiort_handle_t *)h->object.next;
        }
        if (h == handle) {
            return true;
        }
    }
    return false;
}

static void *thread_main(void *arg)
{
    aiort__threads_t *pool = arg;
    char name[16];

    pthread_mutex_lock(&pool->lock);
    snprintf(name, sizeof(name), "%s-%u", pool->name, pool->numbers++ % 1000);
    (void)pthread_setname_np(pthread_self(), name);
    while (pool->first || !pool->shut) {
        if (pool->first) {
            run_job(pool, pool->first);
            continue;
        }
        pool->idle++;
        pthread_cond_wait(&pool->work, &pool->lock);
        pool->idle--;
    }
    if (--pool->threads == 0) {
        pthread_cond_broadcast(&pool->gone);
        tell(pool);
    }
    pool_unlock_unref(pool);
    return NULL;
}

/* Locked. Signals are for the program's own threads. */
static int start_thread(aiort__threads_t *pool)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    if (pthread_attr_init(&attributes)) {
        return UV_ENOMEM;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&thread, &attributes, thread_main, pool);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (err) {
        return -err;
    }
    pool->threads++;
    pool->refs++;
    return 0;
}

/* 0, or why nobody would ever run it. */
static int submit(aiort__threads_t *pool, job_t *job)
{
    int err = 0;

    pthread_mutex_lock(&pool->lock);
    if (pool->shut) {
        err = AIORT_ESHUTDOWN;
    } else {
        enqueue(pool, job);
        if (pool->queued > pool->idle && pool->threads < pool->most) {
            err = start_thread(pool);
        }
        if (err && pool->threads == 0) {
            dequeue(pool, job);
        } else {
            err = 0; /* those there are will do */
            pool->refs++;
            pthread_cond_signal(&pool->work);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return err;
}

void aiort__threads_shut(aiort__threads_t *pool)
{
    pool->shut = true;
    pthread_cond_broadcast(&pool->work);
}

/* ---- The executor ---- */

static size_t executor_repr(const void *self, char *buf, size_t size)
{
    int length = snprintf(buf, size, "<Executor object at %p>", self);

    return length > 0 ? (size_t)length : 0;
}

static void executor_destroy(void *self)
{
    aiort_executor_t *executor = self;

    pthread_mutex_lock(&executor->pool->lock);
    aiort__threads_shut(executor->pool);
    pool_unlock_unref(executor->pool);
    aiort__free(executor);
}

static unsigned default_threads(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);

    return processors < 1 ? 5 : processors > 28 ? 32 : (unsigned)processors + 4;
}

static aiort__threads_t *pool_new(const aiort_executor_options_t *options)
{
    aiort__threads_t *pool = aiort__malloc(sizeof(*pool));
    pthread_condattr_t attributes;

    if (!pool || pthread_condattr_init(&attributes)) {
        aiort__free(pool);
        return NULL;
    }
    memset(pool, 0, sizeof(*pool));
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->gone, &attributes);
    pthread_condattr_destroy(&attributes);
    pool->refs = 1;
    pool->most = options && options->threads ? options->threads : default_threads();
    snprintf(pool->name, sizeof(pool->name), "%s",
             options && options->name ? options->name : "aiort");
    return pool;
}

aiort_executor_t *aiort_executor_new(const aiort_executor_options_t *options)
{
    aiort_executor_t *executor = aiort__malloc(sizeof(*executor));
    aiort__threads_t *pool = executor ? pool_new(options) : NULL;

    if (!pool) {
        if (executor) {
            aiort__free(executor);
        }
        return aiort__fail_null(UV_ENOMEM);
    }
    aiort__scope_init(&executor->base, NULL, AIORT_KIND_EXECUTOR, executor_destroy, executor_repr);
    executor->base.object.flags = AIORT__SHARED;
    executor->pool = pool;
    return executor;
}

int aiort_executor_shutdown(aiort_executor_t *executor, double timeout)
{
    return aiort_executor_shutdown_with(executor, timeout, 0);
}

int aiort_executor_shutdown_with(aiort_executor_t *executor, double timeout, int flags)
{
    aiort__threads_t *pool = executor->pool;
    struct timespec until;
    int err = 0;

    clock_gettime(CLOCK_MONOTONIC, &until);
    if (timeout > 0) {
        /* A year is as good as for ever, and fits every time_t. */
        uint64_t wait =
            aiort__nanoseconds(timeout < 3.2e7 ? timeout : 3.2e7) + (uint64_t)until.tv_nsec;
        until.tv_sec += (time_t)(wait / 1000000000);
        until.tv_nsec = (long)(wait % 1000000000);
    }
    pthread_mutex_lock(&pool->lock);
    aiort__threads_shut(pool);
    if (flags & AIORT_CANCEL_FUTURES) {
        cancel_queued(pool);
    }
    while (pool->threads > 0 && timeout > 0 && err != ETIMEDOUT) {
        err = pthread_cond_timedwait(&pool->gone, &pool->lock, &until);
    }
    err = pool->threads > 0 && timeout > 0 ? UV_ETIMEDOUT : 0;
    pthread_mutex_unlock(&pool->lock);
    return err ? aiort__fail(err) : 0;
}

/* ---- The loop's side of a job ---- */

/* The job is done with: the future is on its own. */
static void let_go(executed_t *executed)
{
    job_t *job = executed->job;
    aiort__threads_t *pool = job->pool;

    executed->job = NULL;
    aiort__detach(executed->special.future.object.loop, &executed->attached);
    pthread_mutex_lock(&pool->lock);
    job_release_unlock(job);
    aiort__unref(&executed->special.future.object);
}

static int on_ended(void *arg)
{
    job_t *job = arg;
    executed_t *executed = job->executed;
    aiort_future_t *future = &executed->special.future;

    pthread_mutex_lock(&job->pool->lock); /* what the thread wrote before it posted */
    aiort_error_t *error = aiort_ref(job->error);
    void *result = job->result;
    pthread_mutex_unlock(&job->pool->lock);
    if (future->object.state != AIORT_PENDING) {
        aiort_unref(error);
    } else if (!error) {
        aiort__future_finish(future, result);
    } else if (error->code == UV_ECANCELED) {
        aiort__future_cancelled(future, error);
    } else {
        aiort__future_fail(future, error);
    }
    let_go(executed);
    return 0;
}

/* Takes a job back if nobody has begun it; else, if it is forgotten, tells the thread so. true: it
 * will never be heard of again. */
static bool take_back(job_t *job, bool forget)
{
    aiort_handle_t *handle = NULL;

    pthread_mutex_lock(&job->pool->lock);
    bool back = job->state == QUEUED;
    if (back) {
        dequeue(job->pool, job);
        job->state = ENDED;
        job->sides--;
    }
    if (back || forget) {
        handle = job->handle;
        job->handle = NULL;
    }
    pthread_mutex_unlock(&job->pool->lock);
    if (handle) {
        aiort__threadsafe_drop(handle);
    }
    return back || forget;
}

static int cancel(aiort_future_t *future, const char *message)
{
    executed_t *executed = (executed_t *)future;

    aiort__future_cancelled(future,
                            message ? aiort__error_new(NULL, UV_ECANCELED, message, NULL) : NULL);
    if (executed->job && take_back(executed->job, false)) {
        let_go(executed);
    }
    return 1;
}

/* The loop is closed: nothing is posted to it any more. */
static void on_close(aiort__attached_t *attached)
{
    executed_t *executed = (executed_t *)((char *)attached - offsetof(executed_t, attached));

    (void)take_back(executed->job, true);
    let_go(executed);
}

static void destroy(aiort_future_t *future)
{
    (void)future; /* it outlives its job */
}

/* ---- Submitting ---- */

static job_t *job_new(aiort_loop_t *loop, aiort__threads_t *pool, aiort_work_fn function, void *arg)
{
    job_t *job = aiort__malloc(sizeof(*job));

    if (!job) {
        return aiort__fail_null(UV_ENOMEM);
    }
    *job = (job_t){.pool = pool, .function = function, .arg = arg, .sides = 2};
    job->handle = aiort__threadsafe_handle(NULL, loop, on_ended, job);
    if (!job->handle) {
        aiort__free(job);
        return NULL;
    }
    return job;
}

aiort_future_t *aiort__executor_run(aiort_executor_t *executor, aiort_loop_t *loop,
                                    aiort_work_fn function, void *arg, bool with_context,
                                    const char *name)
{
    loop = loop ? loop : aiort__tls.running;
    if (!loop) {
        return aiort__fail_null(AIORT_ENOLOOP);
    }
    if (aiort__callback_check(loop, (const void *)(uintptr_t)function, name)) {
        return NULL;
    }
    executor = executor ? executor : aiort__default_executor(loop);
    job_t *job = executor ? job_new(loop, executor->pool, function, arg) : NULL;
    if (!job) {
        return NULL;
    }
    if (with_context) {
        job->with_context = true;
        job->context = aiort__context_take(*aiort__context_slot());
    }
    executed_t *executed =
        aiort__special_new(loop, AIORT__CLASS_SPECIAL, sizeof(*executed), cancel, destroy);
    int err = executed ? 0 : UV_ENOMEM;
    if (!err) {
        job->executed = executed;
        executed->job = job;
        err = submit(executor->pool, job);
    }
    if (err) {
        aiort__threadsafe_drop(job->handle);
        aiort__context_unref(job->context);
        aiort__free(job);
        if (executed) {
            aiort__unref(&executed->special.future.object);
        }
        return err == AIORT_ESHUTDOWN
                   ? (aiort__failf(err, "cannot schedule new futures after shutdown"), NULL)
                   : aiort__fail_null(err);
    }
    aiort__attach(loop, &executed->attached, on_close);
    aiort__ref(&executed->special.future.object);
    return &executed->special.future;
}

aiort_future_t *aiort_executor_run_at(const aiort_site_t *site, aiort_executor_t *executor,
                                      aiort_loop_t *loop, aiort_work_fn function, void *arg)
{
    (void)site;
    return aiort__executor_run(executor, loop, function, arg, false, "aiort_executor_run");
}
