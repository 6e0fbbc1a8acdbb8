/* SPDX-License-Identifier: MIT */
/* What memory.c and memory_blocks.c share: the table's entries, and how they are visited. */
#ifndef AIODEBUG_TRACK_MEMORY_TABLE_H
#define AIODEBUG_TRACK_MEMORY_TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "track/memory_map.h"

typedef struct {
    _Atomic uintptr_t start; /* 0: empty; 1: being replaced */
    _Atomic uint32_t record;
    _Atomic uint32_t size; /* and the marks, which are memory_blocks.c's */
} aiodebug_memory_entry_t;

/* An object of at least AIODEBUG_OBJECT_MAX bytes is taken to have so many. */
#define AIODEBUG_OBJECT_GIVEN_BACK (1u << 31)
#define AIODEBUG_OBJECT_LIFTED (1u << 30)
#define AIODEBUG_OBJECT_MAX (AIODEBUG_OBJECT_LIFTED - 1)

/* Called with a lock held, so it calls nothing foreign. False: it has not taken this one, and wants
 * to see no more. */
typedef bool aiodebug_memory_visitor_t(void *arg, aiodebug_memory_entry_t *entry, uintptr_t start);

/* Shows what begins in the granules from `at` to `last`, or in the first part of them, and returns
 * the one to go on from; `last` + 1 at the end. */
uintptr_t aiodebug_memory_visit(uintptr_t at, uintptr_t last, aiodebug_memory_visitor_t *visitor,
                                void *arg);

/* Shows everything, in any order. False: the visitor wanted to see no more. */
bool aiodebug_memory_visit_everything(aiodebug_memory_visitor_t *visitor, void *arg);

/* The size of the largest object so far. */
uint32_t aiodebug_memory_largest(void);

#endif
