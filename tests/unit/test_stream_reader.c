/* SPDX-License-Identifier: MIT */
/*
 * Readers that are fed by hand: CPython's test_streams.py, where it tests StreamReader alone.
 */
#include "streams.h"

static char buffer[256 * 1024];
static const char *data;

static int feed_line(void *reader)
{
    return aiort_stream_feed_data((aiort_stream_reader_t *)reader, "chunk1 line1\nrest", 17);
}

/* Feeds text from a callback of the next iteration. */
typedef struct {
    aiort_stream_reader_t *reader;
    const char *text; /* NULL: the end */
} later_t;

static int feed_later_cb(void *arg)
{
    later_t *later = arg;

    return later->text ? aiort_stream_feed_data(later->reader, later->text, strlen(later->text))
                       : aiort_stream_feed_eof(later->reader);
}

static void feed_later(later_t *later)
{
    assert_ok(aiort_call_soon(aiort_get_running_loop(), feed_later_cb, later, NULL));
}

static aiort_stream_reader_t *new_reader(size_t limit)
{
    aiort_stream_reader_t *reader = aiort_stream_reader_new(limit);

    assert_non_null(reader);
    return reader;
}

/* An error to end a reader with. */
static void set_error(aiort_stream_reader_t *reader)
{
    assert_code(aiort_raise(UV_EIO, "boom"), UV_EIO);
    assert_ok(aiort_stream_set_error(reader, aiort_current_error()));
}

/* ---- feed_data() ---- */

TASK_TEST(feed_empty_data)
{
    aiort_stream_reader_t *reader = new_reader(0);

    assert_ok(aiort_stream_feed_data(reader, "", 0));
    assert_string_equal(repr(reader), "<StreamReader>");
    aiort_unref(reader);
}

TASK_TEST(feed_nonempty_data)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "line1\n");
    assert_string_equal(repr(reader), "<StreamReader 6 bytes>");
    aiort_unref(reader);
}

TASK_TEST(feed_data_after_eof)
{
    aiort_stream_reader_t *reader = new_reader(0);

    assert_ok(aiort_stream_feed_eof(reader));
    assert_code(aiort_stream_feed_data(reader, "x", 1), AIORT_EMISUSE);
    assert_message("feed_data after feed_eof");
    aiort_unref(reader);
}

/* ---- read() ---- */

TASK_TEST(read_zero)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "line1\n");
    assert_code((int)aiort_stream_read(reader, buffer, 0), 0);
    assert_string_equal(repr(reader), "<StreamReader 6 bytes>");
    aiort_unref(reader);
}

TASK_TEST(read)
{
    aiort_stream_reader_t *reader = new_reader(0);
    later_t later = {reader, "line1\n"};

    feed_later(&later);
    assert_bytes(aiort_stream_read(reader, buffer, 30), buffer, "line1\n");
    assert_string_equal(repr(reader), "<StreamReader>");
    aiort_unref(reader);
}

TASK_TEST(read_line_breaks)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "line1");
    feed(reader, "line2");
    assert_bytes(aiort_stream_read(reader, buffer, 5), buffer, "line1");
    assert_string_equal(repr(reader), "<StreamReader 5 bytes>");
    aiort_unref(reader);
}

TASK_TEST(read_eof)
{
    aiort_stream_reader_t *reader = new_reader(0);
    later_t later = {reader, NULL};

    feed_later(&later);
    assert_code((int)aiort_stream_read(reader, buffer, 1024), 0);
    assert_int_equal(aiort_stream_at_eof(reader), 1);
    aiort_unref(reader);
}

static int feed_chunks(void *arg)
{
    aiort_stream_reader_t *reader = arg;

    feed(reader, "chunk1\n");
    feed(reader, "chunk2");
    return aiort_stream_feed_eof(reader);
}

TASK_TEST(read_until_eof)
{
    aiort_stream_reader_t *reader = new_reader(0);

    assert_ok(aiort_call_soon(aiort_get_running_loop(), feed_chunks, reader, NULL));
    assert_bytes(aiort_stream_read_all(reader, &data), data, "chunk1\nchunk2");
    assert_string_equal(repr(reader), "<StreamReader eof>");
    assert_code((int)aiort_stream_read_all(reader, &data), 0);
    aiort_unref(reader);
}

TASK_TEST(read_exception)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "line\n");
    assert_bytes(aiort_stream_read(reader, buffer, 2), buffer, "li");
    set_error(reader);
    assert_code((int)aiort_stream_read(reader, buffer, 2), UV_EIO);
    assert_message("boom");
    aiort_unref(reader);
}

TASK_TEST(read_limit)
{
    aiort_stream_reader_t *reader = new_reader(3);

    feed(reader, "chunk");
    assert_bytes(aiort_stream_read(reader, buffer, 5), buffer, "chunk");
    assert_string_equal(repr(reader), "<StreamReader limit=3>");
    aiort_unref(reader);
}

/* ---- readline() ---- */

TASK_TEST(readline)
{
    aiort_stream_reader_t *reader = new_reader(0);
    later_t later = {reader, " chunk2\nrest"};

    feed(reader, "chunk1");
    feed_later(&later);
    assert_bytes(aiort_stream_readline(reader, &data), data, "chunk1 chunk2\n");
    assert_string_equal(repr(reader), "<StreamReader 4 bytes>");
    aiort_unref(reader);
}

TASK_TEST(readline_limit_with_existing_data)
{
    aiort_stream_reader_t *reader = new_reader(3);

    feed(reader, "li");
    feed(reader, "ne1\nline2\n");
    assert_code((int)aiort_stream_readline(reader, &data), AIORT_ELIMIT);
    /* The line is dropped, the next one is there. */
    assert_string_equal(repr(reader), "<StreamReader 6 bytes limit=3>");
    aiort_unref(reader);

    reader = new_reader(3);
    feed(reader, "li");
    feed(reader, "ne1");
    feed(reader, "li");
    assert_code((int)aiort_stream_readline(reader, &data), AIORT_ELIMIT);
    assert_string_equal(repr(reader), "<StreamReader limit=3>");
    feed(reader, "ne2\n");
    aiort_unref(reader);
}

TASK_TEST(readline_limit)
{
    aiort_stream_reader_t *reader = new_reader(7);
    later_t first = {reader, "chunk1"}, second = {reader, "chunk2"}, third = {reader, "chunk3\n"};
    later_t end = {reader, NULL};

    feed_later(&first);
    feed_later(&second);
    feed_later(&third);
    feed_later(&end);
    /* All three are one line, longer than the limit: it goes as a whole. */
    assert_code((int)aiort_stream_readline(reader, &data), AIORT_ELIMIT);
    assert_message("chunk is longer than limit");
    assert_string_equal(repr(reader), "<StreamReader eof limit=7>");
    aiort_unref(reader);

    reader = new_reader(7);
    first.reader = second.reader = reader;
    second.text = "line\nmore";
    feed_later(&first);
    feed_later(&second);
    assert_code((int)aiort_stream_readline(reader, &data), AIORT_ELIMIT);
    assert_string_equal(repr(reader), "<StreamReader 4 bytes limit=7>");
    aiort_unref(reader);
}

TASK_TEST(readline_nolimit_nowait)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "line1\nline2\nline3\n");
    assert_bytes(aiort_stream_readline(reader, &data), data, "line1\n");
    assert_string_equal(repr(reader), "<StreamReader 12 bytes>");
    aiort_unref(reader);
}

TASK_TEST(readline_eof)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "some data");
    assert_ok(aiort_stream_feed_eof(reader));
    assert_bytes(aiort_stream_readline(reader, &data), data, "some data");
    assert_int_equal(data[9], 0);
    aiort_unref(reader);
}

TASK_TEST(readline_empty_eof)
{
    aiort_stream_reader_t *reader = new_reader(0);

    assert_ok(aiort_stream_feed_eof(reader));
    assert_code((int)aiort_stream_readline(reader, &data), 0);
    aiort_unref(reader);
}

TASK_TEST(readline_read_byte_count)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "line1\nline2\nline3\n");
    assert_bytes(aiort_stream_readline(reader, &data), data, "line1\n");
    assert_bytes(aiort_stream_read(reader, buffer, 7), buffer, "line2\nl");
    assert_string_equal(repr(reader), "<StreamReader 5 bytes>");
    aiort_unref(reader);
}

TASK_TEST(readline_exception)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "line\n");
    assert_bytes(aiort_stream_readline(reader, &data), data, "line\n");
    set_error(reader);
    assert_code((int)aiort_stream_readline(reader, &data), UV_EIO);
    assert_contains(repr(reader), "exception=EIO('boom')");
    aiort_unref(reader);
}

/* What was lent stays while more arrives, until the next call. */
TASK_TEST(line_is_the_callers_until_the_next_call)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "first\n");
    assert_bytes(aiort_stream_readline(reader, &data), data, "first\n");
    for (int i = 0; i < 1000; i++)
        feed(reader, "another line, and many of them\n");
    assert_string_equal(data, "first\n");
    assert_bytes(aiort_stream_readline(reader, &data), data, "another line, and many of them\n");
    aiort_unref(reader);
}

/* ---- readuntil() ---- */

TASK_TEST(readuntil_separator)
{
    aiort_stream_reader_t *reader = new_reader(0);

    assert_code((int)aiort_stream_readuntil(reader, "", 0, &data), UV_EINVAL);
    assert_message("Separator should be at least one-byte string");
    aiort_unref(reader);
}

TASK_TEST(readuntil_multi_chunks)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "lineAAA");
    assert_bytes(aiort_stream_readuntil(reader, "AAA", 3, &data), data, "lineAAA");
    assert_string_equal(repr(reader), "<StreamReader>");
    feed(reader, "lineAAA");
    feed(reader, "xxx");
    assert_bytes(aiort_stream_readuntil(reader, "AAA", 3, &data), data, "lineAAA");
    assert_string_equal(repr(reader), "<StreamReader 3 bytes>");
    aiort_unref(reader);
}

TASK_TEST(readuntil_multi_chunks_1)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "QWEaa");
    feed(reader, "XYaa");
    feed(reader, "a");
    assert_bytes(aiort_stream_readuntil(reader, "aaa", 3, &data), data, "QWEaaXYaaa");
    feed(reader, "QWEaa");
    feed(reader, "XYa");
    feed(reader, "aa");
    assert_bytes(aiort_stream_readuntil(reader, "aaa", 3, &data), data, "QWEaaXYaaa");
    feed(reader, "aaa");
    assert_bytes(aiort_stream_readuntil(reader, "aaa", 3, &data), data, "aaa");
    feed(reader, "Xaaa");
    assert_bytes(aiort_stream_readuntil(reader, "aaa", 3, &data), data, "Xaaa");
    later_t first = {reader, "XXX"}, second = {reader, "a"}, third = {reader, "a"},
            last = {reader, "a"};
    feed_later(&first);
    feed_later(&second);
    feed_later(&third);
    feed_later(&last);
    assert_bytes(aiort_stream_readuntil(reader, "aaa", 3, &data), data, "XXXaaa");
    aiort_unref(reader);
}

TASK_TEST(readuntil_eof)
{
    aiort_stream_reader_t *reader = new_reader(0);
    size_t n;

    feed(reader, "some data");
    assert_ok(aiort_stream_feed_eof(reader));
    assert_code((int)aiort_stream_readuntil(reader, "AAA", 3, &data), AIORT_EINCOMPLETE);
    assert_message("9 bytes read on a total of undefined expected bytes");
    assert_string_equal(aiort_stream_partial(reader, &n), "some data");
    assert_int_equal(n, 9);
    assert_string_equal(repr(reader), "<StreamReader eof>");
    aiort_unref(reader);
}

TASK_TEST(readuntil_limit_found_sep)
{
    aiort_stream_reader_t *reader = new_reader(3);

    feed(reader, "some dataAA");
    assert_code((int)aiort_stream_readuntil(reader, "AAA", 3, &data), AIORT_ELIMIT);
    assert_message("not found, and chunk exceed the limit");
    assert_string_equal(repr(reader), "<StreamReader 11 bytes limit=3>");
    assert_int_equal(aiort_stream_consumed(reader), 9);
    feed(reader, "A");
    assert_code((int)aiort_stream_readuntil(reader, "AAA", 3, &data), AIORT_ELIMIT);
    assert_message("is found, but chunk is longer than limit");
    assert_string_equal(repr(reader), "<StreamReader 12 bytes limit=3>");
    assert_int_equal(aiort_stream_consumed(reader), 9);
    assert_bytes(aiort_stream_readexactly(reader, buffer, 9), buffer, "some data");
    assert_bytes(aiort_stream_readuntil(reader, "AAA", 3, &data), data, "AAA");
    aiort_unref(reader);
}

/* ---- readexactly() ---- */

TASK_TEST(readexactly_zero_or_less)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "line1\n");
    assert_code((int)aiort_stream_readexactly(reader, buffer, 0), 0);
    assert_string_equal(repr(reader), "<StreamReader 6 bytes>");
    assert_code((int)aiort_stream_readexactly(reader, buffer, (size_t)-1), UV_EINVAL);
    assert_message("readexactly size can not be less than zero");
    aiort_unref(reader);
}

TASK_TEST(readexactly)
{
    aiort_stream_reader_t *reader = new_reader(0);
    later_t later[3] = {{reader, "line1\n"}, {reader, "line1\n"}, {reader, "line1\n"}};

    for (int i = 0; i < 3; i++)
        feed_later(&later[i]);
    assert_bytes(aiort_stream_readexactly(reader, buffer, 15), buffer, "line1\nline1\nlin");
    assert_string_equal(repr(reader), "<StreamReader 3 bytes>");
    aiort_unref(reader);
}

TASK_TEST(readexactly_limit)
{
    aiort_stream_reader_t *reader = new_reader(3);

    feed(reader, "chunk");
    assert_bytes(aiort_stream_readexactly(reader, buffer, 5), buffer, "chunk");
    aiort_unref(reader);
}

TASK_TEST(readexactly_eof)
{
    aiort_stream_reader_t *reader = new_reader(0);
    later_t later = {reader, NULL};
    size_t n;

    feed(reader, "12345");
    feed_later(&later);
    assert_code((int)aiort_stream_readexactly(reader, buffer, 10), AIORT_EINCOMPLETE);
    assert_message("5 bytes read on a total of 10 expected bytes");
    assert_string_equal(aiort_stream_partial(reader, &n), "12345");
    assert_int_equal(n, 5);
    assert_string_equal(repr(reader), "<StreamReader eof>");
    aiort_unref(reader);
}

TASK_TEST(readexactly_exception)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "line\n");
    assert_bytes(aiort_stream_readexactly(reader, buffer, 2), buffer, "li");
    set_error(reader);
    assert_code((int)aiort_stream_readexactly(reader, buffer, 2), UV_EIO);
    aiort_unref(reader);
}

/* ---- Errors, waiting, cancelling ---- */

TASK_TEST(exception)
{
    aiort_stream_reader_t *reader = new_reader(0);

    assert_null(aiort_stream_error(reader));
    set_error(reader);
    assert_int_equal(aiort_error_code(aiort_stream_error(reader)), UV_EIO);
    assert_code(aiort_stream_set_error(reader, NULL), UV_EINVAL);
    aiort_unref(reader);
}

static int read_line(void *reader, void **result)
{
    ssize_t n = aiort_stream_readline((aiort_stream_reader_t *)reader, &data);

    (void)result;
    return n < 0 ? (int)n : 0;
}

TASK_TEST(exception_waiter)
{
    aiort_stream_reader_t *reader = new_reader(0);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(read_line, reader));

    assert_ok(aiort_sleep(0));
    set_error(reader);
    assert_code(aiort_await(task, NULL), UV_EIO);
    assert_message("boom");
    aiort_unref(task);
    aiort_unref(reader);
}

TASK_TEST(exception_cancel)
{
    aiort_stream_reader_t *reader = new_reader(0);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(read_line, reader));

    assert_ok(aiort_sleep(0));
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    set_error(reader); /* does not fail for a waiter that was cancelled */
    assert_contains(repr(reader), "<StreamReader exception=");
    aiort_unref(task);
    aiort_unref(reader);
}

TASK_TEST(cancelled_read_takes_nothing)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "half a li");
    aiort_task_t *task = aiort_create_task(AIORT_CORO(read_line, reader));
    assert_ok(aiort_sleep(0));
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    aiort_unref(task);
    feed(reader, "ne\n");
    assert_bytes(aiort_stream_readline(reader, &data), data, "half a line\n");

    /* Also when the data are there already when it is cancelled. */
    task = aiort_create_task(AIORT_CORO(read_line, reader));
    assert_ok(aiort_sleep(0));
    feed(reader, "kept\n");
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    aiort_unref(task);
    assert_bytes(aiort_stream_readline(reader, &data), data, "kept\n");
    aiort_unref(reader);
}

TASK_TEST(second_waiter)
{
    aiort_stream_reader_t *reader = new_reader(0);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(read_line, reader));

    assert_ok(aiort_sleep(0));
    assert_code((int)aiort_stream_read(reader, buffer, 1), AIORT_EMISUSE);
    assert_message("read() called while another coroutine is already waiting for incoming data");
    assert_code((int)aiort_stream_readline(reader, &data), AIORT_EMISUSE);
    assert_message("readuntil() called while");
    assert_code((int)aiort_stream_readexactly(reader, buffer, 1), AIORT_EMISUSE);
    assert_message("readexactly() called while");
    feed(reader, "x\n");
    assert_ok(aiort_await(task, NULL));
    aiort_unref(task);
    aiort_unref(reader);
}

/* The last reference may go while a task waits. */
static int unref_reader(void *reader)
{
    feed((aiort_stream_reader_t *)reader, "last\n");
    aiort_unref(reader);
    return 0;
}

TASK_TEST(reader_dropped_while_read)
{
    aiort_stream_reader_t *reader = new_reader(0);

    assert_ok(aiort_call_soon(aiort_get_running_loop(), unref_reader, reader, NULL));
    ssize_t n = aiort_stream_read(reader, buffer, 5);
    assert_int_equal(n, 5);
}

TASK_TEST(at_eof)
{
    aiort_stream_reader_t *reader = new_reader(0);

    assert_int_equal(aiort_stream_at_eof(reader), 0);
    feed(reader, "some data\n");
    assert_int_equal(aiort_stream_at_eof(reader), 0);
    assert_bytes(aiort_stream_readline(reader, &data), data, "some data\n");
    assert_int_equal(aiort_stream_at_eof(reader), 0);
    feed(reader, "some data\n");
    assert_ok(aiort_stream_feed_eof(reader));
    assert_int_equal(aiort_stream_at_eof(reader), 0);
    assert_bytes(aiort_stream_readline(reader, &data), data, "some data\n");
    assert_int_equal(aiort_stream_at_eof(reader), 1);
    aiort_unref(reader);
}

/* ---- Without a loop ---- */

TEST(streamreader_constructor_without_loop)
{
    aiort_stream_reader_t *reader = aiort_stream_reader_new(0);

    assert_non_null(reader);
    assert_ok(aiort_stream_feed_data(reader, "some", 4));
    assert_bytes(aiort_stream_read(reader, buffer, 10), buffer, "some"); /* nothing to wait for */
    assert_code((int)aiort_stream_read(reader, buffer, 10), AIORT_ENOTASK);
    aiort_unref(reader);
}

TASK_TEST(streamreader_constructor_use_running_loop)
{
    aiort_stream_reader_t *reader = new_reader(0);

    assert_ok(aiort_call_soon(aiort_get_running_loop(), feed_line, reader, NULL));
    assert_bytes(aiort_stream_readline(reader, &data), data, "chunk1 line1\n");
    aiort_unref(reader);
}

/* It belongs to the loop in which somebody waited for it first. */
TEST(reader_of_another_loop)
{
    aiort_stream_reader_t *reader = aiort_stream_reader_new(0);

    for (int i = 0; i < 2; i++) {
        aiort_loop_t *loop = new_loop();
        aiort_task_t *task = start(loop, AIORT_CORO(read_line, reader));
        run_briefly(loop);
        if (i == 0)
            feed(reader, "line\n");
        assert_code(aiort_loop_run_until_complete(loop, task, NULL), i == 0 ? 0 : AIORT_EOTHERLOOP);
        aiort_unref(task);
        drop_loop(loop);
    }
    aiort_unref(reader);
}

/* ---- Reprs ---- */

TASK_TEST(__repr__)
{
    aiort_stream_reader_t *reader = new_reader(0);

    assert_string_equal(repr(reader), "<StreamReader>");
    aiort_unref(reader);
}

TASK_TEST(__repr__nondefault_limit)
{
    aiort_stream_reader_t *reader = new_reader(123);

    assert_string_equal(repr(reader), "<StreamReader limit=123>");
    aiort_unref(reader);
}

TASK_TEST(__repr__eof)
{
    aiort_stream_reader_t *reader = new_reader(0);

    assert_ok(aiort_stream_feed_eof(reader));
    assert_string_equal(repr(reader), "<StreamReader eof>");
    aiort_unref(reader);
}

TASK_TEST(__repr__data)
{
    aiort_stream_reader_t *reader = new_reader(0);

    feed(reader, "data");
    assert_string_equal(repr(reader), "<StreamReader 4 bytes>");
    aiort_unref(reader);
}

TASK_TEST(__repr__exception)
{
    aiort_stream_reader_t *reader = new_reader(0);

    set_error(reader);
    assert_string_equal(repr(reader), "<StreamReader exception=EIO('boom')>");
    aiort_unref(reader);
}

TASK_TEST(__repr__waiter)
{
    aiort_stream_reader_t *reader = new_reader(0);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(read_line, reader));

    assert_ok(aiort_sleep(0));
    assert_contains(repr(reader), "<StreamReader waiter=<Future pending");
    feed(reader, "\n");
    assert_ok(aiort_await(task, NULL));
    assert_string_equal(repr(reader), "<StreamReader>");
    aiort_unref(task);
    aiort_unref(reader);
}
