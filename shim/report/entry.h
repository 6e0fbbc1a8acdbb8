/* SPDX-License-Identifier: MIT */
/*
 * What a record is made of: for the files of report/ only, everybody else goes through record.h.
 *
 * Until it is submitted a record belongs to the thread that builds it, then to the queue, then to
 * whoever holds the reporter's lock. Strings are kept one after another in `text`, and known by
 * their offset; offset 0 is "nothing".
 */
#ifndef AIODEBUG_REPORT_ENTRY_H
#define AIODEBUG_REPORT_ENTRY_H

#include <stdatomic.h>
#include <time.h>

#include "record.h"

enum {
    AIODEBUG_CONTEXT_MAX = 16,
    AIODEBUG_STACKS_MAX = 64,
    AIODEBUG_TEXT_INSIDE = 1024,     /* text kept in the record itself */
    AIODEBUG_STRING_MAX = 16 * 1024, /* longer ones are cut, */
    AIODEBUG_TEXT_MAX = 64 * 1024    /* and so are those beyond this in all */
};

typedef struct {
    aiodebug_role_t role;
    uint32_t stack;
    uint32_t title; /* 0: by role */
    uint32_t alone; /* what is printed of the title where there are no frames; 0: nothing */
    uint32_t error; /* not 0: a traceback that ends in this */
    uint32_t site_file, site_function; /* the frame to show where stack is 0; no file: none */
    int site_line;
    uint8_t depth; /* of an error: in how many groups it is */
    bool begins;   /* it is the first of the chain of a group's member */
} aiodebug_shown_stack_t;

struct aiodebug_record {
    aiodebug_record_t *next;
    /* What AIODEBUG_ABORT's waiting thread looks at: set when the record has been written. */
    _Atomic bool *written;
    bool summary; /* not a record, but the order to print the counts of repeats */
    bool fatal;   /* lies in static memory */
    bool failed;  /* memory ran out while it was built */
    bool brief;   /* as text, the first line alone */
    aiodebug_check_t check;
    aiodebug_level_t level;
    struct timespec time, monotonic;
    void *group; /* where it is counted, see group.c; NULL: nowhere */
    pid_t tid;
    char thread[16]; /* "": ask the kernel when it is printed */
    uint32_t message, loop, hint;
    uint32_t object_kind, object_repr;
    uint64_t object_id;
    uintptr_t object_address;
    bool has_seconds;
    double seconds, threshold;
    bool repeats; /* it tells how often another was repeated, and, with has_total, for how long */
    bool has_total;
    double total_seconds, max_seconds;
    uint64_t count;
    uint64_t format_hash, key;
    struct {
        uint32_t key, value;
    } context[AIODEBUG_CONTEXT_MAX];
    int contexts;
    aiodebug_shown_stack_t stacks[AIODEBUG_STACKS_MAX];
    int stack_count, stacks_left_out;
    uint8_t depth; /* of the errors being added */
    bool begins;
    char *text;
    uint32_t length, capacity;
    char inside[AIODEBUG_TEXT_INSIDE];
};

static inline const char *aiodebug_record_text(const aiodebug_record_t *r, uint32_t offset)
{
    return r->text + offset;
}

/* What aiodebug_record_new() does once it is known that the record is wanted; NULL: no memory. A
 * check of AIODEBUG_CHECK_COUNT is none: the shim speaks of itself. */
aiodebug_record_t *aiodebug_record_make(aiodebug_check_t check, aiodebug_level_t level);

/* Gives back what aiodebug_record_new() took. */
void aiodebug_record_free(aiodebug_record_t *r);

#endif
