/* SPDX-License-Identifier: MIT */
/*
 * What the runtime noticed by itself, with what debug mode adds: where the object was created,
 * where a pending task stands, where the error was raised.
 */
#include <stdio.h>
#include <string.h>

#include "../config.h"
#include "../report/record.h"
#include "../track/runtime.h"
#include "check.h"

enum { REPR_SIZE = 2048, GROUPS_SHOWN = 8 /* one in another */ };

static const char *const kind_names[] = {
    [AIORT_KIND_LOOP] = "loop",
    [AIORT_KIND_HANDLE] = "handle",
    [AIORT_KIND_FUTURE] = "future",
    [AIORT_KIND_TASK] = "task",
    [AIORT_KIND_COROUTINE] = "coroutine",
    [AIORT_KIND_ERROR] = "error",
};

/* A report that the program makes itself has no slug. */
static aiodebug_check_t check_of(const aiort_report_t *report)
{
    for (int i = 0; report->check && i < AIODEBUG_CHECK_COUNT; i++) {
        if (strcmp(aiodebug_checks[i].slug, report->check) == 0) {
            return (aiodebug_check_t)i;
        }
    }
    return AIODEBUG_CHECK_COUNT;
}

static void add_object(aiodebug_record_t *r, const char *key, const void *object)
{
    char repr[REPR_SIZE];

    if (object) {
        aiodebug_record_context(r, key, "%s", aiodebug_repr(object, repr, sizeof(repr)));
    }
}

static void add_subject(aiodebug_record_t *r, const void *object)
{
    char repr[REPR_SIZE];

    if (object) {
        aiodebug_record_object(r, kind_names[aiodebug_aiort->kind(object)],
                               aiodebug_aiort->id(object), object, "%s",
                               aiodebug_repr(object, repr, sizeof(repr)));
    }
}

/* Without a stack the one place that the runtime knows stands in. */
static void add_site(aiodebug_record_t *r, const void *object)
{
    const aiort_site_t *site = aiodebug_aiort->site(object);

    if (site && site->file) {
        aiodebug_record_site(r, site->file, site->line, site->function);
    }
}

static void add_error(aiodebug_record_t *r, const aiort_error_t *error, int depth);

/* What is in an error group, after it. */
static void add_members(aiodebug_record_t *r, const aiort_error_t *group, int depth)
{
    aiort_error_t *const *members = NULL;
    size_t n = aiodebug_aiort->version >= 2 && depth < GROUPS_SHOWN
                   ? aiodebug_aiort->error_members(group, &members)
                   : 0;

    for (size_t i = 0; i < n; i++) {
        aiodebug_record_member_begin(r);
        add_error(r, members[i], depth + 1);
        aiodebug_record_member_end(r);
    }
}

/* The deepest cause first, as Python prints a chain. */
static void add_error(aiodebug_record_t *r, const aiort_error_t *error, int depth)
{
    const aiort_error_t *cause = aiodebug_aiort->error_cause(error);
    const char *message = aiodebug_aiort->error_message(error);
    int code = aiodebug_aiort->error_code(error);

    if (cause) {
        add_error(r, cause, depth);
    }
    aiodebug_record_error(r, aiodebug_trace_of_error(aiodebug_aiort->trace(error)), "%s: %s",
                          aiodebug_aiort->err_name(code),
                          *message ? message : aiodebug_aiort->strerror(code));
    add_site(r, error);
    add_members(r, error, depth);
}

/* A coroutine nobody awaited has its own traceback title, without a colon: CPython's. */
static int report_coroutine(aiort_loop_t *loop, const aiort_report_t *report)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_COROUTINE_NEVER_AWAITED, 0);
    uint32_t trace = aiodebug_aiort->trace(report->coroutine);

    aiodebug_record_message(r, "%s", report->message);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, trace,
                          "Coroutine created at (most recent call last)");
    add_site(r, report->coroutine);
    add_subject(r, report->coroutine);
    (void)loop;
    aiodebug_record_submit(r);
    return 1;
}

int aiodebug_check_report(aiort_loop_t *loop, const aiort_report_t *report)
{
    aiodebug_check_t check = check_of(report);
    char repr[REPR_SIZE];

    if (loop && !aiodebug_aiort->debug(loop)) {
        return 0;
    }
    if (check == AIODEBUG_CHECK_COROUTINE_NEVER_AWAITED) {
        return report_coroutine(loop, report);
    }
    aiodebug_record_t *r = aiodebug_record_new(
        check, check == AIODEBUG_CHECK_COUNT ? AIODEBUG_LEVEL_ERROR : AIODEBUG_LEVEL_UNSET);
    if (!r) {
        return 1;
    }
    aiodebug_record_message(r, "%s", report->message && *report->message
                                         ? report->message
                                         : "Unhandled exception in event loop");
    add_object(r, "future", report->future);
    add_object(r, "handle", report->handle);
    add_object(r, "task", report->task);
    if (!report->task) {
        add_object(r, "coroutine", report->coroutine);
    }
    for (size_t i = 0; i < report->nitems; i++) {
        aiodebug_record_context(r, report->items[i].key, "%s",
                                report->items[i].value ? report->items[i].value : "NULL");
    }
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, report->source_trace, NULL);
    aiodebug_record_stack(r, AIODEBUG_ROLE_SCHEDULED, report->handle_trace, NULL);
    if (report->task) {
        aiodebug_record_stack(r, AIODEBUG_ROLE_SUSPENDED, aiodebug_trace_suspended(report->task),
                              NULL);
    }
    if (report->error) {
        add_error(r, report->error, 0);
    }
    add_subject(r, report->task     ? (const void *)report->task
                   : report->future ? (const void *)report->future
                   : report->handle ? (const void *)report->handle
                                    : (const void *)report->coroutine);
    if (loop) {
        aiodebug_record_loop(r, "%s", aiodebug_repr(loop, repr, sizeof(repr)));
    }
    aiodebug_record_submit(r);
    return 1;
}

void aiodebug_check_enrich(aiort_loop_t *loop, aiort_report_t *report)
{
    if (!aiodebug_aiort->debug(loop)) {
        return;
    }
    if (report->source_trace == 0) {
        /* asyncio puts none into the report of a failed shutdown, nor have we one there to add:
         * the task's own creation still helps. */
        const void *object = report->task     ? (const void *)report->task
                             : report->future ? (const void *)report->future
                                              : (const void *)report->handle;
        report->source_trace = object ? aiodebug_aiort->trace(object) : 0;
    }
    if (report->source_trace == 0) {
        const void *running = aiodebug_aiort->running(loop);
        report->handle_trace = running ? aiodebug_aiort->trace(running) : 0;
    }
}
