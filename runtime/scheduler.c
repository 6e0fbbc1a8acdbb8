/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: which task runs next, how one starts and how it ends.
 *
 * There is a hub, the stack that aiort_loop_run_forever() was called on, and the tasks' stacks. A
 * task that stops looks at the ready queue itself (scheduler.h): when a task is next it switches to
 * it at once, and when the iteration is over it begins the next one, if nothing but tasks is waiting
 * for attention. Only for what needs the hub does it switch there: a callback (it may need more
 * stack than a task has), a stop, the clock and the selector, something from another thread.
 *
 * An iteration is asyncio's: the callbacks and steps that were ready when it began. What they make
 * ready runs in the next.
 *
 * A task that ends releases the stack it stands on right before it leaves it for good: nobody takes
 * it meanwhile.
 */
#include "scheduler.h"

/* Marks a task as running on this stack. */
static inline void occupy(aiort_task_t *task, aiort__stack_t *stack)
{
    stack->owner = task;
    task->stack = stack;
    aiort__set_state(&task->coroutine->object, AIORT__CORO_RUNNING);
}

/* A task that ends before it began: cancelled, or without memory. */
AIORT__COLD static void never_began(aiort_task_t *task, int err)
{
    task->must_cancel = 0;
    aiort__task_finish(task, err, NULL);
    aiort__unref(&task->future.object);
}

static void *task_main(void *arg);

/* The stack of a task that ended is the next one's, if it has the loop's size; where an overflow is
 * only noticed when a stack is released, each is. */
static inline void leave(aiort_loop_t *loop, aiort__stack_t *stack, uint32_t stack_size)
{
    if (AIORT__LIKELY(stack_size == 0 && !loop->spare &&
                      loop->stacks.guard != AIORT__GUARD_CANARY)) {
        stack->owner = NULL;
        loop->spare = stack;
    } else {
        aiort__stack_release(&loop->stacks, stack);
    }
}

/* Gives a task a stack of its own. false: it ended instead. */
__attribute__((always_inline)) static inline bool start(aiort_loop_t *loop, aiort_task_t *task)
{
    if (AIORT__UNLIKELY(task->must_cancel)) {
        never_began(task, UV_ECANCELED);
        return false;
    }
    aiort__stack_t *stack = loop->spare;
    if (AIORT__LIKELY(stack && task->stack_size == 0)) {
        loop->spare = NULL;
    } else if (AIORT__UNLIKELY(!(stack = aiort__stack_acquire(&loop->stacks, task->stack_size)))) {
        never_began(task, UV_ENOMEM);
        return false;
    }
    occupy(task, stack);
    task->sp = aiort__context_init(stack->top, task_main, task);
    aiort__fiber_create(&task->fiber, aiort__stack_base(stack), aiort__stack_size(stack));
    return true;
}

/* The first in the queue did not start, but ended. */
AIORT__COLD static aiort_task_t *next_but_one(aiort_loop_t *loop)
{
    while (aiort__goes_on(loop) && loop->head->kind == AIORT_KIND_TASK) {
        aiort_task_t *task = (aiort_task_t *)loop->head;
        aiort__pop_first(loop, &task->future.object);
        if (task->sp || start(loop, task)) {
            return task;
        }
    }
    return NULL;
}

aiort_task_t *aiort__next_fresh(aiort_loop_t *loop)
{
    aiort_task_t *task = (aiort_task_t *)loop->head;

    aiort__pop_first(loop, &task->future.object);
    return start(loop, task) ? task : next_but_one(loop);
}

/*
 * The coroutine has returned, its result is in its place. Mostly without an error, and one task waits for that or none does. When
 * nothing else is ready that one is next, and need not go through the queue: it is returned.
 */
static inline aiort_task_t *finish(aiort_loop_t *loop, aiort_task_t *task, int err)
{
    aiort__object_t *waiting = task->future.first;

    if (AIORT__UNLIKELY(err < 0 || task->attention ||
                        (waiting && (waiting->next || waiting->kind != AIORT_KIND_TASK)))) {
        aiort__task_finish(task, err, task->future.u.result);
        return NULL;
    }
    aiort__set_state(&task->coroutine->object, AIORT__CORO_DONE);
    aiort__task_unlink(loop, task);
    aiort__set_state(&task->future.object, AIORT_FINISHED);
    if (AIORT__UNLIKELY(task->current_error != 0)) {
        aiort__clear_error_slot(&task->current_error);
    }
    if (!waiting) {
        return NULL;
    }
    task->future.first = NULL;
    if (AIORT__UNLIKELY(loop->head || loop->spins <= 1 ||
                        aiort__hooked(loop, AIORT__SEAM_SCHEDULED | AIORT__EMBEDDED | AIORT__EAGER) ||
                        atomic_load_explicit(&loop->incoming, memory_order_relaxed) != NULL)) {
        aiort__push_task(loop, (aiort_task_t *)waiting);
        return NULL;
    }
    loop->spins--;
    return (aiort_task_t *)waiting;
}

/*
 * Whom the task that just ended goes on with; NULL: the hub. One that has not started may have its
 * stack, of this size, and then has no sp.
 */
static inline aiort_task_t *successor(aiort_loop_t *loop, uint32_t stack_size)
{
    if (!aiort__goes_on(loop) || loop->head->kind != AIORT_KIND_TASK) {
        return NULL;
    }
    aiort_task_t *task = (aiort_task_t *)loop->head;
    if (!task->sp && (task->stack_size != stack_size || task->must_cancel)) {
        return aiort__next_fresh(loop);
    }
    aiort__pop_first(loop, &task->future.object);
    return task;
}

/*
 * A task that is started at once makes its first step inside of its maker's: when it stops or ends,
 * the maker goes on, whatever else is ready. Such steps nest; the innermost is the one that runs.
 * For a tool, which is told of the ends of steps, the maker's step goes on all the time.
 */
typedef struct aiort__eager {
    struct aiort__eager *outer;
    aiort_task_t *maker; /* NULL: something on the hub */
} eager_t;

bool aiort__step_over(aiort_loop_t *loop, aiort_task_t *task)
{
    if (loop->eager) {
        return true;
    }
    if (aiort__seam(AIORT__SEAM_STEP)) {
        aiort_instrument_step(loop, task);
    }
    return false;
}

aiort_task_t *aiort__eager_over(aiort_loop_t *loop)
{
    const eager_t *eager = loop->eager;

    loop->eager = eager->outer;
    if (!loop->eager) {
        loop->hooks &= ~AIORT__EAGER;
    }
    return eager->maker;
}

void aiort__start_eagerly(aiort_loop_t *loop, aiort_task_t *task)
{
    eager_t eager = {.outer = loop->eager, .maker = loop->current};
    aiort_task_t *maker = eager.maker;

    if (!start(loop, task)) {
        return;
    }
    loop->eager = &eager;
    loop->hooks |= AIORT__EAGER;
    aiort__switch(loop, maker ? &maker->sp : &loop->hub_sp,
                  maker ? &maker->fiber : &loop->hub_fiber, task, false);
}

/*
 * The first function on a task's stack. When the task has ended and one that has not started is
 * next, that one runs here at once; else this returns where to go on, see aiort__context_init().
 */
static void *task_main(void *arg)
{
    aiort_task_t *task = arg;
    aiort_loop_t *loop = task->future.object.loop;
    aiort__stack_t *stack = task->stack;

    aiort__fiber_after(&task->fiber);
    uint32_t stack_size;
    for (;;) {
        aiort_coroutine_t *coroutine = task->coroutine;
        int err = coroutine->function(coroutine->arg, &task->future.u.result);

        aiort_task_t *next = finish(loop, task, err);
        bool eager = aiort__hooked(loop, AIORT__SEAM_STEP | AIORT__EAGER) &&
                     aiort__step_ends(loop, task);
        stack_size = task->stack_size;
        loop->leaving = task->fiber;
        task->stack = NULL;
        task->sp = NULL;
        loop->current = NULL;
        aiort__unref(&task->future.object); /* the loop's; may report an error */
        task = AIORT__UNLIKELY(eager) ? aiort__eager_over(loop)
               : next                 ? next
                                      : successor(loop, stack_size);
        if (!task || task->sp) {
            break;
        }
        occupy(task, stack);
        task->sp = stack->top; /* not NULL: it has started; the next switch sets it */
        task->fiber = loop->leaving;
        loop->current = task;
    }
    leave(loop, stack, stack_size);
#if defined(AIORT__FIBER_ASAN) || defined(AIORT__FIBER_TSAN)
    /* The sanitizer must see the last switch and not a return to somewhere else. */
    aiort__switch(loop, &loop->nowhere, &loop->leaving, task, true);
    __builtin_unreachable();
#else
    loop->current = task;
    return task ? task->sp : loop->hub_sp;
#endif
}

void aiort__abandon(aiort_loop_t *loop, aiort_task_t *task)
{
    /* Its stack is never released: the program may have pointers into it. */
    task->abandoned = 1;
    aiort__switch(loop, &task->sp, &task->fiber, NULL, false);
    __builtin_unreachable();
}

__attribute__((noinline)) AIORT__HOT void aiort__resume(aiort_loop_t *loop, aiort_task_t *task)
{
    aiort__switch(loop, &loop->hub_sp, &loop->hub_fiber, task, false);
}

AIORT__HOT void aiort__run_ready(aiort_loop_t *loop)
{
    loop->limit = loop->pushed;
    while (aiort__remaining(loop) > 0) {
        if (loop->head->kind == AIORT_KIND_HANDLE) {
            aiort__handles_run(loop);
            continue;
        }
        aiort_task_t *task = (aiort_task_t *)aiort__pop(loop);
        if (task->sp || start(loop, task)) {
            aiort__resume(loop, task);
        }
    }
}
