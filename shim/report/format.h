/* SPDX-License-Identifier: MIT */
/* A record as text (text.c) or as JSON (json.c). Under the reporter's lock. */
#ifndef AIODEBUG_REPORT_FORMAT_H
#define AIODEBUG_REPORT_FORMAT_H

#include "buffer.h"
#include "entry.h"

/* Appends the whole record, newline at the end. */
void aiodebug_text_record(aiodebug_buffer_t *out, const aiodebug_record_t *r);
void aiodebug_json_record(aiodebug_buffer_t *out, const aiodebug_record_t *r);

/* "2026-11-22T14:30:01.123456Z". UTC by our own arithmetic: libc's would read TZ from an
 * environment that the program may be changing, and files. */
void aiodebug_format_time(aiodebug_buffer_t *out, const struct timespec *time);

/* The hint to give: the record's own, the check's, or NULL. */
const char *aiodebug_hint_of(const aiodebug_record_t *r);

/* In the child after fork(); async-signal-safe. */
void aiodebug_text_after_fork_child(void);
void aiodebug_json_after_fork_child(void);

#endif
