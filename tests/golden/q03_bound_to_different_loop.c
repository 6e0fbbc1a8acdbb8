/* SPDX-License-Identifier: MIT */
/* A lock, an event and a queue, each waited for in two loops: the second one is refused. */
#include <aiort.h>

static aiort_lock_t *lock;
static aiort_event_t *event;
static aiort_queue_t *queue;

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

static int use(void *arg, void **result)
{
    (void)arg, (void)result;
    /* They are bound by the first operation that has to wait. */
    aiort_lock_acquire(lock);
    for (int i = 0; i < 3; i++) {
        aiort_task_t *task = aiort_create_task(i == 0   ? AIORT_CORO(acquire, NULL)
                                               : i == 1 ? AIORT_CORO(wait, NULL)
                                                        : AIORT_CORO(get, NULL));
        aiort_sleep(0);
        aiort_task_cancel(task, NULL);
        int err = aiort_await(task, NULL);
        if (err != UV_ECANCELED)
            printf("%s: %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
        aiort_unref(task);
    }
    return aiort_lock_release(lock);
}

int main(void)
{
    lock = aiort_lock_new();
    event = aiort_event_new();
    queue = aiort_queue_new(0);
    int err = aiort_run(AIORT_CORO(use, NULL), NULL);
    err = err ? err : aiort_run(AIORT_CORO(use, NULL), NULL);
    aiort_unref(lock);
    aiort_unref(event);
    aiort_unref(queue);
    return err != 0;
}
