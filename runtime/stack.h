/* SPDX-License-Identifier: MIT */
/*
 * The stack pool: where coroutines get their stacks.
 *
 * One pool belongs to one loop and is used by one thread at a time; nothing in it is locked. What
 * is global (the table of slabs that the SIGSEGV handler reads, the handler itself) lives in
 * stack.c.
 *
 * Stacks of one size form a class. A class maps slabs of many stacks, each slot with a guard below
 * its stack, and keeps the free ones last-in first-out, so that a reused stack is warm and costs a
 * few instructions. Records are dense and apart from the stacks: a walk over them touches no stack.
 *
 *     slab:  | header, records | guard | stack 0 | guard | stack 1 | ...
 *
 * A stack that is free is in one of two lists of its class: `free` (its pages may be resident) or
 * `cold` (never used, or given back to the kernel). Only the slow path looks at the second.
 */
#ifndef AIORT_STACK_H
#define AIORT_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "context/context.h"

#define AIORT__STACK_DEFAULT_SIZE ((size_t)64 * 1024)
#define AIORT__STACK_MIN_SIZE ((size_t)16 * 1024) /* less does not hold a printf() */

typedef struct aiort__stack aiort__stack_t;
typedef struct aiort__stack_class aiort__stack_class_t;
typedef struct aiort__slab aiort__slab_t;

/* Ways to make a guard, best first. A pool that finds one not working goes on with the next. */
typedef enum aiort__guard {
    AIORT__GUARD_BATCHED,  /* MADV_GUARD_INSTALL, many in one process_madvise() */
    AIORT__GUARD_SINGLE,   /* MADV_GUARD_INSTALL; like the above it splits no mapping */
    AIORT__GUARD_MPROTECT, /* two mappings a stack, so not for more than vm.max_map_count allows */
    AIORT__GUARD_CANARY    /* none: an overflow is noticed when the stack is released */
} aiort__guard_t;

struct aiort__stack {
    char *top;            /* for aiort__context_init(): aligned to 16, coloured (see stack.c) */
    void *owner;          /* the holder's, for aiort__stack_owner_name; NULL while free */
    aiort__stack_t *next; /* in a list of free ones; no meaning while held */
    aiort__slab_t *slab;
};

struct aiort__stack_class {
    aiort__stack_t *free; /* last released first */
    size_t used;          /* held by callers now */
    size_t look_below;    /* a release that leaves fewer in use takes the slow path */
    aiort__stack_t *cold; /* ready, but without pages */
    size_t size;          /* usable bytes of a stack, a multiple of the page size */
    size_t guard;         /* bytes of the guard below each, a multiple of the page size */
    size_t total;         /* stacks prepared: used, free or cold */
    size_t resident;      /* of these, used or free */
    aiort__slab_t *slabs; /* newest first; only the first may have slots never prepared */
    aiort__stack_class_t *next;
};

typedef struct aiort__stack_pool {
    aiort__stack_class_t common; /* of the size that aiort__stack_pool_init() was given */
    aiort__guard_t guard;        /* how the next guards are made */
} aiort__stack_pool_t;

struct aiort__slab {
    aiort__stack_class_t *class;
    aiort__slab_t *next;
    size_t mapped;           /* bytes, from the slab's own address */
    char *slots;             /* the first slot, which is its guard */
    uint32_t count;          /* slots */
    uint32_t ready;          /* the first so many were prepared */
    uint32_t guarded;        /* of these, the first so many have a guard that faults */
    uint32_t mprotected;     /* of these, so many by mprotect() */
    void *watch;             /* overflow.c's */
    unsigned *valgrind;      /* what Valgrind calls each stack; NULL when not under it */
    uint64_t *marks;         /* a bit a slot, used while giving memory back */
    aiort__stack_t stacks[]; /* count */
};

/*
 * Makes an empty pool of stacks of stack_size bytes (0: the default), rounded up to whole pages.
 * Allocates nothing. The first call in the process installs the SIGSEGV handler.
 */
AIORT__HIDDEN void aiort__stack_pool_init(aiort__stack_pool_t *pool, size_t stack_size);

/* Unmaps all. No stack may be in use: nobody may stand on one, nobody may look at one. */
AIORT__HIDDEN void aiort__stack_pool_destroy(aiort__stack_pool_t *pool);

/* Not for use outside the two functions below. */
AIORT__HIDDEN aiort__stack_t *aiort__stack_acquire_slow(aiort__stack_pool_t *pool, size_t size);
AIORT__HIDDEN void aiort__stack_release_slow(aiort__stack_pool_t *pool, aiort__stack_t *stack);

/*
 * A stack of at least size bytes, 0 meaning the pool's own size. NULL when there is no memory.
 * It holds whatever its last user left there; the fast path touches no page of it.
 */
static inline aiort__stack_t *aiort__stack_acquire(aiort__stack_pool_t *pool, size_t size)
{
    aiort__stack_class_t *class = &pool->common;
    aiort__stack_t *stack = class->free;

    if (__builtin_expect((size != 0 && size != class->size) || !stack, 0)) {
        return aiort__stack_acquire_slow(pool, size);
    }
    class->free = stack->next;
    class->used++;
    return stack;
}

/*
 * Gives a stack back. The caller may still stand on it, if it acquires none before it has switched
 * away for good: the memory stays as it is until another release or acquire.
 */
static inline void aiort__stack_release(aiort__stack_pool_t *pool, aiort__stack_t *stack)
{
    aiort__stack_class_t *class = stack->slab->class;

    if (__builtin_expect(--class->used < class->look_below, 0)) {
        aiort__stack_release_slow(pool, stack);
        return;
    }
    stack->owner = NULL;
    stack->next = class->free;
    class->free = stack;
}

/* Usable bytes, and the lowest usable address: what a sanitizer or a debugger wants to know. */
static inline size_t aiort__stack_size(const aiort__stack_t *stack)
{
    return stack->slab->class->size;
}

static inline char *aiort__stack_base(const aiort__stack_t *stack)
{
    const aiort__slab_t *slab = stack->slab;
    const aiort__stack_class_t *class = slab->class;

    return slab->slots + (size_t)(stack - slab->stacks) * (class->guard + class->size) +
           class->guard;
}

/*
 * An overflow runs into a guard. The SIGSEGV handler then writes one line with the coroutine's
 * name, calls the hook, and goes on to whatever SIGSEGV would have done without it. The kernel,
 * asked to write into a guard (read(2) into a buffer that lies too deep), says EFAULT instead.
 *
 * The hooks may be set once, before the first pool; they are async-signal-safe, and may be NULL.
 * owner_name: the name of the coroutine that holds the stack (an aiort__stack_t), or NULL.
 * is_current: whether the calling thread runs on it now; asked when a stray pointer of the
 * coroutine beneath is as likely as an overflow. overflow_hook: its name, its stack's usable size
 * in bytes, and the handler's ucontext_t, which is NULL when there was no guard and the overflow
 * was noticed afterwards.
 */
extern AIORT__HIDDEN const char *(*aiort__stack_owner_name)(const void *stack);
extern AIORT__HIDDEN bool (*aiort__stack_is_current)(const void *stack);
extern AIORT__HIDDEN void (*aiort__stack_overflow_hook)(const char *name, size_t size,
                                                        const void *ucontext);

/*
 * A handler cannot run on a stack that has overflowed: gives the calling thread an alternate signal
 * stack, unless it has one. 0, or a negative errno; without one an overflow dies without a message.
 * Calls nest, and each has its fini whatever it returned; the last one undoes the first, unless the
 * program has set another stack since.
 */
AIORT__HIDDEN int aiort__stack_thread_init(void);
AIORT__HIDDEN void aiort__stack_thread_fini(void);

/* Between the three files. */

/*
 * Makes guards of the given bytes at first, first + stride, ... in the way that *how names. Returns
 * how many of the count were made; when not all, *how has moved on to the next way.
 */
AIORT__HIDDEN uint32_t aiort__guard_install(aiort__guard_t *how, char *first, size_t stride,
                                            size_t bytes, uint32_t count);

/* So many guards made by mprotect() were unmapped: others may have their mappings. */
AIORT__HIDDEN void aiort__guard_forget(uint32_t count);

/* Installs the SIGSEGV handler, once a process. */
AIORT__HIDDEN void aiort__overflow_init(void);

/* Lets the handler know a slab, until it is forgotten. NULL when there is no memory. */
AIORT__HIDDEN void *aiort__overflow_watch(aiort__slab_t *slab);
AIORT__HIDDEN void aiort__overflow_forget(void *watch);

/* Says that the stack overflowed; async-signal-safe. */
AIORT__HIDDEN void aiort__overflow_report(const aiort__stack_t *stack, const void *ucontext);

#endif
