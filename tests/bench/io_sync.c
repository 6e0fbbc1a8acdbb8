/* SPDX-License-Identifier: MIT */
/*
 * What handing over costs: an item through a queue (of 100, of 1), a lock from task to task, a
 * function's way to a thread and back. Prints "NAME NANOSECONDS" a line: CPU time, but for the
 * thread, where it is the wall's. See io_run. AIORT_BENCH_SCALE=10 makes a short run.
 */
#include <aiort.h>
#include <stdlib.h>
#include <time.h>

static long scale = 1;

static double now(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- Queues ---- */

typedef struct {
    aiort_queue_t *queue;
    long n;
} items_t;

static int produce(void *arg, void **result)
{
    items_t *items = arg;
    int err = 0;

    (void)result;
    for (long i = 0; i < items->n && !err; i++) {
        err = aiort_queue_put(items->queue, items);
    }
    return err;
}

static int queue(const char *name, size_t size)
{
    items_t items = {aiort_queue_new(size), 1000000 / scale};
    double start = now(CLOCK_PROCESS_CPUTIME_ID);
    aiort_task_t *producer = aiort_create_task(AIORT_CORO(produce, &items));
    int err = 0;

    for (long i = 0; i < items.n && !err; i++) {
        void *item;
        err = aiort_queue_get(items.queue, &item);
    }
    printf("%s %.1f\n", name, (now(CLOCK_PROCESS_CPUTIME_ID) - start) / (double)items.n);
    err = err ? err : aiort_await(AIORT_FUTURE(producer), NULL);
    aiort_unref(producer);
    aiort_unref(items.queue);
    return err;
}

/* ---- A lock ---- */

typedef struct {
    aiort_lock_t *lock;
    long n;
} turns_t;

static int take_turns(void *arg, void **result)
{
    turns_t *turns = arg;
    int err = 0;

    (void)result;
    for (long i = 0; i < turns->n && !err; i++) {
        err = aiort_lock_acquire(turns->lock);
        if (!err) {
            err = aiort_sleep(0); /* the other comes, and waits */
            aiort_lock_release(turns->lock);
        }
    }
    return err;
}

static int lock(void)
{
    turns_t turns = {aiort_lock_new(), 500000 / scale};
    double start = now(CLOCK_PROCESS_CPUTIME_ID);
    aiort_task_t *other = aiort_create_task(AIORT_CORO(take_turns, &turns));
    int err = take_turns(&turns, NULL);

    err = err ? err : aiort_await(AIORT_FUTURE(other), NULL);
    printf("lock %.1f\n", (now(CLOCK_PROCESS_CPUTIME_ID) - start) / (double)(2 * turns.n));
    aiort_unref(other);
    aiort_unref(turns.lock);
    return err;
}

/* ---- Threads ---- */

static int nothing(void *arg, void **result)
{
    *result = arg;
    return 0;
}

static int threads(void)
{
    long n = 50000 / scale;
    double start = now(CLOCK_MONOTONIC);
    int err = 0;

    for (long i = 0; i < n && !err; i++) {
        err = aiort_to_thread(nothing, NULL, NULL);
    }
    printf("to_thread %.1f\n", (now(CLOCK_MONOTONIC) - start) / (double)n);
    return err;
}

static int run(void *arg, void **result)
{
    (void)arg, (void)result;
    int err = queue("queue_100", 100);
    err = err ? err : queue("queue_1", 1);
    err = err ? err : lock();
    return err ? err : threads();
}

int main(void)
{
    if (getenv("AIORT_BENCH_SCALE")) {
        scale = atol(getenv("AIORT_BENCH_SCALE")) > 0 ? atol(getenv("AIORT_BENCH_SCALE")) : 1;
    }
    return aiort_run(AIORT_CORO(run, NULL), NULL) < 0;
}
