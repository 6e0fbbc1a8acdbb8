/* SPDX-License-Identifier: MIT */
/* as_completed(). Mirrors CPython's test_tasks.py, BaseTaskTests. */
#include "allocator.h"

#define CORO_ITEM(function, arg) AIORT_AWAITABLE(AIORT_CORO(function, arg))

/* The next one's result; the code when there is none. */
static int next_result(aiort_as_completed_t *iterator, void **result)
{
    aiort_future_t *future = NULL;
    int more = aiort_as_completed_next(iterator, &future);
    if (more == 1) {
        assert_true(aiort_future_done(future));
        assert_ok(aiort_future_result(future, result));
    }
    return more;
}

static int in_order(void *arg, void **result)
{
    aiort_awaitable_t *list[] = {CORO_ITEM(sleep_ms, PTR(20)), CORO_ITEM(sleep_ms, PTR(100)),
                                 CORO_ITEM(sleep_ms, PTR(21))};
    aiort_as_completed_t *iterator = aiort_as_completed(list, 3, -1);
    double before = harness_now();
    int results[3], n = 0;
    void *value = NULL;

    (void)arg;
    (void)result;
    assert_non_null(iterator);
    while (next_result(iterator, &value) == 1)
        results[n++] = INT(value);
    assert_time_near(harness_now() - before, 0.1);
    assert_int_equal(n, 3);
    assert_true(results[0] == 20 || results[1] == 20);
    assert_true(results[0] == 21 || results[1] == 21);
    assert_int_equal(results[2], 100);
    assert_int_equal(next_result(iterator, &value), 0);
    aiort_as_completed_free(iterator);
    return 0;
}

TEST(as_completed)
{
    assert_ok(aiort_run(AIORT_CORO(in_order, NULL), NULL));
}

static int same_in_as_out(void *arg, void **result)
{
    aiort_task_t *tasks[] = {aiort_create_task(AIORT_CORO(return_at_once, PTR('b'))),
                             aiort_create_task(AIORT_CORO(return_at_once, PTR('d')))};
    aiort_awaitable_t *list[] = {CORO_ITEM(return_at_once, PTR('a')), AIORT_AWAITABLE(tasks[0]),
                                 CORO_ITEM(return_at_once, PTR('c')), AIORT_AWAITABLE(tasks[1])};
    aiort_as_completed_t *iterator = aiort_as_completed(list, 4, -1);
    aiort_future_t *future = NULL;
    int same = 0, others = 0;

    (void)arg;
    (void)result;
    while (aiort_as_completed_next(iterator, &future) == 1) {
        if (future == AIORT_FUTURE(tasks[0]) || future == AIORT_FUTURE(tasks[1]))
            same++;
        else
            others++;
        assert_int_equal(aiort_kind(future), AIORT_KIND_TASK);
    }
    assert_int_equal(same, 2);
    assert_int_equal(others, 2);
    aiort_as_completed_free(iterator);
    aiort_unref(tasks[0]);
    aiort_unref(tasks[1]);
    return 0;
}

TEST(as_completed_same_tasks_in_as_out)
{
    assert_ok(aiort_run(AIORT_CORO(same_in_as_out, NULL), NULL));
}

static int with_timeout(void *arg, void **result)
{
    aiort_task_t *tasks[] = {aiort_create_task(AIORT_CORO(sleep_ms, PTR(20))),
                             aiort_create_task(AIORT_CORO(sleep_ms, PTR(10000)))};
    aiort_awaitable_t *list[] = {AIORT_AWAITABLE(tasks[0]), AIORT_AWAITABLE(tasks[1])};
    double limit = 0.12 * harness_slow();
    aiort_as_completed_t *iterator = aiort_as_completed(list, 2, limit);
    double before = harness_now();
    void *value = NULL;

    (void)arg;
    (void)result;
    assert_int_equal(next_result(iterator, &value), 1);
    assert_ptr_equal(value, PTR(20));
    assert_code(next_result(iterator, &value), UV_ETIMEDOUT);
    assert_time_near(harness_now() - before, limit);
    assert_false(aiort_future_done(AIORT_FUTURE(tasks[1]))); /* it runs on */
    assert_code(next_result(iterator, &value), UV_ETIMEDOUT);
    aiort_as_completed_free(iterator);
    for (int i = 0; i < 2; i++)
        aiort_unref(tasks[i]);
    return 0;
}

TEST(as_completed_with_timeout)
{
    assert_ok(aiort_run(AIORT_CORO(with_timeout, NULL), NULL));
}

static int with_unused_timeout(void *arg, void **result)
{
    aiort_awaitable_t *list[] = {CORO_ITEM(sleep_ms, PTR(10))};
    aiort_as_completed_t *iterator = aiort_as_completed(list, 1, 10);
    void *value = NULL;

    (void)arg;
    (void)result;
    assert_int_equal(next_result(iterator, &value), 1);
    assert_ptr_equal(value, PTR(10));
    assert_int_equal(next_result(iterator, &value), 0);
    aiort_as_completed_free(iterator);
    return 0;
}

TEST(as_completed_with_unused_timeout)
{
    double before = harness_now();
    assert_ok(aiort_run(AIORT_CORO(with_unused_timeout, NULL), NULL));
    assert_time_near(harness_now() - before, 0.01);
}

static int resume(void *arg, void **result)
{
    aiort_awaitable_t *list[4];
    int seen[4] = {0}, n = 0;
    void *value = NULL;

    (void)arg;
    (void)result;
    for (int i = 0; i < 4; i++)
        list[i] = CORO_ITEM(return_at_once, PTR(i));
    aiort_as_completed_t *iterator = aiort_as_completed(list, 4, -1);
    for (; n < 2; n++) {
        assert_int_equal(next_result(iterator, &value), 1);
        seen[INT(value)]++;
    }
    assert_ok(aiort_sleep(0.001));
    for (; next_result(iterator, &value) == 1; n++)
        seen[INT(value)]++;
    assert_int_equal(n, 4);
    for (int i = 0; i < 4; i++)
        assert_int_equal(seen[i], 1);
    aiort_as_completed_free(iterator);
    return 0;
}

TEST(as_completed_resume_iterator)
{
    assert_ok(aiort_run(AIORT_CORO(resume, NULL), NULL));
}

/* Several ask: whoever asked first gets the first one, whichever that is. */
typedef struct {
    aiort_as_completed_t *iterator;
    int got[2], order[2], norder;
} askers_t;

typedef struct {
    askers_t *askers;
    int number;
} asker_t;

static int ask(void *arg, void **result)
{
    asker_t *asker = arg;
    void *value = NULL;
    assert_int_equal(next_result(asker->askers->iterator, &value), 1);
    asker->askers->got[asker->number] = INT(value);
    asker->askers->order[asker->askers->norder++] = asker->number;
    *result = value;
    return 0;
}

static int ask_twice_at_once(void *arg, void **result)
{
    int *delays = arg;
    aiort_awaitable_t *list[] = {CORO_ITEM(sleep_ms, PTR(delays[0])),
                                 CORO_ITEM(sleep_ms, PTR(delays[1]))};
    askers_t askers = {.iterator = aiort_as_completed(list, 2, -1)};
    asker_t asker[2] = {{&askers, 0}, {&askers, 1}};
    aiort_task_t *tasks[2];

    (void)result;
    for (int i = 0; i < 2; i++)
        tasks[i] = aiort_create_task(AIORT_CORO(ask, &asker[i]));
    for (int i = 1; i >= 0; i--) {
        assert_ok(aiort_await(tasks[i], NULL));
        aiort_unref(tasks[i]);
    }
    assert_int_equal(askers.order[0], 0);
    assert_int_equal(askers.got[0] + askers.got[1], delays[0] + delays[1]);
    if (delays[0] != delays[1])
        assert_true(askers.got[0] < askers.got[1]);
    aiort_as_completed_free(askers.iterator);
    return 0;
}

TEST(as_completed_reverse_wait)
{
    int delays[] = {60, 20};
    assert_ok(aiort_run(AIORT_CORO(ask_twice_at_once, delays), NULL));
}

TEST(as_completed_concurrent)
{
    int delays[] = {20, 20};
    assert_ok(aiort_run(AIORT_CORO(ask_twice_at_once, delays), NULL));
}

static int with_duplicates(void *arg, void **result)
{
    aiort_coroutine_t *ham = AIORT_CORO(return_at_once, PTR('h'));
    aiort_awaitable_t *list[] = {AIORT_AWAITABLE(ham), AIORT_AWAITABLE(ham),
                                 CORO_ITEM(return_at_once, PTR('s'))};
    aiort_as_completed_t *iterator = aiort_as_completed(list, 3, -1);
    int sum = 0, n = 0;
    void *value = NULL;

    (void)arg;
    (void)result;
    for (; next_result(iterator, &value) == 1; n++)
        sum += INT(value);
    assert_int_equal(n, 2);
    assert_int_equal(sum, 'h' + 's');
    aiort_as_completed_free(iterator);
    return 0;
}

TEST(as_completed_duplicate_coroutines)
{
    assert_ok(aiort_run(AIORT_CORO(with_duplicates, NULL), NULL));
}

TEST(as_completed_coroutine_without_loop)
{
    aiort_awaitable_t *list[] = {CORO_ITEM(return_at_once, PTR(42))};
    assert_null_code(aiort_as_completed(list, 1, -1), AIORT_ENOLOOP);
}

static int in_running_loop(void *arg, void **result)
{
    aiort_awaitable_t *list[] = {CORO_ITEM(return_at_once, PTR(42))};
    aiort_as_completed_t *iterator = aiort_as_completed(list, 1, -1);
    void *value = NULL;

    (void)arg;
    (void)result;
    assert_int_equal(next_result(iterator, &value), 1);
    assert_ptr_equal(value, PTR(42));
    aiort_as_completed_free(iterator);
    return 0;
}

TEST(as_completed_coroutine_use_running_loop)
{
    assert_ok(aiort_run(AIORT_CORO(in_running_loop, NULL), NULL));
}

/* ---- C's own ---- */

/* One who waits is cancelled, and what it waited for goes to the next who asks. */
static int ask_and_say(void *arg, void **result)
{
    asker_t *asker = arg;
    void *value = NULL;
    int more = next_result(asker->askers->iterator, &value);
    if (more < 0)
        return more;
    asker->askers->got[asker->number] = INT(value);
    *result = value;
    return 0;
}

static int cancel_asker(void *arg, void **result)
{
    aiort_future_t *future = new_future(aiort_get_running_loop());
    aiort_awaitable_t *list[] = {AIORT_AWAITABLE(future)};
    askers_t askers = {.iterator = aiort_as_completed(list, 1, -1)};
    asker_t asker = {&askers, 0};
    aiort_task_t *task = aiort_create_task(AIORT_CORO(ask_and_say, &asker));
    void *value = NULL;

    (void)arg;
    (void)result;
    assert_ok(aiort_sleep(0));
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    assert_ok(aiort_future_set_result(future, PTR(9)));
    assert_int_equal(next_result(askers.iterator, &value), 1); /* it is not lost */
    assert_ptr_equal(value, PTR(9));
    aiort_as_completed_free(askers.iterator);
    aiort_unref(task);
    aiort_unref(future);
    return 0;
}

TEST(cancelled_asker)
{
    assert_ok(aiort_run(AIORT_CORO(cancel_asker, NULL), NULL));
}

TEST(freed_with_some_pending)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();
    aiort_future_t *futures[] = {new_future(loop), new_future(loop)};
    aiort_awaitable_t *list[] = {AIORT_AWAITABLE(futures[0]), AIORT_AWAITABLE(futures[1])};
    aiort_as_completed_t *iterator = aiort_as_completed(list, 2, 100);

    assert_ok(aiort_future_set_result(futures[0], NULL));
    aiort_as_completed_free(iterator);
    aiort_as_completed_free(NULL);
    assert_string_equal(repr(futures[1]), "<Future pending>");
    run_briefly(loop);
    aiort_unref(futures[0]);
    aiort_unref(futures[1]);
    drop_loop(loop);
    forget_error();
    assert_int_equal(allocator_live(), 0);
}
