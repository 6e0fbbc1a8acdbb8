/* SPDX-License-Identifier: MIT */
/*
 * Threads: a call on a loop that is inside uv_run() in another thread, and uv_run() of a loop that
 * runs already. A loop that is made in one thread, run in a second and closed in a third is never
 * wrong.
 */
#include "../config.h"
#include "../report/record.h"
#include "../track/stacks.h"
#include "check.h"
#include "uv.h"

enum { REPR_SIZE = 512 };

bool aiodebug_check_uv_thread(aiodebug_uv_loop_t *loop, const aiodebug_uv_subject_t *subject,
                              const char *function)
{
    char repr[REPR_SIZE];
    int owner = loop->owner_tid;
    if (!(aiodebug_config.checks >> AIODEBUG_CHECK_NON_THREAD_SAFE_CALL & 1) ||
        aiodebug_uv_loop_left(loop)) {
        return false;
    }
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_NON_THREAD_SAFE_CALL, 0);
    if (r) {
        uint32_t call = aiodebug_stack_capture();
        aiodebug_record_message(
            r, "Non-thread-safe operation invoked on an event loop other than the current one");
        aiodebug_record_context(r, "function", "%s()%s", function,
                                aiodebug_config.thread == AIODEBUG_POLICY_ERROR
                                    ? ", refused as AIODEBUG_THREAD=error asks"
                                    : "");
        aiodebug_uv_loop_repr(loop, repr, sizeof repr);
        aiodebug_record_loop(r, "%s", repr);
        aiodebug_record_context(r, "loop", "%s", repr);
        if (subject) {
            aiodebug_uv_repr(subject, repr, sizeof repr);
            aiodebug_record_context(r, "object", "%s", repr);
            aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, subject->created, NULL);
            aiodebug_record_object(r, aiodebug_uv_kind(subject->type, subject->flags), 0,
                                   subject->object, "%s", repr);
        } else {
            aiodebug_record_object(r, "uv_loop_t", 0, loop->uv, "%s", repr);
        }
        aiodebug_check_add_caller(r, call);
        aiodebug_check_add_owner(r, call, owner);
        aiodebug_record_hint(r, "from other threads call uv_async_send() only, and do the work in "
                                "the async handle's callback");
        aiodebug_record_submit(r);
    }
    return aiodebug_config.thread == AIODEBUG_POLICY_ERROR;
}

void aiodebug_check_uv_reentered(aiodebug_uv_loop_t *loop, const aiodebug_uv_run_t *outer)
{
    char repr[REPR_SIZE];
    void *pcs[AIODEBUG_STACK_DEPTH_MAX];
    aiodebug_record_t *r = !outer && aiodebug_uv_loop_left(loop)
                               ? NULL
                               : aiodebug_record_new(AIODEBUG_CHECK_LOOP_REENTERED, 0);
    if (!r) {
        return;
    }
    uint32_t call = aiodebug_stack_capture();
    aiodebug_record_message(r, "Event loop is already running");
    aiodebug_uv_loop_repr(loop, repr, sizeof repr);
    aiodebug_record_context(r, "loop", "%s", repr);
    aiodebug_record_loop(r, "%s", repr);
    aiodebug_record_object(r, "uv_loop_t", 0, loop->uv, "%s", repr);
    aiodebug_check_add_caller(r, call);
    if (outer) {
        /* The first uv_run() is further out in the same stack. */
        int n = aiodebug_stack_frames(call, pcs, AIODEBUG_STACK_DEPTH_MAX);
        for (int i = 0; i < n; i++) {
            if (pcs[i] == outer->caller) {
                aiodebug_record_stack(r, AIODEBUG_ROLE_RUNNING,
                                      aiodebug_stack_intern(pcs + i, n - i),
                                      "It runs since (most recent call last):");
                break;
            }
        }
    } else {
        aiodebug_check_add_owner(r, call, loop->owner_tid);
    }
    aiodebug_record_submit(r);
}
