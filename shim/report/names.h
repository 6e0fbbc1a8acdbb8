/* SPDX-License-Identifier: MIT */
/* From stack ids and references to names. Under the reporter's lock. */
#ifndef AIODEBUG_REPORT_NAMES_H
#define AIODEBUG_REPORT_NAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "entry.h"
#include "symbols.h"

/*
 * The program's frames of a stack, innermost first, inlined calls included; valid until the next
 * call of anything here. Left out are frames of libaiort and libaiodebug, libc's way into main()
 * and into threads, and libuv's frames between two of ours (the loop at work between the call that
 * runs it and the callback). A stack of nothing else is given whole.
 */
int aiodebug_names_stack(uint32_t stack, const aiodebug_frame_t **frames);

/* The same for a record's stack: where it has none, the place that is known without it. */
int aiodebug_names_shown(const aiodebug_record_t *r, const aiodebug_shown_stack_t *of,
                         const aiodebug_frame_t **frames);

/* Every frame, to match suppressions with. */
int aiodebug_names_whole_stack(uint32_t stack, const aiodebug_frame_t **frames);

/* Appends the text with its references (record.h) replaced. */
void aiodebug_names_expand(aiodebug_buffer_t *out, const char *text);

#endif
