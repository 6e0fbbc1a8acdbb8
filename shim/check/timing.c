/* SPDX-License-Identifier: MIT */
/*
 * Time: callbacks and steps of tasks that keep the loop too long, a selector that comes back late.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../config.h"
#include "../report/record.h"
#include "../track/clock.h"
#include "../track/runtime.h"
#include "../track/uv.h"
#include "check.h"
#include "uv.h"

enum { REPR_SIZE = 2048, DEAREST = 3, DEAR_SIZE = 384 };

void aiodebug_check_slow_step(aiort_loop_t *loop, const void *ended, uint64_t ticks)
{
    char repr[REPR_SIZE];
    double seconds = aiodebug_seconds_from_ticks(ticks);
    bool task = aiodebug_aiort->kind(ended) == AIORT_KIND_TASK;
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_SLOW_CALLBACK, 0);

    if (!r) {
        return;
    }
    aiodebug_repr(ended, repr, sizeof(repr));
    aiodebug_record_message(r, "Executing %s took %.3f seconds", repr, seconds);
    aiodebug_record_seconds(r, seconds, aiodebug_runtime_slow_seconds(loop));
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, aiodebug_aiort->trace(ended), NULL);
    if (task) {
        /* Where the step ended; what was slow lies between the await before it and this one. */
        aiodebug_record_stack(r, AIODEBUG_ROLE_SUSPENDED,
                              aiodebug_trace_suspended((const aiort_task_t *)ended), NULL);
    }
    aiodebug_record_object(r, task ? "task" : "handle", aiodebug_aiort->id(ended), ended, "%s",
                           repr);
    aiodebug_record_loop(r, "%s", aiodebug_repr(loop, repr, sizeof(repr)));
    aiodebug_record_submit(r);
}

/* The dearest steps of the turn that runs in this thread, the dearest first. Their objects may be
 * gone when the turn has ended, so what is said of them is written down at once. */
typedef struct {
    uint64_t ticks; /* 0: none, nor any after it */
    char repr[DEAR_SIZE];
} dear_t;

static _Thread_local dear_t dearest[DEAREST];

void aiodebug_check_dear_step(const void *ended, uint64_t ticks)
{
    int at = 0;

    if (aiodebug_thread.fresh) {
        aiodebug_thread.fresh = false;
        dearest[0].ticks = 0;
    }
    while (at < DEAREST && dearest[at].ticks >= ticks) {
        at++;
    }
    if (at == DEAREST) {
        return;
    }
    bool last = dearest[at].ticks == 0;
    memmove(&dearest[at + 1], &dearest[at], (size_t)(DEAREST - 1 - at) * sizeof(dearest[0]));
    dearest[at].ticks = ticks;
    aiodebug_repr(ended, dearest[at].repr, sizeof(dearest[at].repr));
    if (last && at + 1 < DEAREST) {
        dearest[at + 1].ticks = 0;
    }
}

void aiodebug_check_turn(aiort_loop_t *loop)
{
    aiodebug_thread_t *thread = &aiodebug_thread;
    int64_t took = (int64_t)(thread->last - thread->turn_start - thread->excused);
    uint32_t steps = thread->steps;

    if (__builtin_expect(took < aiodebug_uv_slow_turn || steps == 0, 1)) {
        aiodebug_runtime_turn(thread->last);
        dearest[0].ticks = 0;
        return;
    }
    char repr[256];
    double seconds = aiodebug_seconds_from_ticks((uint64_t)took);
    aiodebug_record_t *r = aiodebug_aiort->debug(loop)
                               ? aiodebug_record_new(AIODEBUG_CHECK_SLOW_ITERATION, 0)
                               : NULL;
    aiodebug_record_message(r, "Loop iteration took %.3f seconds in %u callbacks", seconds, steps);
    aiodebug_record_seconds(r, seconds, aiodebug_config.slow_iteration);
    for (int i = 0; i < DEAREST && dearest[i].ticks; i++) {
        char key[32];
        snprintf(key, sizeof(key), "dearest callback %d", i + 1);
        aiodebug_record_context(r, key, "%.3f seconds in %s",
                                aiodebug_seconds_from_ticks(dearest[i].ticks), dearest[i].repr);
    }
    aiodebug_check_add_loop(r, aiodebug_repr(loop, repr, sizeof(repr)), gettid());
    aiodebug_record_submit(r);
    dearest[0].ticks = 0;
    thread->last = aiodebug_ticks();
    aiodebug_runtime_turn(thread->last);
}

/*
 * The selector as asyncio logged it: DEBUG, INFO from a second on. A WARNING only when it came back
 * without an event and much later than asked; with handles of the program's own in the same
 * uv_loop_t their callbacks are part of the time, so then nothing is sure.
 */
void aiodebug_check_poll(aiort_loop_t *loop, double timeout, uint64_t ticks, int events)
{
    if (timeout == 0) {
        return;
    }
    double seconds = aiodebug_seconds_from_ticks(ticks);
    const uv_loop_t *uv = aiodebug_aiort->uv_loop(loop);
    bool own_only = uv && uv->active_handles <= 2 && uv->active_reqs.count == 0;
    aiodebug_level_t level = seconds >= 1.0 ? AIODEBUG_LEVEL_INFO : AIODEBUG_LEVEL_DEBUG;

    if (timeout > 0 && events == 0 && own_only &&
        seconds >= timeout + aiodebug_config.slow_poll) {
        level = AIODEBUG_LEVEL_WARNING;
    }
    if (!aiodebug_config_wants(AIODEBUG_CHECK_SLOW_POLL, level)) {
        return;
    }
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_SLOW_POLL, level);
    char repr[256];
    if (timeout < 0) {
        aiodebug_record_message(r, "poll took %.3f ms: %d events", seconds * 1e3, events);
    } else if (events > 0) {
        aiodebug_record_message(r, "poll %.3f ms took %.3f ms: %d events", timeout * 1e3,
                                seconds * 1e3, events);
    } else {
        aiodebug_record_message(r, "poll %.3f ms took %.3f ms: timeout", timeout * 1e3,
                                seconds * 1e3);
    }
    aiodebug_record_seconds(r, seconds, timeout < 0 ? INFINITY : timeout);
    aiodebug_check_add_loop(r, aiodebug_repr(loop, repr, sizeof(repr)), gettid());
    if (level != AIODEBUG_LEVEL_WARNING) {
        aiodebug_record_hint(r, "%s", "");
    }
    aiodebug_record_submit(r);
}
