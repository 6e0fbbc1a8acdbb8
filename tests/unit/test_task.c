/* SPDX-License-Identifier: MIT */
/*
 * Tasks and coroutines: creating, awaiting, names, stacks. Mirrors CPython's test_tasks.py,
 * BaseTaskTests and the classes after it; cancelling is in test_cancel.c, reprs in test_repr.c.
 */
#include "helpers.h"

static char ok[] = "ok";

/* ---- results ---- */

TEST(task_class)
{
    aiort_loop_t *loop = new_loop(), *other = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(return_at_once, ok));
    void *result = NULL;

    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_true(aiort_future_done(AIORT_FUTURE(task)));
    assert_ok(aiort_future_result(AIORT_FUTURE(task), &result));
    assert_string_equal(result, "ok");
    assert_ptr_equal(aiort_future_loop(AIORT_FUTURE(task)), loop);
    aiort_unref(task);

    task = start(other, AIORT_CORO(return_at_once, ok));
    assert_ptr_equal(aiort_future_loop(AIORT_FUTURE(task)), other);
    assert_ok(aiort_loop_run_until_complete(other, task, NULL));
    aiort_unref(task);
    drop_loop(other);
    drop_loop(loop);
}

/* A task is a future. */
TEST(future_subclass)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(return_at_once, NULL));

    assert_int_equal(aiort_kind(task), AIORT_KIND_TASK);
    assert_int_equal(aiort_future_state(AIORT_FUTURE(task)), AIORT_PENDING);
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_FUTURE(task), NULL));
    assert_int_equal(aiort_future_state(AIORT_FUTURE(task)), AIORT_FINISHED);
    aiort_unref(AIORT_FUTURE(task));
    drop_loop(loop);
}

static int outer(void *arg, void **result)
{
    void *a = NULL, *b = NULL;
    (void)arg;
    assert_ok(aiort_await(AIORT_CORO(return_at_once, PTR(42)), &a));
    assert_ok(aiort_await(AIORT_CORO(return_at_once, PTR(1000)), &b));
    *result = PTR(INT(a) + INT(b));
    return 0;
}

TEST(task_basics)
{
    aiort_loop_t *loop = new_loop();
    void *result = NULL;

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(outer, NULL), &result));
    assert_ptr_equal(result, PTR(1042));
    drop_loop(loop);
}

TEST(coroutine_non_gen_function)
{
    aiort_loop_t *loop = new_loop();
    aiort_coroutine_t *coroutine = AIORT_CORO(return_at_once, ok);
    void *result = NULL;

    assert_int_equal(aiort_kind(coroutine), AIORT_KIND_COROUTINE);
    assert_ok(aiort_loop_run_until_complete(loop, coroutine, &result));
    assert_string_equal(result, "ok");
    drop_loop(loop);
}

/* A future as a result is a result: nobody waits for it. */
static int set_ok(void *arg, void **result)
{
    (void)result;
    return aiort_future_set_result((aiort_future_t *)arg, ok);
}

TEST(coroutine_non_gen_function_return_future)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *one = start(loop, AIORT_CORO(return_at_once, future));
    aiort_task_t *two = start(loop, AIORT_CORO(set_ok, future));
    void *result = NULL;

    assert_ok(aiort_loop_run_until_complete(loop, one, &result));
    assert_ptr_equal(result, future);
    assert_ok(aiort_loop_run_until_complete(loop, two, &result));
    assert_null(result);
    aiort_unref(one);
    aiort_unref(two);
    aiort_unref(future);
    drop_loop(loop);
}

TEST(create_task_with_async_function)
{
    aiort_loop_t *loop = new_loop();

    for (int i = 0; i < 2; i++) {
        aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(return_at_once, NULL), NULL);
        assert_int_equal(aiort_kind(task), AIORT_KIND_TASK);
        assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
        aiort_unref(task);
    }
    drop_loop(loop);
}

TEST(create_task_with_noncoroutine)
{
    aiort_loop_t *loop = new_loop();

    for (int i = 0; i < 2; i++)
        assert_null_code(aiort_loop_create_task(loop, NULL, NULL), AIORT_EBADAWAIT);
    drop_loop(loop);
}

static int create_inside(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(return_at_once, PTR(1)));
    void *one = NULL;

    (void)arg;
    (void)result;
    assert_int_equal(aiort_kind(task), AIORT_KIND_TASK);
    assert_ptr_equal(aiort_future_loop(AIORT_FUTURE(task)), aiort_get_running_loop());
    assert_ok(aiort_await(task, &one));
    assert_ptr_equal(one, PTR(1));
    aiort_unref(task);
    return 0;
}

TEST(bare_create_task)
{
    assert_ok(aiort_run(AIORT_CORO(create_inside, NULL), NULL));
}

static int create_named_inside(void *arg, void **result)
{
    aiort_task_options_t options = {.name = "No-op"};
    aiort_task_t *task = aiort_loop_create_task(NULL, AIORT_CORO(return_at_once, NULL), &options);

    (void)arg;
    (void)result;
    assert_string_equal(aiort_task_get_name(task), "No-op");
    assert_ok(aiort_await(task, NULL));
    aiort_unref(task);
    return 0;
}

TEST(bare_create_named_task)
{
    assert_ok(aiort_run(AIORT_CORO(create_named_inside, NULL), NULL));
}

TEST(create_task_outside_of_a_loop)
{
    assert_null_code(aiort_create_task(AIORT_CORO(return_at_once, NULL)), AIORT_ENOLOOP);
}

TEST(task_set_methods)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(return_at_once, ok));
    void *result = NULL;

    assert_code(aiort_future_set_result(AIORT_FUTURE(task), NULL), AIORT_ETASKRESULT);
    assert_code(aiort_future_set_error(AIORT_FUTURE(task), UV_EIO, NULL), AIORT_ETASKRESULT);
    assert_string_equal(aiort_strerror(AIORT_ETASKRESULT),
                        "Task does not support set_result operation");
    assert_ok(aiort_loop_run_until_complete(loop, task, &result));
    assert_string_equal(result, "ok");
    assert_code(aiort_future_set_result(AIORT_FUTURE(task), NULL), AIORT_ETASKRESULT);
    aiort_unref(task);
    drop_loop(loop);
}

/* Where Python lets a program set the outcome of a task past it, C refuses, also while it runs. */
static int sleep_and_give_ten(void *arg, void **result)
{
    (void)arg;
    int err = aiort_sleep(0.01);
    *result = PTR(10);
    return err;
}

static void set_outcome_of_running_task(int with_error)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(sleep_and_give_ten, NULL));
    void *result = NULL;
    reports_t reports;

    record(loop, &reports);
    run_briefly(loop);
    if (with_error)
        assert_code(aiort_future_set_error(AIORT_FUTURE(task), UV_EIO, "spam"), AIORT_ETASKRESULT);
    else
        assert_code(aiort_future_set_result(AIORT_FUTURE(task), ok), AIORT_ETASKRESULT);
    assert_ok(aiort_loop_run_until_complete(loop, task, &result));
    assert_ptr_equal(result, PTR(10));
    aiort_unref(task);
    drop_loop(loop);
    assert_int_equal(reports.calls, 0);
}

TEST(set_result_causes_invalid_state)
{
    set_outcome_of_running_task(0);
}

TEST(set_exception_causes_invalid_state)
{
    set_outcome_of_running_task(1);
}

/* A task begins in the next iteration, never inside of the call that makes it. */
static int begun;

static int begin(void *arg, void **result)
{
    (void)arg;
    (void)result;
    begun++;
    return aiort_sleep(0);
}

static int make_and_look(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(begin, NULL));
    assert_int_equal(begun, 0);
    assert_ok(aiort_sleep(0));
    assert_int_equal(begun, 1);
    assert_ok(aiort_await(task, NULL));
    aiort_unref(task);
    return 0;
}

TEST(eager_start_false)
{
    assert_ok(aiort_run(AIORT_CORO(make_and_look, NULL), NULL));
}

/* ---- await ---- */

TEST(other_loop_future)
{
    aiort_loop_t *loop = new_loop(), *other = new_loop();
    aiort_future_t *future = new_future(other);

    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(await_future, future), NULL),
                AIORT_EOTHERLOOP);
    assert_contains(aiort_error_message(aiort_current_error()), "Task <Task ");
    assert_contains(aiort_error_message(aiort_current_error()),
                    "got Future <Future pending> attached to a different loop");
    assert_false(aiort_future_done(future));
    aiort_unref(future);
    drop_loop(other);
    drop_loop(loop);
}

static aiort_task_t *self;

static int await_self(void *arg, void **result)
{
    (void)arg;
    return aiort_await(self, result);
}

TEST(task_awaits_on_itself)
{
    aiort_loop_t *loop = new_loop();

    self = start(loop, AIORT_CORO(await_self, NULL));
    assert_code(aiort_loop_run_until_complete(loop, self, NULL), AIORT_ESELFAWAIT);
    assert_contains(aiort_error_message(aiort_current_error()), "Task cannot await on itself");
    aiort_unref(self);
    drop_loop(loop);
}

typedef struct {
    aiort_future_t *future;
    void *got;
} waiter_t;

static int keep_result(void *arg, void **result)
{
    waiter_t *waiter = arg;
    (void)result;
    return aiort_await(waiter->future, &waiter->got);
}

TEST(step_result_future)
{
    aiort_loop_t *loop = new_loop();
    waiter_t waiter = {new_future(loop), NULL};
    aiort_task_t *task = start(loop, AIORT_CORO(keep_result, &waiter));
    void *result = PTR(1);

    run_briefly(loop);
    assert_false(aiort_future_done(AIORT_FUTURE(task)));
    assert_ok(aiort_future_set_result(waiter.future, &waiter));
    run_briefly(loop);
    assert_ptr_equal(waiter.got, &waiter);
    assert_true(aiort_future_done(AIORT_FUTURE(task)));
    assert_ok(aiort_future_result(AIORT_FUTURE(task), &result));
    assert_null(result);
    aiort_unref(task);
    aiort_unref(waiter.future);
    drop_loop(loop);
}

static int set_future(void *arg)
{
    return aiort_future_set_result(arg, PTR(1));
}

static int await_and_say_spam(void *arg, void **result)
{
    static char spam[] = "spam";
    int err = aiort_await((aiort_future_t *)arg, NULL);
    *result = spam;
    return err;
}

TEST(foobar)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(await_and_say_spam, future));
    void *result = NULL;

    assert_ok(aiort_call_later(loop, 0.02, set_future, future, NULL));
    assert_ok(aiort_loop_run_until_complete(loop, task, &result));
    assert_string_equal(result, "spam");
    aiort_unref(task);
    aiort_unref(future);
    drop_loop(loop);
}

static int raise_error(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_raise(UV_EINVAL, "inner");
}

/* Raised from another one: the cause is kept across an await. */
static int raise_from_awaited(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(raise_error, NULL));
    int err = aiort_await(task, NULL);
    assert_code(err, UV_EINVAL);
    aiort_error_t *cause = aiort_ref(aiort_current_error());
    aiort_unref(task);
    assert_ok(aiort_sleep(0));
    err = aiort_raise_from(cause, UV_EIO, "outer");
    aiort_unref(cause);
    return err;
}

TEST(exception_chaining_after_await)
{
    aiort_loop_t *loop = new_loop();

    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(raise_from_awaited, NULL), NULL),
                UV_EIO);
    aiort_error_t *error = aiort_current_error();
    assert_string_equal(aiort_error_message(error), "outer");
    assert_non_null(aiort_error_cause(error));
    assert_int_equal(aiort_error_code(aiort_error_cause(error)), UV_EINVAL);
    assert_string_equal(aiort_error_message(aiort_error_cause(error)), "inner");
    assert_null(aiort_error_cause(aiort_error_cause(error)));
    drop_loop(loop);
}

/* An error that is handed on as it is does not become its own cause. */

static int hand_on_twice(void *arg, void **result)
{
    (void)arg;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(raise_error, NULL));
    assert_code(aiort_await(task, result), UV_EINVAL);
    aiort_error_t *error = aiort_ref(aiort_current_error());
    aiort_future_t *future = new_future(aiort_get_running_loop());
    assert_ok(aiort_future_set_error_object(future, error));
    assert_code(aiort_await(future, NULL), UV_EINVAL);
    assert_ptr_equal(aiort_current_error(), error);
    assert_null(aiort_error_cause(error));
    aiort_unref(error);
    aiort_unref(future);
    aiort_unref(task);
    return UV_EINVAL;
}

TEST(exception_chaining_after_await_with_context_cycle)
{
    aiort_loop_t *loop = new_loop();

    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(hand_on_twice, NULL), NULL),
                UV_EINVAL);
    assert_string_equal(aiort_error_message(aiort_current_error()), "inner");
    assert_null(aiort_error_cause(aiort_current_error()));
    drop_loop(loop);
}

static int look_at_traceback(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(raise_error, NULL));
    aiort_error_t *error = NULL;

    (void)arg;
    (void)result;
    assert_ok(aiort_sleep(0));
    assert_ok(aiort_future_error(AIORT_FUTURE(task), &error));
    assert_non_null(error);
    assert_non_null(aiort_error_site(error));
    assert_string_equal(aiort_error_site(error)->function, "raise_error");
    assert_contains(aiort_error_site(error)->file, "test_task.c");
    aiort_unref(task);
    return 0;
}

TEST(exception_traceback)
{
    assert_ok(aiort_run(AIORT_CORO(look_at_traceback, NULL), NULL));
}

/* ---- the current task ---- */

typedef struct {
    aiort_task_t *task, *other_task;
    aiort_future_t *mine, *others;
} pair_t;

static int is_current(void *arg, void **result)
{
    (void)result;
    assert_ptr_equal(aiort_current_task(), *(aiort_task_t **)arg);
    assert_ptr_equal(aiort_current_task(), *(aiort_task_t **)arg);
    return 0;
}

TEST(current_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = NULL;

    assert_null(aiort_current_task());
    task = start(loop, AIORT_CORO(is_current, &task));
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_null(aiort_current_task());
    aiort_unref(task);
    drop_loop(loop);
}

static int set_mine_and_wait(void *arg, void **result)
{
    pair_t *pair = arg;
    (void)result;
    assert_ptr_equal(aiort_current_task(), pair->task);
    assert_ok(aiort_future_set_result(pair->mine, PTR(1)));
    assert_ok(aiort_await(pair->others, NULL));
    assert_ptr_equal(aiort_current_task(), pair->task);
    return 0;
}

static int wait_and_set_others(void *arg, void **result)
{
    pair_t *pair = arg;
    (void)result;
    assert_ptr_equal(aiort_current_task(), pair->other_task);
    assert_ok(aiort_await(pair->mine, NULL));
    assert_ptr_equal(aiort_current_task(), pair->other_task);
    assert_ok(aiort_future_set_result(pair->others, PTR(1)));
    return 0;
}

TEST(current_task_with_interleaving_tasks)
{
    aiort_loop_t *loop = new_loop();
    pair_t pair = {NULL, NULL, new_future(loop), new_future(loop)};

    assert_null(aiort_current_task());
    pair.other_task = start(loop, AIORT_CORO(wait_and_set_others, &pair));
    pair.task = start(loop, AIORT_CORO(set_mine_and_wait, &pair));
    assert_ok(aiort_loop_run_until_complete(loop, pair.task, NULL));
    assert_ok(aiort_loop_run_until_complete(loop, pair.other_task, NULL));
    assert_null(aiort_current_task());
    aiort_unref(pair.task);
    aiort_unref(pair.other_task);
    aiort_unref(pair.mine);
    aiort_unref(pair.others);
    drop_loop(loop);
}

TEST(current_task_no_running_loop)
{
    aiort_loop_t *loop = new_loop();
    assert_null(aiort_current_task());
    drop_loop(loop);
}

TEST(current_task_no_running_loop_implicit)
{
    assert_null(aiort_current_task());
    assert_null_code(aiort_get_running_loop(), AIORT_ENOLOOP);
    assert_string_equal(aiort_strerror(AIORT_ENOLOOP), "no running event loop");
}

static int not_in_a_callback(void *arg)
{
    assert_null(aiort_current_task());
    ++*(int *)arg;
    return 0;
}

TEST(current_task_with_implicit_loop)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = NULL;
    int calls = 0;

    task = start(loop, AIORT_CORO(is_current, &task));
    assert_ok(aiort_call_soon(loop, not_in_a_callback, &calls, NULL));
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_int_equal(calls, 1);
    assert_null(aiort_current_task());
    aiort_unref(task);
    drop_loop(loop);
}

/* ---- all tasks ---- */

TEST(_register_task_1)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *found[4] = {NULL};

    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 0);
    aiort_task_t *task = start(loop, AIORT_CORO(return_at_once, NULL));
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 1);
    assert_int_equal(aiort_all_tasks(loop, found, 4), 1);
    assert_ptr_equal(found[0], task);
    aiort_unref(found[0]);
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    aiort_unref(task);
    drop_loop(loop);
}

/* Oldest first, of this loop only, no more than there is room for. */
TEST(_register_task_2)
{
    aiort_loop_t *loop = new_loop(), *other = new_loop();
    aiort_task_t *tasks[5], *found[5] = {NULL}, *foreign;

    for (int i = 0; i < 5; i++)
        tasks[i] = start(loop, AIORT_CORO(return_at_once, NULL));
    foreign = start(other, AIORT_CORO(return_at_once, NULL));
    assert_int_equal(aiort_all_tasks(loop, found, 5), 5);
    for (int i = 0; i < 5; i++) {
        assert_ptr_equal(found[i], tasks[i]);
        aiort_unref(found[i]);
        found[i] = NULL;
    }
    assert_int_equal(aiort_all_tasks(loop, found, 2), 5);
    assert_ptr_equal(found[1], tasks[1]);
    assert_null(found[2]);
    aiort_unref(found[0]);
    aiort_unref(found[1]);
    for (int i = 0; i < 5; i++) {
        assert_ok(aiort_loop_run_until_complete(loop, tasks[i], NULL));
        aiort_unref(tasks[i]);
    }
    assert_ok(aiort_loop_run_until_complete(other, foreign, NULL));
    aiort_unref(foreign);
    drop_loop(other);
    drop_loop(loop);
}

/* A done task is none of them. */
TEST(_register_task_3)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(return_at_once, NULL));

    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 0);
    aiort_unref(task);
    drop_loop(loop);
}

static int enter(void *arg, void **result)
{
    aiort_task_t **current = arg;
    (void)result;
    *current = aiort_current_task();
    assert_ok(aiort_sleep(0));
    assert_ptr_equal(aiort_current_task(), *current);
    return 0;
}

TEST(_enter_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *current = NULL;
    aiort_task_t *task = start(loop, AIORT_CORO(enter, &current));

    assert_null(aiort_current_task());
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_ptr_equal(current, task);
    aiort_unref(task);
    drop_loop(loop);
}

/* A task that is running cannot be entered by another: a loop cannot be run from inside it. */
static int enter_again(void *arg, void **result)
{
    aiort_task_t *current = aiort_current_task();
    (void)result;
    assert_code(
        aiort_loop_run_until_complete((aiort_loop_t *)arg, AIORT_CORO(return_at_once, NULL), NULL),
        AIORT_ELOOPRUNNING);
    assert_ptr_equal(aiort_current_task(), current);
    return 0;
}

TEST(_enter_task_failure)
{
    aiort_loop_t *loop = new_loop();
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(enter_again, loop), NULL));
    drop_loop(loop);
}

TEST(_leave_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *current = NULL;
    aiort_task_t *task = start(loop, AIORT_CORO(enter, &current));

    run_once(loop); /* suspended now */
    assert_non_null(current);
    assert_null(aiort_current_task());
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_null(aiort_current_task());
    aiort_unref(task);
    drop_loop(loop);
}

static int three_turns(void *arg, void **result)
{
    (void)arg;
    (void)result;
    for (int i = 0; i < 3; i++)
        assert_ok(aiort_sleep(0));
    return 0;
}

TEST(_unregister_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *one = start(loop, AIORT_CORO(three_turns, NULL));
    aiort_task_t *two = start(loop, AIORT_CORO(return_at_once, NULL));
    aiort_task_t *found[2] = {NULL};

    assert_ok(aiort_loop_run_until_complete(loop, two, NULL));
    assert_int_equal(aiort_all_tasks(loop, found, 2), 1);
    assert_ptr_equal(found[0], one);
    aiort_unref(found[0]);
    assert_ok(aiort_loop_run_until_complete(loop, one, NULL));
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 0);
    aiort_unref(one);
    aiort_unref(two);
    drop_loop(loop);
}

/* ---- names, coroutine, stack ---- */

TEST(task_set_name_pylong)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_options_t options = {.name = "987654321"};
    aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(return_at_once, NULL), &options);

    assert_string_equal(aiort_task_get_name(task), "987654321");
    assert_ok(aiort_task_set_name(task, "123456789"));
    assert_string_equal(aiort_task_get_name(task), "123456789");
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_string_equal(aiort_task_get_name(task), "123456789");
    aiort_unref(task);
    drop_loop(loop);
}

TEST(name_is_copied)
{
    aiort_loop_t *loop = new_loop();
    char name[300];
    aiort_task_t *task = start(loop, AIORT_CORO(return_at_once, NULL));

    memset(name, 'x', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    assert_ok(aiort_task_set_name(task, name));
    name[0] = 'y';
    assert_int_equal(strlen(aiort_task_get_name(task)), sizeof name - 1);
    assert_int_equal(aiort_task_get_name(task)[0], 'x');
    assert_ok(aiort_task_set_name(task, ""));
    assert_string_equal(aiort_task_get_name(task), "");
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    aiort_unref(task);
    drop_loop(loop);
}

static aiort_coroutine_t *own_coroutine;

static int check_coroutine(void *arg, void **result)
{
    (void)arg;
    (void)result;
    assert_ptr_equal(aiort_task_get_coro(aiort_current_task()), own_coroutine);
    return 0;
}

TEST(get_coro)
{
    aiort_loop_t *loop = new_loop();

    own_coroutine = AIORT_CORO(check_coroutine, NULL);
    aiort_task_t *task = start(loop, own_coroutine);
    assert_ptr_equal(aiort_task_get_coro(task), own_coroutine);
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_null(aiort_task_get_coro(task));
    aiort_unref(task);
    drop_loop(loop);
}

static int deepest(void *arg, void **result)
{
    void *addresses[64];
    char text[4096] = "";
    aiort_task_t *task = aiort_current_task();

    (void)arg;
    (void)result;
    int n = aiort_task_get_stack(task, addresses, 64);
    assert_true(n >= 2);
    assert_int_equal(aiort_task_get_stack(task, addresses, 1), 1);
    FILE *file = fmemopen(text, sizeof text - 1, "w");
    assert_non_null(file);
    aiort_task_print_stack(task, file);
    fclose(file);
    assert_contains(text, "Stack for <Task pending name='Task-");
    assert_contains(text, "(most recent call last):");
    return 0;
}

static int middle(void *arg, void **result)
{
    return aiort_await(AIORT_CORO(deepest, arg), result);
}

static int run_middle(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(middle, arg));
    int err = aiort_await(task, result);
    aiort_unref(task);
    return err;
}

TEST(get_stack)
{
    assert_ok(aiort_run(AIORT_CORO(run_middle, NULL), NULL));
}

__attribute__((noinline)) static int wait_deep(int depth, aiort_future_t *future)
{
    volatile int kept = depth;
    int err = depth > 0 ? wait_deep(depth - 1, future) : aiort_await(future, NULL);
    return kept == depth ? err : UV_EIO;
}

static int wait_ten_deep(void *arg, void **result)
{
    (void)result;
    return wait_deep(10, arg);
}

/* Of a suspended task all frames are seen, of one that has not started or is done none. */
TEST(get_stack_of_suspended_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(wait_ten_deep, future));
    void *addresses[64];

    assert_int_equal(aiort_task_get_stack(task, addresses, 64), 0);
    run_briefly(loop);
    int n = aiort_task_get_stack(task, addresses, 64);
    assert_true(n >= 4); /* a compiler may have made one frame of several */
    for (int i = 0; i < n; i++)
        assert_non_null(addresses[i]);
    assert_int_equal(aiort_task_get_stack(task, addresses, 5), 5);
    assert_ok(aiort_future_set_result(future, NULL));
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_int_equal(aiort_task_get_stack(task, addresses, 64), 0);
    aiort_unref(task);
    aiort_unref(future);
    drop_loop(loop);
}

TEST(print_stack_of_failed_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(raise_error, NULL));
    char text[4096] = "";

    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_EINVAL);
    FILE *file = fmemopen(text, sizeof text - 1, "w");
    assert_non_null(file);
    aiort_task_print_stack(task, file);
    fclose(file);
    assert_contains(text, "Traceback for <Task finished name='Task-");
    assert_contains(text, "EINVAL");
    assert_contains(text, "inner");
    aiort_unref(task);
    drop_loop(loop);
}

/* ---- what is reported of a task ---- */

static aiort_future_t *never;

static int kill_me(void *arg, void **result)
{
    (void)arg;
    return aiort_await(never, result);
}

TEST(log_destroyed_pending_task)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    never = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(kill_me, NULL));
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 1);
    run_briefly(loop);
    aiort_unref(task); /* only detached: the loop keeps it (asyncio would lose it here) */
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 1);
    assert_int_equal(reports.calls, 0);

    assert_ok(aiort_loop_close(loop));
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 0);
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.message, "Task was destroyed but it is pending!");
    assert_string_equal(reports.check, "task-destroyed-pending");
    assert_string_equal(reports.keys, "message task");
    assert_non_null(reports.task);
    assert_contains(reports.object, "<Task pending name='Task-");
    assert_contains(reports.object, "coro=<kill_me() running at ");
    aiort_unref(never);
    aiort_unref(loop);
}

static int cancel_failed_task(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(raise_error, NULL));
    (void)result;
    assert_ok(aiort_sleep(0.01));
    assert_int_equal(aiort_task_cancel(task, NULL), 0);
    aiort_unref(task);
    (void)arg;
    return 0;
}

/* C differs on purpose: asking a failed task to be cancelled retrieves nothing, so CPython 3.11
 * stays silent only because cancel() of a done task clears the flag. So does ours. */
TEST(tb_logger_not_called_after_cancel)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(cancel_failed_task, NULL), NULL));
    assert_int_equal(reports.calls, 0);
    drop_loop(loop);
    assert_int_equal(reports.calls, 0);
}

static int fail_unseen(void *arg, void **result)
{
    (void)result;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(raise_error, NULL));
    assert_ok(aiort_sleep(0));
    assert_true(aiort_future_done(AIORT_FUTURE(task)));
    assert_int_equal(((reports_t *)arg)->calls, 0);
    aiort_unref(task);
    return 0;
}

TEST(task_exception_never_retrieved)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(fail_unseen, &reports), NULL));
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.message, "Task exception was never retrieved");
    assert_string_equal(reports.check, "task-exception-never-retrieved");
    assert_string_equal(reports.keys, "exception future message");
    assert_int_equal(reports.code, UV_EINVAL);
    assert_contains(reports.object, "<Task finished name='Task-");
    assert_contains(reports.object, "exception=EINVAL('inner')>");
    drop_loop(loop);
}

/* Nobody holds it when it fails: reported once, at its end. */
TEST(detached_task_that_fails)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    aiort_unref(start(loop, AIORT_CORO(raise_error, NULL)));
    run_briefly(loop);
    run_briefly(loop);
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.message, "Task exception was never retrieved");
    drop_loop(loop);
    assert_int_equal(reports.calls, 1);
}

/* A task that cannot be scheduled is not made at all: not registered, nothing to report. */
TEST(error_in_call_soon)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_loop_close(loop));
    assert_null_code(aiort_loop_create_task(loop, AIORT_CORO(return_at_once, NULL), NULL),
                     AIORT_ELOOPCLOSED);
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 0);
    aiort_unref(loop);
    assert_int_equal(reports.calls, 0);
}

/* ---- ensure_future, in C: what run_until_complete and await take ---- */

TEST(ensure_future_coroutine)
{
    aiort_loop_t *loop = new_loop();
    void *result = NULL;

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(return_at_once, ok), &result));
    assert_string_equal(result, "ok");
    assert_null_code(aiort_create_task(AIORT_CORO(return_at_once, ok)), AIORT_ENOLOOP);
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(create_inside, NULL), NULL));
    drop_loop(loop);
}

TEST(ensure_future_future)
{
    aiort_loop_t *loop = new_loop(), *other = new_loop();
    aiort_future_t *future = new_future(loop);
    void *result = NULL;

    assert_ok(aiort_future_set_result(future, ok));
    assert_ok(aiort_loop_run_until_complete(loop, future, &result));
    assert_string_equal(result, "ok");
    assert_code(aiort_loop_run_until_complete(other, future, NULL), AIORT_EOTHERLOOP);
    drop_loop(other);
    assert_ok(aiort_loop_run_until_complete(loop, future, &result));
    aiort_unref(future);
    drop_loop(loop);
}

TEST(ensure_future_task)
{
    aiort_loop_t *loop = new_loop(), *other = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(return_at_once, ok));
    void *result = NULL;

    assert_ok(aiort_loop_run_until_complete(loop, task, &result));
    assert_string_equal(result, "ok");
    assert_code(aiort_loop_run_until_complete(other, task, NULL), AIORT_EOTHERLOOP);
    drop_loop(other);
    aiort_unref(task);
    drop_loop(loop);
}

/* Anything that is a future, a task or a coroutine, behind the type that stands for all. */
static int await_any(void *arg, void **result)
{
    return aiort_await((aiort_awaitable_t *)arg, result);
}

TEST(ensure_future_awaitable)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(return_at_once, ok));
    void *any[] = {future, task, AIORT_CORO(return_at_once, ok)};

    assert_ok(aiort_future_set_result(future, ok));
    for (int i = 0; i < 3; i++) {
        void *result = NULL;
        assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(await_any, any[i]), &result));
        assert_string_equal(result, "ok");
    }
    aiort_unref(task);
    aiort_unref(future);
    drop_loop(loop);
}

static int sleep_and_say_ok(void *arg, void **result)
{
    (void)arg;
    *result = ok;
    return aiort_sleep(0);
}

TEST(ensure_future_task_awaitable)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(await_any, AIORT_CORO(sleep_and_say_ok, NULL)));
    void *result = NULL;

    assert_ok(aiort_loop_run_until_complete(loop, task, &result));
    assert_true(aiort_future_done(AIORT_FUTURE(task)));
    assert_string_equal(result, "ok");
    aiort_unref(task);
    drop_loop(loop);
}

static int await_loop(void *arg, void **result)
{
    /* A loop is no awaitable, whatever the cast says; nor is nothing. */
    assert_code(aiort_await((aiort_awaitable_t *)arg, result), AIORT_EBADAWAIT);
    assert_code(aiort_await((aiort_future_t *)NULL, result), AIORT_EBADAWAIT);
    return 0;
}

TEST(ensure_future_neither)
{
    aiort_loop_t *loop = new_loop();
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(await_loop, loop), NULL));
    drop_loop(loop);
}

TEST(ensure_future_error_msg)
{
    aiort_loop_t *loop = new_loop(), *other = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_code(aiort_loop_run_until_complete(other, future, NULL), AIORT_EOTHERLOOP);
    assert_contains(aiort_error_message(aiort_current_error()),
                    "The future belongs to a different loop than the one specified as the loop "
                    "argument");
    aiort_unref(future);
    drop_loop(other);
    drop_loop(loop);
}

/* ---- C's own ---- */

TEST(await_outside_of_a_task)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_code(aiort_await(future, NULL), AIORT_ENOTASK);
    assert_code(aiort_sleep(0.1), AIORT_ENOTASK);
    assert_code(aiort_await(AIORT_CORO(return_at_once, NULL), NULL), AIORT_ENOTASK);
    aiort_unref(future);
    drop_loop(loop);
}

static int await_in_callback(void *arg)
{
    assert_code(aiort_await((aiort_future_t *)arg, NULL), AIORT_ENOTASK);
    assert_code(aiort_sleep(0), AIORT_ENOTASK);
    return 0;
}

TEST(await_in_a_callback)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_call_soon(loop, await_in_callback, future, NULL));
    run_once(loop);
    assert_int_equal(reports.calls, 0);
    aiort_unref(future);
    drop_loop(loop);
}

static int reuse(void *arg, void **result)
{
    aiort_coroutine_t *coroutine = AIORT_CORO(return_at_once, PTR(1));
    (void)arg;
    (void)result;
    aiort_ref(coroutine);
    assert_ok(aiort_await(coroutine, NULL));
    aiort_ref(coroutine);
    assert_code(aiort_await(coroutine, NULL), AIORT_EREUSED);
    assert_string_equal(aiort_strerror(AIORT_EREUSED), "cannot reuse already awaited coroutine");
    assert_null(aiort_create_task(coroutine));
    assert_code(aiort_last_error(), AIORT_EREUSED);
    return 0;
}

TEST(coroutine_awaited_twice)
{
    assert_ok(aiort_run(AIORT_CORO(reuse, NULL), NULL));
}

/* A coroutine that a task runs cannot be awaited or closed by another. */
static int steal(void *arg, void **result)
{
    aiort_coroutine_t *coroutine = AIORT_CORO(sleep_ms, PTR(5));
    (void)arg;
    (void)result;
    aiort_ref(coroutine);
    aiort_ref(coroutine);
    aiort_task_t *task = aiort_create_task(coroutine);
    assert_non_null(task);
    assert_ok(aiort_sleep(0));
    int err = aiort_await(coroutine, NULL);
    assert_true(err == AIORT_EAWAITED || err == AIORT_EREUSED);
    assert_code(aiort_coroutine_close(coroutine), AIORT_EAWAITED); /* and keeps the reference */
    aiort_unref(coroutine);
    assert_ok(aiort_await(task, NULL));
    aiort_unref(task);
    return 0;
}

TEST(coroutine_of_a_task_is_its_own)
{
    assert_ok(aiort_run(AIORT_CORO(steal, NULL), NULL));
}

static int nest(void *arg, void **result)
{
    int depth = INT(arg);
    void *below = NULL;
    int err = depth > 0 ? aiort_await(AIORT_CORO(nest, PTR(depth - 1)), &below) : aiort_sleep(0);
    *result = PTR(INT(below) + 1);
    return err;
}

TEST(coroutines_nest)
{
    void *result = NULL;
    assert_ok(aiort_run(AIORT_CORO(nest, PTR(50)), &result));
    assert_ptr_equal(result, PTR(51));
}

static int fail_deep(void *arg, void **result)
{
    int depth = INT(arg);
    return depth > 0 ? aiort_await(AIORT_CORO(fail_deep, PTR(depth - 1)), result)
                     : aiort_raise(UV_EPROTO, "from below");
}

TEST(errors_pass_through_coroutines)
{
    assert_code(aiort_run(AIORT_CORO(fail_deep, PTR(20)), NULL), UV_EPROTO);
    assert_string_equal(aiort_error_message(aiort_current_error()), "from below");
}

/* Tasks awaited by many, in any order. */
static int await_task(void *arg, void **result)
{
    return aiort_await((aiort_task_t *)arg, result);
}

TEST(one_task_awaited_by_many)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(sleep_ms, PTR(5))), *waiters[100];

    for (int i = 0; i < 100; i++)
        waiters[i] = start(loop, AIORT_CORO(await_task, task));
    for (int i = 99; i >= 0; i--) {
        void *result = NULL;
        assert_ok(aiort_loop_run_until_complete(loop, waiters[i], &result));
        assert_ptr_equal(result, PTR(5));
        aiort_unref(waiters[i]);
    }
    aiort_unref(task);
    drop_loop(loop);
}

/* Tasks run in the order in which they were made, and take turns. */
static int order[64], norder;

static int take_turns(void *arg, void **result)
{
    (void)result;
    for (int i = 0; i < 4; i++) {
        order[norder++] = INT(arg);
        assert_ok(aiort_sleep(0));
    }
    return 0;
}

TEST(tasks_take_turns)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *tasks[4];

    for (int i = 0; i < 4; i++)
        tasks[i] = start(loop, AIORT_CORO(take_turns, PTR(i)));
    for (int i = 0; i < 4; i++) {
        assert_ok(aiort_loop_run_until_complete(loop, tasks[i], NULL));
        aiort_unref(tasks[i]);
    }
    assert_int_equal(norder, 16);
    for (int i = 0; i < 16; i++)
        assert_int_equal(order[i], i % 4);
    drop_loop(loop);
}

/* ---- arguments by value ---- */

typedef struct {
    int from, to;
    char name[32];
    double big[40];
} range_t;

static int sum_range(void *arg, void **result)
{
    range_t *range = arg;
    int sum = 0;
    assert_ok(aiort_sleep(0));
    assert_string_equal(range->name, "range");
    assert_true(range->big[39] == 2.5);
    assert_int_equal((uintptr_t)arg % _Alignof(max_align_t), 0);
    for (int i = range->from; i <= range->to; i++)
        sum += i;
    *result = PTR(sum);
    return 0;
}

static aiort_task_t *start_range(aiort_loop_t *loop, int to)
{
    range_t range = {1, to, "range", {0}};
    range.big[39] = 2.5;
    aiort_task_t *task = start(loop, AIORT_CORO_BY_VALUE(sum_range, range));
    memset(&range, 0xee, sizeof range);
    return task;
}

static int read_int(void *arg, void **result)
{
    *result = PTR(*(int *)arg);
    return 0;
}

TEST(arguments_by_value)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *one = start_range(loop, 10), *two = start_range(loop, 20);
    void *result = NULL;

    assert_ok(aiort_loop_run_until_complete(loop, one, &result));
    assert_ptr_equal(result, PTR(55));
    assert_ok(aiort_loop_run_until_complete(loop, two, &result));
    assert_ptr_equal(result, PTR(210));
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO_BY_VALUE(read_int, 7), &result));
    assert_ptr_equal(result, PTR(7));
    aiort_unref(one);
    aiort_unref(two);
    drop_loop(loop);
}

/* ---- stacks ---- */

static int use_stack(void *arg, void **result)
{
    size_t size = (size_t)INT(arg) * 1024;
    char *room = __builtin_alloca(size);
    memset(room, 0x5a, size);
    int err = aiort_sleep(0);
    for (size_t i = 0; i < size; i += 64)
        if (room[i] != 0x5a)
            return UV_EIO;
    *result = PTR(room[0]);
    return err;
}

TEST(stack_sizes)
{
    aiort_loop_options_t loop_options = {.stack_size = 128 * 1024};
    aiort_loop_t *loop = aiort_loop_new(&loop_options);
    aiort_task_options_t big = {.stack_size = 2 * 1024 * 1024};
    aiort_task_t *tasks[20];

    assert_non_null(loop);
    for (int i = 0; i < 20; i++) {
        tasks[i] = i & 1 ? aiort_loop_create_task(loop, AIORT_CORO(use_stack, PTR(1900)), &big)
                         : aiort_loop_create_task(loop, AIORT_CORO(use_stack, PTR(90)), NULL);
        assert_non_null(tasks[i]);
    }
    for (int i = 0; i < 20; i++) {
        assert_ok(aiort_loop_run_until_complete(loop, tasks[i], NULL));
        aiort_unref(tasks[i]);
    }
    drop_loop(loop);
}

/* Of the default 64 KiB a program has most. */
TEST(default_stack)
{
    assert_ok(aiort_run(AIORT_CORO(use_stack, PTR(40)), NULL));
}

/* ---- many ---- */

static int sleep_long(void *arg, void **result)
{
    (void)result;
    int err = aiort_sleep(0.5);
    ++*(int *)arg;
    return err;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MANY 5000
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MANY 5000
#endif
#endif
#ifndef MANY
#define MANY 1000000
#endif

static int count_done(aiort_future_t *future, void *arg)
{
    int *left = arg;
    if (--*left == 0)
        aiort_loop_stop(aiort_future_loop(future));
    return 0;
}

TEST_WITHIN(60, million_sleeping_tasks)
{
    aiort_loop_t *loop = new_loop();
    int many = harness_slow() > 1 && MANY > 100000 ? 100000 : MANY;
    int left = many, slept = 0;

    for (int i = 0; i < many; i++) {
        aiort_task_t *task = aiort_loop_create_task(loop, AIORT_CORO(sleep_long, &slept), NULL);
        assert_non_null(task);
        assert_ok(aiort_future_add_done_callback(AIORT_FUTURE(task), count_done, &left));
        aiort_unref(task);
    }
    assert_ok(aiort_loop_run_forever(loop));
    assert_int_equal(left, 0);
    assert_int_equal(slept, many);
    assert_int_equal(aiort_all_tasks(loop, NULL, 0), 0);
    drop_loop(loop);
}
