/* SPDX-License-Identifier: MIT */
/*
 * What is in a queue, in the order in which it comes out: queue_items.c. Who waits for it: queue.c.
 */
#ifndef AIORT_QUEUE_H
#define AIORT_QUEUE_H

#include "scope.h"

typedef enum { AIORT__FIFO, AIORT__LIFO, AIORT__PRIORITY } aiort__discipline_t;

typedef struct {
    aiort__discipline_t discipline;
    aiort_compare_fn compare; /* PRIORITY */
    uint64_t order;           /* PRIORITY: items ever put in; equal ones come out as they came */
    size_t n, room;
    size_t head;  /* FIFO: of the ring; else 0 */
    void *memory; /* `room` pointers, or for PRIORITY as many entries: a heap */
} aiort__items_t;

/* 0, or UV_ENOMEM with nothing changed. */
AIORT__HIDDEN int aiort__items_put(aiort__items_t *items, void *item);
/* The next one. There must be one. */
AIORT__HIDDEN void *aiort__items_take(aiort__items_t *items);
/* The i-th as it lies there, for reprs. */
AIORT__HIDDEN const void *aiort__items_at(const aiort__items_t *items, size_t i);

#endif
