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

typedef struct aiort__stack aiort__stack_t;
typedef struct aiort__stack_class aiort__stack_class_t;
typedef struct aiort__slab aiort__slab_t;

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
    size_t stride;        /* size and its guard */
    size_t total;         /* stacks handed out at least once or ready to be */
    aiort__slab_t *slabs; /* newest first; only the first may have slots never prepared */
    aiort__stack_class_t *next;
};

typedef struct aiort__stack_pool {
    aiort__stack_class_t common; /* of the size that aiort__stack_pool_init() was given */
    int guard;                   /* how new guards are made, see stack.c */
} aiort__stack_pool_t;

struct aiort__slab {
    aiort__stack_class_t *class;
    aiort__slab_t *next;
    size_t mapped;           /* bytes, from the slab's own address */
    char *slots;             /* the first slot, which is its guard */
    uint32_t count;          /* slots */
    uint32_t ready;          /* the first so many were prepared */
    uint32_t guarded;        /* of these, the first so many have a guard that faults */
    void *node;              /* in the table of slabs */
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

    stack->owner = NULL;
    if (__builtin_expect(--class->used < class->look_below, 0)) {
        aiort__stack_release_slow(pool, stack);
        return;
    }
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

    return slab->slots + (size_t)(stack - slab->stacks + 1) * slab->class->stride -
           slab->class->size;
}

/*
 * An overflow runs into a guard. The SIGSEGV handler then writes one line with the coroutine's
 * name, calls the hook, and goes on to whatever SIGSEGV would have done without it. The kernel,
 * asked to write into a guard (read(2) into a buffer that lies too deep), says EFAULT instead.
 *
 * Both may be set once, before the first pool; both must be async-signal-safe and may be NULL.
 * owner_name: the name of the coroutine that holds the stack (an aiort__stack_t), or NULL.
 * overflow_hook: its name, its stack's usable size in bytes, and the handler's ucontext_t.
 */
extern AIORT__HIDDEN const char *(*aiort__stack_owner_name)(const void *stack);
extern AIORT__HIDDEN void (*aiort__stack_overflow_hook)(const char *name, size_t size,
                                                        const void *ucontext);

/*
 * A handler cannot run on a stack that has overflowed: gives the calling thread an alternate signal
 * stack, unless it has one. 0, or a negative errno; without one an overflow dies without a message.
 * Calls nest; fini undoes the first init, unless the program has set another one since.
 */
AIORT__HIDDEN int aiort__stack_thread_init(void);
AIORT__HIDDEN void aiort__stack_thread_fini(void);

#endif
