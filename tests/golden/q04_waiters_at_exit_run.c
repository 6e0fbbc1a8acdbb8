/* SPDX-License-Identifier: MIT */
/* Near-miss: tasks that wait when aiort_run() ends are cancelled without a word. */
#include <aiort.h>

static aiort_lock_t *lock;
static aiort_event_t *event;
static aiort_queue_t *queue;
static aiort_semaphore_t *semaphore;
static aiort_task_t *keep[4];

static int acquire(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_lock_acquire(lock);
}

static int wait(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_event_wait(event);
}

static int get(void *arg, void **result)
{
    (void)arg;
    return aiort_queue_get(queue, result);
}

static int take(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_semaphore_acquire(semaphore);
}

static aiort_task_t *start(const char *name, aiort_coroutine_t *coroutine)
{
    const aiort_task_options_t options = {.name = name};

    return aiort_loop_create_task(NULL, coroutine, &options);
}

static int main_coroutine(void *arg, void **result)
{
    (void)arg, (void)result;
    aiort_lock_acquire(lock);
    keep[0] = start("lock", AIORT_CORO(acquire, NULL));
    keep[1] = start("event", AIORT_CORO(wait, NULL));
    keep[2] = start("queue", AIORT_CORO(get, NULL));
    keep[3] = start("sem", AIORT_CORO(take, NULL));
    aiort_sleep(0);
    puts("exit with waiters");
    return 0;
}

int main(void)
{
    lock = aiort_lock_new();
    event = aiort_event_new();
    queue = aiort_queue_new(0);
    semaphore = aiort_semaphore_new(0);
    int err = aiort_run(AIORT_CORO(main_coroutine, NULL), NULL);
    for (int i = 0; i < 4; i++)
        aiort_unref(keep[i]);
    aiort_unref(lock);
    aiort_unref(event);
    aiort_unref(queue);
    aiort_unref(semaphore);
    return err != 0;
}
