/* SPDX-License-Identifier: MIT */
/*
 * allocator.h - an allocator for the library that counts what lives, and can refuse.
 *
 * allocator_install() first of all in a case. allocator_live() is the number of blocks that are
 * allocated now. allocator_refuse(n) makes the n-th request from now on fail, once or, with
 * allocator_refuse_from(n), that and every one after it; 0: none. allocator_refused() says whether
 * it has come to that. Requests of all threads count.
 */
#ifndef ALLOCATOR_H
#define ALLOCATOR_H

#include "helpers.h"

#include <stdatomic.h>

static atomic_long allocator_blocks, allocator_requests, allocator_refuse_at, allocator_refusals;
static atomic_int allocator_for_good;

/* Counts one request; 1 when it is to be refused. */
static inline int allocator_refuses(void)
{
    long at = atomic_load(&allocator_refuse_at);
    long n = atomic_fetch_add(&allocator_requests, 1) + 1;
    if (at == 0 || !(n == at || (n > at && atomic_load(&allocator_for_good))))
        return 0;
    atomic_fetch_add(&allocator_refusals, 1);
    return 1;
}

static inline void *allocator_malloc(size_t size)
{
    void *block = allocator_refuses() ? NULL : malloc(size);
    if (block != NULL)
        atomic_fetch_add(&allocator_blocks, 1);
    return block;
}

static inline void *allocator_calloc(size_t n, size_t size)
{
    void *block = allocator_refuses() ? NULL : calloc(n, size);
    if (block != NULL)
        atomic_fetch_add(&allocator_blocks, 1);
    return block;
}

static inline void *allocator_realloc(void *old, size_t size)
{
    void *block = allocator_refuses() ? NULL : realloc(old, size);
    if (old == NULL && block != NULL)
        atomic_fetch_add(&allocator_blocks, 1);
    return block;
}

static inline void allocator_free(void *block)
{
    if (block != NULL)
        atomic_fetch_sub(&allocator_blocks, 1);
    free(block);
}

static inline void allocator_install(void)
{
    assert_ok(aiort_replace_allocator(allocator_malloc, allocator_realloc, allocator_calloc,
                                      allocator_free));
}

static inline long allocator_live(void)
{
    return atomic_load(&allocator_blocks);
}

static inline void allocator_refuse(long n)
{
    atomic_store(&allocator_for_good, 0);
    atomic_store(&allocator_requests, 0);
    atomic_store(&allocator_refusals, 0);
    atomic_store(&allocator_refuse_at, n);
}

static inline void allocator_refuse_from(long n)
{
    allocator_refuse(n);
    atomic_store(&allocator_for_good, 1);
}

static inline long allocator_refused(void)
{
    return atomic_load(&allocator_refusals);
}

/* Drops what the current error of this thread keeps. */
static inline void forget_error(void)
{
    (void)aiort_get_running_loop();
    assert_code(aiort_last_error(), AIORT_ENOLOOP);
}

#endif /* ALLOCATOR_H */
