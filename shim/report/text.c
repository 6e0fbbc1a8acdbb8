/* SPDX-License-Identifier: MIT */
/*
 * Records for people, in asyncio's layout:
 *
 *     TIME PROGRAM[PID] LEVEL:aiodebug:MESSAGE [slug]
 *     future: <Task finished ...>
 *     source_traceback: Object created at (most recent call last):
 *       File "bug.c", line 9, in main
 *         aiort_create_task(AIORT_CORO(bug, NULL));
 *     Called at (most recent call last):
 *       ...
 *     Traceback (most recent call last):
 *       File "bug.c", line 5, in bug
 *         return aiort_raise(EINVAL, "not consumed");
 *     EINVAL: not consumed
 *     hint: await the task, ...
 *
 * Context lines in the order of their keys, the two tracebacks that asyncio keeps among them, then
 * the other stacks, then the failure with its causes.
 */
#include <stdlib.h>
#include <string.h>

#include "../init.h"
#include "format.h"
#include "names.h"

enum { REPEATS_SHOWN = 3 }; /* as Python does, of identical frames in a row */

static aiodebug_buffer_t scratch;

static const char *const titles[AIODEBUG_ROLE_COUNT] = {
    [AIODEBUG_ROLE_CREATED] = "Object created at (most recent call last):",
    [AIODEBUG_ROLE_CALL] = "Called at (most recent call last):",
    [AIODEBUG_ROLE_SCHEDULED] = "Handle created at (most recent call last):",
    [AIODEBUG_ROLE_CLOSED] = "Closed at (most recent call last):",
    [AIODEBUG_ROLE_FREED] = "Freed at (most recent call last):",
    [AIODEBUG_ROLE_RAISED] = "Raised at (most recent call last):",
    [AIODEBUG_ROLE_RUNNING] = "Running at (most recent call last):",
    [AIODEBUG_ROLE_SUSPENDED] = "Suspended at (most recent call last):",
};

void aiodebug_format_time(aiodebug_buffer_t *out, const struct timespec *time)
{
    long long days = time->tv_sec / 86400, second = time->tv_sec % 86400;
    /* Howard Hinnant's civil_from_days: years that begin in March, eras of 400 of them. */
    long long shifted = days + 719468, era = shifted / 146097, day_of_era = shifted % 146097;
    long long year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    long long day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    long long march_month = (5 * day_of_year + 2) / 153;
    long long day = day_of_year - (153 * march_month + 2) / 5 + 1;
    long long month = march_month + (march_month < 10 ? 3 : -9);
    long long year = year_of_era + era * 400 + (month <= 2);
    aiodebug_buffer_printf(out, "%04lld-%02lld-%02lldT%02lld:%02lld:%02lld.%06ldZ", year, month,
                           day, second / 3600, second / 60 % 60, second % 60, time->tv_nsec / 1000);
}

const char *aiodebug_hint_of(const aiodebug_record_t *r)
{
    if (r->hint) {
        const char *hint = aiodebug_record_text(r, r->hint);
        return *hint ? hint : NULL;
    }
    return r->check < AIODEBUG_CHECK_COUNT ? aiodebug_checks[r->check].hint : NULL;
}

/* Text from the program: control characters must not reach a terminal, nor forge a record's first
 * line; continuation lines of a message are indented. */
static void put_clean(aiodebug_buffer_t *out, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '\n') {
            aiodebug_buffer_puts(out, "\n    ");
        } else if ((c < ' ' && c != '\t') || c == 0x7f) {
            aiodebug_buffer_printf(out, "\\x%02x", c);
        } else {
            aiodebug_buffer_putc(out, text[i]);
        }
    }
}

static void put_expanded(aiodebug_buffer_t *out, const char *text)
{
    aiodebug_buffer_clear(&scratch);
    aiodebug_names_expand(&scratch, text);
    out->failed |= scratch.failed;
    put_clean(out, scratch.data, scratch.length);
}

static bool same_line(const aiodebug_frame_t *a, const aiodebug_frame_t *b)
{
    /* The strings are interned by file and function, but equal ones may come from two modules. */
    return a->line == b->line && a->offset == b->offset &&
           (a->function == b->function ||
            (a->function && b->function && strcmp(a->function, b->function) == 0)) &&
           (a->file == b->file || (a->file && b->file && strcmp(a->file, b->file) == 0)) &&
           (a->module == b->module || (a->module && b->module && !strcmp(a->module, b->module)));
}

static void put_frame(aiodebug_buffer_t *out, const aiodebug_frame_t *frame)
{
    if (!frame->file) {
        aiodebug_buffer_puts(out, "  Module \"");
        const char *module = frame->module ? frame->module : "?";
        put_clean(out, module, strlen(module));
        aiodebug_buffer_printf(out, "\", offset 0x%llx", (unsigned long long)frame->offset);
        if (frame->function) {
            aiodebug_buffer_puts(out, ", in ");
            aiodebug_buffer_puts(out, frame->function);
        }
        if (frame->build_id) {
            aiodebug_buffer_puts(out, ", build-id ");
            aiodebug_buffer_puts(out, frame->build_id);
        }
        aiodebug_buffer_putc(out, '\n');
        return;
    }
    aiodebug_buffer_puts(out, "  File \"");
    put_clean(out, frame->file, strlen(frame->file));
    aiodebug_buffer_printf(out, "\", line %d, in ", frame->line);
    aiodebug_buffer_puts(out, frame->function ? frame->function : "?");
    aiodebug_buffer_putc(out, '\n');
    const char *source = aiodebug_symbols_source(frame->file, frame->line);
    if (source && *source) {
        aiodebug_buffer_puts(out, "    ");
        put_clean(out, source, strlen(source));
        aiodebug_buffer_putc(out, '\n');
    }
}

static bool has_frames(const aiodebug_record_t *r, const aiodebug_shown_stack_t *of)
{
    const aiodebug_frame_t *frames;
    return aiodebug_names_shown(r, of, &frames) > 0;
}

/* What to print of a title that has nothing to stand above; 0: nothing. */
static uint32_t title_alone(const aiodebug_record_t *r, const aiodebug_shown_stack_t *of)
{
    const char *title = aiodebug_record_text(r, of->title);
    return of->alone || strstr(title, "(most recent call last)") ? of->alone : of->title;
}

/* Oldest first. */
static void put_frames(aiodebug_buffer_t *out, const aiodebug_record_t *r,
                       const aiodebug_shown_stack_t *of)
{
    const aiodebug_frame_t *frames;
    int n = aiodebug_names_shown(r, of, &frames);
    for (int i = n - 1; i >= 0;) {
        int same = 1;
        while (i - same >= 0 && same_line(&frames[i], &frames[i - same])) {
            same++;
        }
        for (int k = 0; k < same && k < REPEATS_SHOWN; k++) {
            put_frame(out, &frames[i]);
        }
        if (same > REPEATS_SHOWN) {
            aiodebug_buffer_printf(out, "  [Previous line repeated %d more time%s]\n",
                                   same - REPEATS_SHOWN, same - REPEATS_SHOWN == 1 ? "" : "s");
        }
        i -= same;
    }
}

/* A line of the block that asyncio sorts by key: a context entry, or one of two tracebacks. */
typedef struct {
    const char *key, *value; /* value NULL: */
    const aiodebug_shown_stack_t *stack;
} line_t;

static int compare_lines(const void *a, const void *b)
{
    return strcmp(((const line_t *)a)->key, ((const line_t *)b)->key);
}

/* The first untitled stack of the role; NULL when there is none. */
static const aiodebug_shown_stack_t *first_of(const aiodebug_record_t *r, aiodebug_role_t role)
{
    for (int i = 0; i < r->stack_count; i++) {
        if (r->stacks[i].role == role && !r->stacks[i].title) {
            return &r->stacks[i];
        }
    }
    return NULL;
}

static void put_context(aiodebug_buffer_t *out, const aiodebug_record_t *r,
                        const aiodebug_shown_stack_t *source, const aiodebug_shown_stack_t *handle)
{
    line_t lines[AIODEBUG_CONTEXT_MAX + 2];
    size_t n = 0;
    for (int i = 0; i < r->contexts; i++) {
        lines[n++] = (line_t){aiodebug_record_text(r, r->context[i].key),
                              aiodebug_record_text(r, r->context[i].value), NULL};
    }
    if (source && has_frames(r, source)) {
        lines[n++] = (line_t){"source_traceback", NULL, source};
    }
    if (handle && has_frames(r, handle)) {
        lines[n++] = (line_t){"handle_traceback", NULL, handle};
    }
    qsort(lines, n, sizeof *lines, compare_lines);
    for (size_t i = 0; i < n; i++) {
        put_clean(out, lines[i].key, strlen(lines[i].key));
        aiodebug_buffer_puts(out, ": ");
        if (lines[i].value) {
            put_expanded(out, lines[i].value);
            aiodebug_buffer_putc(out, '\n');
        } else {
            aiodebug_buffer_puts(out, titles[lines[i].stack->role]);
            aiodebug_buffer_putc(out, '\n');
            put_frames(out, r, lines[i].stack);
        }
    }
}

static void put_other_stacks(aiodebug_buffer_t *out, const aiodebug_record_t *r,
                             const aiodebug_shown_stack_t *source,
                             const aiodebug_shown_stack_t *handle)
{
    for (int i = 0; i < r->stack_count; i++) {
        const aiodebug_shown_stack_t *shown = &r->stacks[i];
        if (shown == source || shown == handle || shown->error) {
            continue;
        }
        bool frames = has_frames(r, shown);
        uint32_t title = frames ? shown->title : title_alone(r, shown);
        if (title) {
            put_expanded(out, aiodebug_record_text(r, title));
        } else if (frames) {
            aiodebug_buffer_puts(out, titles[shown->role]);
        } else {
            continue;
        }
        aiodebug_buffer_putc(out, '\n');
        put_frames(out, r, shown);
    }
    if (r->stacks_left_out) {
        aiodebug_buffer_printf(out, "... and %d more\n", r->stacks_left_out);
    }
}

/* The first error from i on; stack_count when there is none. */
static int next_error(const aiodebug_record_t *r, int i)
{
    while (i < r->stack_count && !r->stacks[i].error) {
        i++;
    }
    return i;
}

static int put_group(aiodebug_buffer_t *out, const aiodebug_record_t *r, int i, int depth);

/* One failure, deepest cause first, as Python prints a chain raised with `from`. Gives what comes
 * after it. */
static int put_chain(aiodebug_buffer_t *out, const aiodebug_record_t *r, int i, int depth)
{
    bool first = true;
    for (; i < r->stack_count && r->stacks[i].depth == depth && (first || !r->stacks[i].begins);
         first = false) {
        const aiodebug_shown_stack_t *shown = &r->stacks[i];
        if (!first) {
            aiodebug_buffer_puts(out, "\nThe above exception was the direct cause of the following "
                                      "exception:\n\n");
        }
        if (has_frames(r, shown)) {
            aiodebug_buffer_puts(out, "Traceback (most recent call last):\n");
            put_frames(out, r, shown);
        }
        put_expanded(out, aiodebug_record_text(r, shown->error));
        aiodebug_buffer_putc(out, '\n');
        i = put_group(out, r, next_error(r, i + 1), depth + 1);
    }
    return i;
}

static void put_indented(aiodebug_buffer_t *out, const aiodebug_buffer_t *lines)
{
    for (size_t at = 0; at < lines->length;) {
        const char *line = lines->data + at;
        const char *end = memchr(line, '\n', lines->length - at);
        size_t length = end ? (size_t)(end - line) + 1 : lines->length - at;
        aiodebug_buffer_puts(out, length > 1 ? "    | " : "    |");
        aiodebug_buffer_add(out, line, length);
        at += length;
    }
    out->failed |= lines->failed;
}

/* The members of a group, from error i on, as Python draws them. Gives what comes after them. */
static int put_group(aiodebug_buffer_t *out, const aiodebug_record_t *r, int i, int depth)
{
    int member = 0;
    while (i < r->stack_count && r->stacks[i].depth >= depth) {
        aiodebug_buffer_t lines = {0};
        aiodebug_buffer_printf(out, "  %s+---------------- %d ----------------\n",
                               member ? "  " : "+-", member + 1);
        i = put_chain(&lines, r, i, r->stacks[i].depth);
        put_indented(out, &lines);
        free(lines.data);
        member++;
    }
    if (member) {
        aiodebug_buffer_puts(out, "    +------------------------------------\n");
    }
    return i;
}

static void put_errors(aiodebug_buffer_t *out, const aiodebug_record_t *r)
{
    int i = next_error(r, 0);
    while (i < r->stack_count) {
        i = put_chain(out, r, i, r->stacks[i].depth);
    }
}

void aiodebug_text_record(aiodebug_buffer_t *out, const aiodebug_record_t *r)
{
    aiodebug_format_time(out, &r->time);
    aiodebug_buffer_putc(out, ' ');
    put_clean(out, aiodebug_program, strlen(aiodebug_program));
    aiodebug_buffer_printf(out, "[%d] %s:aiodebug:", (int)aiodebug_pid,
                           aiodebug_level_name(r->level));
    put_expanded(out, aiodebug_record_text(r, r->message));
    if (r->check < AIODEBUG_CHECK_COUNT) {
        aiodebug_buffer_printf(out, " [%s]", aiodebug_checks[r->check].slug);
    }
    aiodebug_buffer_putc(out, '\n');
    if (r->brief) {
        return;
    }
    const aiodebug_shown_stack_t *source = first_of(r, AIODEBUG_ROLE_CREATED);
    const aiodebug_shown_stack_t *handle = first_of(r, AIODEBUG_ROLE_SCHEDULED);
    put_context(out, r, source, handle);
    put_other_stacks(out, r, source, handle);
    put_errors(out, r);
    const char *hint = aiodebug_hint_of(r);
    if (hint && *hint) {
        aiodebug_buffer_puts(out, "hint: ");
        put_expanded(out, hint);
        aiodebug_buffer_putc(out, '\n');
    }
}

void aiodebug_text_after_fork_child(void)
{
    scratch = (aiodebug_buffer_t){0}; /* dropped: it may have been growing */
}
