/* SPDX-License-Identifier: MIT */
/*
 * The inside of track/memory.c that interpose/memory.c needs: a filter which says of nearly every
 * block, in a few instructions, that no watched object begins in it; and the slow way for the rest.
 *
 * The filter is a bitmap, one bit for each 64 bytes of the address space modulo 1 GiB: set when a
 * watched object begins there. A set bit may be another address's; a clear one is certain. Regions
 * of 256 KiB (4096 bits) count the bits' objects, so that large blocks are decided as fast.
 */
#ifndef AIODEBUG_TRACK_MEMORY_MAP_H
#define AIODEBUG_TRACK_MEMORY_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "track/memory.h"

enum {
    AIODEBUG_GRANULE_BITS = 6,
    AIODEBUG_WINDOW_BITS = 24, /* granules: 1 GiB of addresses */
    AIODEBUG_WINDOW_MASK = (1 << AIODEBUG_WINDOW_BITS) - 1,
    AIODEBUG_WINDOW_WORDS = 1 << (AIODEBUG_WINDOW_BITS - 6),
    AIODEBUG_REGION_BITS = 12, /* granules: 256 KiB */
    AIODEBUG_REGIONS = 1 << (AIODEBUG_WINDOW_BITS - AIODEBUG_REGION_BITS),
};

typedef struct {
    /* One word more: the last repeats the first, for blocks that lie across the window's end. */
    _Atomic uint64_t bits[AIODEBUG_WINDOW_WORDS + 1];
    _Atomic uint32_t objects[AIODEBUG_REGIONS];
} aiodebug_memory_map_t;

/* NULL until the first object is watched. Named hidden here, so that it is one load away. */
extern aiodebug_memory_map_t *_Atomic aiodebug_memory_map __attribute__((visibility("hidden")));

/* True: no watched object begins in these bytes. False: not so certain; always for more than 64
 * granules. `size` > 0. */
static inline bool aiodebug_memory_surely_none(const aiodebug_memory_map_t *map, uintptr_t block,
                                               size_t size)
{
    uintptr_t first = block >> AIODEBUG_GRANULE_BITS;
    uintptr_t more = ((block + size - 1) >> AIODEBUG_GRANULE_BITS) - first;
    const _Atomic uint64_t *word = &map->bits[(first & AIODEBUG_WINDOW_MASK) >> 6];
    uint64_t low = atomic_load_explicit(word, memory_order_relaxed) >> (first & 63);
    uint64_t high = atomic_load_explicit(word + 1, memory_order_relaxed) << 1 << (~first & 63);
    return more < 64 && ((low | high) << (~more & 63)) == 0;
}

/* False: no watched object begins in these bytes, however many. */
bool aiodebug_memory_may_begin(const aiodebug_memory_map_t *map, const void *block, size_t size);

typedef void aiodebug_memory_report_t(uint32_t record, const void *object, const void *block,
                                      size_t size, aiodebug_freed_t how);

/* The block is about to be given back: reports what begins in it and was not reported before.
 * Size 0: not known, only an object that begins where the block does is looked for. */
void aiodebug_memory_give_back(const void *block, size_t size, aiodebug_freed_t how,
                               aiodebug_memory_report_t *report);

/* The same for whole pages, which may begin or end in the midst of an object. */
void aiodebug_memory_give_back_pages(const void *pages, size_t size, aiodebug_freed_t how,
                                     aiodebug_memory_report_t *report);

/* A block (or pages) may be about to move: marks what lies in it. False: nothing does. When it is
 * known what became of it, and the first `kept` bytes have stayed where they are, settle() takes
 * the marks away and reports what had one and does not lie wholly in those bytes. What somebody
 * else has put into the old memory meanwhile has no mark. */
bool aiodebug_memory_lift(const void *block, size_t size, bool pages);
void aiodebug_memory_settle(const void *block, size_t size, bool pages, size_t kept,
                            aiodebug_freed_t how, aiodebug_memory_report_t *report);

/* For tests: bytes mapped for the table, without the filter. */
size_t aiodebug_memory_table_bytes(void);

#endif
