/* SPDX-License-Identifier: MIT */
/*
 * Building records, on the thread where something is wrong. What happens to them afterwards is
 * in reporter.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../config.h"
#include "buffer.h"
#include "entry.h"
#include "queue.h"

/* The one record that a dying process may build in a signal handler. */
static aiodebug_record_t fatal_record;
static char fatal_text[AIODEBUG_TEXT_INSIDE * 4];
static atomic_flag fatal_taken = ATOMIC_FLAG_INIT;

/* FNV-1a. The format's text and not its address: two call sites with the same words are one. */
static uint64_t hash_text(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text; text++) {
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    }
    return hash;
}

static void prepare(aiodebug_record_t *r, aiodebug_check_t check, aiodebug_level_t level)
{
    int saved = errno;
    /* The arrays are written as they are used: clearing them would cost more than the rest. */
    memset(r, 0, offsetof(aiodebug_record_t, context));
    r->contexts = r->stack_count = r->stacks_left_out = 0;
    r->depth = 0;
    r->begins = false;
    r->check = check;
    r->level = level;
    r->count = 1;
    r->text = r->inside;
    r->capacity = sizeof r->inside;
    r->inside[0] = '\0'; /* offset 0: nothing */
    r->length = 1;
    clock_gettime(CLOCK_REALTIME, &r->time);
    clock_gettime(CLOCK_MONOTONIC, &r->monotonic);
    r->tid = gettid();
    if (prctl(PR_GET_NAME, r->thread) != 0) {
        r->thread[0] = '\0';
    }
    errno = saved;
}

/* The level to use; UNSET: nobody wants the record. */
static aiodebug_level_t wanted_level(aiodebug_check_t check, aiodebug_level_t level)
{
    bool none = check == AIODEBUG_CHECK_COUNT;
    if (level == AIODEBUG_LEVEL_UNSET) {
        level = none ? AIODEBUG_LEVEL_ERROR : aiodebug_checks[check].level;
    }
    bool wanted = none ? aiodebug_config.enabled && level >= aiodebug_config.level
                       : aiodebug_config_wants(check, level);
    return wanted ? level : AIODEBUG_LEVEL_UNSET;
}

aiodebug_record_t *aiodebug_record_make(aiodebug_check_t check, aiodebug_level_t level)
{
    int saved = errno;
    aiodebug_record_t *r = malloc(sizeof *r);
    errno = saved;
    if (r) {
        prepare(r, check, level);
    }
    return r;
}

aiodebug_record_t *aiodebug_record_new(aiodebug_check_t check, aiodebug_level_t level)
{
    level = wanted_level(check, level);
    if (level == AIODEBUG_LEVEL_UNSET) {
        return NULL;
    }
    aiodebug_record_t *r = aiodebug_record_make(check, level);
    if (!r) {
        aiodebug_queue_count_lost(AIODEBUG_LOST_MEMORY);
    }
    return r;
}

aiodebug_record_t *aiodebug_record_new_fatal(aiodebug_check_t check, aiodebug_level_t level)
{
    level = wanted_level(check, level);
    if (level == AIODEBUG_LEVEL_UNSET || atomic_flag_test_and_set(&fatal_taken)) {
        return NULL;
    }
    aiodebug_record_t *r = &fatal_record;
    prepare(r, check, level);
    r->fatal = true;
    r->text = fatal_text;
    r->capacity = sizeof fatal_text;
    fatal_text[0] = '\0';
    return r;
}

void aiodebug_record_free(aiodebug_record_t *r)
{
    if (!r || r->summary) {
        return;
    }
    if (r->fatal) {
        atomic_flag_clear(&fatal_taken);
        return;
    }
    int saved = errno;
    if (r->text != r->inside) {
        free(r->text);
    }
    free(r);
    errno = saved;
}

void aiodebug_record_discard(aiodebug_record_t *r)
{
    aiodebug_record_free(r);
}

/* Makes room for `more` bytes of text, or for as many of them as a record may have; what does not
 * fit is cut. False: there is no more than before. */
static bool make_room(aiodebug_record_t *r, size_t more)
{
    if (r->capacity - r->length >= more) {
        return true;
    }
    if (more > AIODEBUG_STRING_MAX) {
        more = AIODEBUG_STRING_MAX;
    }
    if (r->fatal || r->length + more > AIODEBUG_TEXT_MAX) {
        return false;
    }
    size_t capacity = r->capacity * 2;
    while (capacity - r->length < more) {
        capacity *= 2;
    }
    int saved = errno;
    char *text = realloc(r->text == r->inside ? NULL : r->text, capacity);
    errno = saved;
    if (!text) {
        r->failed = true;
        return false;
    }
    if (r->text == r->inside) {
        memcpy(text, r->inside, r->length);
    }
    r->text = text;
    r->capacity = (uint32_t)capacity;
    return true;
}

/* Keeps a string and gives its offset; 0 when there is no room for any of it. */
static uint32_t keep(aiodebug_record_t *r, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));
static uint32_t keep(aiodebug_record_t *r, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t room = r->capacity - r->length;
    int length = aiodebug_format(r->text + r->length, room, format, args);
    if (length >= 0 && (size_t)length >= room && make_room(r, (size_t)length + 1)) {
        room = r->capacity - r->length;
        length = aiodebug_format(r->text + r->length, room, format, again);
    }
    va_end(again);
    if (length < 0 || room < 2) {
        return 0;
    }
    uint32_t offset = r->length;
    r->length += (uint32_t)((size_t)length < room ? (size_t)length + 1 : room);
    return offset;
}

/* The first so many bytes of a string that is kept already, as a string of its own. */
static uint32_t keep_start(aiodebug_record_t *r, uint32_t of, size_t length)
{
    if (!make_room(r, length + 1)) {
        return 0;
    }
    uint32_t offset = r->length;
    memcpy(r->text + offset, r->text + of, length);
    r->text[offset + length] = '\0';
    r->length += (uint32_t)length + 1;
    return offset;
}

#define KEEP(field, format)                                                                        \
    do {                                                                                           \
        va_list args_;                                                                             \
        va_start(args_, format);                                                                   \
        (field) = keep(r, format, args_);                                                          \
        va_end(args_);                                                                             \
    } while (0)

static uint32_t keep_text(aiodebug_record_t *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static uint32_t keep_text(aiodebug_record_t *r, const char *format, ...)
{
    uint32_t offset;
    KEEP(offset, format);
    return offset;
}

void aiodebug_record_message(aiodebug_record_t *r, const char *format, ...)
{
    if (r) {
        KEEP(r->message, format);
        /* "%s" tells nothing: somebody else has made the words. */
        bool made = strcmp(format, "%s") == 0;
        r->format_hash = hash_text(made ? aiodebug_record_text(r, r->message) : format);
    }
}

void aiodebug_record_context(aiodebug_record_t *r, const char *key, const char *format, ...)
{
    if (r && r->contexts < AIODEBUG_CONTEXT_MAX) {
        int i = r->contexts++;
        r->context[i].key = keep_text(r, "%s", key);
        KEEP(r->context[i].value, format);
    }
}

static aiodebug_shown_stack_t *add_stack(aiodebug_record_t *r, aiodebug_role_t role, uint32_t stack)
{
    if (r->stack_count == AIODEBUG_STACKS_MAX) {
        r->stacks_left_out++;
        return NULL;
    }
    aiodebug_shown_stack_t *shown = &r->stacks[r->stack_count++];
    *shown = (aiodebug_shown_stack_t){.role = role, .stack = stack};
    return shown;
}

void aiodebug_record_stack(aiodebug_record_t *r, aiodebug_role_t role, uint32_t stack,
                           const char *title, ...)
{
    if (!r || (!stack && !title)) {
        return;
    }
    aiodebug_shown_stack_t *shown = add_stack(r, role, stack);
    if (shown && title) {
        KEEP(shown->title, title);
        char *mark = strchr(r->text + shown->title, '\002');
        if (mark) {
            size_t length = (size_t)(mark - (r->text + shown->title));
            memmove(mark, mark + 1, strlen(mark));
            shown->alone = keep_start(r, shown->title, length);
        }
    }
}

void aiodebug_record_error(aiodebug_record_t *r, uint32_t stack, const char *format, ...)
{
    aiodebug_shown_stack_t *shown = r ? add_stack(r, AIODEBUG_ROLE_RAISED, stack) : NULL;
    if (shown) {
        KEEP(shown->error, format);
        shown->depth = r->depth;
        shown->begins = r->begins;
        r->begins = false;
    }
}

void aiodebug_record_site(aiodebug_record_t *r, const char *file, int line, const char *function)
{
    if (r && r->stack_count > 0 && r->stacks_left_out == 0) {
        aiodebug_shown_stack_t *shown = &r->stacks[r->stack_count - 1];
        if (!shown->stack) {
            shown->site_file = keep_text(r, "%s", file);
            shown->site_function = keep_text(r, "%s", function);
            shown->site_line = line;
        }
    }
}

void aiodebug_record_member_begin(aiodebug_record_t *r)
{
    if (r) {
        r->depth++;
        r->begins = true;
    }
}

void aiodebug_record_member_end(aiodebug_record_t *r)
{
    if (r) {
        r->depth--;
        r->begins = false;
    }
}

void aiodebug_record_object(aiodebug_record_t *r, const char *kind, uint64_t id,
                            const void *address, const char *repr, ...)
{
    if (r) {
        r->object_kind = keep_text(r, "%s", kind);
        r->object_id = id;
        r->object_address = (uintptr_t)address;
        KEEP(r->object_repr, repr);
    }
}

void aiodebug_record_loop(aiodebug_record_t *r, const char *repr, ...)
{
    if (r) {
        KEEP(r->loop, repr);
    }
}

void aiodebug_record_seconds(aiodebug_record_t *r, double seconds, double threshold)
{
    if (r) {
        r->has_seconds = true;
        r->seconds = seconds;
        r->threshold = threshold;
    }
}

void aiodebug_record_count(aiodebug_record_t *r, uint64_t count)
{
    if (r) {
        r->count = count;
    }
}

void aiodebug_record_hint(aiodebug_record_t *r, const char *format, ...)
{
    if (r) {
        KEEP(r->hint, format);
    }
}

void aiodebug_record_thread(aiodebug_record_t *r, pid_t tid)
{
    if (r && tid != r->tid) {
        r->tid = tid;
        r->thread[0] = '\0';
    }
}

void aiodebug_record_key(aiodebug_record_t *r, uint64_t key)
{
    if (r) {
        r->key = key;
    }
}
