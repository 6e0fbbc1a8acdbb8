/* SPDX-License-Identifier: MIT */
/*
 * What happens to coroutines that will not go on: their loop is closed, and they release what they
 * hold. One that waits again is reported and abandoned.
 */
#include "allocator.h"

#include <unistd.h>

typedef struct {
    aiort_future_t *future;
    int code, released, order;
    int *counter;
} holder_t;

static int hold(void *arg, void **result)
{
    holder_t *holder = arg;
    void *memory = malloc(100);
    (void)result;
    int err = aiort_await(holder->future, NULL);
    holder->code = err;
    if (err != 0)
        goto out;
    abort();
out:
    free(memory);
    holder->released = 1;
    if (holder->counter != NULL)
        holder->order = ++*holder->counter;
    return err;
}

TEST(suspended_coroutine_gets_eclosed)
{
    aiort_loop_t *loop = new_loop();
    holder_t holder = {.future = new_future(loop)};
    aiort_task_t *task = start(loop, AIORT_CORO(hold, &holder));
    reports_t reports;

    record(loop, &reports);
    run_briefly(loop);
    assert_ok(aiort_loop_close(loop));
    assert_int_equal(holder.code, AIORT_ECLOSED);
    assert_true(holder.released);
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.check, "task-destroyed-pending");
    assert_ptr_equal(reports.task, task);
    aiort_unref(task);
    aiort_unref(holder.future);
    aiort_unref(loop);
}

static int sleep_long(void *arg, void **result)
{
    (void)result;
    *(int *)arg = aiort_sleep(1000);
    return *(int *)arg;
}

static int yield_long(void *arg, void **result)
{
    (void)result;
    while ((*(int *)arg = aiort_sleep(0)) == 0)
        ;
    return *(int *)arg;
}

TEST(sleepers_get_eclosed)
{
    aiort_loop_t *loop = new_loop();
    int slept = 0, yielded = 0;
    reports_t reports;

    record(loop, &reports);
    aiort_unref(start(loop, AIORT_CORO(sleep_long, &slept)));
    aiort_unref(start(loop, AIORT_CORO(yield_long, &yielded)));
    run_briefly(loop);
    drop_loop(loop);
    assert_int_equal(slept, AIORT_ECLOSED);
    assert_int_equal(yielded, AIORT_ECLOSED);
    assert_int_equal(reports.calls, 2);
}

static int hold_below(void *arg, void **result)
{
    int *levels = arg;
    int err =
        ++*levels < 10 ? aiort_await(AIORT_CORO(hold_below, levels), result) : aiort_sleep(1000);
    assert_code(err, AIORT_ECLOSED);
    --*levels;
    return err;
}

/* Through all coroutines that were awaited in place. */
TEST(eclosed_passes_through_nested_coroutines)
{
    aiort_loop_t *loop = new_loop();
    int levels = 0;
    reports_t reports;

    record(loop, &reports);
    aiort_unref(start(loop, AIORT_CORO(hold_below, &levels)));
    run_briefly(loop);
    assert_int_equal(levels, 10);
    drop_loop(loop);
    assert_int_equal(levels, 0);
    assert_int_equal(reports.calls, 1);
}

/* One that takes it for nothing and returns a result is destroyed all the same. */
static int swallow(void *arg, void **result)
{
    *(int *)arg = aiort_sleep(1000);
    *result = arg;
    return 0;
}

TEST(eclosed_may_be_swallowed)
{
    aiort_loop_t *loop = new_loop();
    int code = 0;
    reports_t reports;
    aiort_task_t *task = start(loop, AIORT_CORO(swallow, &code));

    record(loop, &reports);
    run_briefly(loop);
    assert_ok(aiort_loop_close(loop));
    assert_int_equal(code, AIORT_ECLOSED);
    assert_int_equal(reports.calls, 1);
    assert_false(aiort_future_done(AIORT_FUTURE(task)));
    assert_code(aiort_future_result(AIORT_FUTURE(task), NULL), AIORT_ENOTSET);
    aiort_unref(task);
    aiort_unref(loop);
}

/* Oldest first. */
TEST(destroyed_in_the_order_of_their_making)
{
    aiort_loop_t *loop = new_loop();
    holder_t holders[5];
    int counter = 0;
    reports_t reports;
    aiort_future_t *future = new_future(loop);

    record(loop, &reports);
    for (int i = 0; i < 5; i++) {
        holders[i] = (holder_t){.future = future, .counter = &counter};
        aiort_unref(start(loop, AIORT_CORO(hold, &holders[i])));
    }
    run_briefly(loop);
    drop_loop(loop);
    for (int i = 0; i < 5; i++)
        assert_int_equal(holders[i].order, i + 1);
    assert_int_equal(reports.calls, 5);
    aiort_unref(future);
}

/* A task that was never run has nothing to release; its coroutine is reported as well. */
static void close_with_unstarted_task(void *arg)
{
    (void)arg;
    aiort_loop_t *loop = new_loop();
    aiort_unref(start(loop, AIORT_CORO(return_at_once, NULL)));
    drop_loop(loop);
}

TEST(unstarted_task)
{
    char *output = NULL;

    assert_int_equal(harness_child(close_with_unstarted_task, NULL, 10, &output), 0);
    assert_contains(output, "Task was destroyed but it is pending!");
    assert_contains(output, "RuntimeWarning: coroutine 'return_at_once' was never awaited");
    free(output);
}

/* ---- what may be done while being destroyed ---- */

typedef struct {
    aiort_loop_t *loop;
    aiort_task_t *task, *other;
    aiort_future_t *future;
    aiort_handle_t *handle;
    int done;
} cleaner_t;

static int clean_up(void *arg, void **result)
{
    cleaner_t *cleaner = arg;
    (void)result;
    assert_code(aiort_sleep(1000), AIORT_ECLOSED);
    assert_ptr_equal(aiort_current_task(), cleaner->task);
    assert_ptr_equal(aiort_get_running_loop(), cleaner->loop);
    assert_code(aiort_call_soon(cleaner->loop, do_nothing, NULL, NULL), AIORT_ELOOPCLOSED);
    assert_null(aiort_create_task(AIORT_CORO(return_at_once, NULL)));
    assert_code(aiort_last_error(), AIORT_ELOOPCLOSED);
    assert_ok(aiort_handle_cancel(cleaner->handle));
    (void)aiort_future_set_result(cleaner->future, NULL);
    assert_true(aiort_future_done(cleaner->future));
    (void)aiort_task_cancel(cleaner->other, NULL);
    cleaner->done = 1;
    return AIORT_ECLOSED;
}

/* What it completes or cancels is done, but wakes nobody any more. */
TEST(cleaning_up)
{
    aiort_loop_t *loop = new_loop();
    cleaner_t cleaner = {.loop = loop, .future = new_future(loop)};
    reports_t reports;
    int code = 0;

    record(loop, &reports);
    cleaner.task = start(loop, AIORT_CORO(clean_up, &cleaner));
    cleaner.other = start(loop, AIORT_CORO(sleep_long, &code));
    aiort_task_t *third = start(loop, AIORT_CORO(await_future, cleaner.future));
    assert_ok(aiort_call_later(loop, 1000, do_nothing, NULL, &cleaner.handle));
    run_briefly(loop);
    assert_ok(aiort_loop_close(loop));
    assert_true(cleaner.done);
    assert_int_equal(code, AIORT_ECLOSED);
    assert_int_equal(reports.calls, 3);
    aiort_unref(cleaner.task);
    aiort_unref(cleaner.other);
    aiort_unref(third);
    aiort_unref(cleaner.future);
    aiort_unref(cleaner.handle);
    aiort_unref(loop);
}

/* Tasks that wait for one another, also in a circle. */
typedef struct {
    aiort_task_t *next;
    int code;
} chain_t;

static int await_next(void *arg, void **result)
{
    chain_t *chain = arg;
    return chain->code = aiort_await(chain->next, result);
}

TEST(tasks_waiting_for_each_other)
{
    aiort_loop_t *loop = new_loop();
    chain_t chain[4] = {{NULL, 0}};
    aiort_task_t *tasks[4];
    reports_t reports;

    record(loop, &reports);
    for (int i = 0; i < 4; i++)
        tasks[i] = start(loop, AIORT_CORO(await_next, &chain[i]));
    for (int i = 0; i < 4; i++)
        chain[i].next = tasks[(i + 1) % 4];
    run_briefly(loop);
    assert_int_equal(reports.calls, 1); /* the circle itself */
    assert_string_equal(reports.check, "await-cycle");
    assert_ok(aiort_loop_close(loop));
    for (int i = 0; i < 4; i++) {
        assert_int_equal(chain[i].code, AIORT_ECLOSED);
        aiort_unref(tasks[i]);
    }
    assert_int_equal(reports.calls, 5);
    aiort_unref(loop);
}

/* ---- the one that waits again ---- */

static int wait_again(void *arg, void **result)
{
    (void)arg;
    (void)result;
    while (aiort_sleep(1000) != 0)
        ;
    return 0;
}

static void close_with_stubborn_task(void *arg)
{
    (void)arg;
    aiort_loop_t *loop = new_loop();
    int code = 0;
    aiort_unref(start(loop, AIORT_CORO(wait_again, NULL)));
    aiort_unref(start(loop, AIORT_CORO(sleep_long, &code)));
    run_briefly(loop);
    drop_loop(loop);
    fprintf(stderr, "the other: %s\n", aiort_err_name(code));
    run_briefly((loop = new_loop()));
    drop_loop(loop);
    fprintf(stderr, "life goes on\n");
    fflush(NULL);
    _exit(0); /* its stack is lost on purpose: no leak check */
}

TEST(ignored_close)
{
    char *output = NULL;

    assert_int_equal(harness_child(close_with_stubborn_task, NULL, 10, &output), 0);
    assert_contains(output, "coroutine ignored GeneratorExit: <coroutine object wait_again() ");
    assert_contains(output, "the other: ECLOSED\nlife goes on\n");
    free(output);
}

/* ---- the loop's last reference ---- */

TEST(dropping_the_loop_closes_it)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();
    int code = 0;
    reports_t reports;
    aiort_task_t *task = start(loop, AIORT_CORO(sleep_long, &code));

    record(loop, &reports);
    run_briefly(loop);
    aiort_unref(loop);
    assert_int_equal(code, AIORT_ECLOSED);
    assert_int_equal(reports.calls, 1);
    aiort_unref(task);
    forget_error();
    assert_int_equal(allocator_live(), 0);
}

/* A coroutine's references are its own to give back; nothing is left of any of them. */
static int hold_objects(void *arg, void **result)
{
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_future_t *future = aiort_future_new(loop);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(sleep_long, arg));
    aiort_handle_t *handle = NULL;
    (void)result;
    assert_ok(aiort_call_later(loop, 1000, do_nothing, NULL, &handle));
    int err = aiort_await(future, NULL);
    aiort_unref(future);
    aiort_unref(task);
    aiort_handle_cancel(handle);
    aiort_unref(handle);
    return err;
}

TEST(nothing_is_left)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();
    int codes[50];
    reports_t reports;

    record(loop, &reports);
    for (int i = 0; i < 50; i++)
        aiort_unref(start(loop, AIORT_CORO(hold_objects, &codes[i])));
    run_briefly(loop);
    run_briefly(loop);
    drop_loop(loop);
    assert_int_equal(reports.calls, 100);
    forget_error();
    assert_int_equal(allocator_live(), 0);
}
