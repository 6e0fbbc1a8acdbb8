/* SPDX-License-Identifier: MIT */
/*
 * A record: one mistake, in the words of the thread that noticed it. It is built there with
 * nothing dearer than vsnprintf() and malloc() (something is wrong already, so both are
 * allowed), given away with aiodebug_record_submit(), and named, formatted, grouped and
 * written later on the reporter's thread.
 *
 *     aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_SLOW_CALLBACK, 0);
 *     aiodebug_record_message(r, "Executing %s took %.3f seconds", repr, seconds);
 *     aiodebug_record_seconds(r, seconds, aiodebug_config.slow_callback);
 *     aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, created, NULL);
 *     aiodebug_record_submit(r);
 *
 * Every function takes NULL for the record and then does nothing, so that a caller need not
 * ask whether the check is on or memory was found. All of them leave errno as it was, take no
 * lock, and may be called on any thread and on a coroutine's stack, but not in a signal
 * handler (aiodebug_record_new_fatal() is the exception).
 *
 * Every string is printf's and copied at once. Numbers are written with a decimal point
 * whatever the program's locale. Strings may hold references that are expanded on the
 * reporter's thread:
 *
 *     \001C<stack id, hex>\001             " created at FILE:LINE", or nothing when unknown
 *     \001N<address, hex>|<fallback>\001   the name of the function at that address
 *     \001L<address, hex>|<fallback>\001   FILE:LINE of that function's definition
 */
#ifndef AIODEBUG_REPORT_RECORD_H
#define AIODEBUG_REPORT_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../check/checks.h"

typedef struct aiodebug_record aiodebug_record_t;

/* What a stack shows. The name in lower case is JSON's `role`. */
typedef enum {
    AIODEBUG_ROLE_CREATED,   /* `source_traceback: Object created at ...` */
    AIODEBUG_ROLE_CALL,      /* where the wrong call was made */
    AIODEBUG_ROLE_SCHEDULED, /* `handle_traceback: Handle created at ...` */
    AIODEBUG_ROLE_CLOSED,    /* where it was closed first */
    AIODEBUG_ROLE_FREED,     /* where its memory was freed */
    AIODEBUG_ROLE_RAISED,    /* where the error comes from; see aiodebug_record_error() */
    AIODEBUG_ROLE_RUNNING,   /* where the thread is now */
    AIODEBUG_ROLE_SUSPENDED, /* where the coroutine waits */
    AIODEBUG_ROLE_COUNT
} aiodebug_role_t;

/* A new record at this level (0: the check's own). NULL when the check is off, the level is
 * below AIODEBUG_LEVEL, or there is no memory (which is counted as dropped). Time, thread and
 * process are taken here. AIODEBUG_CHECK_COUNT is no check: the record has no slug, AIODEBUG_CHECKS
 * does not turn it off, and its level is ERROR unless given. */
aiodebug_record_t *aiodebug_record_new(aiodebug_check_t check, aiodebug_level_t level);

/* The same for a process that is about to die in a signal handler: uses memory kept for it
 * instead of malloc(). One at a time; NULL when it is in use. */
aiodebug_record_t *aiodebug_record_new_fatal(aiodebug_check_t check, aiodebug_level_t level);

/* The first line, without the level in front and the slug behind. The format itself (the text, when
 * the format is "%s") is part of what makes two records the same mistake. */
void aiodebug_record_message(aiodebug_record_t *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* One line `key: value`. Lines are printed in the order of their keys, as asyncio's are;
 * `task`, `future`, `handle` and `transport` are asyncio's. */
void aiodebug_record_context(aiodebug_record_t *r, const char *key, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A stack by its id (0 is ignored). Without a title the first CREATED stack is printed as
 * `source_traceback:`, the first SCHEDULED one as `handle_traceback:`, both in their place
 * among the context lines, the others after them under a title that tells their role. A title
 * of the caller's own is printed as it is, after the context lines, in the order added. One
 * that announces frames is not printed where there are none, but for what is in front of a \002
 * (which is never printed) and says something by itself. */
void aiodebug_record_stack(aiodebug_record_t *r, aiodebug_role_t role, uint32_t stack,
                           const char *title, ...) __attribute__((format(printf, 4, 5)));

/* Of the stack or error added last: the one frame to show where there is no stack (its id is 0). */
void aiodebug_record_site(aiodebug_record_t *r, const char *file, int line, const char *function);

/* A failure: `Traceback (most recent call last):` with the stack (may be 0) and the text, such
 * as "EINVAL: not consumed", as last line. Comes last in the record. For a chain of causes
 * call it for the deepest cause first. */
void aiodebug_record_error(aiodebug_record_t *r, uint32_t stack, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The errors added from here to the end are in the error group added last, which may itself be in
 * one; each call begins the next of them. */
void aiodebug_record_member_begin(aiodebug_record_t *r);
void aiodebug_record_member_end(aiodebug_record_t *r);

/* JSON's `object`: kind ("task", "uv_timer_t"), a number that tells it from others of its kind
 * (0: none), its address, its repr. */
void aiodebug_record_object(aiodebug_record_t *r, const char *kind, uint64_t id,
                            const void *address, const char *repr, ...)
    __attribute__((format(printf, 5, 6)));

/* JSON's `loop`. */
void aiodebug_record_loop(aiodebug_record_t *r, const char *repr, ...)
    __attribute__((format(printf, 2, 3)));

/* What was measured and the threshold it passed, in seconds. */
void aiodebug_record_seconds(aiodebug_record_t *r, double seconds, double threshold);

/* How many objects this one record stands for (default 1). */
void aiodebug_record_count(aiodebug_record_t *r, uint64_t count);

/* A hint that knows more than the check's own; an empty one: none at all. */
void aiodebug_record_hint(aiodebug_record_t *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The thread the record is about, where that is not the one that builds it. */
void aiodebug_record_thread(aiodebug_record_t *r, pid_t tid);

/* Two records are the same mistake when check, format of the message, CREATED and CALL stacks
 * and this number agree. For records without stacks: the callback's address, say. */
void aiodebug_record_key(aiodebug_record_t *r, uint64_t key);

/* Gives the record away and wakes the reporter. Never blocks: with a full queue the record is
 * freed and counted. Where AIODEBUG_ABORT names the check: waits until it is written, and
 * unless it was suppressed, does not return. */
void aiodebug_record_submit(aiodebug_record_t *r);

/* Frees a record that is not submitted after all. */
void aiodebug_record_discard(aiodebug_record_t *r);

#endif
