/* SPDX-License-Identifier: MIT */
/*
 * The queue of records.
 *
 * A list in which producers put new records at the head by compare-and-swap, and from which the
 * consumer takes everything at once by exchanging the head with NULL. It then turns what it took
 * round, so that records come out in the order in which they went in. Since nothing but the whole
 * list is ever taken there is no ABA, and a producer that is stopped or killed half-way never
 * stands in another's way, as it could in a ring of slots.
 *
 * Two counters bound it: `submitted` is raised before a record is linked, `done` after one has been
 * dealt with; their difference is what is queued or being written, and may not exceed the capacity.
 *
 * Pairs that must see each other:
 *   push: record's content, then head (release)      take: head (acquire), then the content
 *   push: head, then `asleep`                        wait: `asleep`, then head
 *     (all four sequentially consistent: either the producer sees that the consumer is about to
 *      sleep and wakes it, or the consumer sees the record and does not sleep)
 *   done: `done` (release)                           wait_done: `done` (acquire): the log has it
 *   done: `done`, then `waiters`                     wait_done: `waiters`, then `done` (again
 * seq_cst)
 */
#include <errno.h>
#include <stddef.h>

#include "entry.h"
#include "futex.h"
#include "queue.h"

static _Atomic(aiodebug_record_t *) head;
static aiodebug_futex_t submitted, done;
static aiodebug_futex_t asleep;  /* 1: the consumer sleeps or is about to */
static _Atomic uint32_t waiters; /* threads in aiodebug_queue_wait_done() */
static _Atomic uint64_t lost[AIODEBUG_LOST_KINDS];
static _Atomic bool lost_any;

static bool take_ticket(void)
{
    uint32_t ticket = atomic_load_explicit(&submitted, memory_order_relaxed);
    do {
        /* Signed: in a child of fork() a push that the fork interrupted may finish after the reset.
         */
        int32_t queued = (int32_t)(ticket - atomic_load_explicit(&done, memory_order_acquire));
        if (queued >= AIODEBUG_QUEUE_CAPACITY) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&submitted, &ticket, ticket + 1,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

bool aiodebug_queue_push(aiodebug_record_t *r)
{
    /* The order to print the counts may always come: there is only ever one of it. */
    if (r->summary) {
        atomic_fetch_add(&submitted, 1);
    } else if (!take_ticket()) {
        return false;
    }
    aiodebug_record_t *old = atomic_load_explicit(&head, memory_order_relaxed);
    do {
        r->next = old;
    } while (!atomic_compare_exchange_weak(&head, &old, r));
    aiodebug_queue_nudge();
    return true;
}

void aiodebug_queue_nudge(void)
{
    if (atomic_load(&asleep) && atomic_exchange(&asleep, 0)) {
        int saved = errno;
        aiodebug_futex_wake(&asleep);
        errno = saved;
    }
}

void aiodebug_queue_count_lost(aiodebug_lost_t why)
{
    atomic_fetch_add_explicit(&lost[why], 1, memory_order_relaxed);
    atomic_store_explicit(&lost_any, true, memory_order_relaxed);
}

aiodebug_record_t *aiodebug_queue_take(void)
{
    aiodebug_record_t *newest = atomic_exchange_explicit(&head, NULL, memory_order_acquire);
    aiodebug_record_t *oldest = NULL;
    while (newest) {
        aiodebug_record_t *next = newest->next;
        newest->next = oldest;
        oldest = newest;
        newest = next;
    }
    return oldest;
}

void aiodebug_queue_done(void)
{
    atomic_fetch_add(&done, 1);
    if (atomic_load(&waiters)) {
        aiodebug_futex_wake(&done);
    }
}

bool aiodebug_queue_wait(int64_t deadline)
{
    atomic_store(&asleep, 1);
    bool in_time = true;
    while (!atomic_load(&head) && atomic_load(&asleep) && in_time) {
        in_time = aiodebug_futex_wait(&asleep, 1, deadline);
    }
    bool nudged = !atomic_exchange(&asleep, 0);
    return nudged || atomic_load(&head);
}

uint32_t aiodebug_queue_mark(void)
{
    return atomic_load(&submitted);
}

bool aiodebug_queue_is_done(uint32_t mark)
{
    return (int32_t)(atomic_load(&done) - mark) >= 0;
}

bool aiodebug_queue_wait_done(uint32_t mark, int64_t deadline)
{
    atomic_fetch_add(&waiters, 1);
    bool in_time = true;
    for (;;) {
        uint32_t now = atomic_load(&done);
        if ((int32_t)(now - mark) >= 0 || !in_time) {
            break;
        }
        in_time = aiodebug_futex_wait(&done, now, deadline);
    }
    atomic_fetch_sub(&waiters, 1);
    return aiodebug_queue_is_done(mark);
}

bool aiodebug_queue_untouched(void)
{
    return atomic_load(&submitted) == 0 && !atomic_load(&lost_any);
}

uint64_t aiodebug_queue_take_lost(aiodebug_lost_t why)
{
    return atomic_load_explicit(&lost[why], memory_order_relaxed)
               ? atomic_exchange_explicit(&lost[why], 0, memory_order_relaxed)
               : 0;
}

void aiodebug_queue_after_fork_child(void)
{
    atomic_store(&head, NULL);
    atomic_store(&submitted, 0);
    atomic_store(&done, 0);
    atomic_store(&asleep, 0);
    atomic_store(&waiters, 0);
    for (int i = 0; i < AIODEBUG_LOST_KINDS; i++) {
        atomic_store(&lost[i], 0);
    }
    atomic_store(&lost_any, false);
}
