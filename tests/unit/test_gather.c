/* SPDX-License-Identifier: MIT */
/*
 * gather(). Mirrors CPython's test_tasks.py, GatherTestsBase, FutureGatherTests and
 * CoroutineGatherTests.
 */
#include "allocator.h"

enum { MOST = 6 };

typedef struct {
    aiort_loop_t *loop;
    aiort_future_t *future[MOST];
    aiort_awaitable_t *awaitable[MOST];
    int n, calls;
} children_t;

static children_t new_children(int n)
{
    children_t children = {.loop = new_loop(), .n = n};
    for (int i = 0; i < n; i++) {
        children.future[i] = new_future(children.loop);
        children.awaitable[i] = AIORT_AWAITABLE(children.future[i]);
    }
    return children;
}

/* The same behind coroutines. */
static void wrap_in_coroutines(children_t *children)
{
    for (int i = 0; i < children->n; i++)
        children->awaitable[i] = AIORT_AWAITABLE(AIORT_CORO(await_future, children->future[i]));
}

static void drop_children(children_t *children)
{
    for (int i = 0; i < children->n; i++)
        aiort_unref(children->future[i]);
    drop_loop(children->loop);
}

typedef struct {
    children_t *children;
    int flags;
    aiort_future_t *all;
} gathering_t;

static int gather_inside(void *arg, void **result)
{
    gathering_t *gathering = arg;
    (void)result;
    gathering->all = aiort_gather(gathering->children->awaitable, (size_t)gathering->children->n,
                                  gathering->flags);
    assert_non_null(gathering->all);
    return 0;
}

/* From outside of the loop, or for coroutines from inside. */
static aiort_future_t *gather(children_t *children, int flags, int coroutines)
{
    if (!coroutines) {
        aiort_future_t *all = aiort_gather(children->awaitable, (size_t)children->n, flags);
        assert_non_null(all);
        return all;
    }
    gathering_t gathering = {.children = children, .flags = flags};
    wrap_in_coroutines(children);
    assert_ok(
        aiort_loop_run_until_complete(children->loop, AIORT_CORO(gather_inside, &gathering), NULL));
    return gathering.all;
}

static int count_call(aiort_future_t *future, void *arg)
{
    (void)future;
    ++*(int *)arg;
    return 0;
}

/* Until nothing is ready. */
static void run_loop(aiort_loop_t *loop)
{
    for (int i = 0; i < 6; i++)
        run_once(loop);
}

static aiort_outcome_t *outcomes_of(aiort_future_t *all)
{
    void *result = NULL;
    assert_ok(aiort_future_result(all, &result));
    return result;
}

static void check_success(int flags, int coroutines)
{
    children_t children = new_children(3);
    aiort_future_t *all = gather(&children, flags, coroutines);

    assert_ok(aiort_future_add_done_callback(all, count_call, &children.calls));
    assert_ok(aiort_future_set_result(children.future[1], PTR(1)));
    assert_ok(aiort_future_set_result(children.future[0], PTR(2)));
    run_loop(children.loop);
    assert_int_equal(children.calls, 0);
    assert_false(aiort_future_done(all));
    assert_ok(aiort_future_set_result(children.future[2], PTR(3)));
    run_loop(children.loop);
    assert_int_equal(children.calls, 1);
    aiort_outcome_t *outcomes = outcomes_of(all);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(outcomes[i].code, 0);
        assert_null(outcomes[i].error);
    }
    assert_ptr_equal(outcomes[0].result, PTR(2));
    assert_ptr_equal(outcomes[1].result, PTR(1));
    assert_ptr_equal(outcomes[2].result, PTR(3));
    aiort_unref(all);
    drop_children(&children);
}

TEST(success)
{
    check_success(0, 0);
    check_success(0, 1);
}

TEST(result_exception_success)
{
    check_success(AIORT_RETURN_ERRORS, 0);
    check_success(AIORT_RETURN_ERRORS, 1);
}

static void check_one_exception(int coroutines)
{
    children_t children = new_children(5);
    aiort_future_t *all = gather(&children, 0, coroutines), **f = children.future;
    aiort_error_t *error = NULL;
    reports_t reports;

    record(children.loop, &reports);
    assert_ok(aiort_future_add_done_callback(all, count_call, &children.calls));
    assert_ok(aiort_future_set_result(f[0], PTR(1)));
    assert_ok(aiort_future_set_error(f[1], UV_ERANGE, "division by zero"));
    run_loop(children.loop);
    assert_true(aiort_future_done(all));
    assert_int_equal(children.calls, 1);
    assert_ok(aiort_future_error(all, &error));
    assert_int_equal(aiort_error_code(error), UV_ERANGE);
    assert_string_equal(aiort_error_message(error), "division by zero");
    /* Does nothing any more, and is not reported. */
    assert_ok(aiort_future_set_result(f[2], PTR(3)));
    aiort_future_cancel(f[3], NULL);
    assert_ok(aiort_future_set_error(f[4], UV_EIO, "unseen"));
    run_loop(children.loop);
    assert_int_equal(children.calls, 1);
    aiort_unref(all);
    drop_children(&children);
    assert_int_equal(reports.calls, 0);
}

TEST(one_exception)
{
    check_one_exception(0);
    check_one_exception(1);
}

static void check_return_exceptions(int coroutines)
{
    children_t children = new_children(4);
    aiort_future_t *all = gather(&children, AIORT_RETURN_ERRORS, coroutines), **f = children.future;
    reports_t reports;

    record(children.loop, &reports);
    assert_ok(aiort_future_add_done_callback(all, count_call, &children.calls));
    assert_ok(aiort_future_set_result(f[1], PTR(1)));
    assert_ok(aiort_future_set_error(f[2], UV_ERANGE, "first"));
    assert_ok(aiort_future_set_result(f[0], PTR(3)));
    run_loop(children.loop);
    assert_false(aiort_future_done(all));
    assert_ok(aiort_future_set_error(f[3], UV_EIO, "second"));
    run_loop(children.loop);
    assert_true(aiort_future_done(all));
    assert_int_equal(children.calls, 1);
    aiort_outcome_t *outcomes = outcomes_of(all);
    assert_ptr_equal(outcomes[0].result, PTR(3));
    assert_ptr_equal(outcomes[1].result, PTR(1));
    assert_int_equal(outcomes[2].code, UV_ERANGE);
    assert_string_equal(aiort_error_message(outcomes[2].error), "first");
    assert_int_equal(outcomes[3].code, UV_EIO);
    assert_string_equal(aiort_error_message(outcomes[3].error), "second");
    aiort_unref(all);
    drop_children(&children);
    assert_int_equal(reports.calls, 0);
}

TEST(return_exceptions)
{
    check_return_exceptions(0);
    check_return_exceptions(1);
}

/* ---- of futures ---- */

TEST(constructor_empty_sequence_without_loop)
{
    assert_null_code(aiort_gather(NULL, 0, 0), AIORT_ENOLOOP);
}

static int gather_nothing(void *arg, void **result)
{
    (void)arg;
    *result = aiort_gather(NULL, 0, 0);
    return 0;
}

TEST(constructor_empty_sequence_use_running_loop)
{
    aiort_loop_t *loop = new_loop();
    void *all = NULL;

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(gather_nothing, NULL), &all));
    assert_non_null(all);
    assert_int_equal(aiort_kind(all), AIORT_KIND_FUTURE);
    assert_ptr_equal(aiort_future_loop(all), loop);
    run_loop(loop);
    assert_true(aiort_future_done(all));
    assert_ok(aiort_future_result(all, NULL));
    aiort_unref(all);
    drop_loop(loop);
}

TEST(constructor_heterogenous_futures)
{
    aiort_loop_t *one = new_loop(), *two = new_loop();
    aiort_future_t *futures[] = {new_future(one), new_future(two)};
    aiort_awaitable_t *awaitables[] = {AIORT_AWAITABLE(futures[0]), AIORT_AWAITABLE(futures[1])};

    assert_null_code(aiort_gather(awaitables, 2, 0), AIORT_EOTHERLOOP);
    aiort_unref(futures[0]);
    aiort_unref(futures[1]);
    drop_loop(two);
    drop_loop(one);
}

TEST(constructor_homogenous_futures)
{
    children_t children = new_children(3);

    for (int i = 0; i < 2; i++) {
        aiort_future_t *all = gather(&children, 0, 0);
        assert_ptr_equal(aiort_future_loop(all), children.loop);
        run_loop(children.loop);
        assert_false(aiort_future_done(all));
        aiort_unref(all);
    }
    drop_children(&children);
}

TEST(one_cancellation)
{
    children_t children = new_children(5);
    aiort_future_t *all = gather(&children, 0, 0), **f = children.future;
    aiort_error_t *error = NULL;

    assert_ok(aiort_future_add_done_callback(all, count_call, &children.calls));
    assert_ok(aiort_future_set_result(f[0], PTR(1)));
    aiort_future_cancel(f[1], NULL);
    run_loop(children.loop);
    assert_true(aiort_future_done(all));
    assert_int_equal(children.calls, 1);
    assert_false(aiort_future_cancelled(all)); /* it has failed with a cancellation */
    assert_ok(aiort_future_error(all, &error));
    assert_int_equal(aiort_error_code(error), UV_ECANCELED);
    assert_ok(aiort_future_set_result(f[2], PTR(3)));
    aiort_future_cancel(f[3], NULL);
    assert_ok(aiort_future_set_error(f[4], UV_EIO, NULL));
    run_loop(children.loop);
    aiort_unref(all);
    drop_children(&children);
}

TEST(result_exception_one_cancellation)
{
    children_t children = new_children(6);
    aiort_future_t *all = gather(&children, AIORT_RETURN_ERRORS, 0), **f = children.future;

    assert_ok(aiort_future_add_done_callback(all, count_call, &children.calls));
    assert_ok(aiort_future_set_result(f[0], PTR(1)));
    assert_ok(aiort_future_set_error(f[1], UV_ERANGE, NULL));
    aiort_future_cancel(f[2], "a reason");
    run_loop(children.loop);
    assert_false(aiort_future_done(all));
    assert_ok(aiort_future_set_result(f[3], PTR(3)));
    aiort_future_cancel(f[4], NULL);
    assert_ok(aiort_future_set_error(f[5], UV_EIO, NULL));
    assert_ok(aiort_loop_run_until_complete(children.loop, all, NULL));
    aiort_outcome_t *outcomes = outcomes_of(all);
    static const int codes[] = {0, UV_ERANGE, UV_ECANCELED, 0, UV_ECANCELED, UV_EIO};
    for (int i = 0; i < 6; i++)
        assert_code(outcomes[i].code, codes[i]);
    assert_ptr_equal(outcomes[0].result, PTR(1));
    assert_ptr_equal(outcomes[3].result, PTR(3));
    assert_string_equal(aiort_error_message(outcomes[2].error), "a reason");
    assert_non_null(outcomes[4].error);
    run_loop(children.loop);
    assert_int_equal(children.calls, 1);
    aiort_unref(all);
    drop_children(&children);
}

/* ---- of coroutines ---- */

TEST(constructor_without_loop)
{
    aiort_awaitable_t *coroutines[] = {AIORT_AWAITABLE(AIORT_CORO(return_at_once, NULL)),
                                       AIORT_AWAITABLE(AIORT_CORO(return_at_once, NULL))};

    /* They are taken over, without a report. */
    assert_null_code(aiort_gather(coroutines, 2, 0), AIORT_ENOLOOP);
}

TEST(constructor_use_running_loop)
{
    children_t children = new_children(2);
    aiort_future_t *all = gather(&children, 0, 1);

    assert_ptr_equal(aiort_future_loop(all), children.loop);
    for (int i = 0; i < 2; i++)
        assert_ok(aiort_future_set_result(children.future[i], NULL));
    assert_ok(aiort_loop_run_until_complete(children.loop, all, NULL));
    aiort_unref(all);
    drop_children(&children);
}

static int runs;

static int count_run(void *arg, void **result)
{
    runs++;
    *result = arg;
    return aiort_sleep(0);
}

static int gather_twice_the_same(void *arg, void **result)
{
    aiort_coroutine_t *abc = AIORT_CORO(count_run, PTR('a')),
                      *def = AIORT_CORO(count_run, PTR('d'));
    aiort_awaitable_t *list[] = {AIORT_AWAITABLE(abc), AIORT_AWAITABLE(abc), AIORT_AWAITABLE(def),
                                 AIORT_AWAITABLE(abc)};
    aiort_future_t *all = aiort_gather(list, 4, 0);
    void *value = NULL;

    (void)arg;
    (void)result;
    assert_ok(aiort_await(all, &value));
    aiort_outcome_t *outcomes = value;
    for (int i = 0; i < 4; i++)
        assert_ptr_equal(outcomes[i].result, i == 2 ? PTR('d') : PTR('a'));
    assert_int_equal(runs, 2);
    aiort_unref(all);
    return 0;
}

TEST(duplicate_coroutines)
{
    assert_ok(aiort_run(AIORT_CORO(gather_twice_the_same, NULL), NULL));
}

typedef struct {
    aiort_future_t *waiter, *gatherer;
    aiort_task_t *child[2];
    int proof;
} broadcast_t;

static int broadcast_inner(void *arg, void **result)
{
    broadcast_t *broadcast = arg;
    int err = aiort_await(broadcast->waiter, result);
    if (err == 0)
        broadcast->proof++;
    return err;
}

static int broadcast_outer(void *arg, void **result)
{
    broadcast_t *broadcast = arg;
    aiort_awaitable_t *list[] = {AIORT_AWAITABLE(broadcast->child[0]),
                                 AIORT_AWAITABLE(broadcast->child[1])};
    broadcast->gatherer = aiort_gather(list, 2, 0);
    int err = aiort_await(broadcast->gatherer, result);
    if (err == 0)
        broadcast->proof += 100;
    return err;
}

TEST(cancellation_broadcast)
{
    aiort_loop_t *loop = new_loop();
    broadcast_t broadcast = {.waiter = new_future(loop)};

    for (int i = 0; i < 2; i++)
        broadcast.child[i] = start(loop, AIORT_CORO(broadcast_inner, &broadcast));
    aiort_task_t *task = start(loop, AIORT_CORO(broadcast_outer, &broadcast));
    run_briefly(loop);
    assert_int_equal(aiort_task_cancel(task, NULL), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    assert_int_equal(aiort_future_cancel(broadcast.gatherer, NULL), 0);
    assert_true(aiort_future_cancelled(broadcast.waiter));
    for (int i = 0; i < 2; i++) {
        assert_true(aiort_future_cancelled(AIORT_FUTURE(broadcast.child[i])));
        aiort_unref(broadcast.child[i]);
    }
    run_briefly(loop);
    assert_int_equal(broadcast.proof, 0);
    aiort_unref(broadcast.gatherer);
    aiort_unref(broadcast.waiter);
    aiort_unref(task);
    drop_loop(loop);
}

static int await_and_fail(void *arg, void **result)
{
    int err = aiort_await((aiort_future_t *)arg, result);
    return err != 0 ? err : aiort_raise(UV_EPERM, "should not be ignored");
}

static int gather_two_that_fail(void *arg, void **result)
{
    aiort_future_t **futures = arg;
    aiort_awaitable_t *list[] = {AIORT_AWAITABLE(AIORT_CORO(await_and_fail, futures[0])),
                                 AIORT_AWAITABLE(AIORT_CORO(await_and_fail, futures[1]))};
    aiort_future_t *all = aiort_gather(list, 2, 0);
    int err = aiort_await(all, result);
    aiort_unref(all);
    return err;
}

TEST(exception_marking)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *futures[] = {new_future(loop), new_future(loop)};
    aiort_task_t *task = start(loop, AIORT_CORO(gather_two_that_fail, futures));
    reports_t reports;

    record(loop, &reports);
    run_briefly(loop);
    for (int i = 0; i < 2; i++) {
        assert_ok(aiort_future_set_result(futures[i], NULL));
        run_briefly(loop);
        run_briefly(loop);
        aiort_unref(futures[i]);
    }
    assert_code(aiort_future_result(AIORT_FUTURE(task), NULL), UV_EPERM);
    aiort_unref(task);
    drop_loop(loop);
    assert_int_equal(reports.calls, 0);
}

/* ---- cancelling ---- */

typedef struct {
    aiort_future_t *future, *all;
    aiort_task_t *task;
    int cancel_result;
} late_t;

static int cancel_late(aiort_future_t *future, void *arg)
{
    late_t *late = arg;
    (void)future;
    late->cancel_result = aiort_future_cancel(late->all, NULL);
    return 0;
}

static int gather_late(void *arg, void **result)
{
    late_t *late = arg;
    late->task = aiort_create_task(AIORT_CORO(await_future, late->future));
    aiort_awaitable_t *list[] = {AIORT_AWAITABLE(late->task)};
    (void)result;
    late->all = aiort_gather(list, 1, 0);
    return 0;
}

/* Once all children are done it refuses to be cancelled, though it is not done itself yet. */
static int cancel_when_task_is_done(aiort_future_t *future, void *arg)
{
    late_t *late = arg;
    assert_true(aiort_future_done(AIORT_FUTURE(late->task)));
    return cancel_late(future, arg);
}

TEST(cancel_gather_1)
{
    aiort_loop_t *loop = new_loop();
    late_t late = {.future = new_future(loop), .cancel_result = -1};

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(gather_late, &late), NULL));
    run_briefly(loop);
    assert_ok(
        aiort_future_add_done_callback(AIORT_FUTURE(late.task), cancel_when_task_is_done, &late));
    assert_ok(aiort_future_set_result(late.future, PTR(42)));
    assert_ok(aiort_loop_run_until_complete(loop, late.all, NULL));
    run_briefly(loop);
    assert_int_equal(late.cancel_result, 0);
    assert_false(aiort_future_cancelled(late.all));
    assert_ptr_equal(outcomes_of(late.all)[0].result, PTR(42));
    aiort_unref(late.task);
    aiort_unref(late.all);
    aiort_unref(late.future);
    drop_loop(loop);
}

static int gather_for_ever(void *arg, void **result)
{
    (void)arg;
    (void)result;
    for (int i = 0; i < 1000; i++) {
        aiort_awaitable_t *list[] = {AIORT_AWAITABLE(AIORT_CORO(sleep_ms, PTR(5)))};
        aiort_future_t *all = aiort_gather(list, 1, AIORT_RETURN_ERRORS);
        int err = aiort_await(all, NULL);
        aiort_unref(all);
        if (err != 0)
            return err;
    }
    return 0;
}

static int cancel_gathering(void *arg, void **result)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(gather_for_ever, NULL));
    assert_ok(aiort_sleep(0.02));
    assert_int_equal(aiort_task_cancel(task, arg), 1);
    int err = aiort_await(task, result);
    aiort_unref(task);
    return err;
}

/* gather() with errors as outcomes does not swallow its own cancelling. */
TEST(cancel_gather_2)
{
    static char message[] = "my message";
    char *messages[] = {NULL, message};

    for (int i = 0; i < 2; i++) {
        aiort_loop_t *loop = new_loop();
        assert_code(
            aiort_loop_run_until_complete(loop, AIORT_CORO(cancel_gathering, messages[i]), NULL),
            UV_ECANCELED);
        if (messages[i] != NULL)
            assert_string_equal(aiort_error_message(aiort_current_error()), "my message");
        drop_loop(loop);
    }
}

/* ---- C's own ---- */

TEST(gather_repr)
{
    children_t children = new_children(2);
    aiort_future_t *all = gather(&children, 0, 0);

    assert_string_equal(repr(all), "<_GatheringFuture pending>");
    assert_contains(repr(children.future[0]), "cb=[gather.<locals>._done_callback()]");
    aiort_unref(all); /* until they are done it holds itself */
    assert_contains(repr(children.future[0]), "cb=[gather.<locals>._done_callback()]");
    drop_children(&children);
}

static int give_up(aiort_future_t *future, void *arg)
{
    (void)future;
    (void)arg;
    return 0;
}

/* One that nobody keeps ends all the same, and says so when nobody has looked at its error. */
TEST(abandoned_gathering)
{
    children_t children = new_children(2);
    reports_t reports;

    record(children.loop, &reports);
    aiort_unref(gather(&children, 0, 0));
    assert_ok(aiort_future_set_error(children.future[0], UV_ERANGE, "lost"));
    run_loop(children.loop);
    assert_int_equal(reports.calls, 0);
    assert_ok(aiort_future_set_error(children.future[1], UV_EIO, "this one too"));
    run_loop(children.loop);
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.message, "_GatheringFuture exception was never retrieved");
    assert_int_equal(reports.code, UV_ERANGE);
    drop_children(&children);
}

/* Of those that are done already no callback is needed. */
TEST(all_done_already)
{
    children_t children = new_children(2);
    void *result = NULL;

    assert_ok(aiort_future_set_result(children.future[0], PTR(1)));
    assert_ok(aiort_future_set_error(children.future[1], UV_ERANGE, "second"));
    aiort_future_t *all = gather(&children, AIORT_RETURN_ERRORS, 0);
    assert_true(aiort_future_done(all));
    assert_ok(aiort_future_result(all, &result));
    assert_int_equal(((aiort_outcome_t *)result)[0].code, 0);
    assert_int_equal(((aiort_outcome_t *)result)[1].code, UV_ERANGE);
    assert_ok(aiort_future_add_done_callback(all, give_up, NULL));
    aiort_unref(all);
    drop_children(&children);
}

/* A gathering future that goes leaves its children alone, also those whose end is scheduled. */
TEST(dropped_gathering)
{
    allocator_install();
    children_t children = new_children(3);
    aiort_future_t *all = gather(&children, 0, 0);

    assert_ok(aiort_future_set_result(children.future[0], NULL));
    aiort_unref(all);
    run_loop(children.loop);
    assert_ok(aiort_future_set_result(children.future[1], NULL));
    run_loop(children.loop);
    drop_children(&children);
    assert_int_equal(allocator_live(), 0);
}

/* The loop is closed with children pending. */
TEST(gathering_outlives_its_loop)
{
    allocator_install();
    children_t children = new_children(3);
    aiort_future_t *all = gather(&children, 0, 0);

    assert_ok(aiort_future_set_result(children.future[0], NULL));
    assert_ok(aiort_loop_close(children.loop));
    aiort_unref(children.loop);
    assert_false(aiort_future_done(all));
    for (int i = 0; i < 3; i++)
        aiort_unref(children.future[i]);
    aiort_unref(all);
    assert_int_equal(allocator_live(), 0);
}

/* Many, and gatherings of gatherings. */
static int tree(void *arg, void **result)
{
    aiort_awaitable_t *list[40];
    int depth = INT(arg), sum = 1;
    void *value = NULL;

    for (int i = 0; i < 40; i++)
        list[i] = AIORT_AWAITABLE(depth > 0 ? AIORT_CORO(tree, PTR(depth - 1))
                                            : AIORT_CORO(count_run, PTR(1)));
    aiort_future_t *all = aiort_gather(list, 40, 0);
    assert_ok(aiort_await(all, &value));
    for (int i = 0; i < 40; i++)
        sum += INT(((aiort_outcome_t *)value)[i].result);
    aiort_unref(all);
    *result = PTR(sum);
    return 0;
}

TEST(gatherings_of_gatherings)
{
    void *result = NULL;
    assert_ok(aiort_run(AIORT_CORO(tree, PTR(1)), &result));
    assert_ptr_equal(result, PTR(1 + 40 * 41));
}

TEST(null_among_the_awaitables)
{
    children_t children = new_children(1);
    aiort_awaitable_t *list[] = {children.awaitable[0], NULL,
                                 AIORT_AWAITABLE(AIORT_CORO(return_at_once, NULL))};

    assert_null_code(aiort_gather(list, 3, 0), AIORT_EBADAWAIT);
    drop_children(&children);
}
