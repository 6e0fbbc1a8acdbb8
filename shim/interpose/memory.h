/* SPDX-License-Identifier: MIT */
/* What the wrappers of libc's and of C++'s ways to give memory back share. */
#ifndef AIODEBUG_INTERPOSE_MEMORY_H
#define AIODEBUG_INTERPOSE_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "track/memory_map.h"

/* How the size of a block is learnt: interpose/memory.c. */
typedef enum {
    AIODEBUG_SIZES_UNKNOWN, /* not asked yet */
    AIODEBUG_SIZES_NONE,    /* it is not: an object at the block's beginning is found, no other */
    AIODEBUG_SIZES_ASKED,   /* from malloc_usable_size() */
    AIODEBUG_SIZES_TRIAL,   /* from the word before the block, and that is compared */
    AIODEBUG_SIZES_BEFORE,  /* from the word before the block */
} aiodebug_sizes_t;

extern _Atomic int aiodebug_sizes __attribute__((visibility("hidden")));

/* The size of a block of malloc()'s; 0: not known. */
size_t aiodebug_block_size(void *block);

/* Whether a function belongs to the library (or program) whose malloc() the process uses. */
bool aiodebug_is_of_allocator(const void *function);

/* The size that glibc has in the word before a block, as malloc_usable_size() tells it: the lowest
 * three bits are flags, and a block with the second has a mapping of its own. */
static inline size_t aiodebug_size_before(const void *block)
{
    size_t word = ((const size_t *)block)[-1];
    return (word & ~(size_t)7) - (word & 2 ? 2 : 1) * sizeof(size_t);
}

static inline const aiodebug_memory_map_t *aiodebug_watched_memory(void)
{
    return atomic_load_explicit(&aiodebug_memory_map, memory_order_acquire);
}

/* True: nothing that is watched begins in this block of malloc()'s. For the wrappers' short way,
 * which calls nothing and so needs no stack. Sizes must be AIODEBUG_SIZES_BEFORE: glibc's, where
 * blocks and sizes are multiples of 16, and the word counts 8 bytes more than the block has. */
static inline bool aiodebug_block_surely_empty(const aiodebug_memory_map_t *map, const void *block)
{
    return aiodebug_memory_surely_none(map, (uintptr_t)block >> AIODEBUG_GRANULE_BITS,
                                       ((const size_t *)block)[-1] >> AIODEBUG_GRANULE_BITS);
}

/* The whole question, at leisure. `*size`: the block's, 0 when it is not known. */
static inline bool aiodebug_block_may_hold(void *block, size_t *size)
{
    *size = aiodebug_block_size(block);
    return aiodebug_memory_may_begin(aiodebug_watched_memory(), block, *size ? *size : 1);
}

#endif
