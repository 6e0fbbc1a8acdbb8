/* SPDX-License-Identifier: MIT */
/*
 * libaiort's seams. Each notes what happened and asks the check; there is no real function to call,
 * since the library's own definitions do nothing.
 *
 * All of these run on a loop's thread and, but for the last, perhaps on a coroutine's small stack.
 */
#include <pthread.h>
#include <stdio.h>

#include "../check/check.h"
#include "../config.h"
#include "../init.h"
#include "../report/lookup.h"
#include "../report/reporter.h"
#include "../track/clock.h"
#include "../track/coarse.h"
#include "../track/opened.h"
#include "../track/runtime.h"
#include "../track/stacks.h"
#include "../track/uv.h"
#include "interpose.h"

AIODEBUG_INTERPOSE void aiort_instrument_attach(const aiort_instrument_api_t *api)
{
    if (api->version < 1 || !aiodebug_on()) {
        return;
    }
    aiodebug_runtime_attach(api);
    aiodebug_uv_runtime_at((const void *)(uintptr_t)api->repr);
    aiodebug_at_exit(aiodebug_check_unclosed_loops);
    aiodebug_at_exit(aiodebug_check_unclosed_transports);
    aiodebug_at_fork_child(aiodebug_loops_after_fork_child);
    aiodebug_at_fork_child(aiodebug_opened_after_fork_child);
}

static inline bool at_work(void)
{
    return __builtin_expect(aiodebug_aiort != NULL, 1);
}

/* ---- Lives ---- */

AIODEBUG_INTERPOSE uint32_t aiort_instrument_created(aiort_kind_t kind, void *object)
{
    if (!at_work()) {
        return 0;
    }
    if (kind == AIORT_KIND_LOOP) {
        /* Before its debug mode is decided. */
        uint32_t trace = aiodebug_stack_capture();
        aiodebug_loops_add(object, trace);
        return trace;
    }
    const aiort_loop_t *loop = aiodebug_aiort->loop_of(object);
    return loop && !aiodebug_aiort->debug(loop) ? 0 : aiodebug_stack_capture();
}

AIODEBUG_INTERPOSE void aiort_instrument_destroyed(aiort_kind_t kind, void *object)
{
    if (at_work() && kind == AIORT_KIND_LOOP && aiodebug_loops_remove(object)) {
        aiodebug_check_unclosed_loop(object, aiodebug_aiort->trace(object));
    }
}

/* Transports and servers. Asked for alone, since it costs a lock for each connection. */
AIODEBUG_INTERPOSE void aiort_instrument_open(aiort_loop_t *loop, void *object, int open)
{
    if (!at_work() || !aiodebug_config.resource) {
        return;
    }
    if (open > 0) {
        aiodebug_opened_add(loop, object);
    } else if (aiodebug_opened_remove(object) && open < 0) {
        aiodebug_check_unclosed_transport(loop, object);
    }
}

AIODEBUG_INTERPOSE void aiort_instrument_close(aiort_loop_t *loop, size_t pending, int closed)
{
    if (!at_work()) {
        return;
    }
    if (closed) {
        aiodebug_loops_remove(loop);
    } else {
        aiodebug_check_pending_at_close(loop, pending);
    }
}

/* ---- Time ---- */

/* A stack overflow is reported in a signal handler, where no thread may be started: so it is there
 * from the first run on, in a forked child again. */
static void start_reporter(void)
{
    static _Atomic pid_t started;
    pid_t pid = atomic_load_explicit(&aiodebug_pid, memory_order_relaxed);

    if (atomic_load_explicit(&started, memory_order_relaxed) != pid) {
        atomic_store_explicit(&started, pid, memory_order_relaxed);
        aiodebug_report_start();
    }
}

AIODEBUG_INTERPOSE void aiort_instrument_running(aiort_loop_t *loop, int running)
{
    if (at_work()) {
        aiodebug_runtime_running(running ? loop : NULL);
        if (running) {
            start_reporter();
        }
    }
}

/* What was reported, with the time of reporting, does not count for the turn. */
static __attribute__((noinline)) void long_step(aiort_loop_t *loop, void *ended, int64_t took)
{
    aiodebug_thread_t *thread = &aiodebug_thread;
    uint64_t before = thread->last;

    if (took >= thread->slow) {
        aiodebug_check_slow_step(loop, ended, (uint64_t)took);
        aiodebug_runtime_read(aiodebug_ticks());
        thread->excused += (uint64_t)took + (thread->last - before);
    } else {
        aiodebug_check_dear_step(ended, (uint64_t)took);
        aiodebug_runtime_read(aiodebug_ticks());
    }
}

static __attribute__((noinline)) void step_ends(aiort_loop_t *loop, void *ended)
{
    aiodebug_thread_t *thread = &aiodebug_thread;
    uint64_t now = aiodebug_ticks();
    /* Signed: a thread that moves to another processor may find its counter a moment behind. */
    int64_t took = (int64_t)(now - thread->last);

    aiodebug_runtime_count();
    thread->steps++;
    /* The clock was read when it began, not some steps before. */
    bool alone = !thread->coarse || thread->exact || thread->left == AIODEBUG_UNREAD;
    if (thread->coarse && !thread->exact) {
        thread->exact = aiodebug_uv_exact_from(now, thread->turn_start, took, thread->stood);
    }
    aiodebug_runtime_read(now);
    if (__builtin_expect(took >= thread->notable && at_work(), 0) &&
        (alone || took >= aiodebug_uv_sure || took >= thread->slow)) {
        long_step(loop, ended, took);
    }
}

AIODEBUG_INTERPOSE void aiort_instrument_step(aiort_loop_t *loop, void *ended)
{
    aiodebug_thread_t *thread = &aiodebug_thread;

    if (thread->left > 0 && !thread->paced && aiodebug_coarse() == thread->stood) {
        thread->left--;
        return;
    }
    step_ends(loop, ended);
}

/* Now; or when the clock was read inside of it, if there was nothing slow since: by what follows, the
 * poll's callbacks are taken to belong to the first step. */
static uint64_t poll_ended(double timeout)
{
    const aiodebug_uv_thread_t *uv = &aiodebug_uv_self;
    int64_t after = (int64_t)(uv->last - aiodebug_thread.poll_start);
    bool known = uv->unread > 0 && (timeout != 0 ? after > 0 : after >= 0) &&
                 uv->stood == aiodebug_coarse();

    return known ? uv->last : aiodebug_ticks();
}

AIODEBUG_INTERPOSE void aiort_instrument_poll(aiort_loop_t *loop, double timeout, int events)
{
    aiodebug_thread_t *thread = &aiodebug_thread;

    if (!at_work()) {
        return;
    }
    if (events < 0) {
        bool stands = thread->coarse && !aiodebug_uv_exact_polls &&
                      aiodebug_coarse() == thread->stood;
        thread->polling = true;
        thread->last = stands ? thread->last : aiodebug_ticks();
        thread->poll_start = thread->last;
        aiodebug_runtime_count();
        aiodebug_check_turn(loop);
        return;
    }
    thread->polling = false;
    uint64_t now = poll_ended(timeout);
    int64_t took = (int64_t)(now - thread->poll_start);
    if (__builtin_expect(took >= aiodebug_uv_notable_poll, 0) && aiodebug_aiort->debug(loop)) {
        aiodebug_check_poll(loop, timeout, took > 0 ? (uint64_t)took : 0, events);
        now = aiodebug_ticks();
    }
    aiodebug_runtime_thresholds();
    aiodebug_runtime_read(now);
}

/* ---- Mistakes ---- */

AIODEBUG_INTERPOSE int aiort_instrument_wrong_thread(aiort_loop_t *loop, const void *object,
                                                  const char *function)
{
    return at_work() ? aiodebug_check_wrong_thread(loop, object, function) : 0;
}

AIODEBUG_INTERPOSE void aiort_instrument_invalid_state(aiort_future_t *future, const char *function)
{
    if (at_work()) {
        aiodebug_check_invalid_state(future, function);
    }
}

AIODEBUG_INTERPOSE void aiort_instrument_enrich(aiort_loop_t *loop, aiort_report_t *report)
{
    if (at_work()) {
        aiodebug_check_enrich(loop, report);
    }
}

AIODEBUG_INTERPOSE int aiort_instrument_report(aiort_loop_t *loop, const aiort_report_t *report)
{
    return at_work() ? aiodebug_check_report(loop, report) : 0;
}

AIODEBUG_INTERPOSE void aiort_instrument_stack_overflow(const char *name, size_t size,
                                                     const void *ucontext)
{
    if (at_work()) {
        aiodebug_check_stack_overflow(name, size, ucontext);
    }
}

AIODEBUG_INTERPOSE int aiort_instrument_set_debug(aiort_loop_t *loop, int enabled)
{
    int on = at_work() && enabled;

    if (at_work() && aiodebug_thread.loop == loop) {
        /* The runtime keeps the answer after this returns; the next poll reads both thresholds. */
        aiodebug_thread.slow = on ? aiodebug_runtime_slow_ticks(loop) : INT64_MAX;
        aiodebug_thread.notable = aiodebug_thread.slow;
        aiodebug_thread.rests = 0;
        aiodebug_runtime_precision();
        aiodebug_runtime_read(aiodebug_ticks());
    }
    return on;
}

/* ---- Names, for reprs ---- */

static size_t clip(int length)
{
    return length > 0 ? (size_t)length : 0;
}

AIODEBUG_INTERPOSE void aiort_instrument_building(aiort_loop_t *loop, int building)
{
    aiodebug_thread.building = building && at_work() && aiodebug_aiort->debug(loop);
}

/*
 * Whether this runs on a coroutine's stack, or a thread's that is as small. What the loop runs does
 * not tell: a task that has just ended is reported from the stack it ran on.
 */
static bool small_stack(void)
{
    enum { ROOM = 1 << 20 };
    static _Thread_local uintptr_t low, high;
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t size = 0;

    if (!high && pthread_getattr_np(pthread_self(), &attributes) == 0) {
        if (pthread_attr_getstack(&attributes, &lowest, &size) == 0) {
            low = (uintptr_t)lowest;
            high = low + size;
        }
        pthread_attr_destroy(&attributes);
    }
    return here < low || here >= high || here - low < ROOM;
}

AIODEBUG_INTERPOSE size_t aiort_instrument_created_at(uint32_t trace, char *buf, size_t size)
{
    if (!at_work()) {
        return 0;
    }
    if (aiodebug_thread.building) {
        return clip(snprintf(buf, size, "\001C%x\001", trace));
    }
    return aiodebug_lookup_created(trace, small_stack(), buf, size);
}

AIODEBUG_INTERPOSE size_t aiort_instrument_function_name(void (*function)(void),
                                                         const char *fallback, char *buf,
                                                         size_t size)
{
    uintptr_t address = (uintptr_t)function;

    if (!at_work()) {
        return 0;
    }
    if (aiodebug_thread.building) {
        return clip(snprintf(buf, size, "\001N%lx|%s\001", (unsigned long)address,
                             fallback ? fallback : "?"));
    }
    return aiodebug_lookup_name(address, small_stack(), buf, size);
}

AIODEBUG_INTERPOSE size_t aiort_instrument_function_line(void (*function)(void),
                                                         const char *fallback, char *buf,
                                                         size_t size)
{
    uintptr_t address = (uintptr_t)function;

    if (!at_work()) {
        return 0;
    }
    if (aiodebug_thread.building) {
        return clip(snprintf(buf, size, "\001L%lx|%s\001", (unsigned long)address,
                             fallback ? fallback : "?"));
    }
    return aiodebug_lookup_line(address, small_stack(), buf, size);
}

AIODEBUG_INTERPOSE size_t aiort_instrument_frame(const void *address, char *buf, size_t size)
{
    return at_work() ? aiodebug_lookup_frame((uintptr_t)address, small_stack(), buf, size) : 0;
}
