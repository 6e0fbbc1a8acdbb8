/* SPDX-License-Identifier: MIT */
/* Context variables: what a task sets flows into the tasks it makes, and nowhere else. Mirrors the
 * context_* tests of CPython's test_tasks.py. */
#include "allocator.h"

#include <pthread.h>

static aiort_context_var_t *var;

static int get(void)
{
    return INT(aiort_context_var_get(var));
}

static void set(int value)
{
    assert_ok(aiort_context_var_set(var, PTR(value)));
}

static void with_var(aiort_coroutine_fn function)
{
    var = aiort_context_var_new("cvar", PTR(-1));
    assert_non_null(var);
    assert_ok(aiort_run(AIORT_CORO(function, NULL), NULL));
    assert_int_equal(get(), -1); /* nothing got out of the tasks */
    aiort_unref(var);
}

static int sub(void *arg, void **result)
{
    (void)arg;
    (void)result;
    assert_int_equal(get(), 1);
    set(2);
    assert_ok(aiort_sleep(0.001));
    assert_int_equal(get(), 2);
    return 0;
}

static int main_1(void *arg, void **result)
{
    (void)arg;
    (void)result;
    assert_int_equal(get(), -1);
    set(1);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(sub, NULL));
    set(3); /* after it was made: not the task's */
    assert_ok(aiort_await(task, NULL));
    assert_int_equal(get(), 3);
    aiort_unref(task);
    return 0;
}

TEST(context_1)
{
    with_var(main_1);
}

static int main_2(void *arg, void **result)
{
    (void)arg;
    (void)result;
    set(1);
    assert_ok(aiort_await(AIORT_CORO(sub, NULL), NULL)); /* in place: the same task */
    assert_int_equal(get(), 2);
    return 0;
}

TEST(context_2)
{
    with_var(main_2);
}

static int sub_3(void *arg, void **result)
{
    (void)result;
    assert_int_equal(get(), -1);
    for (int i = 0; i < 10; i++) {
        set(INT(arg) + i);
        assert_ok(aiort_sleep(0.001));
        assert_int_equal(get(), INT(arg) + i);
    }
    return 0;
}

static int main_3(void *arg, void **result)
{
    aiort_task_t *tasks[100];

    (void)arg;
    (void)result;
    for (int i = 0; i < 100; i++)
        tasks[i] = aiort_create_task(AIORT_CORO(sub_3, PTR(i * 100)));
    for (int i = 0; i < 100; i++) {
        assert_ok(aiort_await(tasks[i], NULL));
        aiort_unref(tasks[i]);
    }
    assert_int_equal(get(), -1);
    return 0;
}

TEST(context_3)
{
    with_var(main_3);
}

static int grandchild(void *arg, void **result)
{
    (void)arg;
    *result = PTR(get());
    return 0;
}

static int child(void *arg, void **result)
{
    (void)arg;
    aiort_task_t *task = aiort_create_task(AIORT_CORO(grandchild, NULL));
    int err = aiort_await(task, result);

    aiort_unref(task);
    return err;
}

static int main_inherits(void *arg, void **result)
{
    void *value = NULL;

    (void)arg;
    (void)result;
    set(42);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(child, NULL));
    assert_ok(aiort_await(task, &value));
    assert_int_equal(INT(value), 42);
    aiort_unref(task);
    return 0;
}

TEST(flows_into_grandchildren)
{
    with_var(main_inherits);
}

static int in_callback(void *arg)
{
    (void)arg;
    assert_int_equal(get(), 7); /* the thread's */
    set(8);
    return 0;
}

static int main_callback(void *arg, void **result)
{
    (void)arg;
    (void)result;
    assert_int_equal(get(), 7);
    set(1);
    assert_ok(aiort_call_soon(aiort_get_running_loop(), in_callback, NULL, NULL));
    assert_ok(aiort_sleep(0.001));
    assert_int_equal(get(), 1);
    return 0;
}

static void *other_thread(void *arg)
{
    assert_int_equal(get(), -1);
    set(5);
    assert_int_equal(get(), 5);
    return arg;
}

/* Outside of tasks it is the thread's, which the first task inherits. */
TEST(of_the_thread)
{
    pthread_t thread;

    var = aiort_context_var_new("cvar", PTR(-1));
    set(7);
    assert_ok(aiort_run(AIORT_CORO(main_callback, NULL), NULL));
    assert_int_equal(get(), 8);
    assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
    pthread_join(thread, NULL);
    assert_int_equal(get(), 8);
    aiort_unref(var); /* the thread's context keeps it */
}

TEST(many_variables)
{
    aiort_context_var_t *vars[20];
    char name[16];

    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "v%d", i);
        vars[i] = aiort_context_var_new(name, NULL);
        assert_ok(aiort_context_var_set(vars[i], PTR(i + 1)));
    }
    for (int i = 0; i < 20; i++)
        assert_int_equal(INT(aiort_context_var_get(vars[i])), i + 1);
    for (int i = 0; i < 20; i++)
        aiort_unref(vars[i]);
}

TEST(var_itself)
{
    char text[64];

    assert_null_code(aiort_context_var_new(NULL, NULL), UV_EINVAL);
    var = aiort_context_var_new("name", PTR(3));
    snprintf(text, sizeof text, "<ContextVar name='name' at %p>", (void *)var);
    assert_string_equal(repr(var), text);
    assert_int_equal(get(), 3);
    aiort_unref(var);
}

TEST(refused_memory)
{
    allocator_install();
    allocator_refuse(1);
    assert_null_code(aiort_context_var_new("name", NULL), UV_ENOMEM);
    allocator_refuse(0);
    var = aiort_context_var_new("name", PTR(3));
    allocator_refuse(1);
    assert_code(aiort_context_var_set(var, PTR(4)), UV_ENOMEM);
    allocator_refuse(0);
    assert_int_equal(get(), 3);
    aiort_unref(var);
    assert_int_equal(allocator_live(), 0);
}
