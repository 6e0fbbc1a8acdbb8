/* SPDX-License-Identifier: MIT */
/* The reprs of locks, events, conditions, semaphores, barriers and queues, with and without
 * waiters. */
#include <aiort.h>

static aiort_lock_t *lock;
static aiort_event_t *event;
static aiort_condition_t *condition;
static aiort_semaphore_t *semaphore, *bounded;
static aiort_barrier_t *barrier;
static aiort_queue_t *queue, *lifo, *priority;

static int compare(const void *a, const void *b)
{
    return (a > b) - (a < b);
}

static void print(const void *object)
{
    char repr[512];

    aiort_repr(object, repr, sizeof(repr));
    puts(repr);
}

static void print_all(void)
{
    print(lock);
    print(event);
    print(condition);
    print(semaphore);
    print(bounded);
    print(barrier);
    print(queue);
}

static int acquire(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_lock_acquire(lock);
}

static int wait_event(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_event_wait(event);
}

static int acquire_bounded(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_semaphore_acquire(bounded);
}

static int get(void *arg, void **result)
{
    (void)arg;
    return aiort_queue_get(queue, result);
}

static int put(void *item, void **result)
{
    (void)result;
    return aiort_queue_put(queue, item);
}

static int wait_barrier(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_barrier_wait(barrier);
}

static int main_coroutine(void *arg, void **result)
{
    aiort_task_t *tasks[6];

    (void)arg, (void)result;
    print_all();
    print(lifo);
    print(priority);
    aiort_lock_acquire(lock);
    aiort_lock_acquire(aiort_condition_lock(condition));
    aiort_semaphore_acquire(semaphore);
    aiort_semaphore_acquire(bounded);
    tasks[0] = aiort_create_task(AIORT_CORO(acquire, NULL));
    tasks[1] = aiort_create_task(AIORT_CORO(wait_event, NULL));
    tasks[2] = aiort_create_task(AIORT_CORO(acquire_bounded, NULL));
    tasks[3] = aiort_create_task(AIORT_CORO(get, NULL));
    tasks[4] = aiort_create_task(AIORT_CORO(wait_barrier, NULL));
    aiort_sleep(0);
    puts("-- with waiters");
    print_all();
    aiort_queue_put_nowait(queue, (void *)1);
    aiort_event_set(event);
    aiort_sleep(0);
    aiort_queue_put_nowait(queue, (void *)1);
    aiort_queue_put_nowait(queue, (void *)2);
    tasks[5] = aiort_create_task(AIORT_CORO(put, (void *)3));
    aiort_sleep(0);
    puts("--");
    print(queue);
    print(event);
    for (int i = 0; i < 6; i++)
        aiort_task_cancel(tasks[i], NULL);
    for (int i = 0; i < 6; i++) {
        aiort_await(tasks[i], NULL);
        aiort_unref(tasks[i]);
    }
    print(lock);
    print(barrier);
    return 0;
}

int main(void)
{
    lock = aiort_lock_new();
    event = aiort_event_new();
    condition = aiort_condition_new(NULL);
    semaphore = aiort_semaphore_new(2);
    bounded = aiort_bounded_semaphore_new(1);
    barrier = aiort_barrier_new(2);
    queue = aiort_queue_new(2);
    lifo = aiort_lifo_queue_new(0);
    priority = aiort_priority_queue_new(0, compare);
    int err = aiort_run(AIORT_CORO(main_coroutine, NULL), NULL);
    void *all[] = {lock, event, condition, semaphore, bounded, barrier, queue, lifo, priority};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        aiort_unref(all[i]);
    return err != 0;
}
