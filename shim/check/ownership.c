/* SPDX-License-Identifier: MIT */
/*
 * Threads: a function that is not thread-safe, called on a loop that runs in another thread.
 *
 * The runtime compares the owner itself and asks only when it differs, so a loop that was made in
 * one thread and runs in another is never wrong. The other thread's stack is taken the first few
 * times only for each place of call: it costs a tenth of a millisecond.
 */
#include <stdatomic.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../config.h"
#include "../report/record.h"
#include "../track/runtime.h"
#include "../track/stacks.h"
#include "check.h"

enum { REPR_SIZE = 1024, PLACES = 1024, WITH_BOTH_STACKS = 3 };

/* How often this place was reported: a small table by hash; a collision only loses a stack. */
static bool still_new(aiodebug_stack_t call)
{
    static _Atomic unsigned char seen[PLACES];
    _Atomic unsigned char *count = &seen[(call * 2654435761U) >> 22];

    if (atomic_load_explicit(count, memory_order_relaxed) >= WITH_BOTH_STACKS) {
        return false;
    }
    atomic_fetch_add_explicit(count, 1, memory_order_relaxed);
    return true;
}

void aiodebug_check_add_caller(aiodebug_record_t *r, aiodebug_stack_t call)
{
    char name[16] = "";
    if (prctl(PR_GET_NAME, name) != 0) {
        name[0] = '\0';
    }
    aiodebug_record_stack(r, AIODEBUG_ROLE_CALL, call,
                          "Called in thread %d (%s)\002 at (most recent call last):", (int)gettid(),
                          name);
}

void aiodebug_check_add_owner(aiodebug_record_t *r, aiodebug_stack_t call, int owner)
{
    if (owner > 0 && still_new(call)) {
        aiodebug_record_stack(r, AIODEBUG_ROLE_RUNNING, aiodebug_stack_of_thread(owner),
                              "The loop's thread %d was at (most recent call last):", owner);
    }
}

static void report(aiort_loop_t *loop, const void *object, const char *function)
{
    char repr[REPR_SIZE];
    int owner = aiodebug_aiort->running_tid(loop);
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_NON_THREAD_SAFE_CALL, 0);

    if (!r) {
        return;
    }
    aiodebug_stack_t call = aiodebug_stack_capture();
    aiodebug_record_message(
        r, "Non-thread-safe operation invoked on an event loop other than the current one");
    aiodebug_record_context(r, "function", "%s()", function);
    aiodebug_repr(loop, repr, sizeof(repr));
    aiodebug_record_loop(r, "%s", repr);
    aiodebug_record_context(r, "loop", "%s running in thread %d", repr, owner);
    if (object && object != loop) {
        /* Racy: the owner may be changing it. What is printed is at worst a moment old. */
        aiodebug_repr(object, repr, sizeof(repr));
        aiodebug_record_context(r, "object", "%s", repr);
        aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, aiodebug_aiort->trace(object), NULL);
        aiodebug_record_object(r, "object", aiodebug_aiort->id(object), object, "%s", repr);
    }
    aiodebug_check_add_caller(r, call);
    aiodebug_check_add_owner(r, call, owner);
    aiodebug_record_submit(r);
}

int aiodebug_check_wrong_thread(aiort_loop_t *loop, const void *object, const char *function)
{
    if (!aiodebug_aiort->debug(loop) ||
        !(aiodebug_config.checks >> AIODEBUG_CHECK_NON_THREAD_SAFE_CALL & 1)) {
        return 0;
    }
    report(loop, object, function);
    switch (aiodebug_config.thread) {
    case AIODEBUG_POLICY_WARN:
        return 0;
    case AIODEBUG_POLICY_ABORT: /* the record's submit has aborted, unless it was suppressed */
    case AIODEBUG_POLICY_UNSET:
    case AIODEBUG_POLICY_ERROR:
        break;
    }
    return AIORT_EWRONGTHREAD;
}
