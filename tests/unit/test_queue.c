/* SPDX-License-Identifier: MIT */
/*
 * Queues: mirrors CPython's test_queues.py, and what C has besides (out of memory, destruction).
 */
#include "allocator.h"

static aiort_queue_t *q;

/* Runs a coroutine function with a queue of that size in q. */
static void with_queue(size_t maxsize, aiort_coroutine_fn function)
{
    q = aiort_queue_new(maxsize);
    assert_non_null(q);
    assert_ok(aiort_run(AIORT_CORO(function, NULL), NULL));
    aiort_unref(q);
}

static void put_now(int item)
{
    assert_ok(aiort_queue_put_nowait(q, PTR(item)));
}

static int get_now(void)
{
    void *item = PTR(-1);

    assert_ok(aiort_queue_get_nowait(q, &item));
    return INT(item);
}

/* A coroutine that puts its argument, one that gives what it gets. */
static int putter(void *item, void **result)
{
    *result = item;
    return aiort_queue_put(q, item);
}

static int getter(void *arg, void **result)
{
    (void)arg;
    return aiort_queue_get(q, result);
}

static int joiner(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_queue_join(q);
}

static aiort_task_t *task(aiort_coroutine_fn function, int arg)
{
    aiort_task_t *made = aiort_create_task(AIORT_CORO(function, PTR(arg)));

    assert_non_null(made);
    return made;
}

static int end(aiort_task_t *ended)
{
    void *result = PTR(-1);
    int err = aiort_await(ended, &result);

    aiort_unref(ended);
    return err ? err : INT(result);
}

static void turns(int n)
{
    while (n-- > 0) {
        assert_ok(aiort_sleep(0));
    }
}

#define BODY(name)                                                                                 \
    static int body_##name(void *arg_, void **result_);                                            \
    static int body_##name(__attribute__((unused)) void *arg_,                                     \
                           __attribute__((unused)) void **result_)

/* ---- QueueBasicTests ---- */

static void see_repr(const char *(*text)(const void *))
{
    char expected[64];

    snprintf(expected, sizeof(expected), "<Queue at %p maxsize=0", (void *)q);
    assert_contains(text(q), expected);
    aiort_task_t *waits = task(getter, 0);
    turns(1);
    assert_contains(text(q), "_getters[1]");
    put_now(5);
    assert_int_equal(end(waits), 5);
    assert_lacks(text(q), "_getters");
    assert_contains(text(q), "tasks=1");
}

BODY(repr)
{
    see_repr(repr);
    return 0;
}

TEST(repr)
{
    with_queue(0, body_repr);
}

BODY(str)
{
    put_now(1);
    assert_contains(repr(q), "maxsize=1 _queue=[0x1] tasks=1>");
    aiort_task_t *waits = task(putter, 2);
    turns(1);
    assert_contains(repr(q), "_putters[1]");
    assert_int_equal(get_now(), 1);
    assert_int_equal(end(waits), 2);
    assert_ok(aiort_queue_shutdown(q));
    assert_contains(repr(q), " shutdown>");
    return 0;
}

TEST(str)
{
    with_queue(1, body_str);
}

TEST(repr_of_many)
{
    q = aiort_queue_new(0);
    for (int i = 0; i < 100; i++) {
        put_now(i);
    }
    assert_contains(repr(q), "_queue=[0x0, 0x1, 0x2, 0x3, 0x4, 0x5, ...] tasks=100>");
    aiort_unref(q);
}

TEST(empty)
{
    q = aiort_queue_new(0);
    assert_true(aiort_queue_empty(q));
    put_now(1);
    assert_false(aiort_queue_empty(q));
    assert_int_equal(get_now(), 1);
    assert_true(aiort_queue_empty(q));
    aiort_unref(q);
}

TEST(full)
{
    q = aiort_queue_new(0);
    assert_false(aiort_queue_full(q));
    aiort_unref(q);
    q = aiort_queue_new(1);
    put_now(1);
    assert_true(aiort_queue_full(q));
    assert_int_equal(aiort_queue_maxsize(q), 1);
    assert_int_equal(aiort_queue_size(q), 1);
    aiort_unref(q);
}

TEST(order)
{
    q = aiort_queue_new(0);
    for (int i = 1; i <= 3; i++) {
        put_now(i);
    }
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(get_now(), i);
    }
    aiort_unref(q);
}

/* The ring goes round, and grows wherever its head is. */
TEST(order_while_it_grows)
{
    int in = 0, out = 0;

    q = aiort_queue_new(0);
    for (int round = 1; round < 60; round++) {
        for (int i = 0; i < round; i++) {
            put_now(in++);
        }
        for (int i = 0; i < round / 2; i++) {
            assert_int_equal(get_now(), out++);
        }
    }
    assert_int_equal(aiort_queue_size(q), in - out);
    while (out < in) {
        assert_int_equal(get_now(), out++);
    }
    aiort_unref(q);
}

static int put_1_to_4(void *last, void **result)
{
    for (int i = 1; i <= 4; i++) {
        int err = aiort_queue_put(q, PTR(i));
        if (err) {
            return err;
        }
        *(int *)last = i;
    }
    *result = PTR(4);
    return 0;
}

BODY(maxsize)
{
    int last = 0;
    aiort_task_t *waits = aiort_create_task(AIORT_CORO(put_1_to_4, &last));

    turns(2);
    assert_int_equal(last, 2);
    assert_int_equal(aiort_queue_size(q), 2);
    turns(2);
    assert_int_equal(last, 2);
    assert_int_equal(get_now(), 1);
    turns(1);
    assert_int_equal(last, 3);
    assert_int_equal(get_now(), 2);
    assert_int_equal(end(waits), 4);
    assert_int_equal(get_now(), 3);
    assert_int_equal(get_now(), 4);
    return 0;
}

TEST(maxsize)
{
    with_queue(2, body_maxsize);
}

/* ---- QueueGetTests ---- */

BODY(blocking_get)
{
    void *item = NULL;

    put_now(1);
    assert_ok(aiort_queue_get(q, &item));
    assert_int_equal(INT(item), 1);
    put_now(2);
    assert_ok(aiort_queue_get(q, NULL));
    return 0;
}

TEST(blocking_get)
{
    with_queue(0, body_blocking_get);
}

BODY(get_with_putters)
{
    void *item = NULL;

    put_now(1);
    aiort_task_t *waits = task(putter, 2);
    turns(1);
    assert_false(aiort_future_done(AIORT_FUTURE(waits)));
    assert_ok(aiort_queue_get(q, &item));
    assert_int_equal(INT(item), 1);
    assert_int_equal(end(waits), 2);
    assert_int_equal(aiort_queue_size(q), 1);
    return 0;
}

TEST(get_with_putters)
{
    with_queue(1, body_get_with_putters);
}

BODY(blocking_get_wait)
{
    aiort_task_t *waits = task(getter, 0);

    assert_ok(aiort_sleep(0.01));
    assert_false(aiort_future_done(AIORT_FUTURE(waits)));
    put_now(1);
    assert_int_equal(end(waits), 1);
    return 0;
}

TEST(blocking_get_wait)
{
    with_queue(0, body_blocking_get_wait);
}

TEST(nonblocking_get)
{
    q = aiort_queue_new(0);
    put_now(1);
    assert_int_equal(get_now(), 1);
    aiort_unref(q);
}

TEST(nonblocking_get_exception)
{
    q = aiort_queue_new(0);
    assert_code(aiort_queue_get_nowait(q, NULL), AIORT_EQUEUEEMPTY);
    aiort_unref(q);
}

/* A getter that is cancelled right after its item came hands the wake-up on. */
BODY(get_cancelled_race)
{
    aiort_task_t *t1 = task(getter, 0);
    aiort_task_t *t2 = task(getter, 0);

    turns(1);
    aiort_task_cancel(t1, NULL);
    turns(1);
    assert_true(aiort_future_done(AIORT_FUTURE(t1)));
    put_now(1);
    assert_int_equal(end(t2), 1);
    assert_int_equal(end(t1), UV_ECANCELED);
    return 0;
}

TEST(get_cancelled_race)
{
    with_queue(0, body_get_cancelled_race);
}

BODY(getter_cancelled_after_its_item_came)
{
    aiort_task_t *t1 = task(getter, 0);
    aiort_task_t *t2 = task(getter, 0);

    turns(1);
    put_now(1); /* wakes t1 */
    aiort_task_cancel(t1, NULL);
    assert_int_equal(end(t1), UV_ECANCELED);
    assert_int_equal(end(t2), 1);
    return 0;
}

TEST(getter_cancelled_after_its_item_came)
{
    with_queue(0, body_getter_cancelled_after_its_item_came);
}

BODY(get_with_waiting_putters)
{
    aiort_task_t *t1 = task(putter, 1);
    aiort_task_t *t2 = task(putter, 2);
    void *item = NULL;

    turns(1);
    assert_ok(aiort_queue_get(q, &item));
    assert_int_equal(INT(item), 1);
    assert_ok(aiort_queue_get(q, &item));
    assert_int_equal(INT(item), 2);
    assert_int_equal(end(t1), 1);
    assert_int_equal(end(t2), 2);
    return 0;
}

TEST(get_with_waiting_putters)
{
    with_queue(1, body_get_with_waiting_putters);
}

static int consume_three(void *count, void **result)
{
    (void)result;
    for (int i = 0; i < 3; i++) {
        int err = aiort_queue_get(q, NULL);
        if (err) {
            return err;
        }
        ++*(int *)count;
    }
    return 0;
}

static int produce_many(void *n, void **result)
{
    for (int i = 0; i < INT(n); i++) {
        int err = aiort_queue_put(q, PTR(i));
        if (err) {
            return err;
        }
    }
    *result = n;
    return 0;
}

BODY(why_are_getters_waiting)
{
    int counts[2] = {0, 0};
    aiort_task_t *one = aiort_create_task(AIORT_CORO(consume_three, &counts[0]));
    aiort_task_t *two = aiort_create_task(AIORT_CORO(consume_three, &counts[1]));

    assert_int_equal(end(task(produce_many, 6)), 6);
    assert_int_equal(end(one), 0);
    assert_int_equal(end(two), 0);
    assert_int_equal(counts[0] + counts[1], 6);
    return 0;
}

TEST(why_are_getters_waiting)
{
    with_queue(2, body_why_are_getters_waiting);
}

BODY(cancelled_getters_not_being_held_in_self_getters)
{
    void *item;

    assert_code(aiort_wait_for(AIORT_CORO(getter, NULL), 0.01, &item), UV_ETIMEDOUT);
    assert_lacks(repr(q), "_getters");
    return 0;
}

TEST(cancelled_getters_not_being_held_in_self_getters)
{
    with_queue(0, body_cancelled_getters_not_being_held_in_self_getters);
}

/* ---- QueuePutTests ---- */

BODY(blocking_put)
{
    assert_ok(aiort_queue_put(q, PTR(1)));
    assert_int_equal(get_now(), 1);
    return 0;
}

TEST(blocking_put)
{
    with_queue(0, body_blocking_put);
}

BODY(blocking_put_wait)
{
    put_now(1);
    aiort_task_t *waits = task(putter, 2);
    assert_ok(aiort_sleep(0.01));
    assert_false(aiort_future_done(AIORT_FUTURE(waits)));
    assert_int_equal(get_now(), 1);
    assert_int_equal(end(waits), 2);
    assert_int_equal(get_now(), 2);
    return 0;
}

TEST(blocking_put_wait)
{
    with_queue(1, body_blocking_put_wait);
}

TEST(nonblocking_put)
{
    q = aiort_queue_new(0);
    put_now(1);
    assert_int_equal(get_now(), 1);
    aiort_unref(q);
}

BODY(get_cancel_drop_one_pending_reader)
{
    aiort_task_t *reader = task(getter, 0);

    turns(1);
    aiort_task_cancel(reader, NULL);
    assert_int_equal(end(reader), UV_ECANCELED);
    put_now(1);
    assert_int_equal(get_now(), 1);
    return 0;
}

TEST(get_cancel_drop_one_pending_reader)
{
    with_queue(0, body_get_cancel_drop_one_pending_reader);
}

BODY(get_cancel_drop_many_pending_readers)
{
    aiort_task_t *r1 = task(getter, 0);
    aiort_task_t *r2 = task(getter, 0);
    aiort_task_t *r3 = task(getter, 0);

    turns(1);
    put_now(1);
    put_now(2);
    aiort_task_cancel(r1, NULL);
    assert_int_equal(end(r1), UV_ECANCELED);
    assert_int_equal(end(r2) + end(r3), 3);
    return 0;
}

TEST(get_cancel_drop_many_pending_readers)
{
    with_queue(0, body_get_cancel_drop_many_pending_readers);
}

BODY(put_cancel_drop)
{
    put_now(1);
    aiort_task_t *t = task(putter, 2);
    turns(1);
    aiort_task_cancel(t, NULL);
    assert_int_equal(end(t), UV_ECANCELED);
    assert_int_equal(get_now(), 1);
    assert_true(aiort_queue_empty(q));
    return 0;
}

TEST(put_cancel_drop)
{
    with_queue(1, body_put_cancel_drop);
}

TEST(nonblocking_put_exception)
{
    q = aiort_queue_new(1);
    put_now(1);
    assert_code(aiort_queue_put_nowait(q, PTR(2)), AIORT_EQUEUEFULL);
    assert_int_equal(aiort_queue_size(q), 1);
    aiort_unref(q);
}

BODY(put_cancelled)
{
    put_now(1);
    aiort_task_t *t = task(putter, 2);
    turns(1);
    assert_int_equal(get_now(), 1); /* wakes the putter, which is then cancelled */
    aiort_task_cancel(t, NULL);
    assert_int_equal(end(t), UV_ECANCELED);
    assert_true(aiort_queue_empty(q));
    return 0;
}

TEST(put_cancelled)
{
    with_queue(1, body_put_cancelled);
}

BODY(put_cancelled_race)
{
    put_now(1);
    aiort_task_t *t1 = task(putter, 2);
    aiort_task_t *t2 = task(putter, 3);
    turns(1);
    assert_int_equal(get_now(), 1); /* wakes t1, which is then cancelled: t2 has its turn */
    aiort_task_cancel(t1, NULL);
    assert_int_equal(end(t1), UV_ECANCELED);
    assert_int_equal(end(t2), 3);
    assert_int_equal(get_now(), 3);
    return 0;
}

TEST(put_cancelled_race)
{
    with_queue(1, body_put_cancelled_race);
}

BODY(put_with_waiting_getters)
{
    aiort_task_t *t = task(getter, 0);

    turns(1);
    assert_ok(aiort_queue_put(q, PTR(7)));
    assert_int_equal(end(t), 7);
    return 0;
}

TEST(put_with_waiting_getters)
{
    with_queue(0, body_put_with_waiting_getters);
}

BODY(why_are_putters_waiting)
{
    aiort_task_t *t[4];

    for (int i = 0; i < 4; i++) {
        t[i] = task(putter, i);
    }
    turns(1);
    for (int i = 0; i < 4; i++) {
        void *item;
        assert_ok(aiort_queue_get(q, &item));
        assert_int_equal(INT(item), i);
    }
    for (int i = 0; i < 4; i++) {
        assert_int_equal(end(t[i]), i);
    }
    return 0;
}

TEST(why_are_putters_waiting)
{
    with_queue(2, body_why_are_putters_waiting);
}

BODY(cancelled_puts_not_being_held_in_self_putters)
{
    put_now(1);
    assert_code(aiort_wait_for(AIORT_CORO(putter, PTR(2)), 0.01, NULL), UV_ETIMEDOUT);
    assert_lacks(repr(q), "_putters");
    return 0;
}

TEST(cancelled_puts_not_being_held_in_self_putters)
{
    with_queue(1, body_cancelled_puts_not_being_held_in_self_putters);
}

/* Cancelled after it was woken, so taken out of the list already. */
BODY(cancelled_put_silence_value_error_exception)
{
    put_now(1);
    aiort_task_t *t = task(putter, 2);
    turns(1);
    assert_int_equal(get_now(), 1);
    assert_lacks(repr(q), "_putters");
    aiort_task_cancel(t, NULL);
    assert_int_equal(end(t), UV_ECANCELED);
    return 0;
}

TEST(cancelled_put_silence_value_error_exception)
{
    with_queue(1, body_cancelled_put_silence_value_error_exception);
}

/* ---- LifoQueueTests, PriorityQueueTests ---- */

static int by_number(const void *a, const void *b)
{
    return (INT(a) > INT(b)) - (INT(a) < INT(b));
}

TEST(lifo_order)
{
    q = aiort_lifo_queue_new(0);
    for (int i = 1; i <= 30; i++) {
        put_now(i);
    }
    for (int i = 30; i >= 1; i--) {
        assert_int_equal(get_now(), i);
    }
    assert_contains(repr(q), "<LifoQueue at ");
    aiort_unref(q);
}

TEST(priority_order)
{
    q = aiort_priority_queue_new(0, by_number);
    put_now(1);
    put_now(3);
    put_now(2);
    for (int i = 1; i <= 3; i++) {
        assert_int_equal(get_now(), i);
    }
    assert_contains(repr(q), "<PriorityQueue at ");
    aiort_unref(q);
    assert_null_code(aiort_priority_queue_new(0, NULL), UV_EINVAL);
}

static int by_tens(const void *a, const void *b)
{
    return INT(a) / 1000 - INT(b) / 1000;
}

/* Many, in no order, with equal ones, which come out as they came. */
TEST(priority_is_stable)
{
    uint32_t random = 1;
    int n = 3000, before = -1;

    q = aiort_priority_queue_new(0, by_tens);
    for (int i = 0; i < n; i++) {
        random = random * 1664525 + 1013904223;
        put_now((int)(random >> 28) * 1000000 + i); /* by_tens: the class and i / 1000 */
    }
    for (int i = 0; i < n; i++) {
        int item = get_now();
        assert_true(item > before);
        before = item;
    }
    assert_true(aiort_queue_empty(q));
    aiort_unref(q);
}

/* ---- _QueueJoinTestMixin ---- */

typedef aiort_queue_t *(*make_fn)(void);

static aiort_queue_t *make_fifo(void)
{
    return aiort_queue_new(0);
}

static aiort_queue_t *make_lifo(void)
{
    return aiort_lifo_queue_new(0);
}

static aiort_queue_t *make_priority(void)
{
    return aiort_priority_queue_new(0, by_number);
}

static const make_fn makes[] = {make_fifo, make_lifo, make_priority};

/* The same for all three kinds. */
static void with_each_queue(aiort_coroutine_fn function)
{
    for (size_t i = 0; i < 3; i++) {
        q = makes[i]();
        assert_non_null(q);
        assert_ok(aiort_run(AIORT_CORO(function, NULL), NULL));
        aiort_unref(q);
    }
}

BODY(task_done_underflow)
{
    assert_code(aiort_queue_task_done(q), AIORT_EMISUSE);
    assert_string_equal(aiort_error_message(aiort_current_error()),
                        "task_done() called too many times");
    return 0;
}

TEST(task_done_underflow)
{
    with_each_queue(body_task_done_underflow);
}

static int accumulator;

static int worker(void *arg, void **result)
{
    void *item;
    int err;

    (void)arg;
    (void)result;
    while (!(err = aiort_queue_get(q, &item))) {
        accumulator += INT(item);
        assert_ok(aiort_sleep(0));
        assert_ok(aiort_queue_task_done(q));
    }
    return err;
}

BODY(task_done)
{
    aiort_task_t *workers[2];

    accumulator = 0;
    for (int i = 0; i < 100; i++) {
        put_now(i);
    }
    workers[0] = task(worker, 0);
    workers[1] = task(worker, 0);
    assert_ok(aiort_queue_join(q));
    assert_int_equal(accumulator, 99 * 100 / 2);
    for (int i = 0; i < 2; i++) {
        aiort_task_cancel(workers[i], NULL);
        assert_int_equal(end(workers[i]), UV_ECANCELED);
    }
    return 0;
}

TEST(task_done)
{
    with_each_queue(body_task_done);
}

BODY(join_empty_queue)
{
    assert_ok(aiort_queue_join(q));
    assert_ok(aiort_queue_join(q));
    return 0;
}

TEST(join_empty_queue)
{
    with_each_queue(body_join_empty_queue);
}

BODY(format)
{
    assert_contains(repr(q), " maxsize=0>");
    put_now(1);
    assert_contains(repr(q), " tasks=1>");
    assert_int_equal(get_now(), 1);
    put_now(1);
    assert_contains(repr(q), " tasks=2>");
    return 0;
}

TEST(format)
{
    with_each_queue(body_format);
}

/* ---- _QueueShutdownTestMixin ---- */

BODY(shutdown_format)
{
    assert_ok(aiort_queue_shutdown(q));
    assert_contains(repr(q), " maxsize=0 shutdown>");
    return 0;
}

TEST(shutdown_format)
{
    with_each_queue(body_shutdown_format);
}

static void see_shut(void)
{
    assert_code(aiort_queue_put(q, PTR(9)), AIORT_EQUEUESHUTDOWN);
    assert_code(aiort_queue_put_nowait(q, PTR(9)), AIORT_EQUEUESHUTDOWN);
    assert_code(aiort_queue_get(q, NULL), AIORT_EQUEUESHUTDOWN);
    assert_code(aiort_queue_get_nowait(q, NULL), AIORT_EQUEUESHUTDOWN);
}

BODY(shutdown_empty)
{
    aiort_task_t *g1 = task(getter, 0);
    aiort_task_t *g2 = task(getter, 0);

    turns(1);
    assert_ok(aiort_queue_shutdown(q));
    assert_int_equal(end(g1), AIORT_EQUEUESHUTDOWN);
    assert_int_equal(end(g2), AIORT_EQUEUESHUTDOWN);
    see_shut();
    assert_ok(aiort_queue_join(q));
    return 0;
}

TEST(shutdown_empty)
{
    with_each_queue(body_shutdown_empty);
}

BODY(shutdown_nonempty)
{
    put_now(1);
    aiort_task_t *full = task(putter, 2);
    aiort_task_t *joins = task(joiner, 0);
    turns(1);
    assert_ok(aiort_queue_shutdown(q));
    assert_int_equal(end(full), AIORT_EQUEUESHUTDOWN);
    assert_code(aiort_queue_put(q, PTR(3)), AIORT_EQUEUESHUTDOWN);
    assert_false(aiort_future_done(AIORT_FUTURE(joins)));
    assert_int_equal(get_now(), 1); /* what is there is given out still */
    see_shut();
    turns(1);
    assert_false(aiort_future_done(AIORT_FUTURE(joins)));
    assert_ok(aiort_queue_task_done(q));
    assert_int_equal(end(joins), 0);
    return 0;
}

TEST(shutdown_nonempty)
{
    with_queue(1, body_shutdown_nonempty);
}

static int dropped;

static void drop(void *item)
{
    dropped += INT(item);
}

BODY(shutdown_immediate)
{
    dropped = 0;
    put_now(1);
    put_now(2);
    aiort_task_t *joins = task(joiner, 0);
    turns(1);
    assert_ok(aiort_queue_shutdown_immediate(q, drop));
    assert_int_equal(dropped, 3);
    assert_int_equal(end(joins), 0);
    see_shut();
    assert_code(aiort_queue_task_done(q), AIORT_EMISUSE);
    return 0;
}

TEST(shutdown_immediate)
{
    with_each_queue(body_shutdown_immediate);
}

BODY(shutdown_immediate_with_unfinished)
{
    put_now(1);
    put_now(2);
    aiort_task_t *joins = task(joiner, 0);
    turns(1);
    (void)get_now();
    assert_ok(aiort_queue_shutdown_immediate(q, NULL));
    turns(1);
    assert_false(aiort_future_done(AIORT_FUTURE(joins))); /* the one that was taken is not done */
    see_shut();
    assert_ok(aiort_queue_task_done(q));
    assert_code(aiort_queue_task_done(q), AIORT_EMISUSE);
    assert_int_equal(end(joins), 0);
    return 0;
}

TEST(shutdown_immediate_with_unfinished)
{
    with_each_queue(body_shutdown_immediate_with_unfinished);
}

/* ---- C's own ---- */

BODY(order_of_coming)
{
    aiort_task_t *t[50];

    for (int i = 0; i < 50; i++) {
        t[i] = task(getter, 0);
    }
    turns(1);
    for (int i = 0; i < 50; i++) {
        put_now(i);
    }
    for (int i = 0; i < 50; i++) {
        assert_int_equal(end(t[i]), i);
    }
    return 0;
}

TEST(getters_are_served_in_the_order_of_coming)
{
    with_queue(0, body_order_of_coming);
}

TEST(waiting_needs_a_task)
{
    q = aiort_queue_new(1);
    assert_code(aiort_queue_get(q, NULL), AIORT_ENOTASK);
    assert_ok(aiort_queue_put(q, PTR(1))); /* no need to wait */
    assert_code(aiort_queue_put(q, PTR(2)), AIORT_ENOTASK);
    assert_code(aiort_queue_join(q), AIORT_ENOTASK);
    aiort_unref(q);
}

BODY(waits_once)
{
    assert_code(aiort_wait_for(AIORT_CORO(getter, NULL), 0.001, NULL), UV_ETIMEDOUT);
    return 0;
}

BODY(waits_elsewhere)
{
    assert_code(aiort_queue_get(q, NULL), AIORT_EOTHERLOOP);
    assert_contains(aiort_error_message(aiort_current_error()),
                    "is bound to a different event loop");
    return 0;
}

TEST(a_queue_belongs_to_one_loop)
{
    with_queue(0, body_waits_once);
    q = aiort_queue_new(0);
    assert_ok(aiort_run(AIORT_CORO(body_waits_once, NULL), NULL));
    assert_ok(aiort_run(AIORT_CORO(body_waits_elsewhere, NULL), NULL));
    aiort_unref(q);
}

/* The last reference goes while tasks wait. */
BODY(dropped_while_waited_for)
{
    aiort_queue_t *own = q = aiort_queue_new(0);
    aiort_task_t *t = task(getter, 0);

    turns(1);
    aiort_unref(own);
    aiort_task_cancel(t, NULL);
    assert_int_equal(end(t), UV_ECANCELED);
    return 0;
}

TEST(dropped_while_waited_for)
{
    assert_ok(aiort_run(AIORT_CORO(body_dropped_while_waited_for, NULL), NULL));
}

/* The loop is closed while tasks wait: they get AIORT_ECLOSED and touch nothing afterwards. */
static int seen_close;

static int getter_that_is_closed(void *arg, void **result)
{
    (void)arg;
    seen_close = aiort_queue_get(q, result);
    return seen_close;
}

TEST(closed_while_waited_for)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    q = aiort_queue_new(0);
    aiort_task_t *t = start(loop, AIORT_CORO(getter_that_is_closed, NULL));
    run_once(loop);
    assert_ok(aiort_loop_close(loop));
    assert_int_equal(seen_close, AIORT_ECLOSED);
    assert_int_equal(reports.calls, 1);
    aiort_unref(t);
    aiort_unref(q);
    aiort_unref(loop);
}

/* ---- Out of memory ---- */

static int through_queue(void *make, void **result)
{
    (void)result;
    q = ((const make_fn *)make)[0]();
    if (!q) {
        return aiort_last_error();
    }
    int err = 0;
    size_t in = 0;
    for (int i = 0; i < 20 && !err; i++) {
        err = aiort_queue_put(q, PTR(i));
        in += !err;
    }
    assert_int_equal(aiort_queue_size(q), in);
    while (in > 0) {
        assert_ok(aiort_queue_get_nowait(q, NULL));
        in--;
    }
    aiort_coroutine_t *coroutine = err ? NULL : AIORT_CORO(getter, NULL);
    aiort_task_t *t = coroutine ? aiort_create_task(coroutine) : NULL;
    if (t) {
        err = aiort_sleep(0);
        int put = aiort_queue_put_nowait(q, PTR(1));
        if (put) {
            aiort_task_cancel(t, NULL);
        }
        int got = aiort_await(t, NULL);
        err = err ? err : put ? put : got;
        aiort_unref(t);
    } else if (!err) {
        err = aiort_last_error();
    }
    aiort_unref(q);
    return err;
}

TEST_WITHIN(60, out_of_memory)
{
    allocator_install();
    for (size_t i = 0; i < 3; i++) {
        for (long n = 1;; n++) {
            allocator_refuse(n);
            aiort_coroutine_t *coroutine = AIORT_CORO(through_queue, &makes[i]);
            int err = coroutine ? aiort_run(coroutine, NULL) : aiort_last_error();
            long refused = allocator_refused();
            allocator_refuse(0);
            forget_error();
            assert_int_equal(allocator_live(), 0);
            if (!refused) {
                assert_int_equal(err, 0);
                break;
            }
            assert_true(err == UV_ENOMEM || err == 0);
        }
    }
}
