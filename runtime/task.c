/* SPDX-License-Identifier: MIT */
/*
 * Tasks: a coroutine that the loop drives, and a future for its outcome.
 *
 * The loop holds a reference on each task that is not done (asyncio's weak references lose tasks),
 * so a pending task is destroyed in one place only: when its loop closes.
 */
#include "context_vars.h"
#include "scheduler.h"

#include <stdio.h>
#include <string.h>
#include <sys/single_threaded.h>

/* ---- Birth ---- */

/* Process-wide, as asyncio's counter: a locked instruction only where there are threads. */
static inline uint32_t task_number(void)
{
    static _Atomic uint32_t counter;

    if (AIORT__LIKELY(__libc_single_threaded)) {
        uint32_t number = atomic_load_explicit(&counter, memory_order_relaxed) + 1;
        atomic_store_explicit(&counter, number, memory_order_relaxed);
        return number;
    }
    return atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed) + 1;
}

static inline void task_link(aiort_loop_t *loop, aiort_task_t *task)
{
    task->following = NULL;
    task->link = loop->last_task;
    *loop->last_task = task;
    loop->last_task = &task->following;
    loop->ntasks++;
}

static int take_options(aiort_task_t *task, const aiort_task_options_t *options)
{
    if (options->stack_size > UINT32_MAX) {
        return UV_EINVAL;
    }
    task->stack_size = (uint32_t)options->stack_size;
    if (options->name) {
        task->name = aiort__strdup(options->name);
        if (!task->name) {
            return UV_ENOMEM;
        }
    }
    if (options->context) {
        task->context = aiort__context_boxed(aiort_ref(options->context));
    }
    return 0;
}

/*
 * Memory for a task. What make() sets need not be; every other field is 0, as a task that is
 * destroyed leaves it: most of them are never touched in its life.
 */
static inline aiort_task_t *task_alloc(aiort_loop_t *loop)
{
    aiort__pool_t *pool = &loop->pools[AIORT__POOL_TASK];

    if (AIORT__LIKELY(pool->free != NULL)) {
        return aiort__pool_get(pool, AIORT__TASK_SIZE);
    }
    aiort_task_t *task = aiort__pool_refill(pool, AIORT__TASK_SIZE);
    return task ? memset(task, 0, sizeof(*task)) : aiort__fail_null(UV_ENOMEM);
}

/* The caller's reference and the loop's; takes the one on the coroutine over. */
__attribute__((always_inline)) static inline void make(aiort_loop_t *loop, aiort_task_t *task,
                                                       aiort_coroutine_t *coroutine)
{
    struct aiort__context *context =
        loop->current ? loop->current->context : aiort__tls.context;

    aiort__object_init_as(&task->future.object, loop,
                          aiort__head_of(2, AIORT_KIND_TASK, AIORT__POOLED, 0, 0), task_number());
    task->future.u.result = NULL;
    task->coroutine = task->innermost = coroutine;
    if (AIORT__UNLIKELY(context && !task->context)) {
        task->context = aiort__context_take(context);
    }
    task_link(loop, task);
}

/*
 * On the stack of a task that just ended nobody may start another one: there a report's handler runs,
 * and nothing is current.
 */
static bool starts_at_once(const aiort_loop_t *loop, const aiort_task_options_t *options)
{
    int eager = options && options->eager_start ? options->eager_start : loop->eager_tasks;

    return eager > 0 && aiort__tls.running == loop && (loop->current || !loop->reporting);
}

/* The coroutine is claimed already; its reference is taken over when this succeeds. */
aiort_task_t *aiort__task_new(aiort_loop_t *loop, aiort_coroutine_t *coroutine,
                              const aiort_task_options_t *options)
{
    aiort_task_t *task = task_alloc(loop);

    if (AIORT__UNLIKELY(!task)) {
        return NULL;
    }
    if (options) {
        int err = take_options(task, options);
        if (err) {
            task->stack_size = 0;
            aiort__pool_put(&loop->pools[AIORT__POOL_TASK], task);
            return aiort__fail_null(err);
        }
    }
    make(loop, task, coroutine);
    aiort__created(&task->future.object);
    if (AIORT__UNLIKELY(loop->eager_tasks || options) && starts_at_once(loop, options)) {
        aiort__start_eagerly(loop, task);
    } else {
        aiort__push_task(loop, task);
    }
    return task;
}

/* aiort_create_task_at() with all that can be asked for, and all that can be wrong. */
__attribute__((noinline)) static aiort_task_t *create(aiort_loop_t *loop,
                                                      aiort_coroutine_t *coroutine,
                                                      const aiort_task_options_t *options)
{
    int err = 0;

    if (AIORT__UNLIKELY(!coroutine)) {
        aiort__not_made();
        return NULL;
    }
    if (!loop) {
        loop = aiort__tls.running;
    }
    if (AIORT__UNLIKELY(!loop)) {
        err = AIORT_ENOLOOP;
    } else if (AIORT__UNLIKELY((err = aiort__check_thread(loop, NULL, "aiort_create_task")))) {
        ;
    } else if (AIORT__UNLIKELY(loop->closed)) {
        err = AIORT_ELOOPCLOSED;
    }
    if (AIORT__UNLIKELY(err)) {
        aiort_coroutine_close(coroutine);
        return aiort__fail_null(err);
    }
    if (AIORT__UNLIKELY(aiort__coroutine_claim(coroutine, AIORT__CORO_SCHEDULED))) {
        aiort_unref(coroutine);
        return NULL;
    }
    aiort_task_t *task = aiort__task_new(loop, coroutine, options);
    if (AIORT__UNLIKELY(!task)) {
        aiort__unref(&coroutine->object);
    }
    return task;
}

/* A task of the running loop for a coroutine just made is the rule. */
aiort_task_t *aiort_create_task_at(const aiort_site_t *site, aiort_loop_t *loop,
                                   aiort_coroutine_t *coroutine,
                                   const aiort_task_options_t *options)
{
    aiort_loop_t *running = aiort__tls.running;

    (void)site;
    if (AIORT__UNLIKELY(!running || loop || options || !coroutine ||
                        aiort__hooked(running, AIORT__CLOSED | AIORT__ALL_EAGER |
                                                   AIORT__EMBEDDED | AIORT__SEAM_CREATED |
                                                   AIORT__SEAM_SCHEDULED) || coroutine != running->unstarted ||
                        !running->pools[AIORT__POOL_TASK].free)) {
        return create(loop, coroutine, options);
    }
    aiort_task_t *task = aiort__pool_get(&running->pools[AIORT__POOL_TASK], AIORT__TASK_SIZE);
    aiort__coroutine_claim_newest(running, coroutine, AIORT__CORO_SCHEDULED);
    make(running, task, coroutine);
    aiort__enqueue(running, &task->future.object);
    return task;
}

/* ---- Death ---- */

/* The error a coroutine that returned err has failed with: its current one when the codes agree. */
static aiort_error_t *task_error(aiort_task_t *task, int err)
{
    uintptr_t slot = task->current_error;

    if (slot && !(slot & 1) && ((aiort_error_t *)slot)->code == err) {
        return aiort_ref((void *)slot);
    }
    return NULL;
}

void aiort__task_finish(aiort_task_t *task, int err, void *result)
{
    aiort_loop_t *loop = task->future.object.loop;

    task->coroutine->object.state = AIORT__CORO_DONE;
    if (AIORT__UNLIKELY(task->throw_code)) {
        return; /* it was closed: pending for ever, and said so already */
    }
    aiort__task_unlink(loop, task);
    if (AIORT__LIKELY(err >= 0 && !task->must_cancel)) {
        aiort__object_t *waiting = task->future.first;
        if (AIORT__LIKELY(waiting && !waiting->next && waiting->kind == AIORT_KIND_TASK &&
                          !loop->closed)) {
            /* Mostly one task waits for another. */
            task->future.object.state = AIORT_FINISHED;
            task->future.u.result = result;
            task->future.first = task->future.last = NULL;
            aiort__push_task(loop, (aiort_task_t *)waiting);
        } else {
            aiort__future_finish(&task->future, result);
        }
    } else if (err >= 0 || err == UV_ECANCELED) {
        /* With err 0: cancelled right before it returned. */
        aiort_error_t *error = err < 0 ? task_error(task, err) : NULL;
        aiort__future_cancelled(&task->future,
                                error ? error : aiort_ref(task->cancel_error));
    } else {
        aiort_error_t *error = task_error(task, err);
        if (!error) {
            error = aiort__error_new(NULL, err, NULL, NULL);
        }
        aiort__future_fail(&task->future, error);
    }
    if (AIORT__UNLIKELY(task->current_error != 0)) {
        aiort__clear_error_slot(&task->current_error);
    }
}

/* Releases what only some tasks have, and leaves the fields as task_alloc() hands them out. */
__attribute__((noinline)) static void strip(aiort_task_t *task)
{
    if (!task->abandoned) {
        aiort__unref(&task->coroutine->object);
    }
    aiort__free(task->name);
    aiort_unref(task->cancel_error);
    if (task->current_error) {
        aiort__clear_error_slot(&task->current_error);
    }
    if (task->context) {
        aiort__context_unref(task->context);
    }
    memset((char *)task + sizeof(aiort_future_t), 0, sizeof(*task) - sizeof(aiort_future_t));
}

void aiort__task_destroy(aiort_task_t *task)
{
    aiort_loop_t *loop = task->future.object.loop;

    if (AIORT__LIKELY(aiort__task_plain(loop, task))) {
        aiort__task_put(loop, task);
        return;
    }
    if ((task->future.object.flags & AIORT__UNRETRIEVED) &&
        aiort__future_last_words(&task->future)) {
        return;
    }
    if (task->future.object.trace != 0 && aiort__seam(AIORT__SEAM_DESTROYED)) {
        aiort_instrument_destroyed(AIORT_KIND_TASK, task);
    }
    aiort__future_drop(&task->future);
    strip(task);
    aiort__pool_put(&loop->pools[AIORT__POOL_TASK], task);
    aiort__loop_release(loop);
}

/* A suspended coroutine gets AIORT_ECLOSED from its await, and a chance to release what it holds. */
static void close_suspended(aiort_loop_t *loop, aiort_task_t *task)
{
    if (task->waiter) {
        aiort__future_remove(task->waiter, &task->future.object);
    }
    task->throw_code = AIORT_ECLOSED;
    aiort__resume(loop, task);
    if (!task->abandoned) {
        return; /* it ended, and task_exit() dropped the loop's reference */
    }
    char repr[512];
    char message[600];
    aiort_repr(task->coroutine, repr, sizeof(repr));
    snprintf(message, sizeof(message), "coroutine ignored GeneratorExit: %s", repr);
    aiort_report_t report = {
        .message = message,
        .check = "coroutine-ignored-close",
        .coroutine = task->coroutine,
        .task = task,
    };
    aiort__report(loop, &report);
    aiort__unref(&task->future.object);
}

static void close_unstarted(aiort_task_t *task)
{
    if (!(task->future.object.flags & AIORT__QUIET)) {
        aiort__coroutine_never_awaited(task->coroutine);
    }
    task->coroutine->object.state = AIORT__CORO_DONE;
    task->throw_code = AIORT_ECLOSED;
    aiort__unref(&task->future.object);
}

void aiort__tasks_close(aiort_loop_t *loop)
{
    while (loop->tasks) {
        aiort_task_t *task = loop->tasks;
        if (!(task->future.object.flags & AIORT__QUIET)) {
            aiort_report_t report = {
                .message = "Task was destroyed but it is pending!",
                .check = "task-destroyed-pending",
                .task = task,
            };
            aiort__report(loop, &report);
        }
        aiort__task_unlink(loop, task);
        aiort__ref(&task->future.object); /* the loop's reference goes when the coroutine ends */
        if (task->sp) {
            close_suspended(loop, task);
        } else {
            close_unstarted(task);
        }
        aiort__unref(&task->future.object);
    }
}

/* ---- Cancelling ---- */

static bool waits_for_task(const aiort_task_t *task)
{
    return task->waiter && task->waiter->object.kind == AIORT_KIND_TASK &&
           task->waiter->object.state == AIORT_PENDING;
}

/* Goes down a chain of tasks that wait for one another step by step, not by recursion: it may be as
 * long as there are tasks, and this runs on a task's small stack. */
int aiort__task_cancel(aiort_task_t *task, const char *message)
{
    aiort_loop_t *loop = task->future.object.loop;
    const aiort_task_t *first = task;
    size_t steps = 0;

    if (task->future.object.state != AIORT_PENDING) {
        task->future.object.flags &= (uint8_t)~AIORT__UNRETRIEVED;
        return 0;
    }
    task->cancel_requests++;
    while (waits_for_task(task) && (aiort_task_t *)task->waiter != first &&
           steps++ < loop->ntasks) {
        task = (aiort_task_t *)task->waiter;
        task->cancel_requests++;
    }
    if (AIORT__UNLIKELY(waits_for_task(task))) {
        /* They wait for each other: nobody else would ever wake one of them. */
        aiort__future_remove(task->waiter, &task->future.object);
        task->waiter = NULL;
        aiort__push(loop, &task->future.object);
    } else if (task->waiter && aiort__future_cancel(task->waiter, message)) {
        return 1;
    }
    task->must_cancel = 1;
    aiort_unref(task->cancel_error);
    task->cancel_error =
        message ? aiort__error_new(NULL, UV_ECANCELED, message, NULL) : NULL;
    return 1;
}

int aiort_task_cancel(aiort_task_t *task, const char *message)
{
    int err = aiort__check_thread(task->future.object.loop, task, "aiort_task_cancel");

    return err ? aiort__fail(err) : aiort__task_cancel(task, message);
}

int aiort_task_uncancel(aiort_task_t *task)
{
    int err = aiort__check_thread(task->future.object.loop, task, "aiort_task_uncancel");

    if (err) {
        return aiort__fail(err);
    }
    if (task->cancel_requests > 0 && --task->cancel_requests == 0) {
        task->must_cancel = 0;
    }
    return (int)task->cancel_requests;
}

int aiort_task_cancelling(const aiort_task_t *task)
{
    (void)aiort__check_thread(task->future.object.loop, task, "aiort_task_cancelling");
    return (int)task->cancel_requests;
}

/* ---- Looking ---- */

aiort_future_t *aiort_task_future(aiort_task_t *task)
{
    return &task->future;
}

const char *aiort__task_name(const aiort_task_t *task, char buf[24])
{
    if (task->name) {
        return task->name;
    }
    snprintf(buf, 24, "Task-%u", (unsigned)task->future.object.id);
    return buf;
}

const char *aiort_task_get_name(const aiort_task_t *task)
{
    char buf[24];

    (void)aiort__check_thread(task->future.object.loop, task, "aiort_task_get_name");
    if (!task->name) {
        /* Made when somebody asks; from now on it is kept. */
        aiort_task_t *self = (aiort_task_t *)(uintptr_t)task;
        self->name = aiort__strdup(aiort__task_name(task, buf));
    }
    return task->name ? task->name : "";
}

int aiort_task_set_name(aiort_task_t *task, const char *name)
{
    int err = aiort__check_thread(task->future.object.loop, task, "aiort_task_set_name");

    if (err) {
        return aiort__fail(err);
    }
    char *copy = name ? aiort__strdup(name) : NULL;
    if (!copy) {
        return aiort__fail(name ? UV_ENOMEM : UV_EINVAL);
    }
    aiort__free(task->name);
    task->name = copy;
    return 0;
}

aiort_coroutine_t *aiort_task_get_coro(const aiort_task_t *task)
{
    (void)aiort__check_thread(task->future.object.loop, task, "aiort_task_get_coro");
    return task->coroutine->object.state == AIORT__CORO_DONE ? NULL : task->coroutine;
}

aiort_task_t *aiort_current_task(void)
{
    aiort_loop_t *loop = aiort__tls.running;

    return loop ? loop->current : NULL;
}

size_t aiort_all_tasks(aiort_loop_t *loop, aiort_task_t **tasks, size_t max)
{
    size_t n = 0;

    if (aiort__check_thread(loop, NULL, "aiort_all_tasks")) {
        return 0;
    }
    for (aiort_task_t *task = loop->tasks; task && n < max; task = task->following) {
        tasks[n++] = aiort_ref(task);
    }
    return loop->ntasks;
}

aiort_future_t *aiort__ensure_future(aiort_loop_t *loop, aiort_awaitable_t *awaitable)
{
    aiort__object_t *object = (aiort__object_t *)awaitable;

    if (!object) {
        aiort__not_made();
        return NULL;
    }
    switch ((aiort_kind_t)object->kind) {
    case AIORT_KIND_FUTURE:
    case AIORT_KIND_TASK:
        if (object->loop != loop) {
            aiort__failf(AIORT_EOTHERLOOP, "The future belongs to a different loop than the one "
                                           "specified as the loop argument");
            return NULL;
        }
        aiort__ref(object);
        return (aiort_future_t *)object;
    case AIORT_KIND_COROUTINE:
        return (aiort_future_t *)aiort_create_task_at(NULL, loop, (aiort_coroutine_t *)object,
                                                      NULL);
    default:
        aiort__failf(AIORT_EBADAWAIT, "%s", aiort_strerror(AIORT_EBADAWAIT));
        return NULL;
    }
}
