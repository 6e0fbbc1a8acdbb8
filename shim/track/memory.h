/* SPDX-License-Identifier: MIT */
/*
 * The memory in which libuv's live handles lie, and what happens when it is given back.
 *
 * The table goes from an object's address to the number of its record. interpose/memory.c asks it
 * at each free, realloc, munmap and delete; what is then said is check/uv_lifetime.c's.
 *
 * All of these may be called on any thread and in signal handlers (in one that interrupts another
 * of them on its own thread they do nothing and find nothing), and none allocates, waits for long
 * or fails: when there is no memory for an entry the object is not watched.
 */
#ifndef AIODEBUG_TRACK_MEMORY_H
#define AIODEBUG_TRACK_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* An object of `size` bytes begins at `start`; `record` (not 0) is its number. An older entry at
 * the same start is replaced. */
void aiodebug_memory_watch(const void *start, size_t size, uint32_t record);

/* Forgets it. An unknown start: nothing. */
void aiodebug_memory_unwatch(const void *start);

/* The record of the object that begins exactly at `start`, 0: none is known. An object whose memory
 * was given back is still found until it is forgotten or replaced. */
uint32_t aiodebug_memory_find(const void *start);

typedef enum {
    AIODEBUG_FREED_FREE,    /* free, cfree */
    AIODEBUG_FREED_REALLOC, /* realloc, reallocarray: moved, made too small, or size 0 */
    AIODEBUG_FREED_MUNMAP,
    AIODEBUG_FREED_MREMAP,       /* moved, made too small, or covered by another mapping */
    AIODEBUG_FREED_DELETE,       /* C++'s operator delete, in all its forms */
    AIODEBUG_FREED_DELETE_ARRAY, /* operator delete[] */
} aiodebug_freed_t;

/* Defined in check/uv_lifetime.c. Called on the thread that gives `block` back, once for each
 * watched object that lies wholly or partly in it, in the order of their addresses, with no lock
 * held: before the memory is really given back, but for a realloc or mremap, which move it or do
 * not: for them directly after. `size` is the block's, as the allocator has it. The object stays
 * in the table and is not reported again. */
void aiodebug_uv_memory_freed(uint32_t record, const void *object, const void *block, size_t size,
                              aiodebug_freed_t how);

#endif
