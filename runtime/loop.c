/* SPDX-License-Identifier: MIT */
/*
 * The loop: its life, running and stopping it. What it does between two iterations (clock,
 * selector, libuv's handles) is in poll.c; what runs in one, in scheduler.c.
 */
#include "internal.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

aiort_loop_t *aiort_loop_new(const aiort_loop_options_t *options)
{
    static _Atomic uint32_t numbers;
    aiort_loop_t *loop = aiort__malloc(sizeof(*loop));

    if (!loop) {
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(loop, 0, sizeof(*loop));
    loop->object.refs = 1;
    loop->object.kind = AIORT_KIND_LOOP;
    loop->object.id = atomic_fetch_add(&numbers, 1) + 1;
    loop->tail = &loop->head;
    loop->last_task = &loop->tasks;
    loop->hooks = aiort__seams;
    loop->spins = loop->spin_limit = 1;
    loop->slow_callback_duration = -1;
    aiort__stack_pool_init(&loop->stacks, options ? options->stack_size : 0);
    int err = aiort__uv_open(loop, options ? options->uv_loop : NULL);
    if (err) {
        aiort__stack_pool_destroy(&loop->stacks);
        aiort__free(loop);
        return aiort__fail_null(err);
    }
    aiort__created(&loop->object);
    if (options && options->debug) {
        aiort_loop_set_debug(loop, 1);
    } else {
        loop->debug = aiort_instrument_set_debug(loop, -1);
    }
    return loop;
}

/* The memory, when neither the program nor an object needs it any more. */
void aiort__loop_free(aiort_loop_t *loop)
{
    aiort__stack_pool_destroy(&loop->stacks);
    aiort__pools_destroy(loop);
    aiort__free(loop->read_buffer);
    aiort__free(loop);
}

/*
 * The program's last reference is gone. A loop that nobody closed is closed now, as Python's
 * garbage collector would: its pending tasks are reported. That it was not closed is for
 * libaiodebug to say.
 */
void aiort__loop_destroy(aiort_loop_t *loop)
{
    if (!loop->closed && !aiort_loop_is_running(loop)) {
        loop->object.refs = 1; /* a handler may take a reference and give it back */
        aiort_loop_close(loop);
        if (--loop->object.refs > 0) {
            return;
        }
    }
    if (loop->children == 0) {
        aiort__loop_free(loop);
    }
}

/* What is queued is dropped; tasks among it are the task list's business. */
static void drop_ready(aiort_loop_t *loop)
{
    while (loop->head) {
        aiort__object_t *object = aiort__pop(loop);
        if (object->kind != AIORT_KIND_HANDLE) {
            continue;
        }
        aiort_handle_t *handle = (aiort_handle_t *)object;
        if ((object->flags & AIORT__DONE_CALLBACK) && handle->u.future) {
            aiort__unref(&handle->u.future->object);
            handle->u.future = NULL;
        }
        aiort_unref(handle);
    }
    loop->limit = loop->popped;
}

int aiort_loop_close(aiort_loop_t *loop)
{
    int err = aiort__check_thread(loop, NULL, "aiort_loop_close");

    if (err) {
        return aiort__fail(err);
    }
    if (aiort_loop_is_running(loop)) {
        return aiort__fail(AIORT_ECLOSERUNNING);
    }
    if (loop->closed) {
        return 0;
    }
    aiort_loop_t *outer = aiort__tls.running;
    uint32_t quiet = 0;
    for (const aiort_task_t *task = loop->tasks; task; task = task->following) {
        quiet += !!(task->future.object.flags & AIORT__QUIET);
    }
    aiort__ref(&loop->object);
    if (aiort__seam(AIORT__SEAM_CLOSE)) {
        aiort_instrument_close(loop, loop->ntasks - quiet, 0);
    }
    loop->closed = true;
    loop->hooks |= AIORT__CLOSED;
    aiort__fiber_adopt(&loop->hub_fiber);
    aiort__tls.running = loop; /* coroutines that are being closed belong to it */
    aiort__incoming_close(loop);
    drop_ready(loop);
    aiort__tasks_close(loop);
    aiort__attached_close(loop);
    aiort__executor_close(loop);
    aiort__timers_destroy(loop);
    aiort__coroutines_closed(loop);
    aiort__tls.running = outer;
    aiort__uv_close(loop);
    if (aiort__seam(AIORT__SEAM_CLOSE)) {
        aiort_instrument_close(loop, 0, 1);
    }
    aiort__unref(&loop->object);
    return 0;
}

/* ---- Running ---- */

int aiort__loop_enter(aiort_loop_t *loop)
{
    int err = aiort__check_thread(loop, NULL, "aiort_loop_run_forever");

    if (err) {
        return aiort__fail(err);
    }
    if (loop->closed) {
        return aiort__fail(AIORT_ELOOPCLOSED);
    }
    if (atomic_load_explicit(&loop->owner, memory_order_relaxed)) {
        return aiort__fail(AIORT_ELOOPRUNNING);
    }
    if (aiort__tls.running) {
        return aiort__fail(AIORT_EOTHERRUNNING);
    }
    aiort__stack_thread_init(); /* without one an overflow dies without a message */
    loop->tid = (int)syscall(SYS_gettid);
    aiort__fiber_adopt(&loop->hub_fiber);
    aiort__tls.running = loop;
    atomic_store_explicit(&loop->owner, &aiort__tls, memory_order_relaxed);
    if (aiort__seam(AIORT__SEAM_RUNNING)) {
        aiort_instrument_running(loop, 1);
    }
    return 0;
}

void aiort__loop_leave(aiort_loop_t *loop)
{
    if (aiort__seam(AIORT__SEAM_RUNNING)) {
        aiort_instrument_running(loop, 0);
    }
    atomic_store_explicit(&loop->owner, NULL, memory_order_relaxed);
    aiort__tls.running = NULL;
    aiort__stack_thread_fini();
}

/* Also when a C++ exception, or the end of the thread, comes out of a callback: the compiler calls it
 * then. What was queued stays queued. */
static void stop_driving(aiort_loop_t **running)
{
    aiort_loop_t *loop = *running;

    aiort__handle_left(loop);
    loop->stopping = false;
    aiort__uv_hold(loop, false);
    loop->driving = false;
    aiort__loop_leave(loop);
}

AIORT__HOT int aiort_loop_run_forever(aiort_loop_t *loop)
{
    int err = aiort__loop_enter(loop);

    if (err) {
        return err;
    }
    __attribute__((cleanup(stop_driving))) aiort_loop_t *running = loop;
    loop->driving = true;
    loop->spins = loop->spin_limit = 1;
    loop->looked = loop->polled = 0;
    aiort__uv_hold(loop, true);
    do {
        aiort__look(running);
        aiort__run_ready(loop);
    } while (!loop->stopping);
    return 0;
}

static int run_until_complete_cb(aiort_future_t *future, void *arg)
{
    (void)arg;
    return aiort_loop_stop(future->object.loop);
}

/* Also when an exception comes out of the run: a later one must not be stopped by this future. */
static void until_over(aiort_future_t **future)
{
    if (*future) {
        aiort_future_remove_done_callback(*future, run_until_complete_cb, NULL);
        aiort_unref(*future);
    }
}

static const aiort_site_t run_until_complete_site = {NULL, NULL, "_run_until_complete_cb", 0};

/* An own task is not reported when this ends without it, as in asyncio. */
int aiort_loop_run_until_complete_at(const aiort_site_t *site, aiort_loop_t *loop,
                                     aiort_awaitable_t *awaitable, void **result)
{
    aiort__object_t *object = (aiort__object_t *)awaitable;
    int err = aiort__check_thread(loop, NULL, "aiort_loop_run_until_complete");

    (void)site;
    if (!err && loop->closed) {
        err = AIORT_ELOOPCLOSED;
    } else if (!err && aiort_loop_is_running(loop)) {
        err = AIORT_ELOOPRUNNING;
    } else if (!err && aiort__tls.running) {
        err = AIORT_EOTHERRUNNING;
    }
    bool own = object && object->kind == AIORT_KIND_COROUTINE;
    if (err) {
        if (own) {
            aiort_coroutine_close((aiort_coroutine_t *)object);
        }
        return aiort__fail(err);
    }
    __attribute__((cleanup(until_over))) aiort_future_t *future =
        aiort__ensure_future(loop, awaitable);
    if (!future) {
        return aiort_last_error();
    }
    if (own) {
        future->object.flags |= AIORT__QUIET;
    }
    err = aiort__future_add_callback(future, &run_until_complete_site, run_until_complete_cb, NULL);
    if (!err) {
        err = aiort_loop_run_forever(loop);
    }
    if (!err) {
        err = future->object.state == AIORT_PENDING ? aiort__fail(AIORT_ESTOPPED)
                                                    : aiort__future_outcome(future, result);
    }
    return err;
}

int aiort_loop_stop(aiort_loop_t *loop)
{
    int err = aiort__check_thread(loop, NULL, "aiort_loop_stop");

    if (err) {
        return aiort__fail(err);
    }
    loop->stopping = true;
    loop->spins = 1; /* no further iteration begins before the hub has seen it */
    if (loop->embedded && !loop->driving) {
        uv_stop(loop->uv->loop);
        loop->stopping = false;
    }
    return 0;
}

/* ---- Looking ---- */

double aiort_loop_time(const aiort_loop_t *loop)
{
    (void)loop;
    return (double)aiort__now() * 1e-9;
}

int aiort_loop_is_running(const aiort_loop_t *loop)
{
    return atomic_load_explicit(&loop->owner, memory_order_relaxed) != NULL;
}

int aiort_loop_is_closed(const aiort_loop_t *loop)
{
    return loop->closed;
}

uv_loop_t *aiort_loop_uv(aiort_loop_t *loop)
{
    return loop->uv ? loop->uv->loop : NULL;
}

aiort_loop_t *aiort_get_running_loop(void)
{
    return aiort__tls.running ? aiort__tls.running : aiort__fail_null(AIORT_ENOLOOP);
}

/* ---- Debug mode ---- */

void aiort_loop_set_debug(aiort_loop_t *loop, int enabled)
{
    static _Atomic bool said;

    loop->debug = aiort_instrument_set_debug(loop, !!enabled);
    if (enabled && !loop->debug && !atomic_exchange(&said, true)) {
        fprintf(stderr, "aiort: debug mode is a preloaded library: run the program as "
                        "LD_PRELOAD=libaiodebug.so PROGRAM\n");
    }
}

int aiort_loop_get_debug(const aiort_loop_t *loop)
{
    return loop->debug;
}

void aiort_loop_set_slow_callback_duration(aiort_loop_t *loop, double seconds)
{
    loop->slow_callback_duration = seconds >= 0 ? seconds : -1;
}

double aiort_loop_get_slow_callback_duration(const aiort_loop_t *loop)
{
    return loop->slow_callback_duration;
}
