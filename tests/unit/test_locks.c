/* SPDX-License-Identifier: MIT */
/*
 * Events, locks, conditions, semaphores and barriers: the order in which waiters go on, and that no
 * wake-up is lost when who was woken is cancelled. Mirrors CPython's test_locks.py.
 *
 * Cases drive the loop from outside: run_briefly() lets every ready task run once. What a task does
 * first is noted in `order`.
 */
#include "helpers.h"

static char order[64];

static void note(int n)
{
    size_t length = strlen(order);

    assert_true(length + 1 < sizeof order);
    order[length] = (char)('0' + n);
    order[length + 1] = '\0';
}

/* What the waiting tasks of a case need: the object, and their number. */
typedef struct {
    void *object;
    int number;
} ticket_t;

#define TICKET(object, number) ((ticket_t){(object), (number)})

static int (*operation)(void *object);

/* Does the operation on the object and notes its number when that has succeeded. */
static int take_turn(void *arg, void **result)
{
    const ticket_t *ticket = arg;
    int err = operation(ticket->object);

    (void)result;
    if (err >= 0)
        note(ticket->number);
    return err < 0 ? err : 0;
}

static aiort_task_t *turn(aiort_loop_t *loop, void *object, int number)
{
    return start(loop, AIORT_CORO_BY_VALUE(take_turn, TICKET(object, number)));
}

static int run_operation(void *object, void **result)
{
    int value = operation(object);

    if (result != NULL)
        *result = PTR(value);
    return value < 0 ? value : 0;
}

/* Does another operation at once, as a task; returns how it ended. */
static int now(aiort_loop_t *loop, int (*function)(void *), void *object)
{
    int (*before)(void *) = operation;
    void *result = NULL;

    operation = function;
    int err = aiort_loop_run_until_complete(loop, AIORT_CORO(run_operation, object), &result);
    operation = before;
    return err ? err : INT(result);
}

static int cancel_task(void *task)
{
    aiort_task_cancel(task, NULL);
    return 0;
}

/* A task that waits on the object is cancelled. */
static void cancel_waiting(aiort_loop_t *loop, void *object)
{
    aiort_task_t *task = turn(loop, object, 1);

    assert_ok(aiort_call_soon(loop, cancel_task, task, NULL));
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_null(strstr(repr(object), "waiters"));
    assert_string_equal(order, "");
    aiort_unref(task);
}

static void assert_done(aiort_task_t *task)
{
    assert_ok(aiort_future_result(AIORT_FUTURE(task), NULL));
    aiort_unref(task);
}

static void assert_cancelled(aiort_task_t *task)
{
    assert_int_equal(aiort_future_cancelled(AIORT_FUTURE(task)), 1);
    aiort_unref(task);
}

/* "<KIND object at 0x... [STATE]>" */
static void assert_repr(const void *object, const char *kind, const char *state)
{
    char expected[256];

    snprintf(expected, sizeof expected, "<%s object at %p [%s]>", kind, object, state);
    assert_string_equal(repr(object), expected);
}

#define assert_misuse(call, text)                                                                  \
    do {                                                                                           \
        assert_code((call), AIORT_EMISUSE);                                                        \
        assert_string_equal(aiort_error_message(aiort_current_error()), text);                     \
    } while (0)

/* ---- locks ---- */

static int acquire(void *lock)
{
    return aiort_lock_acquire((aiort_lock_t *)lock);
}

TEST(lock_repr)
{
    aiort_loop_t *loop = new_loop();
    aiort_lock_t *lock = aiort_lock_new();

    operation = acquire;
    assert_repr(lock, "Lock", "unlocked");
    assert_ok(now(loop, acquire, lock));
    assert_repr(lock, "Lock", "locked");
    aiort_task_t *task = turn(loop, lock, 1);
    run_briefly(loop);
    assert_repr(lock, "Lock", "locked, waiters:1");
    end_task(loop, task);
    aiort_unref(lock);
    drop_loop(loop);
}

TEST(lock_acquire)
{
    aiort_loop_t *loop = new_loop();
    aiort_lock_t *lock = aiort_lock_new();

    operation = acquire;
    assert_ok(now(loop, acquire, lock));
    aiort_task_t *t1 = turn(loop, lock, 1);
    aiort_task_t *t2 = turn(loop, lock, 2);
    run_briefly(loop);
    assert_string_equal(order, "");
    assert_ok(aiort_lock_release(lock));
    run_briefly(loop);
    assert_string_equal(order, "1");
    run_briefly(loop);
    assert_string_equal(order, "1");
    aiort_task_t *t3 = turn(loop, lock, 3);
    assert_ok(aiort_lock_release(lock));
    run_briefly(loop);
    assert_string_equal(order, "12");
    assert_ok(aiort_lock_release(lock));
    run_briefly(loop);
    assert_string_equal(order, "123");
    assert_done(t1);
    assert_done(t2);
    assert_done(t3);
    aiort_unref(lock);
    drop_loop(loop);
}

TEST(lock_acquire_cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_lock_t *lock = aiort_lock_new();

    operation = acquire;
    assert_ok(now(loop, acquire, lock));
    cancel_waiting(loop, lock);
    assert_int_equal(aiort_lock_locked(lock), 1);
    aiort_unref(lock);
    drop_loop(loop);
}

typedef struct {
    aiort_lock_t *lock;
    aiort_future_t *blocker;
} lockit_t;

static int lockit(void *arg, void **result)
{
    const lockit_t *test = arg;
    int err = aiort_lock_acquire(test->lock);

    (void)result;
    if (err)
        return err;
    if (test->blocker)
        err = aiort_await(test->blocker, NULL);
    assert_ok(aiort_lock_release(test->lock));
    return err;
}

/* B is cancelled while A gives the lock back: it goes to C. */
TEST(cancel_race)
{
    aiort_loop_t *loop = new_loop();
    aiort_lock_t *lock = aiort_lock_new();
    aiort_future_t *blocker = new_future(loop);
    aiort_task_t *a =
        start(loop, AIORT_CORO_BY_VALUE(lockit, ((lockit_t){lock, blocker})));

    run_briefly(loop);
    assert_int_equal(aiort_lock_locked(lock), 1);
    aiort_task_t *b = start(loop, AIORT_CORO_BY_VALUE(lockit, ((lockit_t){lock, NULL})));
    run_briefly(loop);
    aiort_task_t *c = start(loop, AIORT_CORO_BY_VALUE(lockit, ((lockit_t){lock, NULL})));
    run_briefly(loop);
    assert_repr(lock, "Lock", "locked, waiters:2");
    assert_ok(aiort_future_set_result(blocker, NULL));
    aiort_task_cancel(b, NULL);
    run_briefly(loop);
    run_briefly(loop);
    assert_int_equal(aiort_lock_locked(lock), 0);
    assert_done(a);
    assert_cancelled(b);
    assert_done(c);
    aiort_unref(blocker);
    aiort_unref(lock);
    drop_loop(loop);
}

/* The first waiter is cancelled in the iteration in which the lock is given back: one gets it. */
TEST(cancel_release_race)
{
    aiort_loop_t *loop = new_loop();
    aiort_lock_t *lock = aiort_lock_new();

    operation = acquire;
    assert_ok(now(loop, acquire, lock));
    aiort_task_t *t1 = turn(loop, lock, 1);
    aiort_task_t *t2 = turn(loop, lock, 2);
    run_briefly(loop);
    aiort_task_cancel(t1, NULL);
    assert_ok(aiort_lock_release(lock));
    run_briefly(loop);
    run_briefly(loop);
    assert_int_equal(aiort_lock_locked(lock), 1);
    assert_string_equal(order, "2");
    assert_cancelled(t1);
    assert_done(t2);
    aiort_unref(lock);
    drop_loop(loop);
}

/* Woken, then cancelled: the lock passes to the next. */
TEST(finished_waiter_cancelled)
{
    aiort_loop_t *loop = new_loop();
    aiort_lock_t *lock = aiort_lock_new();

    operation = acquire;
    assert_ok(now(loop, acquire, lock));
    aiort_task_t *t1 = turn(loop, lock, 1);
    run_briefly(loop);
    aiort_task_t *t2 = turn(loop, lock, 2);
    run_briefly(loop);
    assert_ok(aiort_lock_release(lock)); /* wakes the first */
    aiort_task_cancel(t1, NULL);
    run_briefly(loop);
    run_briefly(loop);
    assert_cancelled(t1);
    assert_int_equal(aiort_lock_locked(lock), 1);
    assert_string_equal(order, "2");
    assert_done(t2);
    aiort_unref(lock);
    drop_loop(loop);
}

TEST(lock_release_not_acquired)
{
    aiort_lock_t *lock = aiort_lock_new();

    assert_misuse(aiort_lock_release(lock), "Lock is not acquired.");
    aiort_unref(lock);
}

TEST(lock_release_no_waiters)
{
    aiort_loop_t *loop = new_loop();
    aiort_lock_t *lock = aiort_lock_new();

    assert_ok(now(loop, acquire, lock));
    assert_int_equal(aiort_lock_locked(lock), 1);
    assert_ok(aiort_lock_release(lock));
    assert_int_equal(aiort_lock_locked(lock), 0);
    aiort_unref(lock);
    drop_loop(loop);
}

/* ---- events ---- */

static int wait_event(void *event)
{
    return aiort_event_wait((aiort_event_t *)event);
}

TEST(event_repr)
{
    aiort_loop_t *loop = new_loop();
    aiort_event_t *event = aiort_event_new();

    operation = wait_event;
    assert_repr(event, "Event", "unset");
    aiort_task_t *task = turn(loop, event, 1);
    run_briefly(loop);
    assert_repr(event, "Event", "unset, waiters:1");
    assert_ok(aiort_event_set(event));
    assert_repr(event, "Event", "set, waiters:1");
    run_briefly(loop);
    assert_repr(event, "Event", "set");
    assert_done(task);
    aiort_unref(event);
    drop_loop(loop);
}

TEST(event_wait)
{
    aiort_loop_t *loop = new_loop();
    aiort_event_t *event = aiort_event_new();

    operation = wait_event;
    assert_int_equal(aiort_event_is_set(event), 0);
    aiort_task_t *t1 = turn(loop, event, 1);
    aiort_task_t *t2 = turn(loop, event, 2);
    run_briefly(loop);
    assert_string_equal(order, "");
    aiort_task_t *t3 = turn(loop, event, 3);
    assert_ok(aiort_event_set(event));
    run_briefly(loop);
    assert_string_equal(order, "312");
    assert_done(t1);
    assert_done(t2);
    assert_done(t3);
    aiort_unref(event);
    drop_loop(loop);
}

TEST(event_wait_on_set)
{
    aiort_loop_t *loop = new_loop();
    aiort_event_t *event = aiort_event_new();

    assert_ok(aiort_event_set(event));
    assert_ok(now(loop, wait_event, event));
    aiort_unref(event);
    drop_loop(loop);
}

TEST(event_wait_cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_event_t *event = aiort_event_new();

    operation = wait_event;
    cancel_waiting(loop, event);
    aiort_unref(event);
    drop_loop(loop);
}

TEST(event_clear)
{
    aiort_event_t *event = aiort_event_new();

    assert_ok(aiort_event_set(event));
    assert_int_equal(aiort_event_is_set(event), 1);
    assert_ok(aiort_event_clear(event));
    assert_int_equal(aiort_event_is_set(event), 0);
    assert_code(aiort_event_wait(event), AIORT_ENOTASK);
    aiort_unref(event);
}

TEST(event_clear_with_waiters)
{
    aiort_loop_t *loop = new_loop();
    aiort_event_t *event = aiort_event_new();

    operation = wait_event;
    aiort_task_t *task = turn(loop, event, 1);
    run_briefly(loop);
    assert_ok(aiort_event_set(event));
    assert_ok(aiort_event_clear(event));
    assert_int_equal(aiort_event_is_set(event), 0);
    assert_ok(aiort_event_set(event));
    assert_ok(aiort_event_set(event));
    assert_repr(event, "Event", "set, waiters:1");
    run_briefly(loop);
    assert_string_equal(order, "1");
    assert_repr(event, "Event", "set");
    assert_done(task);
    aiort_unref(event);
    drop_loop(loop);
}

/* ---- conditions ---- */

static int acquire_condition(void *condition)
{
    return aiort_lock_acquire(aiort_condition_lock(condition));
}

static int wait_condition(void *condition)
{
    return aiort_condition_wait((aiort_condition_t *)condition);
}

/* Leaves the lock taken. */
static int acquire_and_wait(void *condition)
{
    int err = acquire_condition(condition);

    return err ? err : wait_condition(condition);
}

static void release(aiort_condition_t *condition)
{
    assert_ok(aiort_lock_release(aiort_condition_lock(condition)));
}

static int locked(const aiort_condition_t *condition)
{
    return aiort_lock_locked(aiort_condition_lock(condition));
}

TEST(condition_wait)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    operation = acquire_and_wait;
    aiort_task_t *t1 = turn(loop, condition, 1);
    aiort_task_t *t2 = turn(loop, condition, 2);
    aiort_task_t *t3 = turn(loop, condition, 3);
    run_briefly(loop);
    assert_string_equal(order, "");
    assert_int_equal(locked(condition), 0);
    assert_ok(now(loop, acquire_condition, condition));
    assert_ok(aiort_condition_notify(condition, 1));
    run_briefly(loop);
    assert_string_equal(order, "");
    assert_int_equal(locked(condition), 1);
    release(condition);
    run_briefly(loop);
    assert_string_equal(order, "1");
    assert_int_equal(locked(condition), 1);
    assert_ok(aiort_condition_notify(condition, 2));
    run_briefly(loop);
    assert_string_equal(order, "1");
    release(condition);
    run_briefly(loop);
    assert_string_equal(order, "12");
    assert_int_equal(locked(condition), 1);
    release(condition);
    run_briefly(loop);
    assert_string_equal(order, "123");
    assert_int_equal(locked(condition), 1);
    assert_done(t1);
    assert_done(t2);
    assert_done(t3);
    aiort_unref(condition);
    drop_loop(loop);
}

TEST(condition_wait_cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    operation = wait_condition;
    assert_ok(now(loop, acquire_condition, condition));
    cancel_waiting(loop, condition);
    assert_int_equal(locked(condition), 1);
    aiort_unref(condition);
    drop_loop(loop);
}

/* Cancelled in its wait, and again while it waits for the lock: it comes out with the lock. */
TEST(wait_cancel_contested)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    operation = acquire_and_wait;
    aiort_task_t *task = turn(loop, condition, 1);
    run_briefly(loop);
    assert_ok(now(loop, acquire_condition, condition)); /* contested */
    for (int i = 0; i < 3; i++) {
        aiort_task_cancel(task, i == 2 ? "third" : NULL);
        run_briefly(loop);
        assert_int_equal(aiort_future_done(AIORT_FUTURE(task)), 0);
    }
    release(condition);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "third");
    assert_int_equal(locked(condition), 1);
    aiort_unref(task);
    aiort_unref(condition);
    drop_loop(loop);
}

/* One that was notified and then cancelled hands the notification on. */
TEST(wait_cancel_after_notify)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    operation = acquire_and_wait;
    aiort_task_t *t1 = turn(loop, condition, 1);
    aiort_task_t *t2 = turn(loop, condition, 2);
    run_briefly(loop);
    assert_ok(now(loop, acquire_condition, condition));
    assert_ok(aiort_condition_notify(condition, 1));
    aiort_task_cancel(t1, NULL);
    release(condition);
    assert_code(aiort_loop_run_until_complete(loop, t1, NULL), UV_ECANCELED);
    assert_int_equal(locked(condition), 1); /* by the first, which came out with it */
    release(condition);
    assert_ok(aiort_loop_run_until_complete(loop, t2, NULL));
    assert_string_equal(order, "2");
    aiort_unref(t1);
    aiort_unref(t2);
    aiort_unref(condition);
    drop_loop(loop);
}

TEST(condition_wait_unacquired)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    assert_misuse(now(loop, wait_condition, condition), "cannot wait on un-acquired lock");
    aiort_unref(condition);
    drop_loop(loop);
}

static int met;

static int is_met(void *arg)
{
    (void)arg;
    return met;
}

static int wait_until_met(void *condition)
{
    return aiort_condition_wait_for((aiort_condition_t *)condition, is_met, NULL);
}

static int acquire_and_wait_until_met(void *condition)
{
    int err = acquire_condition(condition);

    if (!err)
        err = wait_until_met(condition);
    if (err > 0)
        release(condition);
    return err;
}

static void notify(aiort_loop_t *loop, aiort_condition_t *condition, size_t n)
{
    assert_ok(now(loop, acquire_condition, condition));
    assert_ok(aiort_condition_notify(condition, n));
    release(condition);
    run_briefly(loop);
}

TEST(condition_wait_for)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    operation = acquire_and_wait_until_met;
    aiort_task_t *task = turn(loop, condition, 1);
    run_briefly(loop);
    notify(loop, condition, 1);
    assert_string_equal(order, "");
    met = 1;
    notify(loop, condition, 1);
    assert_string_equal(order, "1");
    assert_done(task);
    aiort_unref(condition);
    drop_loop(loop);
}

TEST(wait_for_unacquired)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    met = 7; /* then the lock is not needed */
    assert_int_equal(now(loop, wait_until_met, condition), 7);
    met = 0;
    assert_misuse(now(loop, wait_until_met, condition), "cannot wait on un-acquired lock");
    aiort_unref(condition);
    drop_loop(loop);
}

static int wait_and_release(void *condition)
{
    int err = acquire_and_wait(condition);

    if (!err)
        release(condition);
    return err;
}

TEST(condition_notify)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);
    aiort_task_t *tasks[3];

    operation = wait_and_release;
    for (int i = 0; i < 3; i++)
        tasks[i] = turn(loop, condition, i + 1);
    run_briefly(loop);
    notify(loop, condition, 1);
    assert_string_equal(order, "1");
    notify(loop, condition, 1);
    notify(loop, condition, 2048);
    assert_string_equal(order, "123");
    for (int i = 0; i < 3; i++)
        assert_done(tasks[i]);
    aiort_unref(condition);
    drop_loop(loop);
}

TEST(condition_notify_all)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    operation = wait_and_release;
    aiort_task_t *t1 = turn(loop, condition, 1);
    aiort_task_t *t2 = turn(loop, condition, 2);
    run_briefly(loop);
    assert_ok(now(loop, acquire_condition, condition));
    assert_ok(aiort_condition_notify_all(condition));
    release(condition);
    run_briefly(loop);
    run_briefly(loop);
    assert_string_equal(order, "12");
    assert_done(t1);
    assert_done(t2);
    aiort_unref(condition);
    drop_loop(loop);
}

TEST(notify_unacquired)
{
    aiort_condition_t *condition = aiort_condition_new(NULL);

    assert_misuse(aiort_condition_notify(condition, 1), "cannot notify on un-acquired lock");
    aiort_unref(condition);
}

TEST(notify_all_unacquired)
{
    aiort_condition_t *condition = aiort_condition_new(NULL);

    assert_misuse(aiort_condition_notify_all(condition), "cannot notify on un-acquired lock");
    aiort_unref(condition);
}

TEST(condition_repr)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    operation = acquire_and_wait;
    assert_repr(condition, "Condition", "unlocked");
    assert_ok(now(loop, acquire_condition, condition));
    assert_repr(condition, "Condition", "locked");
    release(condition);
    aiort_task_t *task = turn(loop, condition, 1);
    run_briefly(loop);
    assert_repr(condition, "Condition", "unlocked, waiters:1");
    end_task(loop, task);
    aiort_unref(condition);
    drop_loop(loop);
}

TEST(explicit_lock)
{
    aiort_lock_t *lock = aiort_lock_new();
    aiort_condition_t *condition = aiort_condition_new(lock);

    assert_ptr_equal(aiort_condition_lock(condition), lock);
    aiort_unref(lock);
    assert_int_equal(locked(condition), 0);
    aiort_unref(condition);
}

/* An object belongs to the loop in which somebody had to wait for it. */
TEST(ambiguous_loops)
{
    aiort_loop_t *loop = new_loop(), *other = new_loop();
    aiort_lock_t *lock = aiort_lock_new();

    operation = acquire;
    assert_ok(now(loop, acquire, lock));
    aiort_task_t *task = turn(loop, lock, 1);
    run_briefly(loop);
    assert_code(now(other, acquire, lock), AIORT_EOTHERLOOP);
    assert_non_null(strstr(aiort_error_message(aiort_current_error()),
                           "[locked, waiters:1]> is bound to a different event loop"));
    end_task(loop, task);
    aiort_unref(lock);
    drop_loop(other);
    drop_loop(loop);
}

static int wait_with_timeout(void *condition)
{
    assert_ok(acquire_condition(condition));
    aiort_timeout_t *timeout = aiort_timeout(0.01);
    assert_ok(aiort_timeout_enter(timeout));
    int err = aiort_timeout_exit(timeout, wait_condition(condition));
    aiort_unref(timeout);
    assert_int_equal(locked(condition), 1);
    release(condition);
    return err;
}

TEST(timeout_in_block)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    assert_code(now(loop, wait_with_timeout, condition), UV_ETIMEDOUT);
    aiort_unref(condition);
    drop_loop(loop);
}

TEST(cancelled_error_wakeup)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    operation = acquire_and_wait_until_met;
    aiort_task_t *task = turn(loop, condition, 1);
    run_briefly(loop);
    aiort_task_cancel(task, "foo"); /* the message comes through the wait for the lock */
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "foo");
    aiort_unref(task);
    aiort_unref(condition);
    drop_loop(loop);
}

TEST(cancelled_error_re_aquire)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);

    operation = acquire_and_wait;
    aiort_task_t *task = turn(loop, condition, 1);
    run_briefly(loop);
    assert_ok(now(loop, acquire_condition, condition));
    assert_ok(aiort_condition_notify(condition, 1));
    run_briefly(loop); /* woken, it waits for the lock */
    aiort_task_cancel(task, "foo");
    run_briefly(loop);
    release(condition);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_string_equal(aiort_error_message(aiort_current_error()), "foo");
    aiort_unref(task);
    aiort_unref(condition);
    drop_loop(loop);
}

/* One of two that were notified is cancelled: the third is notified in its place. */
TEST(cancelled_wakeup)
{
    aiort_loop_t *loop = new_loop();
    aiort_condition_t *condition = aiort_condition_new(NULL);
    aiort_task_t *tasks[3];

    operation = wait_and_release;
    for (int i = 0; i < 3; i++)
        tasks[i] = turn(loop, condition, i + 1);
    run_briefly(loop);
    assert_ok(now(loop, acquire_condition, condition));
    assert_ok(aiort_condition_notify(condition, 2));
    aiort_task_cancel(tasks[1], NULL);
    release(condition);
    run_briefly(loop);
    run_briefly(loop);
    assert_code(aiort_loop_run_until_complete(loop, tasks[1], NULL), UV_ECANCELED);
    assert_string_equal(order, "1");
    assert_int_equal(locked(condition), 1);
    release(condition); /* it came out with the lock */
    assert_ok(aiort_loop_run_until_complete(loop, tasks[2], NULL));
    assert_string_equal(order, "13");
    assert_done(tasks[0]);
    assert_cancelled(tasks[1]);
    assert_done(tasks[2]);
    aiort_unref(condition);
    drop_loop(loop);
}

/* ---- semaphores ---- */

static int acquire_semaphore(void *semaphore)
{
    return aiort_semaphore_acquire((aiort_semaphore_t *)semaphore);
}

TEST(initial_value_zero)
{
    aiort_semaphore_t *semaphore = aiort_semaphore_new(0);

    assert_int_equal(aiort_semaphore_locked(semaphore), 1);
    assert_code(aiort_semaphore_acquire(semaphore), AIORT_ENOTASK);
    aiort_unref(semaphore);
}

TEST(semaphore_repr)
{
    aiort_loop_t *loop = new_loop();
    aiort_semaphore_t *semaphore = aiort_semaphore_new(1);
    aiort_semaphore_t *bounded = aiort_bounded_semaphore_new(2);

    operation = acquire_semaphore;
    assert_repr(semaphore, "Semaphore", "unlocked, value:1");
    assert_repr(bounded, "BoundedSemaphore", "unlocked, value:2");
    assert_ok(now(loop, acquire_semaphore, semaphore));
    assert_repr(semaphore, "Semaphore", "locked");
    aiort_task_t *task = turn(loop, semaphore, 1);
    run_briefly(loop);
    assert_repr(semaphore, "Semaphore", "locked, waiters:1");
    end_task(loop, task);
    aiort_unref(semaphore);
    aiort_unref(bounded);
    drop_loop(loop);
}

TEST(semaphore_acquire)
{
    aiort_loop_t *loop = new_loop();
    aiort_semaphore_t *semaphore = aiort_semaphore_new(3);
    aiort_task_t *tasks[4];

    operation = acquire_semaphore;
    assert_ok(now(loop, acquire_semaphore, semaphore));
    assert_ok(now(loop, acquire_semaphore, semaphore));
    assert_int_equal(aiort_semaphore_locked(semaphore), 0);
    for (int i = 0; i < 3; i++)
        tasks[i] = turn(loop, semaphore, i + 1);
    run_briefly(loop);
    assert_int_equal(aiort_semaphore_locked(semaphore), 1);
    assert_string_equal(order, "1");
    tasks[3] = turn(loop, semaphore, 4);
    assert_ok(aiort_semaphore_release(semaphore));
    assert_ok(aiort_semaphore_release(semaphore));
    run_briefly(loop);
    assert_string_equal(order, "123");
    assert_int_equal(aiort_semaphore_locked(semaphore), 1);
    assert_ok(aiort_semaphore_release(semaphore));
    run_briefly(loop);
    assert_string_equal(order, "1234");
    for (int i = 0; i < 4; i++)
        assert_done(tasks[i]);
    aiort_unref(semaphore);
    drop_loop(loop);
}

TEST(semaphore_acquire_cancel)
{
    aiort_loop_t *loop = new_loop();
    aiort_semaphore_t *semaphore = aiort_semaphore_new(1);

    operation = acquire_semaphore;
    assert_ok(now(loop, acquire_semaphore, semaphore));
    cancel_waiting(loop, semaphore);
    aiort_unref(semaphore);
    drop_loop(loop);
}

/* The first ones are cancelled as something is given back: it goes to the others in their order. */
TEST(acquire_cancel_before_awoken)
{
    aiort_loop_t *loop = new_loop();
    aiort_semaphore_t *semaphore = aiort_semaphore_new(0);
    aiort_task_t *tasks[4];

    operation = acquire_semaphore;
    for (int i = 0; i < 4; i++)
        tasks[i] = turn(loop, semaphore, i + 1);
    run_briefly(loop);
    aiort_task_cancel(tasks[0], NULL);
    aiort_task_cancel(tasks[1], NULL);
    assert_ok(aiort_semaphore_release(semaphore));
    run_briefly(loop);
    run_briefly(loop);
    assert_string_equal(order, "3");
    assert_ok(aiort_semaphore_release(semaphore));
    run_briefly(loop);
    assert_string_equal(order, "34");
    assert_cancelled(tasks[0]);
    assert_cancelled(tasks[1]);
    assert_done(tasks[2]);
    assert_done(tasks[3]);
    aiort_unref(semaphore);
    drop_loop(loop);
}

/* Woken, then cancelled: what it was woken for goes to the next. */
static void cancel_woken(int hang)
{
    aiort_loop_t *loop = new_loop();
    aiort_semaphore_t *semaphore = aiort_semaphore_new(0);

    operation = acquire_semaphore;
    aiort_task_t *t1 = turn(loop, semaphore, 1);
    run_briefly(loop);
    aiort_task_t *t2 = turn(loop, semaphore, 2);
    if (!hang)
        run_briefly(loop);
    assert_ok(aiort_semaphore_release(semaphore));
    aiort_task_cancel(t1, NULL);
    assert_ok(aiort_loop_run_until_complete(loop, t2, NULL));
    assert_int_equal(aiort_semaphore_locked(semaphore), 1);
    assert_cancelled(t1);
    assert_done(t2);
    aiort_unref(semaphore);
    drop_loop(loop);
}

TEST(acquire_hang)
{
    cancel_woken(1);
}

TEST(acquire_no_hang)
{
    cancel_woken(0);
}

TEST(semaphore_release_not_acquired)
{
    aiort_semaphore_t *semaphore = aiort_bounded_semaphore_new(1);

    assert_misuse(aiort_semaphore_release(semaphore), "BoundedSemaphore released too many times");
    aiort_unref(semaphore);
}

TEST(semaphore_release_no_waiters)
{
    aiort_loop_t *loop = new_loop();
    aiort_semaphore_t *semaphore = aiort_semaphore_new(1);

    assert_ok(now(loop, acquire_semaphore, semaphore));
    assert_int_equal(aiort_semaphore_locked(semaphore), 1);
    assert_ok(aiort_semaphore_release(semaphore));
    assert_int_equal(aiort_semaphore_locked(semaphore), 0);
    aiort_unref(semaphore);
    drop_loop(loop);
}

typedef struct {
    aiort_semaphore_t *semaphore;
    int number;
} worker_t;

static int works_twice(void *arg, void **result)
{
    const worker_t *worker = arg;

    (void)result;
    for (int i = 0; i < 2; i++) {
        assert_ok(aiort_semaphore_acquire(worker->semaphore));
        assert_ok(aiort_sleep(0));
        note(worker->number);
        assert_ok(aiort_semaphore_release(worker->semaphore));
    }
    return 0;
}

/* Nobody overtakes by asking again. */
TEST(acquire_fifo_order)
{
    aiort_loop_t *loop = new_loop();
    aiort_semaphore_t *semaphore = aiort_semaphore_new(1);
    aiort_task_t *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = start(loop, AIORT_CORO_BY_VALUE(works_twice, ((worker_t){semaphore, i + 1})));
    for (int i = 0; i < 3; i++)
        assert_ok(aiort_loop_run_until_complete(loop, tasks[i], NULL));
    assert_string_equal(order, "123123");
    for (int i = 0; i < 3; i++)
        assert_done(tasks[i]);
    aiort_unref(semaphore);
    drop_loop(loop);
}

static int acquire_twice(void *arg, void **result)
{
    const worker_t *worker = arg;

    (void)result;
    assert_ok(aiort_semaphore_acquire(worker->semaphore));
    note(worker->number);
    assert_ok(aiort_semaphore_acquire(worker->semaphore));
    note(worker->number + 1);
    return 0;
}

TEST(acquire_fifo_order_2)
{
    aiort_loop_t *loop = new_loop();
    aiort_semaphore_t *semaphore = aiort_semaphore_new(1);

    operation = acquire_semaphore;
    aiort_task_t *t1 = start(loop, AIORT_CORO_BY_VALUE(acquire_twice, ((worker_t){semaphore, 1})));
    aiort_task_t *t3 = turn(loop, semaphore, 3);
    aiort_task_t *t4 = turn(loop, semaphore, 4);
    run_briefly(loop);
    assert_string_equal(order, "1");
    for (int i = 0; i < 3; i++) {
        assert_ok(aiort_semaphore_release(semaphore));
        run_briefly(loop);
    }
    /* The second time of the first task was asked for before the others'. */
    assert_string_equal(order, "1234");
    assert_done(t1);
    assert_done(t3);
    assert_done(t4);
    aiort_unref(semaphore);
    drop_loop(loop);
}

/* Cancelled while something is given back for it: who comes later still waits its turn. */
TEST(acquire_fifo_order_4)
{
    aiort_loop_t *loop = new_loop();
    aiort_semaphore_t *semaphore = aiort_semaphore_new(0);

    operation = acquire_semaphore;
    aiort_task_t *t1 = turn(loop, semaphore, 1);
    run_briefly(loop);
    aiort_task_cancel(t1, NULL);
    aiort_task_t *t2 = turn(loop, semaphore, 2);
    assert_ok(aiort_semaphore_release(semaphore));
    aiort_task_t *t3 = turn(loop, semaphore, 3);
    assert_ok(aiort_semaphore_release(semaphore));
    run_briefly(loop);
    run_briefly(loop);
    assert_string_equal(order, "23");
    assert_cancelled(t1);
    assert_done(t2);
    assert_done(t3);
    assert_int_equal(aiort_semaphore_locked(semaphore), 1);
    aiort_unref(semaphore);
    drop_loop(loop);
}

/* ---- barriers ---- */

static int wait_barrier(void *barrier)
{
    return aiort_barrier_wait((aiort_barrier_t *)barrier);
}

static int reset_barrier(void *barrier)
{
    return aiort_barrier_reset((aiort_barrier_t *)barrier);
}

static int abort_barrier(void *barrier)
{
    return aiort_barrier_abort((aiort_barrier_t *)barrier);
}

static int indexes[16], breaks;

/* Waits at the barrier and counts what came of it. */
static int count_wait(void *arg, void **result)
{
    int index = wait_barrier(arg);

    (void)result;
    if (index == AIORT_EBROKEN)
        breaks++;
    else if (index >= 0)
        indexes[index]++;
    return index == UV_ECANCELED ? index : 0;
}

static void settle(aiort_loop_t *loop)
{
    for (int i = 0; i < 12; i++)
        run_briefly(loop);
}

static void waits(aiort_loop_t *loop, aiort_barrier_t *barrier, int n)
{
    for (int i = 0; i < n; i++)
        aiort_unref(start(loop, AIORT_CORO(count_wait, barrier)));
    settle(loop);
}

TEST(barrier_repr)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(2);

    assert_repr(barrier, "Barrier", "filling, waiters:0/2");
    waits(loop, barrier, 1);
    assert_repr(barrier, "Barrier", "filling, waiters:1/2");
    waits(loop, barrier, 1);
    assert_repr(barrier, "Barrier", "filling, waiters:0/2");
    assert_ok(now(loop, abort_barrier, barrier));
    assert_repr(barrier, "Barrier", "broken");
    aiort_unref(barrier);
    drop_loop(loop);
}

TEST(barrier_parties)
{
    assert_null_code(aiort_barrier_new(0), UV_EINVAL);
    assert_string_equal(aiort_error_message(aiort_current_error()), "parties must be >= 1");
}

TEST(filling_one_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(1);

    assert_int_equal(now(loop, wait_barrier, barrier), 0);
    assert_int_equal(aiort_barrier_n_waiting(barrier), 0);
    assert_int_equal(aiort_barrier_broken(barrier), 0);
    aiort_unref(barrier);
    drop_loop(loop);
}

TEST(filling_one_task_twice)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(1);

    assert_int_equal(now(loop, wait_barrier, barrier), 0);
    assert_int_equal(now(loop, wait_barrier, barrier), 0);
    aiort_unref(barrier);
    drop_loop(loop);
}

TEST(filling_task_by_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(3);

    for (int i = 1; i < 3; i++) {
        waits(loop, barrier, 1);
        assert_int_equal(aiort_barrier_n_waiting(barrier), i);
    }
    waits(loop, barrier, 1);
    assert_int_equal(aiort_barrier_n_waiting(barrier), 0);
    assert_int_equal(aiort_barrier_parties(barrier), 3);
    aiort_unref(barrier);
    drop_loop(loop);
}

TEST(filling_tasks_check_return_value)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(3);

    waits(loop, barrier, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(indexes[i], 1);
    waits(loop, barrier, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(indexes[i], 2);
    aiort_unref(barrier);
    drop_loop(loop);
}

/* More than fit at once: they come through in rounds, nobody is lost. */
TEST(blocking_tasks_while_draining)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(3);

    waits(loop, barrier, 8);
    assert_int_equal(indexes[0] + indexes[1] + indexes[2], 6);
    assert_int_equal(aiort_barrier_n_waiting(barrier), 2);
    waits(loop, barrier, 1);
    assert_int_equal(indexes[2], 3);
    assert_int_equal(breaks, 0);
    aiort_unref(barrier);
    drop_loop(loop);
}

TEST(filling_tasks_cancel_one)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(3);
    aiort_task_t *task = start(loop, AIORT_CORO(count_wait, barrier));

    waits(loop, barrier, 1);
    assert_int_equal(aiort_barrier_n_waiting(barrier), 2);
    aiort_task_cancel(task, NULL);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_int_equal(aiort_barrier_n_waiting(barrier), 1);
    waits(loop, barrier, 2);
    assert_int_equal(indexes[0] + indexes[1] + indexes[2], 3);
    aiort_unref(task);
    aiort_unref(barrier);
    drop_loop(loop);
}

TEST(reset_barrier)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(1);

    assert_ok(now(loop, reset_barrier, barrier));
    assert_int_equal(aiort_barrier_n_waiting(barrier), 0);
    assert_int_equal(aiort_barrier_broken(barrier), 0);
    aiort_unref(barrier);
    drop_loop(loop);
}

TEST(reset_barrier_while_tasks_waiting)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(3);

    waits(loop, barrier, 2);
    assert_ok(now(loop, reset_barrier, barrier));
    settle(loop);
    assert_int_equal(breaks, 2);
    assert_int_equal(aiort_barrier_broken(barrier), 0);
    assert_repr(barrier, "Barrier", "filling, waiters:0/3");
    aiort_unref(barrier);
    drop_loop(loop);
}

TEST(reset_barrier_while_tasks_waiting_and_waiting_again)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(3);

    waits(loop, barrier, 2);
    assert_ok(now(loop, reset_barrier, barrier));
    waits(loop, barrier, 3); /* they wait at the door until it is empty */
    assert_int_equal(breaks, 2);
    for (int i = 0; i < 3; i++)
        assert_int_equal(indexes[i], 1);
    aiort_unref(barrier);
    drop_loop(loop);
}

TEST(abort_barrier)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(1);

    assert_ok(now(loop, abort_barrier, barrier));
    assert_int_equal(aiort_barrier_broken(barrier), 1);
    assert_code(now(loop, wait_barrier, barrier), AIORT_EBROKEN);
    assert_string_equal(aiort_error_message(aiort_current_error()), "Barrier aborted");
    aiort_unref(barrier);
    drop_loop(loop);
}

TEST(abort_barrier_when_exception_then_resetting)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(3);

    waits(loop, barrier, 2);
    assert_ok(now(loop, abort_barrier, barrier));
    settle(loop);
    assert_int_equal(breaks, 2);
    assert_int_equal(aiort_barrier_broken(barrier), 1);
    assert_ok(now(loop, reset_barrier, barrier));
    assert_int_equal(aiort_barrier_broken(barrier), 0);
    waits(loop, barrier, 3);
    for (int i = 0; i < 3; i++)
        assert_int_equal(indexes[i], 1);
    aiort_unref(barrier);
    drop_loop(loop);
}

static int draining, filling;

static int look_at_state(void *barrier, void **result)
{
    int index = wait_barrier(barrier);

    (void)result;
    draining += strstr(repr(barrier), "[draining, waiters:0/3]") != NULL;
    filling += strstr(repr(barrier), "[filling, waiters:0/3]") != NULL;
    return index < 0 ? index : 0;
}

/* It drains until the last one has gone. */
TEST(draining_state)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(3);

    for (int i = 0; i < 3; i++)
        aiort_unref(start(loop, AIORT_CORO(look_at_state, barrier)));
    settle(loop);
    assert_int_equal(draining, 2);
    assert_int_equal(filling, 1);
    aiort_unref(barrier);
    drop_loop(loop);
}

static int (*first_does)(void *barrier);

/* The first one that comes through does something to the barrier. */
static int interfere(void *barrier, void **result)
{
    int index = wait_barrier(barrier);

    (void)result;
    if (index == AIORT_EBROKEN)
        breaks++;
    else if (index >= 0 && filling++ == 0)
        assert_ok(first_does(barrier));
    return 0;
}

static void interfere_while_draining(int (*what)(void *), int more, int broken)
{
    aiort_loop_t *loop = new_loop();
    aiort_barrier_t *barrier = aiort_barrier_new(3);

    first_does = what;
    for (int i = 0; i < 3 + more; i++)
        aiort_unref(start(loop, AIORT_CORO(interfere, barrier)));
    settle(loop);
    assert_int_equal(filling, 1);
    assert_int_equal(aiort_barrier_broken(barrier), broken);
    if (broken) {
        assert_int_equal(breaks, 2 + more); /* inside, and at the door */
    } else {
        assert_int_equal(breaks, 2);
        assert_int_equal(aiort_barrier_n_waiting(barrier), more); /* they came in afterwards */
    }
    if (more > 0 && !broken) {
        assert_ok(now(loop, abort_barrier, barrier));
        settle(loop);
        assert_int_equal(breaks, 2 + more);
    }
    aiort_unref(barrier);
    drop_loop(loop);
}

TEST(reset_barrier_while_tasks_draining)
{
    interfere_while_draining(reset_barrier, 0, 0);
}

TEST(reset_barrier_when_tasks_half_draining_half_blocking)
{
    interfere_while_draining(reset_barrier, 2, 0);
}

TEST(abort_barrier_when_tasks_half_draining_half_blocking)
{
    interfere_while_draining(abort_barrier, 2, 1);
}

/* A loop closed over tasks that wait for each of them: AIORT_ECLOSED, and nothing is left. */
static int waits_for_all(void *arg, void **result)
{
    void **objects = arg;
    int err = aiort_lock_acquire((aiort_lock_t *)objects[0]);

    (void)result;
    assert_code(err, AIORT_ECLOSED);
    note(1);
    return err;
}

static int waits_in_condition(void *condition, void **result)
{
    int err = acquire_and_wait(condition);

    (void)result;
    assert_code(err, AIORT_ECLOSED);
    note(2);
    return err;
}

static int waits_at_barrier(void *barrier, void **result)
{
    int err = wait_barrier(barrier);

    (void)result;
    assert_code(err, AIORT_ECLOSED);
    note(3);
    return err;
}

TEST(loop_closed_over_waiters)
{
    aiort_loop_t *loop = new_loop();
    aiort_lock_t *lock = aiort_lock_new();
    aiort_condition_t *condition = aiort_condition_new(NULL);
    aiort_barrier_t *barrier = aiort_barrier_new(2);
    reports_t reports;

    record(loop, &reports);
    assert_ok(now(loop, acquire, lock));
    aiort_unref(start(loop, AIORT_CORO(waits_for_all, &lock)));
    aiort_unref(start(loop, AIORT_CORO(waits_in_condition, condition)));
    aiort_unref(start(loop, AIORT_CORO(waits_at_barrier, barrier)));
    settle(loop);
    drop_loop(loop);
    assert_int_equal(reports.calls, 3);
    assert_string_equal(order, "123");
    assert_null(strstr(repr(lock), "waiters"));
    aiort_unref(lock);
    aiort_unref(condition);
    aiort_unref(barrier);
}
