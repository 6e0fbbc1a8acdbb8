/* SPDX-License-Identifier: MIT */
/*
 * Reports: how what went wrong reaches the loop's exception handler, and the short form that the
 * default handler prints, which is asyncio's outside of debug mode.
 */
#include "context_vars.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One buffer, one write: lines of several threads do not mix. Grows; on no memory it truncates. */
typedef struct {
    char *text;
    size_t length, room;
    char fixed[4096];
} buffer_t;

static void buffer_init(buffer_t *buffer)
{
    buffer->text = buffer->fixed;
    buffer->length = 0;
    buffer->room = sizeof(buffer->fixed);
}

static void buffer_grow(buffer_t *buffer, size_t need)
{
    char *text = malloc(need * 2);

    if (!text) {
        return;
    }
    memcpy(text, buffer->text, buffer->length);
    if (buffer->text != buffer->fixed) {
        free(buffer->text);
    }
    buffer->text = text;
    buffer->room = need * 2;
}

static void append(buffer_t *buffer, const char *text)
{
    size_t length = strlen(text);

    if (buffer->length + length + 1 > buffer->room) {
        buffer_grow(buffer, buffer->length + length + 1);
    }
    size_t left = buffer->room - buffer->length - 1;
    length = length < left ? length : left;
    memcpy(buffer->text + buffer->length, text, length);
    buffer->length += length;
    buffer->text[buffer->length] = '\0';
}

static void append_repr(buffer_t *buffer, const char *key, const void *object)
{
    char small[1024];
    size_t length = aiort_repr(object, small, sizeof(small));

    append(buffer, key);
    if (length < sizeof(small)) {
        append(buffer, small);
        return;
    }
    char *large = malloc(length + 1);
    if (large) {
        aiort_repr(object, large, length + 1);
    }
    append(buffer, large ? large : small);
    free(large);
}

static void append_error(buffer_t *buffer, const aiort_error_t *error);

/* What is in an error group, as Python draws it:
 *
 *   +-+---------------- 1 ----------------
 *     | EINVAL: the first
 *     +---------------- 2 ----------------
 *     | EIO: the second
 *     +------------------------------------
 */
static void append_group(buffer_t *buffer, const aiort_error_t *group)
{
    char line[80];
    buffer_t *one = malloc(sizeof(*one));

    for (uint32_t i = 0; one && i < group->nerrors; i++) {
        snprintf(line, sizeof(line), "\n  %s+---------------- %u ----------------",
                 i == 0 ? "+-" : "  ", (unsigned)i + 1);
        append(buffer, line);
        buffer_init(one);
        one->text[0] = '\0';
        append_error(one, group->errors[i]);
        for (char *text = one->text; *text;) {
            char *end = strchr(text + 1, '\n');
            char after = end ? *end : '\0';
            if (end) {
                *end = '\0';
            }
            append(buffer, "\n    | ");
            append(buffer, text + (*text == '\n'));
            if (!end) {
                break;
            }
            *end = after;
            text = end;
        }
        if (one->text != one->fixed) {
            free(one->text);
        }
    }
    append(buffer, "\n    +------------------------------------");
    free(one);
}

/* "Traceback (most recent call last):" with the one place that is known without libaiodebug. */
static void append_error(buffer_t *buffer, const aiort_error_t *error)
{
    char line[1024];

    if (error->cause) {
        append_error(buffer, error->cause);
        append(buffer, "\n\nThe above exception was the direct cause of the following exception:"
                       "\n");
    }
    if (error->site) {
        snprintf(line, sizeof(line),
                 "\nTraceback (most recent call last):\n  File \"%s\", line %d, in %s",
                 error->site->file, error->site->line, error->site->function);
        append(buffer, line);
    }
    const char *message = error->message[0] ? error->message : aiort_strerror(error->code);
    snprintf(line, sizeof(line), "\n%s: %s", aiort_err_name(error->code), message);
    append(buffer, line);
    if (error->nerrors > 0) {
        append_group(buffer, error);
    }
}

/* ---- Keys, in asyncio's order: alphabetical ---- */

typedef struct {
    const char *key;
    const void *object; /* its repr is the value, or */
    const char *value;
} entry_t;

enum { MAX_ENTRIES = 32 };

static int by_key(const void *a, const void *b)
{
    return strcmp(((const entry_t *)a)->key, ((const entry_t *)b)->key);
}

static size_t entries_of(const aiort_report_t *report, entry_t *entries)
{
    size_t n = 0;

    if (report->coroutine && !report->task) {
        entries[n++] = (entry_t){"coroutine", report->coroutine, NULL};
    }
    if (report->future) {
        entries[n++] = (entry_t){"future", report->future, NULL};
    }
    if (report->handle) {
        entries[n++] = (entry_t){"handle", report->handle, NULL};
    }
    if (report->task) {
        entries[n++] = (entry_t){"task", report->task, NULL};
    }
    for (size_t i = 0; i < report->nitems && n < MAX_ENTRIES; i++) {
        entries[n++] = (entry_t){report->items[i].key, NULL, report->items[i].value};
    }
    qsort(entries, n, sizeof(*entries), by_key);
    return n;
}

size_t aiort_report_keys(const aiort_report_t *report, const char **keys, size_t max)
{
    entry_t entries[MAX_ENTRIES + 4];
    size_t n = entries_of(report, entries);

    if (report->error) {
        entries[n++] = (entry_t){"exception", NULL, NULL};
    }
    if (report->message) {
        entries[n++] = (entry_t){"message", NULL, NULL};
    }
    if (report->source_trace) {
        entries[n++] = (entry_t){"source_traceback", NULL, NULL};
    }
    if (report->handle_trace) {
        entries[n++] = (entry_t){"handle_traceback", NULL, NULL};
    }
    qsort(entries, n, sizeof(*entries), by_key);
    for (size_t i = 0; i < n && i < max; i++) {
        keys[i] = entries[i].key;
    }
    return n;
}

/* ---- Handlers ---- */

void aiort_loop_default_exception_handler(aiort_loop_t *loop, const aiort_report_t *report)
{
    entry_t entries[MAX_ENTRIES + 4];
    buffer_t buffer;

    if (aiort_instrument_report(loop, report)) {
        return;
    }
    size_t n = entries_of(report, entries);
    buffer_init(&buffer);
    append(&buffer, "ERROR:aiort:");
    append(&buffer, report->message && *report->message ? report->message
                                                        : "Unhandled exception in event loop");
    for (size_t i = 0; i < n; i++) {
        append(&buffer, "\n");
        append(&buffer, entries[i].key);
        if (entries[i].object) {
            append_repr(&buffer, ": ", entries[i].object);
        } else {
            append(&buffer, ": ");
            append(&buffer, entries[i].value ? entries[i].value : "NULL");
        }
    }
    if (report->error) {
        append_error(&buffer, report->error);
    }
    append(&buffer, "\n");
    fwrite(buffer.text, 1, buffer.length, stderr);
    if (buffer.text != buffer.fixed) {
        free(buffer.text);
    }
}

/* "{'message': 'original', 'exception': EINVAL('orig exc'), 'extra': 1}" */
static char *context_repr(const aiort_report_t *report)
{
    entry_t entries[MAX_ENTRIES + 4];
    size_t n = entries_of(report, entries);
    buffer_t buffer;

    buffer_init(&buffer);
    append(&buffer, "{'message': '");
    append(&buffer, report->message ? report->message : "");
    append(&buffer, "'");
    if (report->error) {
        append_repr(&buffer, ", 'exception': ", report->error);
    }
    for (size_t i = 0; i < n; i++) {
        append(&buffer, ", '");
        append(&buffer, entries[i].key);
        if (entries[i].object) {
            append_repr(&buffer, "': ", entries[i].object);
        } else {
            append(&buffer, "': ");
            append(&buffer, entries[i].value ? entries[i].value : "NULL");
        }
    }
    append(&buffer, "}");
    if (buffer.text == buffer.fixed) {
        return strdup(buffer.text);
    }
    return buffer.text;
}

AIORT__COLD static void handler_failed(aiort_loop_t *loop, const aiort_report_t *report, int err)
{
    char *context = context_repr(report);
    aiort_error_t *error = aiort__take_error(err);
    aiort_report_item_t item = {"context", context};
    aiort_report_t second = {
        .message = "Unhandled error in exception handler",
        .error = error,
        .items = &item,
        .nitems = context ? 1 : 0,
    };

    aiort_loop_default_exception_handler(loop, &second);
    aiort_unref(error);
    free(context);
}

/* As asyncio's, a handler sees the context variables of the task that it hears of. */
static struct aiort__context *context_of(const aiort_report_t *report)
{
    const aiort_task_t *task = report->task;

    if (!task && report->future && report->future->object.kind == AIORT_KIND_TASK) {
        task = (const aiort_task_t *)report->future;
    }
    return task ? task->context : *aiort__context_slot();
}

void aiort__report(aiort_loop_t *loop, aiort_report_t *report)
{
    aiort_instrument_enrich(loop, report);
    if (!loop->handler) {
        aiort_loop_default_exception_handler(loop, report);
        return;
    }
    struct aiort__context *before = aiort__context_enter(context_of(report));
    loop->reporting++;
    int err = loop->handler(loop, report, loop->handler_arg);
    loop->reporting--;
    aiort__context_leave(before);
    if (err < 0) {
        handler_failed(loop, report, err);
    }
}

void aiort_loop_call_exception_handler(aiort_loop_t *loop, const aiort_report_t *report)
{
    aiort_report_t enriched = *report;

    if (aiort__check_thread(loop, NULL, "aiort_loop_call_exception_handler")) {
        return;
    }
    if (enriched.nitems > MAX_ENTRIES - 4) {
        enriched.nitems = MAX_ENTRIES - 4;
    }
    aiort__report(loop, &enriched);
}

int aiort_loop_set_exception_handler(aiort_loop_t *loop, aiort_exception_handler_fn handler,
                                     void *arg)
{
    int err = aiort__check_thread(loop, NULL, "aiort_loop_set_exception_handler");

    if (err) {
        return aiort__fail(err);
    }
    loop->handler = handler;
    loop->handler_arg = arg;
    return 0;
}

aiort_exception_handler_fn aiort_loop_get_exception_handler(const aiort_loop_t *loop, void **arg)
{
    if (arg) {
        *arg = loop->handler_arg;
    }
    return loop->handler;
}
