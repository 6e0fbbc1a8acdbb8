/* SPDX-License-Identifier: MIT */
/*
 * The switch for processors that have no assembly here, by way of <ucontext.h>. See context.h.
 *
 * A saved "stack pointer" is a pointer to a ucontext_t: the one of a new context lies at the top of
 * its stack, the one of a suspended context in aiort__context_switch's frame on its own stack.
 *
 * Each switch is two system calls, since swapcontext also exchanges the signal mask.
 */
#include "context.h"

#if defined(AIORT_CONTEXT_UCONTEXT)

#include <stdint.h>
#include <ucontext.h>

/* Aligned as the ABI wants a stack to be, the record a multiple of that. */
typedef struct {
    ucontext_t context;
    void *(*entry)(void *);
    void *arg;
} __attribute__((aligned(16))) start_t;

void aiort__context_switch(void **save_sp, void *to_sp)
{
    ucontext_t here;

    *save_sp = &here;
    swapcontext(&here, to_sp);
}

/* makecontext() passes ints only: a pointer comes in two halves. */
static void start_context(unsigned high, unsigned low)
{
    start_t *start = (start_t *)(uintptr_t)((uint64_t)high << 32 | low);

    setcontext(start->entry(start->arg));
    __builtin_trap();
}

/*
 * makecontext() uses nothing of the stack but its end; how far down it goes is not known here.
 * getcontext() cannot fail on Linux.
 */
void *aiort__context_init(void *stack_top, void *(*entry)(void *), void *arg)
{
    start_t *start = (start_t *)stack_top - 1;
    uint64_t address = (uintptr_t)start;

    getcontext(&start->context);
    start->entry = entry;
    start->arg = arg;
    start->context.uc_stack.ss_sp = (char *)start - 1024;
    start->context.uc_stack.ss_size = 1024;
    start->context.uc_link = NULL;
    makecontext(&start->context, (void (*)(void))start_context, 2, (unsigned)(address >> 32),
                (unsigned)address);
    return start;
}

/* Shows the caller's stack only, see context.h. The barrier keeps this from being a tail call. */
void aiort__context_walk(void *saved_sp, void (*fn)(void *), void *arg)
{
    (void)saved_sp;
    fn(arg);
    __asm__ volatile("");
}

#endif
