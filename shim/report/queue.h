/* SPDX-License-Identifier: MIT */
/*
 * From the threads that notice something to the one that says it: many producers, one consumer
 * (whoever holds the reporter's lock), no lock, bounded. See queue.c for the protocol.
 */
#ifndef AIODEBUG_REPORT_QUEUE_H
#define AIODEBUG_REPORT_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "record.h"

enum { AIODEBUG_QUEUE_CAPACITY = 1024 };

typedef enum {
    AIODEBUG_LOST_FULL,   /* the queue was full */
    AIODEBUG_LOST_MEMORY, /* no memory to build or to print the record */
    AIODEBUG_LOST_WRITE,  /* the log could not be written */
    AIODEBUG_LOST_KINDS
} aiodebug_lost_t;

/* Producers, on any thread. False: full, the record is still the caller's. */
bool aiodebug_queue_push(aiodebug_record_t *r);

/* Counts a record that will never be written. */
void aiodebug_queue_count_lost(aiodebug_lost_t why);

/* The consumer. All there is, oldest first, linked by `next`; NULL when there is nothing. */
aiodebug_record_t *aiodebug_queue_take(void);

/* The consumer, after each record it took: it is written, or never will be. */
void aiodebug_queue_done(void);

/* The consumer: sleeps until there is something to take, until aiodebug_queue_nudge(), or until the
 * deadline (aiodebug_now_ns). False when the deadline has passed and there is nothing. */
bool aiodebug_queue_wait(int64_t deadline);

/* Ends the consumer's sleep. */
void aiodebug_queue_nudge(void);

/* A number for everything pushed until now, and: wait until all that is done, or the deadline. */
uint32_t aiodebug_queue_mark(void);
bool aiodebug_queue_is_done(uint32_t mark);
bool aiodebug_queue_wait_done(uint32_t mark, int64_t deadline);

/* Whether nothing was ever pushed or lost in this process. */
bool aiodebug_queue_untouched(void);

/* The consumer: how many were lost for this reason since the last time it asked. */
uint64_t aiodebug_queue_take_lost(aiodebug_lost_t why);

/* In the child after fork(): what is queued is the parent's to write. */
void aiodebug_queue_after_fork_child(void);

#endif
