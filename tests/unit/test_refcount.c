/* SPDX-License-Identifier: MIT */
/* References: who holds what, and that nothing stays when everybody has let go. */
#include "allocator.h"

TEST(ref_gives_the_object)
{
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);

    assert_ptr_equal(aiort_ref(future), future);
    assert_null(aiort_ref(NULL));
    aiort_unref(NULL);
    aiort_unref(future);
    assert_false(aiort_future_done(future));
    aiort_unref(future);
    drop_loop(loop);
}

static void end(aiort_loop_t *loop)
{
    drop_loop(loop);
    forget_error();
    assert_int_equal(allocator_live(), 0);
}

/* A cancelled future that was asked for its result keeps nothing alive. */
TEST(future_cancelled_result_refcycles)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();

    for (int i = 0; i < 1000; i++) {
        aiort_future_t *future = new_future(loop);
        aiort_future_cancel(future, "with a message");
        assert_code(aiort_future_result(future, NULL), UV_ECANCELED);
        aiort_unref(future);
    }
    assert_true(allocator_live() < 100);
    end(loop);
}

TEST(future_cancelled_exception_refcycles)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();

    for (int i = 0; i < 1000; i++) {
        aiort_future_t *future = new_future(loop);
        aiort_error_t *error = NULL;
        aiort_future_cancel(future, "with a message");
        assert_code(aiort_future_error(future, &error), UV_ECANCELED);
        aiort_unref(future);
    }
    assert_true(allocator_live() < 100);
    end(loop);
}

static int fail_with_text(void *arg, void **result)
{
    (void)result;
    return aiort_raise(UV_EIO, "number %d of many", INT(arg));
}

static int run_many(void *arg, void **result)
{
    (void)arg;
    (void)result;
    for (int i = 0; i < 1000; i++) {
        aiort_task_t *task = aiort_create_task(AIORT_CORO(fail_with_text, PTR(i)));
        assert_code(aiort_await(task, NULL), UV_EIO);
        assert_code(aiort_raise_from(aiort_current_error(), UV_EIO, "wrapped"), UV_EIO);
        assert_code(aiort_await(AIORT_CORO(fail_with_text, PTR(i)), NULL), UV_EIO);
        aiort_unref(task);
    }
    return 0;
}

/* CPython looks at the references of a task that is used again and again. */
TEST(refleaks_in_task___init__)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(run_many, NULL), NULL));
    long before = allocator_live();
    for (int i = 0; i < 5; i++)
        assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(run_many, NULL), NULL));
    assert_true(allocator_live() - before < 20);
    end(loop);
}

/* The references that await, callbacks and the loop take are all given back. */
static int proper(void *arg, void **result)
{
    aiort_future_t *future = arg;
    *result = NULL;
    return aiort_await(future, NULL);
}

TEST(proper_refcounts)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();

    for (int i = 0; i < 3; i++) {
        aiort_future_t *future = new_future(loop);
        aiort_task_t *task = start(loop, AIORT_CORO(proper, future));
        run_briefly(loop);
        if (i == 0)
            assert_ok(aiort_future_set_result(future, NULL));
        else if (i == 1)
            assert_ok(aiort_future_set_error(future, UV_EIO, "break"));
        else
            aiort_task_cancel(task, "break");
        aiort_unref(future);
        aiort_loop_run_until_complete(loop, task, NULL);
        aiort_unref(task);
    }
    end(loop);
}

/* The result is the caller's pointer: it is neither looked into nor freed. */
static int give(void *arg, void **result)
{
    *result = arg;
    return 0;
}

TEST(task_del_collect)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();
    aiort_task_t *tasks[100];
    char *blocks[100];

    for (int i = 0; i < 100; i++) {
        blocks[i] = malloc(16);
        tasks[i] = start(loop, AIORT_CORO(give, blocks[i]));
    }
    for (int i = 0; i < 100; i++) {
        void *result = NULL;
        assert_ok(aiort_loop_run_until_complete(loop, tasks[i], &result));
        assert_ptr_equal(result, blocks[i]);
        aiort_unref(tasks[i]);
        memset(blocks[i], 1, 16);
        free(blocks[i]);
    }
    end(loop);
}

/* Nor when a future goes that nobody asked for it. */
TEST(future_del_collect)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();

    for (int i = 0; i < 100; i++) {
        aiort_future_t *future = new_future(loop);
        char *block = malloc(16);
        assert_non_null(block);
        assert_ok(aiort_future_set_result(future, block));
        free(block);
        aiort_unref(future);
    }
    end(loop);
}

/* Objects of a loop may be given back after it, in any order. */
TEST(objects_outlive_their_loop)
{
    allocator_install();
    aiort_loop_t *loop = new_loop();
    aiort_future_t *future = new_future(loop);
    aiort_handle_t *handles[3];
    aiort_task_t *task = start(loop, AIORT_CORO(give, NULL));

    assert_ok(aiort_call_soon(loop, do_nothing, NULL, &handles[0]));
    assert_ok(aiort_call_later(loop, 9, do_nothing, NULL, &handles[1]));
    assert_ok(aiort_call_soon_threadsafe(loop, do_nothing, NULL, &handles[2]));
    assert_ok(aiort_loop_run_until_complete(loop, task, NULL));
    assert_ok(aiort_loop_close(loop));
    aiort_unref(loop);
    assert_contains(repr(task), "<Task finished");
    assert_contains(repr(future), "<Future pending");
    assert_true(aiort_handle_when(handles[1]) > 0);
    aiort_unref(handles[1]);
    aiort_unref(future);
    aiort_unref(task);
    aiort_unref(handles[0]);
    aiort_unref(handles[2]);
    forget_error();
    assert_int_equal(allocator_live(), 0);
}

/* Coroutines given up in every way: closed, taken by a task that cannot be, awaited, run. */
typedef struct {
    char bytes[500];
} big_t;

TEST(coroutines_are_taken_over)
{
    big_t big = {{1}};
    allocator_install();
    aiort_loop_t *loop = new_loop();

    assert_ok(aiort_coroutine_close(AIORT_CORO(give, NULL)));
    assert_null(aiort_create_task(AIORT_CORO(give, NULL)));
    assert_code(aiort_await(AIORT_CORO(give, NULL), NULL), AIORT_ENOTASK);
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(give, NULL), NULL));
    assert_ok(aiort_coroutine_close(AIORT_CORO_BY_VALUE(give, big)));
    assert_ok(aiort_run(AIORT_CORO(give, NULL), NULL));
    end(loop);
}

TEST(replace_allocator_wants_all_four)
{
    assert_code(aiort_replace_allocator(NULL, realloc, calloc, free), UV_EINVAL);
    assert_code(aiort_replace_allocator(malloc, NULL, calloc, free), UV_EINVAL);
    assert_code(aiort_replace_allocator(malloc, realloc, NULL, free), UV_EINVAL);
    assert_code(aiort_replace_allocator(malloc, realloc, calloc, NULL), UV_EINVAL);
}
