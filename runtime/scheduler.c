/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: which task runs next, and the one place where stacks are switched.
 *
 * There is a hub, the stack that aiort_loop_run_forever() was called on, and the tasks' stacks. A
 * task that stops looks at the ready queue itself: when a task is next it switches to it at once,
 * and when the iteration is over it begins the next one, if nothing but tasks is waiting for
 * attention. Only for what needs the hub does it switch there: a callback (it may need more stack
 * than a task has), a stop, the clock and the selector, something from another thread.
 *
 * An iteration is asyncio's: the callbacks and steps that were ready when it began. What they make
 * ready runs in the next.
 *
 * A task that ends cannot free the stack it stands on. It leaves it in loop->dead, and whoever runs
 * next, on another stack, releases it.
 */
#include "internal.h"

static inline void release_dead(aiort_loop_t *loop)
{
    if (AIORT__UNLIKELY(loop->dead != NULL)) {
        aiort__stack_release(&loop->stacks, loop->dead);
        loop->dead = NULL;
    }
}

/*
 * The only call of aiort__context_switch(): with a second one, and with what a plain `ret` could
 * not predict, every switch would cost three times as much.
 */
__attribute__((noinline)) static void switch_to(aiort_loop_t *loop, void **save, void *sp,
                                                aiort__fiber_t *from, const aiort__fiber_t *to,
                                                bool dies)
{
    aiort__fiber_before(from, to, dies);
    aiort__context_switch(save, sp);
    aiort__fiber_after(from);
    release_dead(loop);
}

/* The choice between a task and the hub is made out here: in there the compiler would make two calls
 * of the one, a call for each. */
static inline void switch_stacks(aiort_loop_t *loop, void **save, aiort__fiber_t *from,
                                 aiort_task_t *to, bool dies)
{
    loop->current = to;
    loop->running_object = to;
    switch_to(loop, save, to ? to->sp : loop->hub_sp, from, to ? &to->fiber : &loop->hub_fiber,
              dies);
}

/* Marks a task as running on this stack. */
static inline void occupy(aiort_task_t *task, aiort__stack_t *stack)
{
    stack->owner = task;
    task->stack = stack;
    task->coroutine->object.state = AIORT__CORO_RUNNING;
}

/* A task that ends before it began: cancelled, or without memory. */
AIORT__COLD static void never_began(aiort_task_t *task, int err)
{
    task->must_cancel = 0;
    aiort__task_finish(task, err, NULL);
    aiort__unref(&task->future.object);
}

static void *task_main(void *arg);

/* Gives a task a stack of its own. false: it ended instead. */
static bool start(aiort_loop_t *loop, aiort_task_t *task)
{
    aiort__stack_t *stack = aiort__stack_acquire(&loop->stacks, task->stack_size);

    if (AIORT__UNLIKELY(!stack)) {
        never_began(task, UV_ENOMEM);
        return false;
    }
    occupy(task, stack);
    task->sp = aiort__context_init(stack->top, task_main, task);
    aiort__fiber_create(&task->fiber, aiort__stack_base(stack), aiort__stack_size(stack));
    return true;
}

/*
 * Whom a stopping task may switch to directly; NULL: the hub has something to do first. One that
 * has not started needs a stack: that of the task that just ended (spare), or a new one.
 */
static inline aiort_task_t *next_task(aiort_loop_t *loop, const aiort_task_t *spare)
{
    for (;;) {
        if (aiort__remaining(loop) == 0) {
            if (aiort__ready(loop) == 0 || --loop->spins == 0 || loop->stopping ||
                atomic_load_explicit(&loop->incoming, memory_order_relaxed) != NULL) {
                return NULL;
            }
            loop->limit = loop->pushed;
            loop->iterations++;
        }
        if (loop->head->kind != AIORT_KIND_TASK) {
            return NULL;
        }
        aiort_task_t *task = (aiort_task_t *)aiort__pop(loop);
        if (AIORT__LIKELY(task->sp != NULL)) {
            return task;
        }
        if (AIORT__UNLIKELY(task->must_cancel)) {
            never_began(task, UV_ECANCELED);
        } else if ((spare && task->stack_size == loop->spare_size) || start(loop, task)) {
            return task;
        }
    }
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

static aiort_task_t *eager_over(aiort_loop_t *loop)
{
    const eager_t *eager = loop->eager;

    loop->eager = eager->outer;
    return eager->maker;
}

void aiort__start_eagerly(aiort_loop_t *loop, aiort_task_t *task)
{
    eager_t eager = {.outer = loop->eager, .maker = loop->current};
    aiort_task_t *maker = eager.maker;
    void *running = loop->running_object;

    if (!start(loop, task)) {
        return;
    }
    loop->eager = &eager;
    switch_stacks(loop, maker ? &maker->sp : &loop->hub_sp,
                  maker ? &maker->fiber : &loop->hub_fiber, task, false);
    loop->running_object = running;
}

/*
 * The first function on a task's stack. When the task has ended and one that has not started is
 * next, that one runs here at once; else this returns where to go on, see aiort__context_init().
 */
static void *task_main(void *arg)
{
    aiort_task_t *task = arg;
    aiort_loop_t *loop = task->future.object.loop;

    aiort__fiber_after(&task->fiber);
    release_dead(loop);
    for (;;) {
        aiort_coroutine_t *coroutine = task->coroutine;
        void *result = NULL;
        int err = coroutine->function(coroutine->arg, &result);

        aiort__task_finish(task, err, result);
        bool eager = loop->eager != NULL;
        if (aiort__seam(AIORT__SEAM_STEP) && !eager) {
            aiort_instrument_step(loop, task);
        }
        aiort__stack_t *stack = task->stack;
        loop->leaving = task->fiber;
        loop->spare_size = task->stack_size;
        task->stack = NULL;
        task->sp = NULL;
        loop->current = NULL;
        loop->running_object = NULL;
        aiort__unref(&task->future.object); /* the loop's; may report an error */
        task = AIORT__UNLIKELY(eager) ? eager_over(loop) : next_task(loop, task);
        if (!task || task->sp) {
            loop->dead = stack;
            break;
        }
        occupy(task, stack);
        task->sp = stack->top; /* not NULL: it has started; the next switch sets it */
        task->fiber = loop->leaving;
        loop->current = task;
        loop->running_object = task;
    }
#if defined(AIORT__FIBER_ASAN) || defined(AIORT__FIBER_TSAN)
    /* The sanitizer must see the last switch and not a return to somewhere else. */
    switch_stacks(loop, &loop->nowhere, &loop->leaving, task, true);
    __builtin_unreachable();
#else
    loop->current = task;
    loop->running_object = task;
    return task ? task->sp : loop->hub_sp;
#endif
}

void aiort__suspend(aiort_loop_t *loop, aiort_task_t *task)
{
    if (AIORT__UNLIKELY(loop->eager != NULL)) {
        switch_stacks(loop, &task->sp, &task->fiber, eager_over(loop), false);
        return;
    }
    if (aiort__seam(AIORT__SEAM_STEP)) {
        aiort_instrument_step(loop, task);
    }
    aiort_task_t *next = next_task(loop, NULL);
    if (next != task) {
        switch_stacks(loop, &task->sp, &task->fiber, next, false);
    }
}

void aiort__abandon(aiort_loop_t *loop, aiort_task_t *task)
{
    /* Its stack is never released: the program may have pointers into it. */
    task->abandoned = 1;
    switch_stacks(loop, &task->sp, &task->fiber, NULL, false);
    __builtin_unreachable();
}

void aiort__resume(aiort_loop_t *loop, aiort_task_t *task)
{
    switch_stacks(loop, &loop->hub_sp, &loop->hub_fiber, task, false);
}

void aiort__run_ready(aiort_loop_t *loop)
{
    loop->limit = loop->pushed;
    loop->iterations++;
    while (aiort__remaining(loop) > 0) {
        aiort__object_t *object = aiort__pop(loop);
        if (object->kind == AIORT_KIND_HANDLE) {
            aiort__handle_run(loop, (aiort_handle_t *)object);
            continue;
        }
        aiort_task_t *task = (aiort_task_t *)object;
        if (task->sp == NULL && task->must_cancel) {
            never_began(task, UV_ECANCELED);
        } else if (task->sp != NULL || start(loop, task)) {
            aiort__resume(loop, task);
        }
    }
}
