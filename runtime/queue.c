/* SPDX-License-Identifier: MIT */
/*
 * Queues between tasks: who waits to put, to get, and for everything to be done.
 *
 * A waiter lives on the stack of its task. Waking takes it out of the list and completes its
 * future; when the task runs it looks again whether there is an item (or room), since somebody who
 * did not wait may have been faster. Whoever was woken and does not go on, because it was
 * cancelled, hands the wake-up on. While items and getters are both there, one getter is woken; so
 * no item is left lying while somebody waits for it.
 */
#include "queue.h"

#include <stdio.h>
#include <string.h>

typedef struct waiter {
    struct waiter *previous, *next;
    aiort_future_t future;
    bool listed;
} waiter_t;

typedef struct {
    waiter_t *first, *last;
    size_t n;
} waiters_t;

struct aiort_queue_s {
    aiort__extended_t base;
    aiort__items_t items;
    waiters_t getters, putters, joiners;
    size_t maxsize;    /* 0: any number */
    size_t unfinished; /* put, and not said to be done */
    bool shut;
};

/* ---- Waiting ---- */

static void enlist(waiters_t *list, waiter_t *waiter)
{
    waiter->next = NULL;
    waiter->previous = list->last;
    if (list->last) {
        list->last->next = waiter;
    } else {
        list->first = waiter;
    }
    list->last = waiter;
    list->n++;
    waiter->listed = true;
}

static void delist(waiters_t *list, waiter_t *waiter)
{
    if (!waiter->listed) {
        return;
    }
    if (waiter->previous) {
        waiter->previous->next = waiter->next;
    } else {
        list->first = waiter->next;
    }
    if (waiter->next) {
        waiter->next->previous = waiter->previous;
    } else {
        list->last = waiter->previous;
    }
    list->n--;
    waiter->listed = false;
}

/* Wakes the first who is not on the way out; false: there is nobody. */
static bool wake(waiters_t *list)
{
    while (list->first) {
        aiort_future_t *future = &list->first->future;
        delist(list, list->first);
        if (future->object.state == AIORT_PENDING) {
            aiort__future_finish(future, NULL);
            return true;
        }
    }
    return false;
}

static void wake_all(waiters_t *list)
{
    while (wake(list)) {
        ;
    }
}

AIORT__COLD static int other_loop(const aiort_queue_t *queue)
{
    char repr[256];

    aiort_repr(queue, repr, sizeof(repr));
    return aiort__failf(AIORT_EOTHERLOOP, "%s is bound to a different event loop", repr);
}

/* Waits in the list until it is woken. *woken says whether it was, also when this returns a code.
 */
static int wait(aiort_queue_t *queue, waiters_t *list, const aiort_site_t *site, bool *woken)
{
    aiort_task_t *task = aiort_current_task();
    waiter_t waiter;

    *woken = false;
    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    if (aiort__scope_adopt(&queue->base, task->future.object.loop)) {
        return other_loop(queue);
    }
    aiort__local_future(&waiter.future, task->future.object.loop, site);
    enlist(list, &waiter);
    int err = aiort__await_own(task, site, &waiter.future);
    delist(list, &waiter);
    *woken = waiter.future.object.state == AIORT_FINISHED;
    aiort__local_future_end(&waiter.future, err);
    return err;
}

/* ---- Putting and getting ---- */

static bool is_full(const aiort_queue_t *queue)
{
    return queue->maxsize > 0 && queue->items.n >= queue->maxsize;
}

static int is_shut(void)
{
    return aiort__failf(AIORT_EQUEUESHUTDOWN, "Queue has been shut down");
}

static int put(aiort_queue_t *queue, void *item)
{
    if (queue->shut) {
        return is_shut();
    }
    if (is_full(queue)) {
        return aiort__failf(AIORT_EQUEUEFULL, "Queue is full");
    }
    int err = aiort__items_put(&queue->items, item);
    if (!err) {
        queue->unfinished++;
        (void)wake(&queue->getters);
    }
    return err;
}

static int get(aiort_queue_t *queue, void **item)
{
    if (queue->items.n == 0) {
        return queue->shut ? is_shut() : aiort__failf(AIORT_EQUEUEEMPTY, "Queue is empty");
    }
    void *next = aiort__items_take(&queue->items);
    if (item) {
        *item = next;
    }
    (void)wake(&queue->putters);
    return 0;
}

int aiort_queue_put_at(const aiort_site_t *site, aiort_queue_t *queue, void *item)
{
    bool woken;
    int err = aiort__scope_check(&queue->base, "aiort_queue_put");

    if (err) {
        return err;
    }
    aiort__ref(&queue->base.object);
    while (!err && is_full(queue) && !queue->shut) {
        err = wait(queue, &queue->putters, site, &woken);
        if (err && woken && !is_full(queue)) {
            (void)wake(&queue->putters);
        }
    }
    if (!err) {
        err = put(queue, item);
    }
    aiort__unref(&queue->base.object);
    return err;
}

int aiort_queue_get_at(const aiort_site_t *site, aiort_queue_t *queue, void **item)
{
    bool woken;
    int err = aiort__scope_check(&queue->base, "aiort_queue_get");

    if (err) {
        return err;
    }
    aiort__ref(&queue->base.object);
    while (!err && queue->items.n == 0 && !queue->shut) {
        err = wait(queue, &queue->getters, site, &woken);
        if (err && woken && queue->items.n > 0) {
            (void)wake(&queue->getters);
        }
    }
    if (!err) {
        err = get(queue, item);
    }
    aiort__unref(&queue->base.object);
    return err;
}

int aiort_queue_put_nowait(aiort_queue_t *queue, void *item)
{
    int err = aiort__scope_check(&queue->base, "aiort_queue_put_nowait");

    return err ? err : put(queue, item);
}

int aiort_queue_get_nowait(aiort_queue_t *queue, void **item)
{
    int err = aiort__scope_check(&queue->base, "aiort_queue_get_nowait");

    return err ? err : get(queue, item);
}

/* ---- Done, joined, shut down ---- */

int aiort_queue_task_done(aiort_queue_t *queue)
{
    int err = aiort__scope_check(&queue->base, "aiort_queue_task_done");

    if (err) {
        return err;
    }
    if (queue->unfinished == 0) {
        return aiort__failf(AIORT_EMISUSE, "task_done() called too many times");
    }
    if (--queue->unfinished == 0) {
        wake_all(&queue->joiners);
    }
    return 0;
}

int aiort_queue_join_at(const aiort_site_t *site, aiort_queue_t *queue)
{
    bool woken;
    int err = aiort__scope_check(&queue->base, "aiort_queue_join");

    if (err || queue->unfinished == 0) {
        return err;
    }
    aiort__ref(&queue->base.object);
    err = wait(queue, &queue->joiners, site, &woken);
    aiort__unref(&queue->base.object);
    return err;
}

int aiort_queue_shutdown(aiort_queue_t *queue)
{
    int err = aiort__scope_check(&queue->base, "aiort_queue_shutdown");

    if (!err) {
        queue->shut = true;
        wake_all(&queue->getters);
        wake_all(&queue->putters);
    }
    return err;
}

int aiort_queue_shutdown_immediate(aiort_queue_t *queue, void (*drop)(void *item))
{
    int err = aiort__scope_check(&queue->base, "aiort_queue_shutdown_immediate");

    if (err) {
        return err;
    }
    aiort__ref(&queue->base.object); /* drop() is the program's */
    queue->shut = true;
    while (queue->items.n > 0) {
        void *item = aiort__items_take(&queue->items);
        queue->unfinished -= queue->unfinished > 0;
        if (drop) {
            drop(item);
        }
    }
    if (queue->unfinished == 0) {
        wake_all(&queue->joiners);
    }
    err = aiort_queue_shutdown(queue);
    aiort__unref(&queue->base.object);
    return err;
}

/* ---- Looking ---- */

size_t aiort_queue_size(const aiort_queue_t *queue)
{
    (void)aiort__scope_check(&queue->base, "aiort_queue_size");
    return queue->items.n;
}

size_t aiort_queue_maxsize(const aiort_queue_t *queue)
{
    return queue->maxsize;
}

int aiort_queue_empty(const aiort_queue_t *queue)
{
    (void)aiort__scope_check(&queue->base, "aiort_queue_empty");
    return queue->items.n == 0;
}

int aiort_queue_full(const aiort_queue_t *queue)
{
    (void)aiort__scope_check(&queue->base, "aiort_queue_full");
    return is_full(queue);
}

/* ---- The object ---- */

enum { ITEMS_SHOWN = 6 }; /* of the items, in a repr */

static size_t queue_repr(const void *self, char *buf, size_t size)
{
    static const char *const names[] = {"Queue", "LifoQueue", "PriorityQueue"};
    const aiort_queue_t *queue = self;
    const aiort__items_t *items = &queue->items;
    char list[ITEMS_SHOWN * 24 + 32] = "", getters[40] = "", putters[40] = "", tasks[32] = "";
    int at = 0;

    for (size_t i = 0; i < items->n && i < ITEMS_SHOWN; i++) {
        const void *item = aiort__items_at(items, i);
        at += snprintf(list + at, sizeof(list) - (size_t)at, item ? "%s%p" : "%s0x0",
                       i ? ", " : " _queue=[", item);
    }
    if (items->n > 0) {
        snprintf(list + at, sizeof(list) - (size_t)at, "%s]",
                 items->n > ITEMS_SHOWN ? ", ..." : "");
    }
    if (queue->getters.n) {
        snprintf(getters, sizeof(getters), " _getters[%zu]", queue->getters.n);
    }
    if (queue->putters.n) {
        snprintf(putters, sizeof(putters), " _putters[%zu]", queue->putters.n);
    }
    if (queue->unfinished) {
        snprintf(tasks, sizeof(tasks), " tasks=%zu", queue->unfinished);
    }
    int length =
        snprintf(buf, size, "<%s at %p maxsize=%zu%s%s%s%s%s>", names[items->discipline], self,
                 queue->maxsize, list, getters, putters, tasks, queue->shut ? " shutdown" : "");
    return length > 0 ? (size_t)length : 0;
}

static void queue_destroy(void *self)
{
    aiort_queue_t *queue = self;

    if (queue->items.memory) {
        aiort__free(queue->items.memory);
    }
    aiort__scope_free(&queue->base);
}

static aiort_queue_t *queue_new(aiort__discipline_t discipline, size_t maxsize)
{
    aiort_queue_t *queue = aiort__malloc(sizeof(*queue));

    if (!queue) {
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(queue, 0, sizeof(*queue));
    aiort__scope_init(&queue->base, NULL, AIORT_KIND_QUEUE, queue_destroy, queue_repr);
    queue->items.discipline = discipline;
    queue->maxsize = maxsize;
    return queue;
}

aiort_queue_t *aiort_queue_new(size_t maxsize)
{
    return queue_new(AIORT__FIFO, maxsize);
}

aiort_queue_t *aiort_lifo_queue_new(size_t maxsize)
{
    return queue_new(AIORT__LIFO, maxsize);
}

aiort_queue_t *aiort_priority_queue_new(size_t maxsize, aiort_compare_fn compare)
{
    if (!compare) {
        aiort__failf(UV_EINVAL, "a priority queue needs a function that compares its items");
        return NULL;
    }
    aiort_queue_t *queue = queue_new(AIORT__PRIORITY, maxsize);
    if (queue) {
        queue->items.compare = compare;
    }
    return queue;
}
