/* SPDX-License-Identifier: MIT */
/*
 * Time: callbacks and steps of tasks that keep the loop too long, a selector that comes back late.
 */
#include <math.h>

#include "../config.h"
#include "../report/record.h"
#include "../track/clock.h"
#include "../track/runtime.h"
#include "check.h"

enum { REPR_SIZE = 2048 };

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
    aiodebug_record_loop(r, "%s", aiodebug_repr(loop, repr, sizeof(repr)));
    if (level != AIODEBUG_LEVEL_WARNING) {
        aiodebug_record_hint(r, "%s", "");
    }
    aiodebug_record_submit(r);
}
