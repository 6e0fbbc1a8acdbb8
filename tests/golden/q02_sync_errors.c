/* SPDX-License-Identifier: MIT */
/* What locks, conditions, semaphores, queues and barriers refuse: errors, no reports. */
#include <aiort.h>

static void show(const char *what, int err)
{
    if (err < 0)
        printf("%s %s %s\n", what, aiort_err_name(err), aiort_error_message(aiort_current_error()));
    else
        printf("%s %d\n", what, err);
}

static int wait(void *barrier, void **result)
{
    (void)result;
    return aiort_barrier_wait((aiort_barrier_t *)barrier);
}

static int main_coroutine(void *arg, void **result)
{
    aiort_lock_t *lock = aiort_lock_new();
    aiort_condition_t *condition = aiort_condition_new(NULL);
    aiort_semaphore_t *bounded = aiort_bounded_semaphore_new(1);
    aiort_queue_t *queue = aiort_queue_new(1);
    aiort_barrier_t *barrier = aiort_barrier_new(2);
    char repr[256];

    (void)arg, (void)result;
    show("lock.release", aiort_lock_release(lock));
    show("cond.release", aiort_lock_release(aiort_condition_lock(condition)));
    show("cond.notify", aiort_condition_notify(condition, 1));
    show("cond.wait", aiort_condition_wait(condition));
    show("bsem.release", aiort_semaphore_release(bounded));
    show("task_done", aiort_queue_task_done(queue));
    show("Barrier(0)", aiort_barrier_new(0) ? 0 : aiort_last_error());
    show("get_nowait", aiort_queue_get_nowait(queue, NULL));
    show("put_nowait", aiort_queue_put_nowait(queue, NULL));
    show("put_nowait", aiort_queue_put_nowait(queue, NULL));
    aiort_task_t *task = aiort_create_task(AIORT_CORO(wait, barrier));
    aiort_sleep(0);
    aiort_barrier_abort(barrier);
    show("await", aiort_await(task, NULL));
    show("b.wait", aiort_barrier_wait(barrier));
    aiort_repr(barrier, repr, sizeof(repr));
    puts(repr);
    aiort_unref(task);
    aiort_unref(lock);
    aiort_unref(condition);
    aiort_unref(bounded);
    aiort_unref(queue);
    aiort_unref(barrier);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(main_coroutine, NULL), NULL) != 0;
}
