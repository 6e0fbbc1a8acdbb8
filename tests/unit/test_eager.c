/* SPDX-License-Identifier: MIT */
/*
 * Eager tasks: mirrors CPython's test_eager_task_factory.py, and what a stack switch makes possible
 * to get wrong: steps inside of steps, from callbacks, and out of memory.
 */
#include "allocator.h"

#define BODY(name)                                                                                 \
    static int body_##name(__attribute__((unused)) void *arg_,                                     \
                           __attribute__((unused)) void **result_)

/* Runs a coroutine function in a loop that starts tasks at once. */
static void run_eagerly(aiort_coroutine_fn function)
{
    aiort_loop_t *loop = new_loop();

    assert_false(aiort_loop_get_eager_tasks(loop));
    assert_ok(aiort_loop_set_eager_tasks(loop, 1));
    assert_true(aiort_loop_get_eager_tasks(loop));
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(function, NULL), NULL));
    drop_loop(loop);
}

static aiort_task_t *task(aiort_coroutine_fn function, void *arg)
{
    aiort_task_t *made = aiort_create_task(AIORT_CORO(function, arg));

    assert_non_null(made);
    return made;
}

static int is_done(aiort_task_t *t)
{
    return aiort_future_done(AIORT_FUTURE(t));
}

static int end(aiort_task_t *t)
{
    void *result = NULL;
    int err = aiort_await(t, &result);

    aiort_unref(t);
    return err ? err : INT(result);
}

BODY(eager_task_factory_set)
{
    assert_true(aiort_loop_get_eager_tasks(aiort_get_running_loop()));
    aiort_task_t *t = task(return_at_once, PTR(1));
    assert_true(is_done(t));
    assert_int_equal(end(t), 1);
    return 0;
}

TEST(eager_task_factory_set)
{
    run_eagerly(body_eager_task_factory_set);
}

static int set_result(void *future, void **result)
{
    (void)result;
    return aiort_future_set_result((aiort_future_t *)future, PTR(9));
}

BODY(await_future_during_eager_step)
{
    aiort_future_t *future = new_future(NULL);
    aiort_task_t *t = task(set_result, future);
    void *value = NULL;

    assert_true(is_done(t));
    assert_ok(aiort_await(future, &value));
    assert_int_equal(INT(value), 9);
    aiort_unref(future);
    aiort_unref(t);
    return 0;
}

TEST(await_future_during_eager_step)
{
    run_eagerly(body_await_future_during_eager_step);
}

BODY(eager_completion)
{
    aiort_task_t *t = task(return_at_once, PTR(5));

    assert_true(is_done(t));
    assert_int_equal(end(t), 5);
    return 0;
}

TEST(eager_completion)
{
    run_eagerly(body_eager_completion);
}

BODY(block_after_eager_step)
{
    aiort_task_t *t = task(sleep_ms, PTR(1));

    assert_false(is_done(t));
    assert_int_equal(end(t), 1);
    return 0;
}

TEST(block_after_eager_step)
{
    run_eagerly(body_block_after_eager_step);
}

BODY(cancellation_after_eager_completion)
{
    aiort_task_t *t = task(return_at_once, PTR(5));

    assert_int_equal(aiort_task_cancel(t, NULL), 0);
    assert_false(aiort_future_cancelled(AIORT_FUTURE(t)));
    assert_int_equal(end(t), 5);
    return 0;
}

TEST(cancellation_after_eager_completion)
{
    run_eagerly(body_cancellation_after_eager_completion);
}

BODY(cancellation_after_eager_step_blocks)
{
    aiort_task_t *t = task(sleep_ms, PTR(10000));

    assert_int_equal(aiort_task_cancel(t, NULL), 1);
    assert_int_equal(aiort_task_cancelling(t), 1);
    assert_int_equal(end(t), UV_ECANCELED);
    return 0;
}

TEST(cancellation_after_eager_step_blocks)
{
    run_eagerly(body_cancellation_after_eager_step_blocks);
}

static aiort_task_t *seen;

static int see_current(void *arg, void **result)
{
    (void)arg;
    (void)result;
    seen = aiort_current_task();
    assert_ok(aiort_sleep(0.001));
    assert_ptr_equal(aiort_current_task(), seen);
    return 0;
}

BODY(current_task)
{
    aiort_task_t *self = aiort_current_task();
    aiort_task_t *t = task(see_current, NULL);

    assert_ptr_equal(seen, t);
    assert_ptr_equal(aiort_current_task(), self);
    assert_int_equal(end(t), 0);
    assert_ptr_equal(aiort_current_task(), self);
    return 0;
}

TEST(current_task)
{
    run_eagerly(body_current_task);
}

static size_t in_all_tasks(const aiort_task_t *t)
{
    aiort_task_t *tasks[16];
    size_t n = aiort_all_tasks(aiort_get_running_loop(), tasks, 16), found = 0;

    for (size_t i = 0; i < n; i++) {
        found += tasks[i] == t;
        aiort_unref(tasks[i]);
    }
    return found;
}

static int see_all(void *milliseconds, void **result)
{
    (void)result;
    assert_int_equal(in_all_tasks(aiort_current_task()), 1);
    return milliseconds ? aiort_sleep(INT(milliseconds) / 1000.0) : 0;
}

BODY(all_tasks_with_eager_completion)
{
    aiort_task_t *t = task(see_all, NULL);

    assert_int_equal(in_all_tasks(t), 0);
    assert_int_equal(in_all_tasks(aiort_current_task()), 1);
    assert_int_equal(end(t), 0);
    return 0;
}

TEST(all_tasks_with_eager_completion)
{
    run_eagerly(body_all_tasks_with_eager_completion);
}

BODY(all_tasks_with_blocking)
{
    aiort_task_t *t = task(see_all, PTR(1));

    assert_int_equal(in_all_tasks(t), 1);
    aiort_ref(t);
    assert_int_equal(end(t), 0);
    assert_int_equal(in_all_tasks(t), 0);
    aiort_unref(t);
    return 0;
}

TEST(all_tasks_with_blocking)
{
    run_eagerly(body_all_tasks_with_blocking);
}

static aiort_context_var_t *var;

static int use_var(void *arg, void **result)
{
    (void)arg;
    (void)result;
    assert_int_equal(INT(aiort_context_var_get(var)), 1);
    assert_ok(aiort_context_var_set(var, PTR(2)));
    assert_ok(aiort_sleep(0.001));
    assert_int_equal(INT(aiort_context_var_get(var)), 2);
    return 0;
}

BODY(context_vars)
{
    assert_ok(aiort_context_var_set(var, PTR(1)));
    aiort_task_t *t = task(use_var, NULL);
    assert_int_equal(INT(aiort_context_var_get(var)), 1);
    assert_ok(aiort_context_var_set(var, PTR(3)));
    assert_int_equal(end(t), 0);
    assert_int_equal(INT(aiort_context_var_get(var)), 3);
    return 0;
}

TEST(context_vars)
{
    var = aiort_context_var_new("cv", NULL);
    run_eagerly(body_context_vars);
    aiort_unref(var);
}

BODY(eager_start_false)
{
    const aiort_task_options_t options = {.eager_start = -1};
    aiort_task_t *t = aiort_loop_create_task(NULL, AIORT_CORO(return_at_once, PTR(3)), &options);

    assert_false(is_done(t));
    assert_int_equal(end(t), 3);
    return 0;
}

TEST(eager_start_false)
{
    run_eagerly(body_eager_start_false);
}

BODY(issue122332)
{
    aiort_task_t *t = task(return_at_once, NULL);

    assert_null(aiort_task_get_coro(t));
    assert_int_equal(end(t), 0);
    return 0;
}

TEST(issue122332)
{
    run_eagerly(body_issue122332);
}

static int see_name(void *name, void **result)
{
    (void)result;
    assert_string_equal(aiort_task_get_name(aiort_current_task()), (const char *)name);
    return 0;
}

BODY(name)
{
    const aiort_task_options_t options = {.name = "test name"};
    aiort_task_t *t = aiort_loop_create_task(NULL, AIORT_CORO(see_name, "test name"), &options);

    assert_int_equal(end(t), 0);
    return 0;
}

TEST(name)
{
    run_eagerly(body_name);
}

/* ---- BaseTaskCountingTests: no turn of the loop is needed ---- */

static int turns;

static int count_turn(void *arg)
{
    (void)arg;
    turns++;
    return 0;
}

static int chain(void *depth, void **result)
{
    void *below = NULL;

    if (INT(depth) == 0) {
        *result = PTR(1);
        return 0;
    }
    aiort_task_t *t = task(chain, PTR(INT(depth) - 1));
    assert_true(is_done(t));
    int err = aiort_await(t, &below);
    aiort_unref(t);
    *result = PTR(INT(below) + 1);
    return err;
}

BODY(awaitables_chain)
{
    turns = 0;
    assert_ok(aiort_call_soon(aiort_get_running_loop(), count_turn, NULL, NULL));
    aiort_task_t *t = task(chain, PTR(100));
    assert_true(is_done(t));
    assert_int_equal(end(t), 101);
    assert_int_equal(turns, 0);
    return 0;
}

TEST(awaitables_chain)
{
    run_eagerly(body_awaitables_chain);
}

static int leaves;

static int in_groups(void *depth, void **result)
{
    (void)result;
    if (INT(depth) == 0) {
        leaves++;
        return 0;
    }
    aiort_task_group_t *group = aiort_task_group_new();
    int err = aiort_task_group_enter(group);
    for (int i = 0; i < 4 && !err; i++) {
        err = aiort_task_group_create_task(group, AIORT_CORO(in_groups, PTR(INT(depth) - 1)), NULL);
    }
    err = aiort_task_group_exit(group, err);
    aiort_unref(group);
    return err;
}

BODY(recursive_taskgroups)
{
    leaves = 0;
    assert_int_equal(end(task(in_groups, PTR(4))), 0);
    assert_int_equal(leaves, 256);
    return 0;
}

TEST(recursive_taskgroups)
{
    run_eagerly(body_recursive_taskgroups);
}

static int in_gathers(void *depth, void **result)
{
    aiort_awaitable_t *children[4];

    (void)result;
    if (INT(depth) == 0) {
        leaves++;
        return 0;
    }
    for (int i = 0; i < 4; i++) {
        children[i] = AIORT_AWAITABLE(AIORT_CORO(in_gathers, PTR(INT(depth) - 1)));
    }
    aiort_future_t *all = aiort_gather(children, 4, 0);
    int err = aiort_await(all, NULL);
    aiort_unref(all);
    return err;
}

BODY(recursive_gather)
{
    leaves = 0;
    assert_int_equal(end(task(in_gathers, PTR(4))), 0);
    assert_int_equal(leaves, 256);
    return 0;
}

TEST(recursive_gather)
{
    run_eagerly(body_recursive_gather);
}

/* ---- DefaultTaskFactoryEagerStart ---- */

BODY(eager_start_true)
{
    const aiort_task_options_t options = {.eager_start = 1, .name = "example"};
    aiort_task_t *t = aiort_loop_create_task(NULL, AIORT_CORO(see_name, "example"), &options);

    assert_true(is_done(t));
    assert_int_equal(end(t), 0);
    t = task(return_at_once, NULL);
    assert_false(is_done(t));
    assert_int_equal(end(t), 0);
    return 0;
}

TEST(eager_start_true_with_default_factory)
{
    assert_ok(aiort_run(AIORT_CORO(body_eager_start_true, NULL), NULL));
}

/* test_tasks.py: a loop that does not run starts it in its first turn. */
TEST(eager_start_true)
{
    const aiort_task_options_t options = {.eager_start = 1, .name = "example"};
    aiort_loop_t *loop = new_loop();
    aiort_task_t *t = aiort_loop_create_task(loop, AIORT_CORO(see_name, "example"), &options);

    assert_false(is_done(t));
    assert_ok(aiort_loop_run_until_complete(loop, t, NULL));
    aiort_unref(t);
    drop_loop(loop);
}

/* ---- C's own ---- */

static char trail[256];

static void mark(const char *what)
{
    size_t n = strlen(trail);

    snprintf(trail + n, sizeof trail - n, "%s ", what);
}

static int inner(void *arg, void **result)
{
    (void)arg;
    (void)result;
    mark("inner");
    assert_ok(aiort_sleep(0));
    mark("inner-again");
    return 0;
}

static int middle(void *arg, void **result)
{
    (void)arg;
    (void)result;
    mark("middle");
    aiort_task_t *t = task(inner, NULL);
    mark("middle-on");
    assert_ok(aiort_sleep(0));
    mark("middle-again");
    return end(t);
}

static int other(void *arg, void **result)
{
    (void)arg;
    (void)result;
    mark("other");
    return 0;
}

/* The maker goes on at once, whoever else is ready. */
BODY(steps_nest)
{
    const aiort_task_options_t later = {.eager_start = -1};
    aiort_task_t *o = aiort_loop_create_task(NULL, AIORT_CORO(other, NULL), &later);

    trail[0] = '\0';
    mark("outer");
    aiort_task_t *t = task(middle, NULL);
    mark("outer-on");
    assert_int_equal(end(t), 0);
    assert_string_equal(trail,
                        "outer middle inner middle-on outer-on other inner-again middle-again ");
    assert_int_equal(end(o), 0);
    return 0;
}

TEST(steps_nest)
{
    run_eagerly(body_steps_nest);
}

static aiort_task_t *made_in_callback;

static int make_in_callback(void *loop)
{
    mark("callback");
    made_in_callback = aiort_loop_create_task((aiort_loop_t *)loop, AIORT_CORO(middle, NULL), NULL);
    assert_null(aiort_current_task());
    mark("callback-on");
    return 0;
}

BODY(from_a_callback)
{
    aiort_loop_t *loop = aiort_get_running_loop();

    trail[0] = '\0';
    assert_ok(aiort_call_soon(loop, make_in_callback, loop, NULL));
    assert_ok(aiort_sleep(0));
    assert_string_equal(trail, "callback middle inner middle-on callback-on ");
    assert_int_equal(end(made_in_callback), 0);
    return 0;
}

TEST(from_a_callback)
{
    run_eagerly(body_from_a_callback);
}

static int fail_at_once(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_raise(UV_ERANGE, "at once");
}

BODY(fails_at_once)
{
    aiort_task_t *t = task(fail_at_once, NULL);

    assert_true(is_done(t));
    assert_int_equal(end(t), UV_ERANGE);
    assert_string_equal(aiort_error_message(aiort_current_error()), "at once");
    /* In a group the failure is dealt with in a turn of the loop, not inside of create_task:
     * cpython#128550, cpython#128588. */
    aiort_task_group_t *group = aiort_task_group_new();
    assert_ok(aiort_task_group_enter(group));
    assert_ok(aiort_task_group_create_task(group, AIORT_CORO(fail_at_once, NULL), NULL));
    assert_int_equal(aiort_task_cancelling(aiort_current_task()), 0);
    assert_ok(aiort_task_group_create_task(group, AIORT_CORO(return_at_once, NULL), NULL));
    assert_code(aiort_task_group_exit(group, 0), AIORT_EGROUP);
    aiort_unref(group);
    return 0;
}

TEST(fails_at_once)
{
    run_eagerly(body_fails_at_once);
}

static int cancel_maker(void *maker, void **result)
{
    (void)result;
    assert_int_equal(aiort_task_cancel((aiort_task_t *)maker, NULL), 1);
    return 0;
}

BODY(cancels_its_maker)
{
    assert_int_equal(end(task(cancel_maker, aiort_current_task())), 0);
    assert_code(aiort_sleep(0), UV_ECANCELED);
    assert_int_equal(aiort_task_uncancel(aiort_current_task()), 0);
    return 0;
}

TEST(cancels_its_maker)
{
    run_eagerly(body_cancels_its_maker);
}

static int cancel_itself(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_task_cancel(aiort_current_task(), NULL);
    return aiort_sleep(10);
}

BODY(cancels_itself)
{
    assert_int_equal(end(task(cancel_itself, NULL)), UV_ECANCELED);
    return 0;
}

TEST(cancels_itself)
{
    run_eagerly(body_cancels_itself);
}

static aiort_task_t *from_handler;

static int start_in_handler(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    (void)report;
    (void)arg;
    if (!from_handler) {
        from_handler = aiort_loop_create_task(loop, AIORT_CORO(middle, NULL), NULL);
    }
    return 0;
}

/* The handler runs on the stack of a task that has just ended: the new one waits for its turn. */
BODY(in_a_handler)
{
    const aiort_task_options_t later = {.eager_start = -1};

    from_handler = NULL;
    trail[0] = '\0';
    assert_ok(aiort_loop_set_exception_handler(aiort_get_running_loop(), start_in_handler, NULL));
    aiort_unref(aiort_loop_create_task(NULL, AIORT_CORO(fail_at_once, NULL), &later));
    assert_ok(aiort_sleep(0));
    assert_non_null(from_handler);
    assert_int_equal(end(from_handler), 0);
    assert_string_equal(trail, "middle inner middle-on inner-again middle-again ");
    return 0;
}

TEST(in_a_handler)
{
    run_eagerly(body_in_a_handler);
}

static int make_many(void *arg, void **result)
{
    (void)arg;
    (void)result;
    for (int i = 0; i < 1000; i++) {
        aiort_unref(task(i % 2 ? return_at_once : sleep_ms, PTR(0)));
    }
    return 0;
}

BODY(many)
{
    for (int i = 0; i < 10; i++) {
        assert_int_equal(end(task(make_many, NULL)), 0);
        assert_ok(aiort_sleep(0.001));
    }
    return 0;
}

TEST(many)
{
    run_eagerly(body_many);
}

/* In a loop that the program's own uv_run() drives. */
static void embedded_timer(uv_timer_t *timer)
{
    aiort_loop_t *loop = timer->data;
    aiort_task_t *t = aiort_loop_create_task(loop, AIORT_CORO(middle, NULL), NULL);

    mark("timer");
    aiort_unref(t);
}

TEST(inside_uv_run)
{
    uv_loop_t uv;
    uv_timer_t timer;

    assert_int_equal(uv_loop_init(&uv), 0);
    const aiort_loop_options_t options = {.uv_loop = &uv};
    aiort_loop_t *loop = aiort_loop_new(&options);
    assert_ok(aiort_loop_set_eager_tasks(loop, 1));
    trail[0] = '\0';
    uv_timer_init(&uv, &timer);
    timer.data = loop;
    uv_timer_start(&timer, embedded_timer, 0, 0);
    uv_run(&uv, UV_RUN_DEFAULT);
    /* Outside of the loop's own turns tasks are not started. */
    assert_string_equal(trail, "timer middle inner middle-on inner-again middle-again ");
    uv_close((uv_handle_t *)&timer, NULL);
    drop_loop(loop);
    uv_run(&uv, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&uv), 0);
}

static int scenario(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_coroutine_t *coroutine = AIORT_CORO(sleep_ms, PTR(0));
    aiort_task_t *t = coroutine ? aiort_create_task(coroutine) : NULL;
    int err = t ? aiort_await(t, NULL) : aiort_last_error();

    aiort_unref(t);
    return err;
}

TEST(out_of_memory)
{
    allocator_install();
    for (long n = 1;; n++) {
        allocator_refuse(n);
        aiort_loop_t *loop = aiort_loop_new(NULL);
        int err = UV_ENOMEM;
        if (loop) {
            assert_ok(aiort_loop_set_eager_tasks(loop, 1));
            aiort_coroutine_t *coroutine = AIORT_CORO(scenario, NULL);
            err = coroutine ? aiort_loop_run_until_complete(loop, coroutine, NULL)
                            : aiort_last_error();
            assert_ok(aiort_loop_close(loop));
            aiort_unref(loop);
        }
        long refused = allocator_refused();
        allocator_refuse(0);
        forget_error();
        assert_int_equal(allocator_live(), 0);
        if (!refused) {
            assert_int_equal(err, 0);
            break;
        }
        assert_int_equal(err, UV_ENOMEM);
    }
}
