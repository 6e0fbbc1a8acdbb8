/* SPDX-License-Identifier: MIT */
/*
 * Contexts as objects: mirrors what CPython's test_tasks.py, test_futures.py, test_taskgroups.py
 * and test_context.py do with copy_context() and context=.
 */
#include "allocator.h"

static aiort_context_var_t *var;

static int get(void)
{
    return INT(aiort_context_var_get(var));
}

static void set(int value)
{
    assert_ok(aiort_context_var_set(var, PTR(value)));
}

static int in(const aiort_context_t *context)
{
    return INT(aiort_context_get(context, var));
}

static void with_var(aiort_coroutine_fn function)
{
    var = aiort_context_var_new("cvar", PTR(-1));
    assert_non_null(var);
    assert_ok(aiort_run(AIORT_CORO(function, NULL), NULL));
    assert_int_equal(get(), -1); /* nothing got out of the tasks */
    aiort_unref(var);
}

#define BODY(name)                                                                                 \
    static int body_##name(__attribute__((unused)) void *arg_,                                     \
                           __attribute__((unused)) void **result_)

static int set_after_a_turn(void *value, void **result)
{
    (void)result;
    int err = aiort_sleep(0);
    set(INT(value));
    return err;
}

static void run_in(aiort_context_t *context, int value)
{
    const aiort_task_options_t options = {.context = context};
    aiort_task_t *task =
        aiort_loop_create_task(NULL, AIORT_CORO(set_after_a_turn, PTR(value)), &options);

    assert_non_null(task);
    assert_ok(aiort_await(task, NULL));
    aiort_unref(task);
}

/* Two tasks in one context object: each sees what the other set, and so does who has the object. */
BODY(context_4)
{
    aiort_context_t *context = aiort_copy_context();

    assert_int_equal(in(context), -1);
    run_in(context, 1);
    assert_int_equal(in(context), 1);
    run_in(context, 2);
    assert_int_equal(in(context), 2);
    assert_int_equal(get(), -1);
    aiort_unref(context);
    return 0;
}

TEST(context_4)
{
    with_var(body_context_4);
}

/* The same with the loop named. */
BODY(context_5)
{
    aiort_context_t *context = aiort_copy_context();
    const aiort_task_options_t options = {.name = "in context", .context = context};

    for (int i = 1; i <= 2; i++) {
        aiort_task_t *task = aiort_loop_create_task(aiort_get_running_loop(),
                                                    AIORT_CORO(set_after_a_turn, PTR(i)), &options);
        assert_string_equal(aiort_task_get_name(task), "in context");
        assert_ok(aiort_await(task, NULL));
        assert_int_equal(in(context), i);
        aiort_unref(task);
    }
    aiort_unref(context);
    return 0;
}

TEST(context_5)
{
    with_var(body_context_5);
}

static int sees_its_makers(void *arg, void **result)
{
    (void)arg;
    *result = PTR(get());
    set(100);
    return 0;
}

static int makes_another(void *arg, void **result)
{
    (void)arg;
    set(5);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(sees_its_makers, NULL));
    set(6);
    int err = aiort_await(task, result);
    aiort_unref(task);
    return err;
}

/* A task made inside of a context object begins with a copy: it does not share the object. */
BODY(context_6)
{
    aiort_context_t *context = aiort_copy_context();
    const aiort_task_options_t options = {.context = context};
    void *value = NULL;
    aiort_task_t *task = aiort_loop_create_task(NULL, AIORT_CORO(makes_another, NULL), &options);

    assert_ok(aiort_await(task, &value));
    assert_int_equal(INT(value), 5);
    assert_int_equal(in(context), 6);
    aiort_unref(task);
    aiort_unref(context);
    return 0;
}

TEST(context_6)
{
    with_var(body_context_6);
}

static int set_and_sleep(void *value, void **result)
{
    (void)result;
    set(INT(value));
    return aiort_sleep(0.001);
}

BODY(get_context)
{
    aiort_context_t *own = aiort_context_new();
    const aiort_task_options_t options = {.context = own};
    aiort_task_t *given = aiort_loop_create_task(NULL, AIORT_CORO(set_and_sleep, PTR(1)), &options);
    aiort_task_t *plain = aiort_create_task(AIORT_CORO(set_and_sleep, PTR(2)));
    aiort_context_t *of_given = aiort_task_get_context(given);
    aiort_context_t *of_plain = aiort_task_get_context(plain);
    aiort_context_t *again = aiort_task_get_context(plain);

    assert_ptr_equal(of_given, own);
    assert_ptr_equal(of_plain, again);
    assert_ok(aiort_sleep(0));
    assert_int_equal(in(own), 1);
    assert_int_equal(in(of_plain), 2);
    assert_ok(aiort_await(given, NULL));
    assert_ok(aiort_await(plain, NULL));
    aiort_unref(given);
    aiort_unref(plain);
    aiort_unref(of_given);
    aiort_unref(again);
    aiort_unref(own);
    assert_int_equal(in(of_plain), 2); /* it outlives the task */
    aiort_unref(of_plain);
    return 0;
}

TEST(get_context)
{
    with_var(body_get_context);
}

/* ---- Handlers ---- */

static int handled, seen;

static int look(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    (void)loop;
    (void)report;
    (void)arg;
    handled++;
    seen = get();
    return 0;
}

static int set_and_fail(void *value, void **result)
{
    (void)result;
    set(INT(value));
    return aiort_raise(UV_EINVAL, "never looked at");
}

BODY(task_exc_handler_correct_context)
{
    handled = 0;
    assert_ok(aiort_loop_set_exception_handler(aiort_get_running_loop(), look, NULL));
    aiort_task_t *task = aiort_create_task(AIORT_CORO(set_and_fail, PTR(42)));
    assert_ok(aiort_sleep(0));
    aiort_unref(task); /* nobody retrieved its error */
    assert_int_equal(handled, 1);
    assert_int_equal(seen, 42);
    assert_int_equal(get(), -1);
    return 0;
}

TEST(task_exc_handler_correct_context)
{
    with_var(body_task_exc_handler_correct_context);
}

static int fails_in_context(void *value)
{
    set(INT(value));
    return aiort_raise(UV_EINVAL, "failed");
}

BODY(handle_exc_handler_correct_context)
{
    aiort_context_t *context = aiort_copy_context();
    aiort_loop_t *loop = aiort_get_running_loop();

    handled = 0;
    assert_ok(aiort_loop_set_exception_handler(loop, look, NULL));
    assert_ok(aiort_call_soon_in_context(loop, context, fails_in_context, PTR(43), NULL));
    assert_ok(aiort_sleep(0));
    assert_int_equal(handled, 1);
    assert_int_equal(seen, 43);
    assert_int_equal(in(context), 43);
    assert_int_equal(get(), -1);
    aiort_unref(context);
    return 0;
}

TEST(handle_exc_handler_correct_context)
{
    with_var(body_handle_exc_handler_correct_context);
}

/* ---- Task groups ---- */

BODY(taskgroup_task_context)
{
    aiort_task_group_t *group = aiort_task_group_new();
    aiort_context_t *context = aiort_copy_context();
    const aiort_task_options_t options = {.context = context};

    assert_ok(aiort_task_group_enter(group));
    for (int i = 1; i <= 2; i++) {
        aiort_task_t *task = NULL;
        assert_ok(aiort_task_group_create_task_with(group, AIORT_CORO(set_after_a_turn, PTR(i)),
                                                    &options, &task));
        assert_ok(aiort_await(task, NULL));
        assert_int_equal(in(context), i);
        aiort_unref(task);
    }
    assert_ok(aiort_task_group_exit(group, 0));
    aiort_unref(group);
    aiort_unref(context);
    return 0;
}

TEST(taskgroup_task_context)
{
    with_var(body_taskgroup_task_context);
}

/* ---- What decimal contexts do there: a setting of each task's own ---- */

static int digits_of(void *precision, void **result)
{
    char text[32];

    set(INT(precision));
    assert_ok(aiort_sleep(0));
    snprintf(text, sizeof text, "%.*f", get(), 1.0 / 3.0);
    *result = PTR(strlen(text) - 2);
    return 0;
}

BODY(asyncio_task_decimal_context)
{
    aiort_awaitable_t *both[] = {AIORT_AWAITABLE(AIORT_CORO(digits_of, PTR(3))),
                                 AIORT_AWAITABLE(AIORT_CORO(digits_of, PTR(6)))};
    aiort_future_t *all = aiort_gather(both, 2, 0);
    void *result = NULL;

    assert_ok(aiort_await(all, &result));
    const aiort_outcome_t *outcomes = result;
    assert_int_equal(INT(outcomes[0].result), 3);
    assert_int_equal(INT(outcomes[1].result), 6);
    aiort_unref(all);
    return 0;
}

TEST(asyncio_task_decimal_context)
{
    with_var(body_asyncio_task_decimal_context);
}

/* ---- run() and callbacks ---- */

static int nested(void *arg, void **result)
{
    (void)arg;
    *result = PTR(get());
    set(get() + 1);
    return 0;
}

static int outer(void *inner, void **result)
{
    set(10);
    assert_ok(aiort_context_run(inner, nested, NULL, result));
    assert_int_equal(get(), 10);
    return aiort_sleep(0); /* it may await, and finds its context again */
}

BODY(run)
{
    aiort_context_t *one = aiort_context_new();
    aiort_context_t *two = aiort_context_new();
    void *value = NULL;

    assert_int_equal(aiort_context_size(one), 0);
    assert_ok(aiort_context_run(one, outer, two, &value));
    assert_int_equal(INT(value), -1);
    assert_int_equal(in(one), 10);
    assert_int_equal(in(two), 0);
    assert_int_equal(aiort_context_size(one), 1);
    assert_int_equal(get(), -1);
    aiort_context_t *copy = aiort_context_copy(one);
    assert_ok(aiort_context_run(one, nested, NULL, NULL));
    assert_int_equal(in(one), 11);
    assert_int_equal(in(copy), 10);
    assert_code(aiort_context_run(one, NULL, NULL, NULL), UV_EINVAL);
    assert_contains(repr(one), "<Context object at 0x");
    aiort_unref(one);
    aiort_unref(two);
    aiort_unref(copy);
    return 0;
}

TEST(run)
{
    with_var(body_run);
}

static int fails_inside(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_raise(UV_ENOENT, "inside");
}

/* Outside of tasks and loops it is the thread's that is put aside. */
TEST(run_outside_of_tasks)
{
    var = aiort_context_var_new("cvar", PTR(-1));
    set(7);
    aiort_context_t *copy = aiort_copy_context();
    assert_ok(aiort_context_run(copy, nested, NULL, NULL));
    assert_int_equal(in(copy), 8);
    assert_int_equal(get(), 7);
    assert_code(aiort_context_run(copy, fails_inside, NULL, NULL), UV_ENOENT);
    assert_string_equal(aiort_error_message(aiort_current_error()), "inside");
    assert_int_equal(get(), 7);
    aiort_unref(copy);
    aiort_unref(var);
}

static int count(void *n)
{
    ++*(int *)n;
    set(*(int *)n);
    return 0;
}

static int count_done(aiort_future_t *future, void *n)
{
    (void)future;
    return count(n);
}

BODY(callbacks)
{
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_context_t *context = aiort_context_new();
    aiort_handle_t *handle = NULL, *cancelled = NULL;
    aiort_future_t *future = new_future(loop);
    int n = 0;

    assert_ok(aiort_call_soon_in_context(loop, context, count, &n, &handle));
    assert_ok(aiort_call_soon_in_context(loop, context, count, &n, &cancelled));
    assert_ok(aiort_handle_cancel(cancelled));
    assert_true(aiort_handle_cancelled(cancelled));
    assert_ok(aiort_future_add_done_callback_in_context(future, context, count_done, &n));
    assert_ok(aiort_future_add_done_callback_in_context(future, context, count_done, PTR(1)));
    assert_int_equal(aiort_future_remove_done_callback(future, count_done, PTR(1)), 1);
    assert_ok(aiort_sleep(0));
    assert_int_equal(n, 1);
    assert_int_equal(in(context), 1);
    assert_ok(aiort_future_set_result(future, NULL));
    assert_ok(aiort_future_add_done_callback_in_context(future, context, count_done, &n));
    assert_ok(aiort_sleep(0));
    assert_int_equal(n, 3);
    assert_int_equal(in(context), 3);
    assert_int_equal(get(), -1);
    assert_code(aiort_call_soon_in_context(loop, context, NULL, NULL, NULL), UV_EINVAL);
    aiort_unref(handle);
    aiort_unref(cancelled);
    aiort_unref(future);
    aiort_unref(context);
    return 0;
}

TEST(callbacks)
{
    with_var(body_callbacks);
}

/* Queued when the loop is closed, and of a future that never ends: nothing is called or kept. */
TEST(callbacks_that_are_never_called)
{
    aiort_loop_t *loop = new_loop();
    aiort_context_t *context = aiort_context_new();
    aiort_future_t *future = new_future(loop);
    int n = 0;

    var = aiort_context_var_new("cvar", NULL);
    assert_ok(aiort_call_soon_in_context(loop, context, count, &n, NULL));
    assert_ok(aiort_future_add_done_callback_in_context(future, context, count_done, &n));
    assert_ok(aiort_loop_close(loop));
    assert_code(aiort_call_soon_in_context(loop, context, count, &n, NULL), AIORT_ELOOPCLOSED);
    aiort_unref(future);
    aiort_unref(loop);
    aiort_unref(context);
    aiort_unref(var);
    assert_int_equal(n, 0);
}

/* ---- Out of memory ---- */

static int scenario(void *arg, void **result)
{
    (void)arg;
    (void)result;
    int err = aiort_context_var_set(var, PTR(1));
    aiort_context_t *context = err ? NULL : aiort_copy_context();
    if (!context) {
        return err ? err : aiort_last_error();
    }
    const aiort_task_options_t options = {.name = "named", .context = context};
    aiort_coroutine_t *coroutine = AIORT_CORO(set_and_sleep, PTR(2));
    aiort_task_t *task = coroutine ? aiort_loop_create_task(NULL, coroutine, &options) : NULL;
    int n = 0;
    err = task ? aiort_call_soon_in_context(aiort_get_running_loop(), context, do_nothing, &n, NULL)
               : aiort_last_error();
    if (task) {
        aiort_context_t *of_task = aiort_task_get_context(task);
        assert_ptr_equal(of_task, context);
        aiort_unref(of_task);
        aiort_task_cancel(task, NULL);
        (void)aiort_await(task, NULL);
        aiort_unref(task);
    }
    aiort_context_t *own = err ? NULL : aiort_task_get_context(aiort_current_task());
    err = err ? err : own ? 0 : aiort_last_error();
    aiort_unref(own);
    aiort_unref(context);
    return err;
}

TEST(out_of_memory)
{
    allocator_install();
    var = aiort_context_var_new("cvar", NULL);
    for (long n = 1;; n++) {
        allocator_refuse(n);
        aiort_coroutine_t *coroutine = AIORT_CORO(scenario, NULL);
        int err = coroutine ? aiort_run(coroutine, NULL) : aiort_last_error();
        long refused = allocator_refused();
        allocator_refuse(0);
        forget_error();
        assert_int_equal(allocator_live(), 1); /* the variable */
        if (!refused) {
            assert_int_equal(err, 0);
            break;
        }
        assert_true(err == UV_ENOMEM || err == 0);
    }
    aiort_unref(var);
}
