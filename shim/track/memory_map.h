/* SPDX-License-Identifier: MIT */
/*
 * The inside of track/memory.c that interpose/memory.c needs: a filter which says of nearly every
 * block, in a few instructions, that no watched object begins in it; and the slow way for the rest.
 *
 * The filter is a bitmap, one bit for each 16 bytes of the address space modulo 512 MiB: set when a
 * watched object begins there. A set bit may be another address's; a clear one is certain. Above it
 * is a second one that says which of its words are not 0, for large blocks.
 */
#ifndef AIODEBUG_TRACK_MEMORY_MAP_H
#define AIODEBUG_TRACK_MEMORY_MAP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "track/memory.h"

enum {
    AIODEBUG_GRANULE_BITS = 4,
    AIODEBUG_WINDOW_BITS = 25, /* granules in the window */
    AIODEBUG_WINDOW_MASK = (1 << AIODEBUG_WINDOW_BITS) - 1,
    AIODEBUG_WORDS = 1 << (AIODEBUG_WINDOW_BITS - 6),
    AIODEBUG_REGIONS = AIODEBUG_WORDS >> 6, /* of 64 words, 64 KiB */
};

typedef struct {
    /* One word more, which repeats the first: for blocks that lie across the window's end. */
    _Atomic uint64_t bits[AIODEBUG_WORDS + 1];
    _Atomic uint64_t words[AIODEBUG_REGIONS];
} aiodebug_memory_map_t;

/* NULL until the first object is watched. Named hidden here, so that it is one load away. */
extern aiodebug_memory_map_t *_Atomic aiodebug_memory_map __attribute__((visibility("hidden")));

/* Up to 64 granules. Most words are 0, which takes no shifting. */
static inline bool aiodebug_no_bit(const aiodebug_memory_map_t *map, uintptr_t first, uintptr_t n)
{
    const _Atomic uint64_t *word = &map->bits[(first & AIODEBUG_WINDOW_MASK) >> 6];
    uint64_t low = atomic_load_explicit(word, memory_order_relaxed);
    uint64_t high = atomic_load_explicit(word + 1, memory_order_relaxed);
    return __builtin_expect((low | high) == 0, 1) ||
           (low >> (first & 63) | high << 1 << (~first & 63)) << (-n & 63) == 0;
}

/* More of them, by the words that they touch. */
static inline bool aiodebug_no_word(const aiodebug_memory_map_t *map, uintptr_t first, uintptr_t n)
{
    uintptr_t last = (first + n - 1) >> 6, at = (first >> 6) >> 6;
    uint64_t from = ~(uint64_t)0 << (first >> 6 & 63), words;
    for (;; at++, from = ~(uint64_t)0) {
        words =
            atomic_load_explicit(&map->words[at & (AIODEBUG_REGIONS - 1)], memory_order_relaxed);
        words &= from;
        if (at >= last >> 6) {
            return words << (~last & 63) == 0;
        }
        if (words != 0) {
            return false;
        }
    }
}

/* True: no watched object begins in these granules. False: that is not so certain. */
static inline bool aiodebug_memory_surely_none(const aiodebug_memory_map_t *map, uintptr_t first,
                                               uintptr_t n)
{
    if (__builtin_expect(n <= 64, 1)) {
        return aiodebug_no_bit(map, first, n);
    }
    return n <= AIODEBUG_WINDOW_MASK && aiodebug_no_word(map, first, n);
}

/* Defined in interpose/memory.c; called once, when the first object is about to be watched. Weak,
 * since unit tests of the table do without. */
void aiodebug_memory_watched(void) __attribute__((weak));

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
