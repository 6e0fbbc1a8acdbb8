/* SPDX-License-Identifier: MIT */
/*
 * A coroutine as simple as can be, on context.h alone: what the tests here share. It is resumed
 * from main() or another coroutine and gives way to whoever resumed it. One switch site, as in a
 * scheduler.
 */
#ifndef COROUTINE_H
#define COROUTINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

#include "check.h"
#include "context/context.h"

/* No copies either, which gcc makes for constant arguments: unwound frames are told by function. */
#if defined(__clang__)
#define NOINLINE __attribute__((noinline))
#else
#define NOINLINE __attribute__((noipa))
#endif

/* Also without optimisation, for the same frames in every build. */
#define ALWAYS_INLINE __attribute__((always_inline)) static inline

enum { STACK_SIZE = 128 * 1024 };

typedef struct co {
    void *sp;
    aiort__fiber_t fiber;
    struct co *resumer;
    void (*body)(struct co *self);
    void *arg;
    bool finished;
    char *stack;
} co_t;

static co_t co_main;
static co_t *co_current = &co_main;

/* Not inlined: the return address that suspended contexts have in common. */
NOINLINE static void co_switch(co_t *to, bool dies)
{
    co_t *from = co_current;

    co_current = to;
    aiort__fiber_before(&from->fiber, &to->fiber, dies);
    aiort__context_switch(&from->sp, to->sp);
    aiort__fiber_after(&from->fiber);
}

/* A sanitizer wants its last word before a switch; else returning is the cheaper way to leave. */
static void *co_entry(void *arg)
{
    co_t *self = arg;

    aiort__fiber_after(&self->fiber);
    self->body(self);
    self->finished = true;
#if defined(AIORT__FIBER_ASAN) || defined(AIORT__FIBER_TSAN)
    co_switch(self->resumer, true);
    return NULL;
#else
    co_current = self->resumer;
    return co_current->sp;
#endif
}

/* On the given stack, so many bytes below its end. */
static inline void co_init_at(co_t *co, char *stack, size_t below, void (*body)(co_t *), void *arg)
{
    co->stack = stack;
    co->body = body;
    co->arg = arg;
    co->finished = false;
    co->resumer = NULL;
    aiort__fiber_create(&co->fiber, stack, STACK_SIZE);
    co->sp = aiort__context_init(stack + STACK_SIZE - below, co_entry, co);
}

static inline void co_init(co_t *co, void (*body)(co_t *), void *arg)
{
    char *stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    CHECK(stack != MAP_FAILED);
#if defined(VALGRIND_STACK_REGISTER) /* as the stack pool does */
    VALGRIND_STACK_REGISTER(stack, stack + STACK_SIZE - 1);
#endif
    co_init_at(co, stack, 0, body, arg);
}

ALWAYS_INLINE void co_resume(co_t *co)
{
    co->resumer = co_current;
    co_switch(co, false);
}

ALWAYS_INLINE void co_suspend(co_t *self)
{
    co_switch(self->resumer, false);
}

/* Of one that never ran to its end. */
static inline void co_drop(co_t *co)
{
    aiort__fiber_destroy(&co->fiber);
    munmap(co->stack, STACK_SIZE);
}

#endif
