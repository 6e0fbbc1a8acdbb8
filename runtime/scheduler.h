/* SPDX-License-Identifier: MIT */
/*
 * What a task that stops does, from taking the next one to the switch: inlined into the functions a
 * task stops in (await.c), since these few instructions are most of what a switch costs.
 *
 * Each of those functions switches at one place in its machine code, which is where tasks suspended
 * there go on: so the processor foresees where `ret` leads between two tasks that wait in the same
 * way, and the compiler must not make two calls of the one (see aiort__suspend).
 */
#ifndef AIORT_SCHEDULER_H
#define AIORT_SCHEDULER_H

#include "internal.h"

#define AIORT__INLINE __attribute__((always_inline)) static inline

/* The first in the queue is a task that has not started: gives it, or the one after it, a stack.
 * NULL: the hub is next. */
AIORT__HIDDEN aiort_task_t *aiort__next_fresh(aiort_loop_t *loop);
/* A task's step is over: tools are told, but of the first step of an eager task; then true, and its
 * maker is next. */
AIORT__HIDDEN bool aiort__step_over(aiort_loop_t *loop, aiort_task_t *task);
AIORT__HIDDEN aiort_task_t *aiort__eager_over(aiort_loop_t *loop);

/*
 * Whether an object of this iteration is first in the queue. When the iteration is over, the next
 * one begins here, unless the hub has something to do: nothing is ready, a look at clock and
 * selector is due or the loop stops (spins), something came from another thread.
 */
AIORT__INLINE bool aiort__goes_on(aiort_loop_t *loop)
{
    if (loop->limit == loop->popped) {
        if (!loop->head || --loop->spins == 0 ||
            atomic_load_explicit(&loop->incoming, memory_order_relaxed) != NULL) {
            return false;
        }
        loop->limit = loop->pushed;
    }
    return true;
}

/* Whom a stopping task may switch to directly; NULL: the hub has something to do first. */
AIORT__INLINE aiort_task_t *aiort__next_task(aiort_loop_t *loop)
{
    if (!aiort__goes_on(loop) || loop->head->kind != AIORT_KIND_TASK) {
        return NULL;
    }
    aiort_task_t *task = (aiort_task_t *)loop->head;
    if (AIORT__UNLIKELY(task->sp == NULL)) {
        return aiort__next_fresh(loop);
    }
    aiort__pop_first(loop, &task->future.object);
    return task;
}

AIORT__INLINE void aiort__switch(aiort_loop_t *loop, void **save, aiort__fiber_t *from,
                                 aiort_task_t *to, bool dies)
{
    void *sp = to ? to->sp : loop->hub_sp;

    loop->current = to;
    aiort__fiber_before(from, to ? &to->fiber : &loop->hub_fiber, dies);
    aiort__context_switch(save, sp);
    aiort__fiber_after(from);
}

/* Its step is over, and somebody wants to know. True: aiort__eager_over() tells what is next. */
static inline bool aiort__step_ends(aiort_loop_t *loop, aiort_task_t *task)
{
    return (loop->hooks & AIORT__EAGER || !aiort__spared(loop)) && aiort__step_over(loop, task);
}

/* The running task stops here; what runs next is the scheduler's choice. */
AIORT__INLINE void aiort__suspend(aiort_loop_t *loop, aiort_task_t *task)
{
    /* Neither way is unlikely: a tool's should not be paid for with jumps. */
    bool eager =
        loop->hooks & (AIORT__SEAM_STEP | AIORT__EAGER) && aiort__step_ends(loop, task);
    aiort_task_t *next =
        AIORT__UNLIKELY(eager) ? aiort__eager_over(loop) : aiort__next_task(loop);
    /* Keeps the compiler from making a copy of what follows for the hub: one call of the switch. */
    __asm__("" : "+r"(next));
    if (next != task) {
        aiort__switch(loop, &task->sp, &task->fiber, next, false);
    }
}

/* A task that waits for nothing any more is ready. */
AIORT__INLINE void aiort__push_task(aiort_loop_t *loop, aiort_task_t *task)
{
    aiort__enqueue(loop, &task->future.object);
    if (aiort__hooked(loop, AIORT__SEAM_SCHEDULED | AIORT__EMBEDDED)) {
        aiort__pushed_hook(loop, &task->future.object);
    }
}

#endif
