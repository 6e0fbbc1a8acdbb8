/* SPDX-License-Identifier: MIT */
/* Errors: codes, names, texts, messages, origins and causes; the current error. */
#include "allocator.h"

#include <pthread.h>

TEST(every_code_has_a_name_and_a_text)
{
#define CHECK(name, code, text)                                                                    \
    assert_int_equal(AIORT_##name, code);                                                          \
    assert_string_equal(aiort_err_name(AIORT_##name), #name);                                      \
    assert_string_equal(aiort_strerror(AIORT_##name), text);
    AIORT_ERRNO_MAP(CHECK)
#undef CHECK
}

/* libuv's codes have libuv's names and texts. */
TEST(codes_of_libuv)
{
#define CHECK(name, text)                                                                          \
    assert_string_equal(aiort_err_name(UV_##name), #name);                                         \
    assert_string_equal(aiort_strerror(UV_##name), text);
    UV_ERRNO_MAP(CHECK)
#undef CHECK
}

TEST(codes_are_all_different)
{
    static const int codes[] = {
#define CODE(name, code, text) code,
        AIORT_ERRNO_MAP(CODE)
#undef CODE
#define CODE(name, text) UV_##name,
            UV_ERRNO_MAP(CODE)
#undef CODE
    };
    int n = sizeof codes / sizeof codes[0];

    for (int i = 0; i < n; i++) {
        assert_true(codes[i] < 0);
        for (int k = 0; k < i; k++)
            assert_int_not_equal(codes[i], codes[k]);
    }
}

TEST(unknown_code)
{
    assert_string_equal(aiort_err_name(-12345), "E12345");
    assert_non_null(aiort_strerror(-12345));
    assert_non_null(aiort_err_name(0));
    assert_non_null(aiort_strerror(0));
}

TEST(nothing_has_failed)
{
    assert_int_equal(aiort_last_error(), 0);
    assert_null(aiort_current_error());
}

TEST(raise)
{
    int line = __LINE__ + 1;
    assert_code(aiort_raise(UV_EINVAL, "bad header: %d", 7), UV_EINVAL);
    aiort_error_t *error = aiort_current_error();

    assert_non_null(error);
    assert_int_equal(aiort_kind(error), AIORT_KIND_ERROR);
    assert_int_equal(aiort_last_error(), UV_EINVAL);
    assert_int_equal(aiort_error_code(error), UV_EINVAL);
    assert_string_equal(aiort_error_message(error), "bad header: 7");
    assert_null(aiort_error_cause(error));
    assert_non_null(aiort_error_site(error));
    assert_string_equal(aiort_error_site(error)->file, __FILE__);
    assert_int_equal(aiort_error_site(error)->line, line);
    assert_string_equal(aiort_error_site(error)->function, "test_raise");
}

/* What is not negative is no error: it becomes UV_EINVAL. */
TEST(raise_of_no_error)
{
    assert_code(aiort_raise(0, "nothing"), UV_EINVAL);
    assert_code(aiort_raise(17, "positive"), UV_EINVAL);
    assert_int_equal(aiort_error_code(aiort_current_error()), UV_EINVAL);
}

TEST(raise_from)
{
    aiort_raise(UV_ENOENT, "no file");
    aiort_error_t *first = aiort_ref(aiort_current_error());
    assert_code(aiort_raise_from(first, UV_EINVAL, "no configuration"), UV_EINVAL);
    aiort_unref(first);
    aiort_error_t *second = aiort_current_error();

    assert_string_equal(aiort_error_message(second), "no configuration");
    assert_ptr_equal(aiort_error_cause(second), first);
    assert_string_equal(aiort_error_message(aiort_error_cause(second)), "no file");

    /* Straight from the current error, as documented. */
    assert_code(aiort_raise_from(aiort_current_error(), UV_EIO, "no start"), UV_EIO);
    assert_ptr_equal(aiort_error_cause(aiort_current_error()), second);
    assert_code(aiort_raise_from(NULL, UV_EIO, "no cause"), UV_EIO);
    assert_null(aiort_error_cause(aiort_current_error()));
}

TEST(kept_error_outlives_the_next)
{
    aiort_raise(UV_EIO, "kept");
    aiort_error_t *error = aiort_ref(aiort_current_error());
    aiort_raise(UV_EINVAL, "next");
    assert_string_equal(aiort_error_message(error), "kept");
    assert_int_equal(aiort_last_error(), UV_EINVAL);
    aiort_unref(error);
}

TEST(long_messages)
{
    char text[4000];

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    assert_code(aiort_raise(UV_EIO, "%s", text), UV_EIO);
    const char *message = aiort_error_message(aiort_current_error());
    assert_true(strlen(message) >= 200); /* as much as it keeps is the text's */
    assert_int_equal(strncmp(message, text, strlen(message)), 0);
}

/* ---- of tasks ---- */

static int raise_number(void *arg, void **result)
{
    (void)result;
    aiort_raise(UV_EINVAL, "task %d", INT(arg));
    for (int i = 0; i < 5; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "task %d", INT(arg));
        assert_int_equal(aiort_last_error(), UV_EINVAL);
        assert_string_equal(aiort_error_message(aiort_current_error()), expected);
        aiort_error_t *error = aiort_ref(aiort_current_error());
        assert_ok(aiort_sleep(0)); /* may forget it, but never takes another task's */
        if (aiort_last_error() != 0)
            assert_ptr_equal(aiort_current_error(), error);
        aiort_raise(UV_EINVAL, "task %d", INT(arg));
        aiort_unref(error);
    }
    return 0;
}

TEST(each_task_has_its_own_current_error)
{
    aiort_loop_t *loop = new_loop();
    aiort_task_t *tasks[4];

    aiort_raise(UV_EPIPE, "outside");
    for (int i = 0; i < 4; i++)
        tasks[i] = start(loop, AIORT_CORO(raise_number, PTR(i)));
    for (int i = 0; i < 4; i++) {
        assert_ok(aiort_loop_run_until_complete(loop, tasks[i], NULL));
        aiort_unref(tasks[i]);
    }
    drop_loop(loop);
}

static int fail_plainly(void *arg, void **result)
{
    (void)result;
    return INT(arg);
}

/* A coroutine may just return a code. */
TEST(code_without_message)
{
    aiort_loop_t *loop = new_loop();

    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(fail_plainly, PTR(UV_EPROTO)), NULL),
                UV_EPROTO);
    assert_int_equal(aiort_last_error(), UV_EPROTO);
    assert_int_equal(aiort_error_code(aiort_current_error()), UV_EPROTO);
    assert_non_null(aiort_error_message(aiort_current_error()));
    drop_loop(loop);
}

static int raise_and_return_another(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_raise(UV_EIO, "the one that was raised");
    return UV_EPIPE;
}

/* The code that is returned is the error; a message of another code is not made its own. */
TEST(returned_code_wins)
{
    aiort_loop_t *loop = new_loop();

    assert_code(
        aiort_loop_run_until_complete(loop, AIORT_CORO(raise_and_return_another, NULL), NULL),
        UV_EPIPE);
    assert_int_equal(aiort_error_code(aiort_current_error()), UV_EPIPE);
    assert_lacks(aiort_error_message(aiort_current_error()), "the one that was raised");
    drop_loop(loop);
}

static int fail_below(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_raise(UV_EIO, "below");
}

static int wrap(void *arg, void **result)
{
    (void)arg;
    int err = aiort_await(AIORT_CORO(fail_below, NULL), result);
    return aiort_raise_from(aiort_current_error(), err, "above");
}

TEST(cause_of_an_awaited_coroutine)
{
    aiort_loop_t *loop = new_loop();

    assert_code(aiort_loop_run_until_complete(loop, AIORT_CORO(wrap, NULL), NULL), UV_EIO);
    aiort_error_t *error = aiort_current_error();
    assert_string_equal(aiort_error_message(error), "above");
    assert_string_equal(aiort_error_site(error)->function, "wrap");
    assert_string_equal(aiort_error_message(aiort_error_cause(error)), "below");
    assert_string_equal(aiort_error_site(aiort_error_cause(error))->function, "fail_below");
    drop_loop(loop);
}

static void report_with_cause(void *arg)
{
    (void)arg;
    aiort_loop_t *loop = new_loop();
    aiort_unref(start(loop, AIORT_CORO(wrap, NULL)));
    run_briefly(loop);
    run_briefly(loop);
    drop_loop(loop);
}

TEST(cause_is_printed_above)
{
    char *output = NULL;

    assert_int_equal(harness_child(report_with_cause, NULL, 10, &output), 0);
    char *below = strstr(output, "EIO: below"), *above = strstr(output, "EIO: above");
    assert_non_null(below);
    assert_non_null(above);
    assert_true(below < above);
    assert_contains(output, "The above exception was the direct cause of the following exception:");
    free(output);
}

/* ---- threads ---- */

static aiort_error_t *travelling;

static void *raise_there(void *arg)
{
    (void)arg;
    assert_int_equal(aiort_last_error(), 0);
    aiort_raise(UV_EIO, "from a thread");
    travelling = aiort_ref(aiort_current_error());
    return NULL;
}

TEST(errors_travel_between_threads)
{
    allocator_install();
    pthread_t thread;

    assert_ok(pthread_create(&thread, NULL, raise_there, NULL));
    assert_ok(pthread_join(thread, NULL));
    assert_int_equal(aiort_last_error(), 0);
    assert_string_equal(aiort_error_message(travelling), "from a thread");
    aiort_unref(travelling);
    /* The thread's own reference went with it. */
    assert_int_equal(allocator_live(), 0);
}

static void *ref_and_unref(void *arg)
{
    for (int i = 0; i < 20000; i++) {
        aiort_ref(arg);
        aiort_unref(arg);
    }
    return NULL;
}

TEST(errors_count_their_references_atomically)
{
    pthread_t threads[4];

    aiort_raise(UV_EIO, "shared");
    aiort_error_t *error = aiort_ref(aiort_current_error());
    for (int i = 0; i < 4; i++)
        assert_ok(pthread_create(&threads[i], NULL, ref_and_unref, error));
    for (int i = 0; i < 4; i++)
        assert_ok(pthread_join(threads[i], NULL));
    assert_string_equal(aiort_error_message(error), "shared");
    aiort_unref(error);
}
