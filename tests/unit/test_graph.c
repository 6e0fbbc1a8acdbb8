/* SPDX-License-Identifier: MIT */
/*
 * Call graphs and await trees: mirrors CPython's test_graph.py, and of test_tools.py what there is
 * to say of live tasks.
 */
#include "allocator.h"

#define BODY(name)                                                                                 \
    static int body_##name(__attribute__((unused)) void *arg_,                                     \
                           __attribute__((unused)) void **result_)

#define run(function) assert_ok(aiort_run(AIORT_CORO(function, NULL), NULL))

/* ---- A graph in short: "Task[deep c1](Task[main])", functions innermost first ---- */

static char graph[2048], text[8192], json[8192];

static void put(const char *what)
{
    size_t n = strlen(graph);

    snprintf(graph + n, sizeof graph - n, "%s", what);
}

static void put_node(const aiort_call_graph_t *node, int depth)
{
    const aiort_call_frame_t *frames;
    aiort_call_graph_t *const *awaiters;
    aiort_future_t *future = aiort_call_graph_future(node);
    int task = aiort_kind(future) == AIORT_KIND_TASK;

    put(task ? aiort_task_get_name((aiort_task_t *)future) : "Future");
    put("[");
    size_t n = aiort_call_graph_stack(node, &frames);
    for (size_t i = 0; i < n; i++) {
        put(i ? " " : "");
        put(frames[i].coroutine ? "" : "-");
        put(frames[i].function);
    }
    put("]");
    n = aiort_call_graph_awaited_by(node, &awaiters);
    for (size_t i = 0; i < n && depth < 8; i++) {
        put(i ? ", " : "(");
        put_node(awaiters[i], depth + 1);
    }
    put(n ? ")" : "");
}

static int capture(aiort_future_t *future)
{
    aiort_call_graph_t *captured = aiort_capture_call_graph(future, AIORT_ALL_FRAMES);

    assert_non_null(captured);
    graph[0] = '\0';
    put_node(captured, 0);
    assert_true(aiort_call_graph_format(captured, AIORT_GRAPH_TEXT, text, sizeof text) <
                sizeof text);
    assert_true(aiort_call_graph_format(captured, AIORT_GRAPH_JSON, json, sizeof json) <
                sizeof json);
    assert_contains(repr(captured), "<FutureCallGraph of ");
    aiort_unref(captured);
    return 0;
}

/* ---- test_graph.py ---- */

static int deep(void *arg, void **result)
{
    (void)arg;
    (void)result;
    int err = aiort_sleep(0);
    return err ? err : capture(NULL);
}

static int c1(void *arg, void **result)
{
    int err = aiort_sleep(0);
    return err ? err : aiort_await(AIORT_CORO(deep, arg), result);
}

static int c2(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_sleep(0);
}

static aiort_task_t *named(const char *name, aiort_coroutine_fn function, void *arg)
{
    const aiort_task_options_t options = {.name = name};
    /* The site's text is the function's name. */
    const aiort_site_t *site = function == c1   ? AIORT_SITE("c1")
                               : function == c2 ? AIORT_SITE("c2")
                                                : AIORT_SITE("await_future");
    aiort_task_t *task =
        aiort_loop_create_task(NULL, aiort_coroutine_new(site, function, arg, 0), &options);
    assert_non_null(task);
    return task;
}

static int stack_tgroup(void *arg, void **result)
{
    (void)arg;
    (void)result;
    const aiort_task_options_t options = {.name = "c1_task"};
    aiort_task_group_t *group = aiort_task_group_new();
    int err = aiort_task_group_enter(group);

    if (!err) {
        err = aiort_task_group_create_task_with(group, AIORT_CORO(c1, NULL), &options, NULL);
        err = err ? err : aiort_task_group_create_task(group, AIORT_CORO(c2, NULL), NULL);
        err = aiort_task_group_exit(group, err);
    }
    aiort_unref(group);
    return err;
}

TEST(stack_tgroup)
{
    run(stack_tgroup);
    assert_string_equal(graph, "c1_task[-capture deep c1](Task-1[stack_tgroup])");
    assert_contains(text, "* Task(name='c1_task', id=0x");
    assert_contains(text, "  + Call stack:\n");
    assert_contains(text, "test_graph.c', line ");
    assert_contains(text, "  |   in async deep()\n  |   File '");
    assert_contains(text, "  + Awaited by:\n    * Task(name='Task-1', id=0x");
    assert_contains(text, "      |   File '");
    assert_contains(text, ", in async stack_tgroup()\n");
}

static int stack_gather(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_task_t *task = named("c1_task", c1, NULL);
    aiort_awaitable_t *both[] = {AIORT_AWAITABLE(task), AIORT_AWAITABLE(AIORT_CORO(c2, NULL))};
    aiort_future_t *all = aiort_gather(both, 2, 0);
    int err = aiort_await(all, NULL);

    aiort_unref(all);
    aiort_unref(task);
    return err;
}

TEST(stack_gather)
{
    run(stack_gather);
    assert_string_equal(graph, "c1_task[-capture deep c1](Task-1[stack_gather])");
}

static int stack_shield(void *arg, void **result)
{
    (void)arg;
    aiort_task_t *task = named("c1_task", c1, NULL);
    aiort_future_t *outer = aiort_shield(task);
    int err = aiort_await(outer, result);

    aiort_unref(outer);
    aiort_unref(task);
    return err;
}

TEST(stack_shield)
{
    run(stack_shield);
    assert_string_equal(graph, "c1_task[-capture deep c1](Task-1[stack_shield])");
}

static int inside_timeout(void *arg, void **result)
{
    aiort_timeout_t *timeout = aiort_timeout(10);
    int err = aiort_timeout_enter(timeout);

    if (!err) {
        err = aiort_await(AIORT_CORO(deep, arg), result);
        err = aiort_timeout_exit(timeout, err);
    }
    aiort_unref(timeout);
    return err;
}

static int stack_timeout(void *arg, void **result)
{
    return aiort_wait_for(AIORT_CORO(inside_timeout, arg), 10, result);
}

TEST(stack_timeout)
{
    run(stack_timeout);
    assert_string_equal(graph, "Task-1[-capture deep inside_timeout stack_timeout]");
    assert_lacks(text, "Awaited by");
}

static int stack_wait(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_task_t *one = named("c1_task", c1, NULL), *two = named("c2_task", c2, NULL);
    aiort_future_t *both[] = {AIORT_FUTURE(one), AIORT_FUTURE(two)};
    int n = aiort_wait(both, 2, -1, AIORT_ALL_COMPLETED);

    aiort_unref(one);
    aiort_unref(two);
    return n == 2 ? 0 : UV_EINVAL;
}

TEST(stack_wait)
{
    run(stack_wait);
    assert_string_equal(graph, "c1_task[-capture deep c1](Task-1[stack_wait])");
}

static int stack_task(void *arg, void **result)
{
    (void)arg;
    aiort_task_t *task = named("c1_task", c1, NULL);
    int err = aiort_await(task, result);

    aiort_unref(task);
    return err;
}

TEST(stack_task)
{
    run(stack_task);
    assert_string_equal(graph, "c1_task[-capture deep c1](Task-1[stack_task])");
}

/* A future that two tasks wait for, one of which another one waits for. */
static int stack_future(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_future_t *future = new_future(NULL);
    aiort_task_t *b1 = named("b1", await_future, future);
    aiort_task_t *b2 = named("b2", await_future, future);
    aiort_task_t *over = named("over", await_future, AIORT_FUTURE(b2));

    assert_ok(aiort_sleep(0));
    capture(future);
    assert_ok(aiort_future_set_result(future, NULL));
    assert_ok(aiort_await(b1, NULL));
    assert_ok(aiort_await(b2, NULL));
    assert_ok(aiort_await(over, NULL));
    capture(future); /* done: nobody waits */
    aiort_unref(b1);
    aiort_unref(b2);
    aiort_unref(over);
    aiort_unref(future);
    return 0;
}

BODY(stack_future)
{
    char before[sizeof graph];
    aiort_future_t *future = new_future(NULL);
    aiort_task_t *b1 = named("b1", await_future, future);
    aiort_task_t *b2 = named("b2", await_future, future);
    aiort_task_t *over = named("over", await_future, AIORT_FUTURE(b2));

    assert_ok(aiort_sleep(0));
    capture(future);
    memcpy(before, graph, sizeof before);
    assert_contains(text, "* Future(id=0x");
    assert_contains(json, "{\"kind\": \"future\", \"id\": \"0x");
    assert_contains(json, "\"name\": \"over\", \"call_stack\": [{\"function\": \"await_future\", "
                          "\"file\": \"");
    assert_ok(aiort_future_set_result(future, NULL));
    assert_ok(aiort_await(b1, NULL));
    assert_ok(aiort_await(over, NULL));
    assert_string_equal(before, "Future[](b1[await_future], b2[await_future](over[await_future]))");
    capture(future); /* done: nobody waits */
    assert_string_equal(graph, "Future[]");
    aiort_unref(b1);
    aiort_unref(b2);
    aiort_unref(over);
    aiort_unref(future);
    return 0;
}

TEST(stack_future)
{
    run(body_stack_future);
    run(stack_future);
}

/* ---- The other ways to wait ---- */

static int next_of(void *iterator, void **result)
{
    (void)result;
    int n = aiort_as_completed_next((aiort_as_completed_t *)iterator, NULL);
    return n < 0 ? n : 0;
}

BODY(as_completed)
{
    aiort_future_t *future = new_future(NULL);
    aiort_awaitable_t *one[] = {AIORT_AWAITABLE(future)};
    aiort_as_completed_t *it = aiort_as_completed(one, 1, -1);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(next_of, it));

    assert_ok(aiort_task_set_name(task, "asks"));
    assert_ok(aiort_sleep(0));
    capture(future);
    assert_string_equal(graph, "Future[](asks[next_of])");
    assert_ok(aiort_future_set_result(future, NULL));
    assert_ok(aiort_await(task, NULL));
    aiort_as_completed_free(it);
    aiort_unref(task);
    aiort_unref(future);
    return 0;
}

TEST(as_completed_and_said)
{
    run(body_as_completed);
}

/* What a program says itself. */
BODY(add_to_awaited_by)
{
    aiort_future_t *future = new_future(NULL), *waiter = new_future(NULL);
    aiort_future_t *self = AIORT_FUTURE(aiort_current_task());

    assert_ok(aiort_future_add_to_awaited_by(future, waiter));
    assert_ok(aiort_future_add_to_awaited_by(future, waiter));
    assert_ok(aiort_future_add_to_awaited_by(future, self));
    capture(future);
    assert_contains(graph, "Future[](Future[], ");
    assert_int_equal(aiort_future_discard_from_awaited_by(future, waiter), 2);
    assert_int_equal(aiort_future_discard_from_awaited_by(future, self), 1);
    capture(future);
    assert_string_equal(graph, "Future[]");
    assert_ok(aiort_future_set_result(future, NULL));
    assert_ok(aiort_future_add_to_awaited_by(future, waiter));
    capture(future);
    assert_string_equal(graph, "Future[]");
    aiort_unref(future);
    aiort_unref(waiter);
    return 0;
}

TEST(add_to_awaited_by)
{
    run(body_add_to_awaited_by);
}

static int helper(void)
{
    return aiort_sleep(0.001);
}

static int by_helper(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return helper();
}

BODY(functions_between)
{
    aiort_task_t *task = aiort_create_task(AIORT_CORO(by_helper, NULL));
    const aiort_call_frame_t *frames;

    assert_ok(aiort_task_set_name(task, "t"));
    capture(AIORT_FUTURE(task));
    assert_string_equal(graph, "t[]"); /* it has not started */
    assert_ok(aiort_sleep(0));
    capture(AIORT_FUTURE(task));
    assert_string_equal(graph, "t[-helper by_helper]");
    assert_contains(text, ", in helper()\n  |   in async by_helper()\n");
    aiort_call_graph_t *one = aiort_capture_call_graph(AIORT_FUTURE(task), 1);
    assert_int_equal(aiort_call_graph_stack(one, &frames), 1);
    assert_string_equal(frames[0].function, "helper");
    assert_contains(frames[0].file, "test_graph.c");
    aiort_unref(one);
    one = aiort_capture_call_graph(AIORT_FUTURE(task), 0);
    assert_int_equal(aiort_call_graph_stack(one, NULL), 0);
    aiort_unref(one);
    assert_ok(aiort_await(task, NULL));
    capture(AIORT_FUTURE(task));
    assert_string_equal(graph, "t[]");
    aiort_unref(task);
    return 0;
}

TEST(functions_between)
{
    run(body_functions_between);
}

TEST(outside_of_tasks)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_null_code(aiort_capture_call_graph(NULL, AIORT_ALL_FRAMES), AIORT_ENOTASK);
    assert_code(aiort_print_call_graph(NULL, stdout), AIORT_ENOTASK);
    assert_int_equal(aiort_format_call_graph(NULL, AIORT_GRAPH_TEXT, text, sizeof text), 0);
    capture(future);
    assert_string_equal(graph, "Future[]");
    aiort_unref(future);
    drop_loop(loop);
}

/* ---- test_tools.py: the tree and the table ---- */

static const char *tree(aiort_loop_t *loop)
{
    size_t length = aiort_format_await_tree(loop, AIORT_GRAPH_TEXT, text, sizeof text);

    assert_int_equal(length, strlen(text));
    return text;
}

static const char *table(aiort_loop_t *loop)
{
    size_t length = aiort_format_await_tree(loop, AIORT_GRAPH_TABLE, text, sizeof text);

    assert_int_equal(length, strlen(text));
    return text;
}

static size_t count(const char *where, const char *what)
{
    size_t n = 0;

    for (const char *at = where; (at = strstr(at, what)); at += strlen(what))
        n++;
    return n;
}

TEST(empty_input_tree)
{
    aiort_loop_t *loop = new_loop();

    assert_string_equal(tree(loop), "");
    drop_loop(loop);
    assert_int_equal(aiort_format_await_tree(NULL, AIORT_GRAPH_TEXT, text, sizeof text), 0);
    assert_code(aiort_print_await_tree(NULL, AIORT_GRAPH_TEXT, stdout), AIORT_ENOLOOP);
    assert_code(aiort_find_await_cycle(NULL, NULL, 0), AIORT_ENOLOOP);
}

TEST(empty_input_table)
{
    aiort_loop_t *loop = new_loop();

    assert_int_equal(count(table(loop), "\n"), 2); /* the heading */
    drop_loop(loop);
}

/* Tasks of a loop that does not run, each with a name of its own. */
static void with_tasks(int n, void (*see)(aiort_loop_t *))
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *tasks[8];
    char name[8];

    for (int i = 0; i < n; i++) {
        tasks[i] = start(loop, AIORT_CORO(sleep_ms, PTR(100000)));
        snprintf(name, sizeof name, "t%d", i);
        assert_ok(aiort_task_set_name(tasks[i], name));
    }
    run_once(loop);
    see(loop);
    for (int i = 0; i < n; i++)
        end_task(loop, tasks[i]);
    drop_loop(loop);
}

static void see_single_tree(aiort_loop_t *loop)
{
    tree(loop);
    assert_int_equal(count(text, "\n"), 2);
    assert_contains(text, "└── (T) t0\n    └──  sleep_ms ");
    assert_contains(text, "helpers.h:");
}

TEST(single_task_tree)
{
    with_tasks(1, see_single_tree);
}

static void see_single_table(aiort_loop_t *loop)
{
    table(loop);
    assert_int_equal(count(text, "\n"), 3);
    assert_contains(text, " t0 ");
    assert_contains(text, " sleep_ms ");
    assert_contains(text, " 0x0\n");
}

TEST(single_task_table)
{
    with_tasks(1, see_single_table);
}

static void see_independent_tree(aiort_loop_t *loop)
{
    tree(loop);
    assert_int_equal(count(text, "└── (T) t"), 3);
    assert_int_equal(count(text, "\n"), 6);
}

TEST(only_independent_tasks_tree)
{
    with_tasks(3, see_independent_tree);
}

static void see_independent_table(aiort_loop_t *loop)
{
    table(loop);
    assert_int_equal(count(text, " 0x0\n"), 3);
    assert_int_equal(count(text, "\n"), 5);
}

TEST(only_independent_tasks_table)
{
    with_tasks(3, see_independent_table);
}

/* main waits for a group of two, each of which waits for two in a gather. */
static int leaf(void *future, void **result)
{
    return aiort_await((aiort_future_t *)future, result);
}

static int branch(void *future, void **result)
{
    const aiort_task_options_t options[] = {{.name = "leaf one"}, {.name = "leaf two"}};
    aiort_task_t *tasks[2];
    aiort_awaitable_t *both[2];

    (void)result;
    for (int i = 0; i < 2; i++) {
        tasks[i] = aiort_loop_create_task(NULL, AIORT_CORO(leaf, future), &options[i]);
        both[i] = AIORT_AWAITABLE(tasks[i]);
    }
    aiort_future_t *all = aiort_gather(both, 2, 0);
    int err = aiort_await(all, NULL);
    aiort_unref(all);
    aiort_unref(tasks[0]);
    aiort_unref(tasks[1]);
    return err;
}

static int trunk(void *future, void **result)
{
    const aiort_task_options_t options[] = {{.name = "branch one"}, {.name = "branch two"}};
    aiort_task_group_t *group = aiort_task_group_new();
    int err = aiort_task_group_enter(group);

    (void)result;
    for (int i = 0; i < 2 && !err; i++)
        err =
            aiort_task_group_create_task_with(group, AIORT_CORO(branch, future), &options[i], NULL);
    err = aiort_task_group_exit(group, err);
    aiort_unref(group);
    return err;
}

static void with_trunk(void (*see)(aiort_loop_t *))
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_task_t *task = start(loop, AIORT_CORO(trunk, future));

    assert_ok(aiort_task_set_name(task, "root"));
    for (int i = 0; i < 4; i++)
        run_once(loop);
    see(loop);
    assert_int_equal(aiort_find_await_cycle(loop, NULL, 0), 0);
    assert_ok(aiort_future_set_result(future, NULL));
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    aiort_unref(task);
    aiort_unref(future);
    drop_loop(loop);
}

static void see_complex_tree(aiort_loop_t *loop)
{
    char lines[16][96];
    int n = 0;

    tree(loop);
    /* The places are left out. */
    for (char *line = strtok(text, "\n"); line && n < 16; line = strtok(NULL, "\n")) {
        char *file = strstr(line, " tests/");
        if (file)
            *file = '\0';
        snprintf(lines[n++], sizeof lines[0], "%s", line);
    }
    const char *expected[] = {
        "└── (T) root",
        "    └──  trunk",
        "        ├── (T) branch one",
        "        │   └──  branch",
        "        │       ├── (T) leaf one",
        "        │       │   └──  leaf",
        "        │       └── (T) leaf two",
        "        │           └──  leaf",
        "        └── (T) branch two",
        "            └──  branch",
        "                ├── (T) leaf one",
        "                │   └──  leaf",
        "                └── (T) leaf two",
        "                    └──  leaf",
    };
    assert_int_equal(n, sizeof expected / sizeof expected[0]);
    for (int i = 0; i < n; i++)
        assert_string_equal(lines[i], expected[i]);
}

TEST(complex_tree)
{
    with_trunk(see_complex_tree);
}

static void see_complex_table(aiort_loop_t *loop)
{
    table(loop);
    assert_int_equal(count(text, "\n"), 2 + 7);
    assert_int_equal(count(text, " leaf one "), 2);
    assert_int_equal(count(text, " branch two      0x"), 2); /* who awaits */
    assert_int_equal(count(text, " root            0x"), 2);
    assert_int_equal(count(text, " 0x0\n"), 1);
}

TEST(complex_table)
{
    with_trunk(see_complex_table);
}

/* Rows have as many columns as the heading: they begin where its words do. */
static void see_columns(aiort_loop_t *loop)
{
    table(loop);
    const char *names = strstr(text, "task name"), *stacks = strstr(text, "coroutine stack");
    size_t name_at = (size_t)(names - text), stack_at = (size_t)(stacks - text);
    const char *row = strstr(text, "---\n") + 4;
    assert_memory_equal(row + name_at, "t0 ", 3);
    assert_memory_equal(row + stack_at, "sleep_ms ", 9);
}

TEST(table_output_format)
{
    with_tasks(1, see_columns);
}

static int chain(void *depth, void **result)
{
    if (INT(depth) == 0)
        return aiort_sleep(100);
    return aiort_await(AIORT_CORO(chain, PTR(INT(depth) - 1)), result);
}

TEST(deep_coroutine_chain)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(chain, PTR(20)));

    run_once(loop);
    assert_int_equal(count(tree(loop), "└──  chain "), 21);
    end_task(loop, task);
    drop_loop(loop);
}

/* A thousand tasks, each waiting for the next: nothing here goes by recursion. */
static int chain_of_tasks(void *depth, void **result)
{
    if (INT(depth) == 0)
        return aiort_sleep(100);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(chain_of_tasks, PTR(INT(depth) - 1)));
    int err = aiort_await(task, result);
    aiort_unref(task);
    return err;
}

static aiort_task_t *last_task(aiort_loop_t *loop)
{
    aiort_task_t *tasks[1100];
    size_t n = aiort_all_tasks(loop, tasks, 1100);
    aiort_task_t *last = aiort_ref(tasks[n - 1]);

    for (size_t i = 0; i < n; i++)
        aiort_unref(tasks[i]);
    return last;
}

TEST(deep_task_chain)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(chain_of_tasks, PTR(1000)));

    for (int i = 0; i < 1002; i++)
        run_once(loop);
    size_t length = aiort_format_await_tree(loop, AIORT_GRAPH_TEXT, text, sizeof text);
    assert_true(length > 1000000);
    assert_int_equal(strlen(text), sizeof text - 1);
    char *all = malloc(length + 1);
    assert_int_equal(aiort_format_await_tree(loop, AIORT_GRAPH_TEXT, all, length + 1), length);
    assert_int_equal(count(all, "(T)"), 1001);
    free(all);
    aiort_task_t *innermost = last_task(loop);
    length = aiort_format_call_graph(AIORT_FUTURE(innermost), AIORT_GRAPH_TEXT, text, sizeof text);
    all = malloc(length + 1);
    assert_int_equal(
        aiort_format_call_graph(AIORT_FUTURE(innermost), AIORT_GRAPH_TEXT, all, length + 1),
        length);
    assert_int_equal(count(all, "* Task("), 1001);
    free(all);
    aiort_unref(innermost);
    end_task(loop, task);
    drop_loop(loop);
}

/* ---- Cycles ---- */

static aiort_task_t *ring[4];

static int wait_for_ring(void *i, void **result)
{
    return aiort_await(ring[INT(i)], result);
}

/* t0 waits for t1, t1 for t2, t2 for t0; t3 waits for t0, from outside. */
static void with_ring(void (*see)(aiort_loop_t *))
{
    static const int waits_for[4] = {1, 2, 0, 0};
    aiort_loop_t *loop = new_loop();
    char name[8];

    for (int i = 0; i < 4; i++) {
        ring[i] = start(loop, AIORT_CORO(wait_for_ring, PTR(waits_for[i])));
        snprintf(name, sizeof name, "t%d", i);
        assert_ok(aiort_task_set_name(ring[i], name));
    }
    run_once(loop);
    run_once(loop);
    see(loop);
    for (int i = 0; i < 4; i++)
        aiort_task_cancel(ring[i], NULL);
    for (int i = 0; i < 4; i++) {
        assert_code(aiort_loop_run_until_complete(loop, ring[i], NULL), UV_ECANCELED);
        aiort_unref(ring[i]);
    }
    drop_loop(loop);
}

static void see_cycle(aiort_loop_t *loop)
{
    aiort_task_t *tasks[4] = {NULL};

    assert_int_equal(aiort_find_await_cycle(loop, tasks, 4), 3);
    assert_ptr_equal(tasks[0], ring[0]);
    assert_ptr_equal(tasks[1], ring[1]);
    assert_ptr_equal(tasks[2], ring[2]);
    for (int i = 0; i < 3; i++)
        aiort_unref(tasks[i]);
    assert_int_equal(aiort_find_await_cycle(loop, tasks, 1), 3);
    aiort_unref(tasks[0]);
}

TEST(cycle_detection)
{
    with_ring(see_cycle);
}

static void see_cycle_text(aiort_loop_t *loop)
{
    tree(loop);
    assert_contains(text, "└── (T) t3\n");
    assert_int_equal(count(text, "(T) t0"), 2);
    assert_contains(text, "(T) t0 (a cycle)\n");
    assert_contains(text, "cycle: t0 → t1 → t2 → t0\n");
    aiort_format_await_tree(loop, AIORT_GRAPH_JSON, json, sizeof json);
    snprintf(text, sizeof text, "\"cycles\": [[\"%p\", \"%p\", \"%p\"]]}\n", (void *)ring[0],
             (void *)ring[1], (void *)ring[2]);
    assert_contains(json, text);
    capture(AIORT_FUTURE(ring[1]));
    assert_contains(text, " (a cycle: it waits for itself)\n");
    assert_contains(json, "\"again\": \"cycle\"}");
    assert_int_equal(count(text, "+ Call stack:"), 4);
}

TEST(asyncio_utils_cycles)
{
    with_ring(see_cycle_text);
}

/* And the await that closes it is reported at once. */
TEST(the_await_that_closes_a_cycle)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;
    char name[8];

    record(loop, &reports);
    for (int i = 0; i < 3; i++) {
        ring[i] = start(loop, AIORT_CORO(wait_for_ring, PTR((i + 1) % 3)));
        snprintf(name, sizeof name, "t%d", i);
        assert_ok(aiort_task_set_name(ring[i], name));
    }
    run_once(loop);
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.check, "await-cycle");
    assert_string_equal(reports.message,
                        "Tasks wait for each other in a cycle: t2 -> t0 -> t1 -> t2");
    assert_ptr_equal(reports.task, ring[2]);
    for (int i = 0; i < 3; i++)
        aiort_task_cancel(ring[i], NULL);
    for (int i = 0; i < 3; i++) {
        assert_code(aiort_loop_run_until_complete(loop, ring[i], NULL), UV_ECANCELED);
        aiort_unref(ring[i]);
    }
    drop_loop(loop);
}

/* Two cycles through one task, by a gather. */
static int wait_for_two(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_awaitable_t *both[] = {AIORT_AWAITABLE(ring[1]), AIORT_AWAITABLE(ring[2])};
    aiort_future_t *all = aiort_gather(both, 2, 0);
    int err = aiort_await(all, NULL);
    aiort_unref(all);
    return err;
}

TEST(multiple_cycles_same_node)
{
    aiort_loop_t *loop = new_loop();
    char name[8];

    for (int i = 0; i < 3; i++) {
        ring[i] = start(loop, i == 0 ? AIORT_CORO(wait_for_two, NULL)
                                     : AIORT_CORO(wait_for_ring, PTR(0)));
        snprintf(name, sizeof name, "t%d", i);
        assert_ok(aiort_task_set_name(ring[i], name));
    }
    run_once(loop);
    run_once(loop);
    tree(loop);
    assert_contains(text, "cycle: t0 → t1 → t0\n");
    assert_contains(text, "cycle: t0 → t2 → t0\n");
    assert_int_equal(aiort_task_cancel(ring[1], NULL), 1);
    for (int i = 0; i < 3; i++) {
        (void)aiort_task_cancel(ring[i], NULL);
        (void)aiort_loop_run_until_complete(loop, ring[i], NULL);
        aiort_unref(ring[i]);
    }
    drop_loop(loop);
}

/* By a gather a task can wait for itself. */
static int wait_for_itself(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_awaitable_t *self[] = {AIORT_AWAITABLE(aiort_current_task())};
    aiort_future_t *all = aiort_gather(self, 1, 0);
    int err = aiort_await(all, NULL);
    aiort_unref(all);
    return err;
}

TEST(task_awaits_self)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(wait_for_itself, NULL)), *found = NULL;
    reports_t reports;

    assert_ok(aiort_task_set_name(task, "selfish"));
    run_once(loop);
    assert_int_equal(aiort_find_await_cycle(loop, &found, 1), 1);
    assert_ptr_equal(found, task);
    aiort_unref(found);
    assert_contains(tree(loop), "cycle: selfish → selfish\n");
    record(loop, &reports);
    aiort_unref(task); /* nothing can end it but the loop's close */
    drop_loop(loop);
    assert_int_equal(reports.calls, 1);
}

/* Cancelling such a ring ends it, and does not go round for ever. */
TEST(cancelling_a_task_that_awaits_itself)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *task = start(loop, AIORT_CORO(wait_for_itself, NULL));

    run_once(loop);
    assert_int_equal(aiort_task_cancel(task, "enough"), 1);
    assert_code(aiort_loop_run_until_complete(loop, task, NULL), UV_ECANCELED);
    aiort_unref(task);
    drop_loop(loop);
}

/* Two ways lead to one task: it is gone into once. */
static int wait_for_both(void *arg, void **result)
{
    return wait_for_two(arg, result);
}

TEST(task_reached_by_two_ways)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    ring[0] = start(loop, AIORT_CORO(leaf, future));
    ring[1] = start(loop, AIORT_CORO(wait_for_ring, PTR(0)));
    ring[2] = start(loop, AIORT_CORO(wait_for_ring, PTR(0)));
    ring[3] = start(loop, AIORT_CORO(wait_for_both, NULL));
    run_once(loop);
    tree(loop);
    assert_int_equal(count(text, "(as above)"), 1);
    assert_lacks(text, "cycle");
    capture(future);
    assert_int_equal(count(text, "(as above)"), 1);
    assert_contains(json, "\"again\": \"above\"}");
    assert_ok(aiort_future_set_result(future, NULL));
    for (int i = 0; i < 4; i++) {
        assert_ok(aiort_loop_run_until_complete(loop, ring[i], NULL));
        aiort_unref(ring[i]);
    }
    aiort_unref(future);
    drop_loop(loop);
}

/* ---- Out of memory ---- */

static void see_refused(aiort_loop_t *loop)
{
    for (long n = 1;; n++) {
        long live = allocator_live();
        allocator_refuse(n);
        size_t length = aiort_format_await_tree(loop, AIORT_GRAPH_TEXT, text, sizeof text);
        aiort_call_graph_t *captured =
            aiort_capture_call_graph(AIORT_FUTURE(ring[0]), AIORT_ALL_FRAMES);
        long refused = allocator_refused();
        allocator_refuse(0);
        assert_true(refused ? length == 0 || !captured : length > 0 && captured);
        aiort_unref(captured);
        forget_error();
        assert_int_equal(allocator_live(), live);
        if (!refused)
            break;
    }
}

TEST(out_of_memory)
{
    allocator_install();
    with_ring(see_refused);
}
