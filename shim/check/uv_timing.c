/* SPDX-License-Identifier: MIT */
/*
 * Time: a callback that kept the loop, a turn of many that did, a selector that came back late.
 */
#include <math.h>
#include <stdio.h>

#include "../config.h"
#include "../report/record.h"
#include "../track/clock.h"
#include "../track/stacks.h"
#include "uv.h"

enum { REPR_SIZE = 512 };

void aiodebug_check_add_loop(aiodebug_record_t *r, const char *repr, int tid)
{
    aiodebug_record_loop(r, "%s", repr);
    if (aiodebug_uv_loops_seen() < 2) {
        return;
    }
    if (tid) {
        aiodebug_record_context(r, "loop", "%s running in thread %d", repr, tid);
    } else {
        aiodebug_record_context(r, "loop", "%s", repr);
    }
}

void aiodebug_check_uv_slow(const aiodebug_uv_call_t *call, uint64_t ticks)
{
    char repr[REPR_SIZE];
    double seconds = aiodebug_seconds_from_ticks(ticks);
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_SLOW_CALLBACK, 0);
    aiodebug_uv_subject_t subject = {call->object, call->cb,    call->created,
                                     call->type,   call->flags, call->slot};
    if (!r) {
        return;
    }
    aiodebug_uv_repr(&subject, repr, sizeof repr);
    aiodebug_record_message(r, "Executing %s took %.3f seconds", repr, seconds);
    aiodebug_record_seconds(r, seconds, aiodebug_config.slow_callback);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, call->created, NULL);
    aiodebug_record_object(r, aiodebug_uv_kind(call->type, call->flags), 0, call->object, "%s",
                           repr);
    aiodebug_record_key(r, (uintptr_t)call->cb);
    if (aiodebug_uv_self.run) {
        aiodebug_record_loop(r, "%s",
                             aiodebug_uv_loop_repr(aiodebug_uv_self.run->loop, repr, sizeof repr));
    }
    aiodebug_record_submit(r);
}

void aiodebug_check_uv_turn(const aiodebug_uv_run_t *run, uint64_t ticks)
{
    char repr[REPR_SIZE];
    double seconds = aiodebug_seconds_from_ticks(ticks);
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_SLOW_ITERATION, 0);
    if (!r) {
        return;
    }
    aiodebug_record_message(r, "Loop iteration took %.3f seconds in %u callbacks", seconds,
                            run->callbacks);
    aiodebug_record_seconds(r, seconds, aiodebug_config.slow_iteration);
    for (int i = 0; i < run->dears; i++) {
        const aiodebug_uv_dear_t *dear = &run->dearest[i];
        aiodebug_uv_subject_t subject = {dear->object, dear->cb,    dear->created,
                                         dear->type,   dear->flags, dear->slot};
        char key[32];
        snprintf(key, sizeof key, "dearest callback %d", i + 1);
        aiodebug_record_context(r, key, "%.3f seconds in %s",
                                aiodebug_seconds_from_ticks(dear->took),
                                aiodebug_uv_repr(&subject, repr, sizeof repr));
    }
    aiodebug_uv_loop_repr(run->loop, repr, sizeof repr);
    aiodebug_check_add_loop(r, repr, 0);
    aiodebug_record_object(r, "uv_loop_t", 0, run->loop->uv, "%s", repr);
    aiodebug_record_key(r, run->dears > 0 ? (uintptr_t)run->dearest[0].cb : 0);
    aiodebug_record_submit(r);
}

void aiodebug_check_uv_hidden_turn(const char *module, uint64_t ns, int events)
{
    double seconds = (double)ns / 1e9;
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_SLOW_ITERATION, 0);
    aiodebug_record_message(r,
                            "Loop iteration took %.3f seconds after %d event%s, in callbacks that "
                            "cannot be seen: libuv is inside %s",
                            seconds, events, events == 1 ? "" : "s", module);
    aiodebug_record_seconds(r, seconds, aiodebug_config.slow_iteration);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CALL, r ? aiodebug_stack_capture() : 0,
                          "The loop runs since (most recent call last):");
    aiodebug_record_hint(r, "link the program with libuv.so, so that each callback is timed");
    aiodebug_record_submit(r);
}

void aiodebug_check_uv_hidden(const char *module)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_COUNT, AIODEBUG_LEVEL_INFO);
    aiodebug_record_message(r,
                            "libuv is inside %s, where its calls do not pass through the debug "
                            "mode: of its loops only slow iterations were looked for",
                            module);
    aiodebug_record_submit(r);
}

/*
 * As asyncio logged it: DEBUG, INFO from a second on. A WARNING only when it came back without an
 * event and much later than asked.
 */
void aiodebug_check_uv_poll(const aiodebug_uv_run_t *run, int timeout, uint64_t ticks, int events)
{
    double seconds = aiodebug_seconds_from_ticks(ticks), asked = timeout / 1e3;
    aiodebug_level_t level = seconds >= 1.0 ? AIODEBUG_LEVEL_INFO : AIODEBUG_LEVEL_DEBUG;
    char repr[REPR_SIZE];
    if (timeout > 0 && events == 0 && seconds >= asked + aiodebug_config.slow_poll) {
        level = AIODEBUG_LEVEL_WARNING;
    }
    if (!aiodebug_config_wants(AIODEBUG_CHECK_SLOW_POLL, level)) {
        return;
    }
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_SLOW_POLL, level);
    if (timeout < 0) {
        aiodebug_record_message(r, "poll took %.3f ms: %d events", seconds * 1e3, events);
    } else if (events > 0) {
        aiodebug_record_message(r, "poll %.3f ms took %.3f ms: %d events", (double)timeout,
                                seconds * 1e3, events);
    } else {
        aiodebug_record_message(r, "poll %.3f ms took %.3f ms: timeout", (double)timeout,
                                seconds * 1e3);
    }
    aiodebug_record_seconds(r, seconds, timeout < 0 ? INFINITY : asked);
    aiodebug_check_add_loop(r, aiodebug_uv_loop_repr(run->loop, repr, sizeof repr), 0);
    if (level != AIODEBUG_LEVEL_WARNING) {
        aiodebug_record_hint(r, "%s", "");
    }
    aiodebug_record_submit(r);
}
