/* SPDX-License-Identifier: MIT */
/*
 * Which frames a reader sees, and what references become. Naming an address is symbols.c's; it
 * caches, so nothing is kept here.
 */
#include <stdlib.h>
#include <string.h>

#include "../track/stacks.h"
#include "names.h"

enum { INLINED_MAX = 8, FRAMES_MAX = AIODEBUG_STACK_DEPTH_MAX * INLINED_MAX };

typedef enum { PROGRAM, OURS, LIBUV, LIBC, STARTUP } origin_t;

/* One stack at a time; all of this is the caller's until the next call. */
static void *pcs[AIODEBUG_STACK_DEPTH_MAX];
static origin_t origins[AIODEBUG_STACK_DEPTH_MAX];
static aiodebug_frame_t frames_of[AIODEBUG_STACK_DEPTH_MAX][INLINED_MAX];
static int inlined[AIODEBUG_STACK_DEPTH_MAX]; /* how many of frames_of are used */
static aiodebug_frame_t shown[FRAMES_MAX];

static bool is_library(const char *module, const char *soname)
{
    const char *slash = module ? strrchr(module, '/') : NULL;
    const char *name = slash ? slash + 1 : module;
    return name && strncmp(name, soname, strlen(soname)) == 0;
}

static void name_frame(int i)
{
    inlined[i] = aiodebug_symbols_resolve((uintptr_t)pcs[i], frames_of[i], INLINED_MAX);
    const aiodebug_frame_t *outermost = &frames_of[i][inlined[i] - 1];
    if (aiodebug_symbols_internal((uintptr_t)pcs[i])) {
        origins[i] = OURS;
    } else if (aiodebug_symbols_startup(outermost)) {
        origins[i] = STARTUP;
    } else {
        origins[i] = is_library(outermost->module, "libuv.so")  ? LIBUV
                     : is_library(outermost->module, "libc.so") ? LIBC
                                                                : PROGRAM;
    }
}

/* Whether libuv's frame i lies between a wrapper of ours and a callback, or what else of ours the
 * capture has left out. What libuv calls in libc is no callback: there a thread waits. */
static bool leads_to_callback(int i, int n)
{
    int inner = i, outer = i;
    while (inner >= 0 && origins[inner] == LIBUV) {
        inner--;
    }
    while (outer < n && origins[outer] == LIBUV) {
        outer++;
    }
    return (inner < 0 || origins[inner] != LIBC) && outer < n && origins[outer] == OURS;
}

static bool is_shown(int i, int n)
{
    return origins[i] == PROGRAM || origins[i] == LIBC ||
           (origins[i] == LIBUV && !leads_to_callback(i, n));
}

/* A function that was split shows as two frames, of which the outer one stands where it calls its
 * other part, and no such call is in the source. */
static bool is_other_part(const aiodebug_frame_t *part, const aiodebug_frame_t *outer)
{
    return part->part && part->function && outer->function && outer->file && part->file &&
           strcmp(part->function, outer->function) == 0 && strcmp(part->file, outer->file) == 0;
}

static int select_frames(uint32_t stack, bool whole)
{
    int n = aiodebug_stack_frames(stack, pcs, AIODEBUG_STACK_DEPTH_MAX), count = 0;
    for (int i = 0; i < n; i++) {
        name_frame(i);
    }
    for (int i = 0; i < n; i++) {
        if (whole || is_shown(i, n)) {
            int from = !whole && i > 0 &&
                       is_other_part(&frames_of[i - 1][inlined[i - 1] - 1], &frames_of[i][0]);
            memcpy(&shown[count], &frames_of[i][from], (size_t)(inlined[i] - from) * sizeof *shown);
            count += inlined[i] - from;
        }
    }
    return count;
}

int aiodebug_names_whole_stack(uint32_t stack, const aiodebug_frame_t **frames)
{
    *frames = shown;
    return select_frames(stack, true);
}

int aiodebug_names_stack(uint32_t stack, const aiodebug_frame_t **frames)
{
    *frames = shown;
    int count = select_frames(stack, false);
    return count ? count : select_frames(stack, true);
}

/* "app+0x12e0": with the file's build-id it can be named elsewhere. */
static void put_offset(aiodebug_buffer_t *out, const aiodebug_frame_t *frame)
{
    const char *slash = strrchr(frame->module, '/');
    aiodebug_buffer_puts(out, slash ? slash + 1 : frame->module);
    aiodebug_buffer_printf(out, "+0x%llx", (unsigned long long)frame->offset);
}

int aiodebug_names_shown(const aiodebug_record_t *r, const aiodebug_shown_stack_t *of,
                         const aiodebug_frame_t **frames)
{
    if (of->stack || !of->site_file) {
        return aiodebug_names_stack(of->stack, frames);
    }
    shown[0] = (aiodebug_frame_t){.function = aiodebug_record_text(r, of->site_function),
                                  .file = aiodebug_record_text(r, of->site_file),
                                  .line = of->site_line};
    *frames = shown;
    return 1;
}

static void expand_created(aiodebug_buffer_t *out, uint32_t stack)
{
    if (select_frames(stack, false) == 0) {
        return;
    }
    const aiodebug_frame_t *frame = &shown[0];
    if (frame->file) {
        aiodebug_buffer_puts(out, " created at ");
        aiodebug_buffer_puts(out, frame->file);
        aiodebug_buffer_printf(out, ":%d", frame->line);
    } else if (frame->module) {
        aiodebug_buffer_puts(out, " created at ");
        put_offset(out, frame);
    }
}

static bool take_back(aiodebug_buffer_t *out, const char *words)
{
    size_t n = strlen(words);
    bool ends = out->length >= n && memcmp(out->data + out->length - n, words, n) == 0;
    out->length -= ends ? n : 0;
    return ends;
}

/* The line is not known, and the fallback is where the function was handed over, or nothing ("?").
 * What has been written already of the line is not true of that. */
static void put_site(aiodebug_buffer_t *out, const char *site, size_t length)
{
    static const char *const words[][2] = {{", defined at ", ", created at "},
                                           {" running at ", " created at "}};

    if (length == 1 && *site == '?' && take_back(out, " at ")) {
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (take_back(out, words[i][0])) {
            aiodebug_buffer_puts(out, words[i][1]);
            break;
        }
    }
    aiodebug_buffer_add(out, site, length);
}

static void expand_function(aiodebug_buffer_t *out, uintptr_t address, bool line,
                            const char *fallback, size_t length)
{
    aiodebug_frame_t frame;
    bool known = aiodebug_symbols_function(address, &frame);
    if (known && !line && frame.function) {
        aiodebug_buffer_puts(out, frame.function);
    } else if (known && line && frame.file) {
        aiodebug_buffer_puts(out, frame.file);
        aiodebug_buffer_printf(out, ":%d", frame.line);
    } else if (line) {
        put_site(out, fallback, length);
    } else if (frame.module && length > 2 && memcmp(fallback, "0x", 2) == 0) {
        put_offset(out, &frame);
    } else {
        aiodebug_buffer_add(out, fallback, length);
    }
}

/* One reference, from behind its \001 to before the next. False: it is none. */
static bool expand_reference(aiodebug_buffer_t *out, const char *text, const char *end)
{
    char *after;
    unsigned long long number = strtoull(text + 1, &after, 16);
    if (after == text + 1) {
        return false;
    }
    if (*text == 'C' && after == end) {
        expand_created(out, (uint32_t)number);
        return true;
    }
    if ((*text == 'N' || *text == 'L') && *after == '|') {
        expand_function(out, (uintptr_t)number, *text == 'L', after + 1, (size_t)(end - after - 1));
        return true;
    }
    return false;
}

/* Of what was written from `start` on. C++ names come with their parameters; an offset has none. */
static bool needs_brackets(const aiodebug_buffer_t *out, size_t start)
{
    return out->length > start && out->data[out->length - 1] != ')' &&
           !memchr(out->data + start, '+', out->length - start);
}

void aiodebug_names_expand(aiodebug_buffer_t *out, const char *text)
{
    for (;;) {
        size_t plain = strcspn(text, "\001");
        aiodebug_buffer_add(out, text, plain);
        text += plain;
        if (!*text) {
            return;
        }
        text++;
        const char *end = strchr(text, '\001');
        size_t start = out->length;
        if (end && expand_reference(out, text, end)) {
            text = end + 1;
            if (strncmp(text, "()", 2) == 0 && !needs_brackets(out, start)) {
                text += 2;
            }
        } else {
            aiodebug_buffer_putc(out, '\001'); /* somebody's own control character */
        }
    }
}
