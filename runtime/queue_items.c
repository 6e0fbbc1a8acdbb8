/* SPDX-License-Identifier: MIT */
/*
 * The items of a queue: a ring, a stack or a heap, which grows as it fills and never shrinks.
 *
 * The heap is stable, other than Python's: each entry has the number of its coming, which decides
 * between items that compare equal.
 */
#include "queue.h"

#include <string.h>

typedef struct {
    void *item;
    uint64_t order;
} entry_t;

static size_t entry_size(const aiort__items_t *items)
{
    return items->discipline == AIORT__PRIORITY ? sizeof(entry_t) : sizeof(void *);
}

static int grow(aiort__items_t *items)
{
    size_t size = entry_size(items);
    size_t room = items->room ? items->room * 2 : 8;

    if (room > SIZE_MAX / 2 / size) {
        return aiort__fail(UV_ENOMEM);
    }
    char *memory = aiort__malloc(room * size);
    if (!memory) {
        return aiort__fail(UV_ENOMEM);
    }
    if (items->n) {
        /* It is full: the ring is all of it, from head to the end and from the beginning to head.
         */
        size_t first = items->n - items->head;
        memcpy(memory, (char *)items->memory + items->head * size, first * size);
        memcpy(memory + first * size, items->memory, items->head * size);
    }
    if (items->memory) {
        aiort__free(items->memory);
    }
    items->memory = memory;
    items->room = room;
    items->head = 0;
    return 0;
}

/* ---- The heap ---- */

static bool before(const aiort__items_t *items, const entry_t *a, const entry_t *b)
{
    int order = items->compare(a->item, b->item);

    return order ? order < 0 : a->order < b->order;
}

static void rise(aiort__items_t *items, size_t i, entry_t entry)
{
    entry_t *heap = items->memory;

    while (i > 0 && before(items, &entry, &heap[(i - 1) / 2])) {
        heap[i] = heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    heap[i] = entry;
}

static void sink(aiort__items_t *items, entry_t entry)
{
    entry_t *heap = items->memory;
    size_t i = 0;

    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= items->n) {
            break;
        }
        if (child + 1 < items->n && before(items, &heap[child + 1], &heap[child])) {
            child++;
        }
        if (before(items, &entry, &heap[child])) {
            break;
        }
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = entry;
}

/* ---- All three ---- */

static size_t place(const aiort__items_t *items, size_t i)
{
    size_t at = items->head + i;

    return at < items->room ? at : at - items->room;
}

int aiort__items_put(aiort__items_t *items, void *item)
{
    if (items->n == items->room && grow(items)) {
        return UV_ENOMEM;
    }
    if (items->discipline == AIORT__PRIORITY) {
        rise(items, items->n, (entry_t){item, items->order++});
    } else {
        ((void **)items->memory)[place(items, items->n)] = item;
    }
    items->n++;
    return 0;
}

void *aiort__items_take(aiort__items_t *items)
{
    void *item;

    items->n--;
    switch (items->discipline) {
    case AIORT__FIFO:
        item = ((void **)items->memory)[items->head];
        items->head = place(items, 1);
        return item;
    case AIORT__LIFO:
        return ((void **)items->memory)[items->n];
    case AIORT__PRIORITY:
    default:
        item = ((entry_t *)items->memory)[0].item;
        if (items->n > 0) {
            sink(items, ((entry_t *)items->memory)[items->n]);
        }
        return item;
    }
}

const void *aiort__items_at(const aiort__items_t *items, size_t i)
{
    return items->discipline == AIORT__PRIORITY ? ((entry_t *)items->memory)[i].item
                                                : ((void **)items->memory)[place(items, i)];
}
