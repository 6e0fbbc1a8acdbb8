/* SPDX-License-Identifier: MIT */
/*
 * Lives that end wrongly: futures completed twice, loops and transports left open, tasks pending
 * when their loop closes, coroutines that run over their stack.
 */
#include <stdlib.h>
#include <string.h>

#include "../config.h"
#include "../report/record.h"
#include "../report/reporter.h"
#include "../track/opened.h"
#include "../track/runtime.h"
#include "../track/stacks.h"
#include "../track/unwind.h"
#include "check.h"

enum { REPR_SIZE = 1024, LISTED_TASKS = 16 };

void aiodebug_check_invalid_state(aiort_future_t *future, const char *function)
{
    char repr[REPR_SIZE];
    aiort_loop_t *loop = aiodebug_aiort->loop_of(future);
    const aiort_site_t *first = aiodebug_aiort->completed_site(future);

    if (!aiodebug_aiort->debug(loop)) {
        return;
    }
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_INVALID_STATE, 0);
    if (!r) {
        return;
    }
    aiodebug_repr(future, repr, sizeof(repr));
    aiodebug_record_message(r, "InvalidStateError: invalid state");
    aiodebug_record_context(r, "function", "%s()", function);
    aiodebug_record_context(r, "future", "%s", repr);
    if (first) {
        aiodebug_record_context(r, "first completed at", "%s:%d, in %s", first->file, first->line,
                                first->function);
    }
    aiodebug_record_object(r, "future", aiodebug_aiort->id(future), future, "%s", repr);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, aiodebug_aiort->trace(future), NULL);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CALL, aiodebug_stack_capture(), NULL);
    aiodebug_record_loop(r, "%s", aiodebug_repr(loop, repr, sizeof(repr)));
    aiodebug_record_submit(r);
}

void aiodebug_check_pending_at_close(aiort_loop_t *loop, size_t pending)
{
    char list[LISTED_TASKS * 512];
    char repr[REPR_SIZE];
    size_t length = 0;
    int listed = 0;

    if (pending == 0 || !aiodebug_aiort->debug(loop)) {
        return;
    }
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_PENDING_AT_CLOSE, 0);
    if (!r) {
        return;
    }
    list[0] = '\0';
    for (const aiort_task_t *task = aiodebug_aiort->next_task(loop, NULL);
         task && listed < LISTED_TASKS; task = aiodebug_aiort->next_task(loop, task)) {
        aiodebug_repr(task, repr, sizeof(repr));
        size_t n = strlen(repr);
        if (length + n + 3 > sizeof(list)) {
            break;
        }
        if (listed++ > 0) {
            memcpy(list + length, ", ", 2);
            length += 2;
        }
        memcpy(list + length, repr, n + 1);
        length += n;
    }
    if (pending > (size_t)listed) {
        aiodebug_record_message(r, "Pending tasks at exit: {%s, <%zu more>}", list,
                                pending - (size_t)listed);
    } else {
        aiodebug_record_message(r, "Pending tasks at exit: {%s}", list);
    }
    aiodebug_record_count(r, pending);
    aiodebug_record_loop(r, "%s", aiodebug_repr(loop, repr, sizeof(repr)));
    aiodebug_record_submit(r);
}

void aiodebug_check_unclosed_loop(aiort_loop_t *loop, uint32_t trace)
{
    char repr[REPR_SIZE];

    if (!aiodebug_config.resource) {
        return;
    }
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_UNCLOSED_LOOP, 0);
    aiodebug_repr(loop, repr, sizeof(repr));
    aiodebug_record_message(r, "ResourceWarning: unclosed event loop %s", repr);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, trace, NULL);
    aiodebug_record_object(r, "loop", aiodebug_aiort->id(loop), loop, "%s", repr);
    aiodebug_record_loop(r, "%s", repr);
    aiodebug_record_submit(r);
}

void aiodebug_check_unclosed_loops(void)
{
    if (aiodebug_config.resource) {
        aiodebug_loops_unclosed(aiodebug_check_unclosed_loop);
    }
}

void aiodebug_check_unclosed_transport(aiort_loop_t *loop, void *object)
{
    char repr[REPR_SIZE];

    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_UNCLOSED_TRANSPORT, 0);
    if (!r) {
        return;
    }
    aiodebug_repr(object, repr, sizeof(repr));
    aiodebug_record_message(r, "ResourceWarning: unclosed transport %s", repr);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, aiodebug_aiort->trace(object), NULL);
    aiort_kind_t kind = aiodebug_aiort->kind(object);
    aiodebug_record_object(r,
                           kind == AIORT_KIND_SERVER    ? "server"
                           : kind == AIORT_KIND_PROCESS ? "process"
                                                        : "transport",
                           aiodebug_aiort->id(object), object, "%s", repr);
    aiodebug_record_loop(r, "%s", aiodebug_repr(loop, repr, sizeof(repr)));
    aiodebug_record_submit(r);
}

void aiodebug_check_unclosed_transports(void)
{
    aiodebug_opened_each(aiodebug_check_unclosed_transport);
}

void aiodebug_check_stack_overflow(const char *name, size_t size, const void *ucontext)
{
    void *pcs[AIODEBUG_STACK_DEPTH_MAX];
    uint32_t stack = 0;

    (void)ucontext;
    if (aiodebug_unwind_busy()) {
        return;
    }
    aiodebug_record_t *r = aiodebug_record_new_fatal(AIODEBUG_CHECK_STACK_OVERFLOW, 0);
    if (!r) {
        return;
    }
    int n = aiodebug_unwind_here(pcs, AIODEBUG_STACK_DEPTH_MAX);
    /* The handler's frames: the shim's and the runtime's, then the kernel's signal frame. */
    int skip = aiodebug_stack_internal_prefix(pcs, n);
    if (skip < n) {
        skip++;
    }
    stack = aiodebug_stack_intern(pcs + skip, n - skip);
    aiodebug_record_message(r, "Stack overflow in coroutine '%s' (%zu KiB)", name ? name : "?",
                            size / 1024);
    aiodebug_record_stack(r, AIODEBUG_ROLE_RUNNING, stack, NULL);
    aiodebug_record_submit(r);
    aiodebug_report_flush(2.0);
}
