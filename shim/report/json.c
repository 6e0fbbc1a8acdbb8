/* SPDX-License-Identifier: MIT */
/*
 * Records for programs: one object a line, always with the same keys in the same order, null
 * where there is nothing to say; the record that tells of repeats has two more. What the text has,
 * this has. Addresses are strings in hexadecimal, since a reader that keeps numbers as doubles
 * would round them.
 */
#include <math.h>
#include <string.h>

#include "../init.h"
#include "format.h"
#include "names.h"

static aiodebug_buffer_t scratch;

static const char *const roles[AIODEBUG_ROLE_COUNT] = {
    [AIODEBUG_ROLE_CREATED] = "created",     [AIODEBUG_ROLE_CALL] = "call",
    [AIODEBUG_ROLE_SCHEDULED] = "scheduled", [AIODEBUG_ROLE_CLOSED] = "closed",
    [AIODEBUG_ROLE_FREED] = "freed",         [AIODEBUG_ROLE_RAISED] = "raised",
    [AIODEBUG_ROLE_RUNNING] = "running",     [AIODEBUG_ROLE_SUSPENDED] = "suspended",
};

/* How many bytes of a well-formed UTF-8 character start here; 0: it is none. No overlong forms, no
 * surrogates, nothing beyond U+10FFFF. */
static size_t utf8_length(const unsigned char *s, size_t left)
{
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
    if (n == 0 || n > left || s[0] > 0xf4) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
        (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f)) {
        return 0;
    }
    return n;
}

static void put_string_n(aiodebug_buffer_t *out, const char *text, size_t length)
{
    const unsigned char *s = (const unsigned char *)text;
    aiodebug_buffer_putc(out, '"');
    for (size_t i = 0; i < length;) {
        size_t n = utf8_length(s + i, length - i);
        if (n == 0) {
            aiodebug_buffer_puts(out, "\\ufffd");
            n = 1;
        } else if (s[i] == '"' || s[i] == '\\') {
            aiodebug_buffer_putc(out, '\\');
            aiodebug_buffer_putc(out, text[i]);
        } else if (s[i] == '\n') {
            aiodebug_buffer_puts(out, "\\n");
        } else if (s[i] == '\t') {
            aiodebug_buffer_puts(out, "\\t");
        } else if (s[i] < ' ' || s[i] == 0x7f) {
            aiodebug_buffer_printf(out, "\\u%04x", s[i]);
        } else {
            aiodebug_buffer_add(out, text + i, n);
        }
        i += n;
    }
    aiodebug_buffer_putc(out, '"');
}

static void put_string(aiodebug_buffer_t *out, const char *text)
{
    if (text) {
        put_string_n(out, text, strlen(text));
    } else {
        aiodebug_buffer_puts(out, "null");
    }
}

static void put_key(aiodebug_buffer_t *out, const char *key)
{
    aiodebug_buffer_putc(out, '"');
    aiodebug_buffer_puts(out, key);
    aiodebug_buffer_puts(out, "\":");
}

/* `"key":"value",` */
static void put_member(aiodebug_buffer_t *out, const char *key, const char *value)
{
    put_key(out, key);
    put_string(out, value);
    aiodebug_buffer_putc(out, ',');
}

/* A string of the record, its references replaced; null for offset 0. */
static void put_text(aiodebug_buffer_t *out, const aiodebug_record_t *r, uint32_t offset)
{
    if (!offset) {
        aiodebug_buffer_puts(out, "null");
        return;
    }
    aiodebug_buffer_clear(&scratch);
    aiodebug_names_expand(&scratch, aiodebug_record_text(r, offset));
    out->failed |= scratch.failed;
    put_string_n(out, scratch.data, scratch.length);
}

/* Seconds, of which `off` (infinity) and the like are no number in JSON. */
static void put_seconds(aiodebug_buffer_t *out, const char *key, bool known, double seconds)
{
    put_key(out, key);
    if (known && isfinite(seconds)) {
        aiodebug_buffer_printf(out, "%.9g,", seconds);
    } else {
        aiodebug_buffer_puts(out, "null,");
    }
}

static void put_frame(aiodebug_buffer_t *out, const aiodebug_frame_t *frame)
{
    aiodebug_buffer_putc(out, '{');
    put_member(out, "function", frame->function);
    put_member(out, "file", frame->file);
    if (frame->file) {
        aiodebug_buffer_printf(out, "\"line\":%d,\"column\":%d,", frame->line, frame->column);
    } else {
        aiodebug_buffer_puts(out, "\"line\":null,\"column\":null,");
    }
    aiodebug_buffer_printf(out, "\"inlined\":%s,", frame->inlined ? "true" : "false");
    put_member(out, "source",
               frame->file ? aiodebug_symbols_source(frame->file, frame->line) : NULL);
    put_member(out, "module", frame->module);
    put_member(out, "build_id", frame->build_id);
    aiodebug_buffer_printf(out, "\"offset\":%llu}", (unsigned long long)frame->offset);
}

static void put_stacks(aiodebug_buffer_t *out, const aiodebug_record_t *r)
{
    put_key(out, "stacks");
    aiodebug_buffer_putc(out, '[');
    for (int i = 0; i < r->stack_count; i++) {
        const aiodebug_shown_stack_t *shown = &r->stacks[i];
        aiodebug_buffer_puts(out, i ? ",{" : "{");
        put_member(out, "role", roles[shown->role]);
        put_key(out, "title");
        put_text(out, r, shown->title);
        aiodebug_buffer_puts(out, ",\"frames\":[");
        const aiodebug_frame_t *frames;
        int n = aiodebug_names_shown(r, shown, &frames);
        for (int k = n - 1; k >= 0; k--) {
            put_frame(out, &frames[k]);
            aiodebug_buffer_puts(out, k ? "," : "");
        }
        aiodebug_buffer_puts(out, "]}");
    }
    aiodebug_buffer_puts(out, "],");
}

static void put_context(aiodebug_buffer_t *out, const aiodebug_record_t *r)
{
    put_key(out, "context");
    aiodebug_buffer_putc(out, '{');
    for (int i = 0; i < r->contexts; i++) {
        aiodebug_buffer_puts(out, i ? "," : "");
        put_string(out, aiodebug_record_text(r, r->context[i].key));
        aiodebug_buffer_putc(out, ':');
        put_text(out, r, r->context[i].value);
    }
    aiodebug_buffer_puts(out, "},");
}

/* The failures, deepest cause first, a group's members after it; their stacks are those of role
 * "raised", in the same order. */
static void put_errors(aiodebug_buffer_t *out, const aiodebug_record_t *r)
{
    bool first = true;
    put_key(out, "errors");
    aiodebug_buffer_putc(out, '[');
    for (int i = 0; i < r->stack_count; i++) {
        if (r->stacks[i].error) {
            aiodebug_buffer_puts(out, first ? "" : ",");
            put_text(out, r, r->stacks[i].error);
            first = false;
        }
    }
    aiodebug_buffer_puts(out, "],");
}

static void put_object(aiodebug_buffer_t *out, const aiodebug_record_t *r)
{
    put_key(out, "object");
    if (!r->object_kind) {
        aiodebug_buffer_puts(out, "null,");
        return;
    }
    aiodebug_buffer_putc(out, '{');
    put_member(out, "kind", aiodebug_record_text(r, r->object_kind));
    put_key(out, "id");
    if (r->object_id) {
        aiodebug_buffer_printf(out, "%llu,", (unsigned long long)r->object_id);
    } else {
        aiodebug_buffer_puts(out, "null,");
    }
    aiodebug_buffer_printf(out, "\"address\":\"0x%llx\",", (unsigned long long)r->object_address);
    put_key(out, "repr");
    put_text(out, r, r->object_repr);
    aiodebug_buffer_puts(out, "},");
}

void aiodebug_json_record(aiodebug_buffer_t *out, const aiodebug_record_t *r)
{
    aiodebug_buffer_puts(out, "{\"version\":1,\"time\":\"");
    aiodebug_format_time(out, &r->time);
    aiodebug_buffer_printf(out, "\",\"monotonic\":%lld.%09ld,\"pid\":%d,\"tid\":%d,",
                           (long long)r->monotonic.tv_sec, r->monotonic.tv_nsec, (int)aiodebug_pid,
                           (int)r->tid);
    put_member(out, "thread", *r->thread ? r->thread : NULL);
    put_member(out, "program", aiodebug_program);
    put_member(out, "level", aiodebug_level_name(r->level));
    put_member(out, "check",
               r->check < AIODEBUG_CHECK_COUNT ? aiodebug_checks[r->check].slug : NULL);
    put_key(out, "message");
    put_text(out, r, r->message);
    aiodebug_buffer_putc(out, ',');
    put_key(out, "loop");
    put_text(out, r, r->loop);
    aiodebug_buffer_putc(out, ',');
    put_object(out, r);
    put_seconds(out, "seconds", r->has_seconds, r->seconds);
    put_seconds(out, "threshold", r->has_seconds, r->threshold);
    aiodebug_buffer_printf(out, "\"count\":%llu,", (unsigned long long)r->count);
    if (r->repeats) {
        put_seconds(out, "total_seconds", r->has_total, r->total_seconds);
        put_seconds(out, "max_seconds", r->has_total, r->max_seconds);
    }
    put_context(out, r);
    put_stacks(out, r);
    put_errors(out, r);
    put_key(out, "hint");
    const char *hint = aiodebug_hint_of(r);
    if (hint && r->hint) {
        put_text(out, r, r->hint);
    } else {
        put_string(out, hint);
    }
    aiodebug_buffer_puts(out, "}\n");
}

void aiodebug_json_after_fork_child(void)
{
    scratch = (aiodebug_buffer_t){0}; /* dropped: it may have been growing */
}
