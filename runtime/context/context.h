/* SPDX-License-Identifier: MIT */
/*
 * Execution contexts: the switch from one stack to another, and nothing above it.
 *
 * A context that does not run is one pointer, its saved stack pointer. All else it owns lies on its
 * stack: the registers that the ABI makes a callee keep, and the address it goes on at. Who runs
 * next, who owns a stack and when it may be reused is the scheduler's business; stacks come from
 * stack.h.
 *
 * x86_64.S and aarch64.S implement this; ucontext.c does for every other processor, and for these
 * two with -DAIORT_CONTEXT_UCONTEXT. All three may be compiled always: those not meant are empty.
 *
 * Invariants:
 *  - The switch ends in a plain `ret`, and a function that calls it has one call of it. Tasks that
 *    wait in the same function then return the way the processor foresees. A second call site, or
 *    `pop; jmp`, makes it mispredict that return, and those of the frames further out: 12 ns instead
 *    of 4.
 *  - The call frame information is right at every instruction, before and after the stack pointer
 *    moves. A debugger or a profiler may stop anywhere.
 *  - A switch keeps the signal mask and (but for -DAIORT_CONTEXT_FPU) the floating-point control
 *    words of the thread: both belong to the thread, not to the context.
 *  - A context is resumed on the thread that suspended it. (Compilers keep addresses of
 *    thread-locals across a call.)
 */
#ifndef AIORT_CONTEXT_CONTEXT_H
#define AIORT_CONTEXT_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>

#if !defined(AIORT_CONTEXT_UCONTEXT) && \
    !((defined(__x86_64__) && defined(__LP64__)) || defined(__aarch64__))
#define AIORT_CONTEXT_UCONTEXT
#endif

#define AIORT__HIDDEN __attribute__((visibility("hidden")))

/*
 * Suspends the running context, stores its saved stack pointer in *save_sp, and resumes the one
 * that was saved as to_sp. Returns when somebody resumes the suspended one.
 */
AIORT__HIDDEN void aiort__context_switch(void **save_sp, void *to_sp);

/*
 * Lays out a new context on the stack that ends (exclusively) at stack_top, which is aligned to 16
 * bytes. Returns what to switch to. The first switch calls entry(arg). It may leave by a last
 * switch, or return the saved stack pointer of the context to go on with, which is cheaper: the
 * processor foresees it. Backtraces end below entry.
 */
AIORT__HIDDEN void *aiort__context_init(void *stack_top, void *(*entry)(void *), void *arg);

/*
 * Calls fn(arg) on the current stack, but lets an unwinder that is started inside fn continue,
 * after fn's frame and this function's, in the context suspended at saved_sp: first
 * aiort__context_switch's caller there, and so on to its entry. Only reads that stack, and only
 * when the unwinder does. fn must return normally: an exception thrown through it would resume the
 * wrong context. With ucontext the unwinder sees the caller's own stack: swapcontext leaves no
 * frame that call frame information could describe.
 */
AIORT__HIDDEN void aiort__context_walk(void *saved_sp, void (*fn)(void *), void *arg);

/*
 * Fibers: what the sanitizers must be told around a switch. One aiort__fiber_t for each context,
 * the thread's own one included; the whole is empty and compiles to nothing without a sanitizer.
 *
 *     aiort__fiber_adopt(&loop->fiber);                     once, on the thread's own stack
 *     aiort__fiber_create(&task->fiber, base, size);        before the task's first switch
 *
 *     aiort__fiber_before(&from->fiber, &to->fiber, false); true: from is never resumed
 *     aiort__context_switch(&from->sp, to->sp);
 *     aiort__fiber_after(&from->fiber);
 *
 *     static void entry(void *arg) { aiort__fiber_after(&task->fiber); ... }   first of all
 *
 * A fiber that said goodbye with `true` is gone; aiort__fiber_destroy() is for one that was created
 * and is dropped without that. Never call it on the running fiber.
 */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define AIORT__FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define AIORT__FIBER_TSAN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define AIORT__FIBER_ASAN 1
#endif
#if defined(__SANITIZE_THREAD__)
#define AIORT__FIBER_TSAN 1
#endif

#if defined(AIORT__FIBER_ASAN)

#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

typedef struct aiort__fiber {
    void *fake_stack;   /* AddressSanitizer's, for use-after-return; kept while suspended */
    const void *bottom; /* lowest address; of a thread's own stack, learned at the first switch */
    size_t size;
} aiort__fiber_t;

/* Whom the switch under way comes from, to learn its bounds; NULL when it dies. */
extern AIORT__HIDDEN _Thread_local aiort__fiber_t *aiort__fiber_previous;

static inline void aiort__fiber_adopt(aiort__fiber_t *fiber)
{
    *fiber = (aiort__fiber_t){NULL, NULL, 0};
}

/* A reused stack may hold the poison of frames that never returned. */
static inline void aiort__fiber_create(aiort__fiber_t *fiber, const void *base, size_t size)
{
    *fiber = (aiort__fiber_t){NULL, base, size};
    __asan_unpoison_memory_region(base, size);
}

static inline void aiort__fiber_destroy(aiort__fiber_t *fiber)
{
    (void)fiber;
}

static inline void aiort__fiber_before(aiort__fiber_t *from, const aiort__fiber_t *to, bool dies)
{
    aiort__fiber_previous = dies ? NULL : from;
    __sanitizer_start_switch_fiber(dies ? NULL : &from->fake_stack, to->bottom, to->size);
}

static inline void aiort__fiber_after(aiort__fiber_t *self)
{
    const void *bottom;
    size_t size;

    __sanitizer_finish_switch_fiber(self->fake_stack, &bottom, &size);
    self->fake_stack = NULL;
    if (aiort__fiber_previous) {
        aiort__fiber_previous->bottom = bottom;
        aiort__fiber_previous->size = size;
    }
}

#elif defined(AIORT__FIBER_TSAN)

#include <pthread.h>
#include <sanitizer/tsan_interface.h>
#include <signal.h>

typedef struct aiort__fiber {
    void *tsan;
} aiort__fiber_t;

/*
 * ThreadSanitizer keeps a signal back until the fiber that it found running calls libc again: the
 * loop would sleep on, its SIGCHLD in a task that waits. So none arrives during a switch, and
 * blocking them is the call after which the old fiber has none left.
 */
extern AIORT__HIDDEN _Thread_local sigset_t aiort__fiber_signals;

/* ThreadSanitizer's state of a fiber that died in the switch under way: nothing frees it before. */
extern AIORT__HIDDEN _Thread_local void *aiort__fiber_dead;

static inline void aiort__fiber_adopt(aiort__fiber_t *fiber)
{
    fiber->tsan = __tsan_get_current_fiber();
}

static inline void aiort__fiber_create(aiort__fiber_t *fiber, const void *base, size_t size)
{
    (void)base;
    (void)size;
    fiber->tsan = __tsan_create_fiber(0);
}

static inline void aiort__fiber_destroy(aiort__fiber_t *fiber)
{
    __tsan_destroy_fiber(fiber->tsan);
}

/* Inlined always: ThreadSanitizer must not see its own exit from a function on the new fiber. */
__attribute__((always_inline)) static inline void aiort__fiber_before(aiort__fiber_t *from,
                                                                      const aiort__fiber_t *to,
                                                                      bool dies)
{
    sigset_t all;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &aiort__fiber_signals);
    aiort__fiber_dead = dies ? from->tsan : NULL;
    __tsan_switch_to_fiber(to->tsan, 0);
}

static inline void aiort__fiber_after(aiort__fiber_t *self)
{
    (void)self;
    pthread_sigmask(SIG_SETMASK, &aiort__fiber_signals, NULL);
    if (aiort__fiber_dead) {
        __tsan_destroy_fiber(aiort__fiber_dead);
        aiort__fiber_dead = NULL;
    }
}

#else

__extension__ typedef struct aiort__fiber {
} aiort__fiber_t;

static inline void aiort__fiber_adopt(aiort__fiber_t *fiber)
{
    (void)fiber;
}

static inline void aiort__fiber_create(aiort__fiber_t *fiber, const void *base, size_t size)
{
    (void)fiber;
    (void)base;
    (void)size;
}

static inline void aiort__fiber_destroy(aiort__fiber_t *fiber)
{
    (void)fiber;
}

static inline void aiort__fiber_before(aiort__fiber_t *from, const aiort__fiber_t *to, bool dies)
{
    (void)from;
    (void)to;
    (void)dies;
}

static inline void aiort__fiber_after(aiort__fiber_t *self)
{
    (void)self;
}

#endif

#endif
