/* SPDX-License-Identifier: MIT */
/*
 * Transports: limits, brakes, losses, reprs, over socket pairs; pipes; standard streams. CPython's
 * test_selector_events.py, test_unix_events.py, test_transports.py, test_events.py.
 */
#include "streams.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>

static char buffer[1 << 20];
static const char *data;

static aiort_transport_t *transport_of(const pair_t *pair)
{
    return aiort_stream_transport(pair->writer);
}

/* Writes so much that some is kept. */
static void fill(const pair_t *pair)
{
    assert_ok(aiort_stream_write(pair->writer, buffer, sizeof buffer));
    assert_true(aiort_transport_get_write_buffer_size(transport_of(pair)) > 0);
}

static size_t empty(int fd)
{
    static char sink[65536];
    size_t total = 0;
    ssize_t n;

    while ((n = recv(fd, sink, sizeof sink, MSG_DONTWAIT)) > 0)
        total += (size_t)n;
    return total;
}

/* ---- Limits ---- */

TASK_TEST(set_write_buffer_limits)
{
    pair_t pair;
    size_t high, low;

    open_pair(&pair);
    aiort_transport_get_write_buffer_limits(transport_of(&pair), &high, &low);
    assert_int_equal(high, 64 * 1024);
    assert_int_equal(low, 16 * 1024);
    assert_ok(aiort_transport_set_write_buffer_limits(transport_of(&pair), 1024, 128));
    aiort_transport_get_write_buffer_limits(transport_of(&pair), &high, &low);
    assert_int_equal(high, 1024);
    assert_int_equal(low, 128);
    assert_ok(aiort_transport_set_write_buffer_limits(transport_of(&pair), 256, -1));
    aiort_transport_get_write_buffer_limits(transport_of(&pair), &high, &low);
    assert_int_equal(high, 256);
    assert_int_equal(low, 64);
    assert_ok(aiort_transport_set_write_buffer_limits(transport_of(&pair), -1, 100));
    aiort_transport_get_write_buffer_limits(transport_of(&pair), &high, &low);
    assert_int_equal(high, 400);
    assert_int_equal(low, 100);
    assert_code(aiort_transport_set_write_buffer_limits(transport_of(&pair), 1, 2), UV_EINVAL);
    assert_message("high (1) must be >= low (2) must be >= 0");
    drop_pair(&pair);
}

static int drain(void *writer, void **result)
{
    (void)result;
    return aiort_stream_drain((aiort_stream_writer_t *)writer);
}

/* With 0 for both, whatever is kept makes drain() wait until nothing is. */
TASK_TEST(drain_with_zero_limits)
{
    pair_t pair;

    open_pair(&pair);
    assert_ok(aiort_transport_set_write_buffer_limits(transport_of(&pair), 0, 0));
    fill(&pair);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(drain, pair.writer));
    settle();
    assert_int_equal(aiort_future_done(AIORT_FUTURE(task)), 0);
    while (!aiort_future_done(AIORT_FUTURE(task))) {
        empty(pair.peer);
        assert_ok(aiort_sleep(0.001));
    }
    assert_int_equal(aiort_transport_get_write_buffer_size(transport_of(&pair)), 0);
    assert_ok(aiort_await(task, NULL));
    aiort_unref(task);
    drop_pair(&pair);
}

/* Limits that what is kept exceeds already take hold at once. */
TASK_TEST(limits_lowered)
{
    pair_t pair;

    open_pair(&pair);
    assert_ok(aiort_transport_set_write_buffer_limits(transport_of(&pair), 100 << 20, -1));
    fill(&pair);
    assert_ok(aiort_stream_drain(pair.writer)); /* far below */
    assert_ok(aiort_transport_set_write_buffer_limits(transport_of(&pair), 10, -1));
    aiort_task_t *task = aiort_create_task(AIORT_CORO(drain, pair.writer));
    settle();
    assert_int_equal(aiort_future_done(AIORT_FUTURE(task)), 0);
    aiort_transport_abort(transport_of(&pair));
    assert_code(aiort_await(task, NULL), 0); /* lost without an error: as asyncio's waiter */
    aiort_unref(task);
    drop_pair(&pair);
}

/* ---- Reading ---- */

TASK_TEST(pause_resume_reading)
{
    pair_t pair;

    open_pair(&pair);
    assert_int_equal(aiort_transport_is_reading(transport_of(&pair)), 1);
    assert_ok(aiort_transport_pause_reading(transport_of(&pair)));
    assert_ok(aiort_transport_pause_reading(transport_of(&pair)));
    assert_int_equal(aiort_transport_is_reading(transport_of(&pair)), 0);
    send_peer(&pair, "waiting\n");
    settle();
    assert_lacks(repr(pair.reader), "bytes");
    assert_ok(aiort_transport_resume_reading(transport_of(&pair)));
    assert_ok(aiort_transport_resume_reading(transport_of(&pair)));
    assert_int_equal(aiort_transport_is_reading(transport_of(&pair)), 1);
    assert_bytes(aiort_stream_readline(pair.reader, &data), data, "waiting\n");
    assert_ok(aiort_stream_close(pair.writer));
    assert_int_equal(aiort_transport_is_reading(transport_of(&pair)), 0);
    assert_ok(aiort_transport_pause_reading(transport_of(&pair)));
    assert_ok(aiort_transport_resume_reading(transport_of(&pair)));
    assert_int_equal(aiort_transport_is_reading(transport_of(&pair)), 0);
    drop_pair(&pair);
}

TASK_TEST(read_eof_received_keeps_writing)
{
    pair_t pair;
    char byte;

    open_pair(&pair);
    assert_int_equal(shutdown(pair.peer, SHUT_WR), 0);
    assert_code((int)aiort_stream_read_all(pair.reader, &data), 0);
    assert_contains(repr(pair.writer), "read=idle");
    assert_ok(aiort_stream_write(pair.writer, "x", 1));
    assert_int_equal(read(pair.peer, &byte, 1), 1);
    drop_pair(&pair);
}

/* ---- Losses ---- */

/* Runs what writes after the loss, and gives what that says. */
static void ignored_writes(void *writes)
{
    pair_t pair;

    (void)writes;
    open_pair(&pair);
    aiort_transport_abort(transport_of(&pair));
    for (int i = 0; i < INT(writes); i++)
        assert_ok(aiort_stream_write(pair.writer, "x", 1));
    drop_pair(&pair);
}

static int run_ignored_writes(void *writes, void **result)
{
    (void)result;
    ignored_writes(writes);
    return 0;
}

static void child_ignored_writes(void *writes)
{
    assert_ok(aiort_run(AIORT_CORO(run_ignored_writes, writes), NULL));
}

static int count(const char *text, const char *part)
{
    int n = 0;

    for (; (text = strstr(text, part)) != NULL; text += strlen(part))
        n++;
    return n;
}

TEST(write_after_loss)
{
    static const int writes[] = {4, 5, 8}, said[] = {0, 1, 4};

    for (int i = 0; i < 3; i++) {
        char *output;
        assert_int_equal(harness_child(child_ignored_writes, PTR(writes[i]), 10, &output), 0);
        assert_int_equal(count(output, "socket.send() raised exception."), said[i]);
        free(output);
    }
}

TASK_TEST(write_ready_exception)
{
    pair_t pair;

    open_pair(&pair);
    fill(&pair);
    close_peer(&pair); /* with what was sent unread: an error for who writes */
    int err = aiort_stream_wait_closed(pair.writer);
    assert_true(err == UV_ECONNRESET || err == UV_EPIPE);
    assert_int_equal(aiort_transport_get_write_buffer_size(transport_of(&pair)), 0);
    drop_pair(&pair);
}

TASK_TEST(abort_drops_what_is_kept)
{
    pair_t pair;

    open_pair(&pair);
    fill(&pair);
    assert_ok(aiort_transport_abort(transport_of(&pair)));
    assert_ok(aiort_transport_abort(transport_of(&pair)));
    assert_ok(aiort_stream_wait_closed(pair.writer));
    assert_true(empty(pair.peer) < sizeof buffer);
    drop_pair(&pair);
}

TASK_TEST(force_close_while_closing)
{
    pair_t pair;

    open_pair(&pair);
    fill(&pair);
    assert_ok(aiort_stream_close(pair.writer)); /* waits for what is kept */
    assert_ok(aiort_stream_close(pair.writer));
    assert_contains(repr(pair.writer), "closing");
    assert_contains(repr(pair.writer), "write=<polling, bufsize=");
    assert_ok(aiort_transport_abort(transport_of(&pair)));
    assert_ok(aiort_stream_wait_closed(pair.writer));
    drop_pair(&pair);
}

TASK_TEST(write_while_closing)
{
    pair_t pair;

    open_pair(&pair);
    fill(&pair);
    size_t before = aiort_transport_get_write_buffer_size(transport_of(&pair));
    assert_ok(aiort_stream_close(pair.writer));
    assert_ok(aiort_stream_write(pair.writer, "x", 1)); /* accepted, as asyncio's */
    assert_int_equal(aiort_transport_get_write_buffer_size(transport_of(&pair)), before + 1);
    aiort_transport_abort(transport_of(&pair));
    drop_pair(&pair);
}

/* SIGPIPE would end the process. */
TASK_TEST(write_to_a_closed_peer)
{
    pair_t pair;

    open_pair(&pair);
    close_peer(&pair);
    assert_ok(aiort_stream_write(pair.writer, "x", 1));
    int err = aiort_stream_wait_closed(pair.writer);
    assert_code(err, UV_EPIPE);
    drop_pair(&pair);
}

static void on_sigpipe(int signum)
{
    (void)signum;
}

TEST(sigpipe_handler_stays)
{
    struct sigaction action = {.sa_handler = on_sigpipe}, after;

    assert_int_equal(sigaction(SIGPIPE, &action, NULL), 0);
    child_ignored_writes(PTR(0));
    assert_int_equal(sigaction(SIGPIPE, NULL, &after), 0);
    assert_ptr_equal(after.sa_handler, on_sigpipe);
}

TASK_TEST(write_eof_after_close)
{
    pair_t pair;

    open_pair(&pair);
    assert_ok(aiort_stream_close(pair.writer));
    assert_ok(aiort_stream_write_eof(pair.writer)); /* nothing to end any more */
    assert_ok(aiort_stream_write(pair.writer, "x", 1));
    drop_pair(&pair);
}

/* Several pieces, more than the kernel takes at once: all of them, in order. */
TASK_TEST(writelines_much)
{
    enum { PIECES = 1500, SIZE = 600 }; /* more pieces than writev() takes */
    static uv_buf_t pieces[PIECES];
    pair_t pair;
    size_t got = 0;

    open_pair(&pair);
    for (size_t i = 0; i < PIECES; i++) {
        memset(buffer + i * SIZE, (int)i, SIZE);
        pieces[i] = uv_buf_init(buffer + i * SIZE, SIZE);
    }
    assert_ok(aiort_stream_writelines(pair.writer, pieces, 0));
    assert_ok(aiort_stream_writelines(pair.writer, pieces, PIECES));
    assert_true(aiort_transport_get_write_buffer_size(transport_of(&pair)) > 64 * 1024);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(drain, pair.writer));
    while (got < (size_t)PIECES * SIZE) {
        unsigned char sink[5000];
        ssize_t n = recv(pair.peer, sink, sizeof sink, MSG_DONTWAIT);
        for (ssize_t i = 0; i < n; i++, got++)
            assert_int_equal(sink[i], (unsigned char)(got / SIZE));
        assert_ok(aiort_sleep(0));
    }
    assert_ok(aiort_await(task, NULL));
    aiort_unref(task);
    drop_pair(&pair);
}

TASK_TEST(writelines_after_loss)
{
    pair_t pair;
    uv_buf_t piece = uv_buf_init(buffer, 10);

    open_pair(&pair);
    assert_ok(aiort_transport_abort(transport_of(&pair)));
    assert_ok(aiort_stream_writelines(pair.writer, &piece, 1));
    assert_int_equal(aiort_transport_get_write_buffer_size(transport_of(&pair)), 0);
    drop_pair(&pair);
}

/* ---- Descriptors ---- */

TASK_TEST(add_reader_existing_transport)
{
    pair_t pair;
    aiort_loop_t *loop = aiort_get_running_loop();
    char expected[64];

    open_pair(&pair);
    int fd = aiort_transport_fileno(transport_of(&pair));
    snprintf(expected, sizeof expected, "File descriptor %d is used by transport <", fd);
    assert_code(aiort_add_reader(loop, fd, do_nothing, NULL), AIORT_EMISUSE);
    assert_message(expected);
    assert_code(aiort_add_writer(loop, fd, do_nothing, NULL), AIORT_EMISUSE);
    assert_code(aiort_remove_reader(loop, fd), AIORT_EMISUSE);
    assert_code(aiort_remove_writer(loop, fd), AIORT_EMISUSE);
    drop_pair(&pair);
}

/* ---- Reprs ---- */

TASK_TEST(transport_repr)
{
    pair_t pair;
    char expected[128];

    open_pair(&pair);
    int fd = aiort_transport_fileno(transport_of(&pair));
    snprintf(expected, sizeof expected,
             "<_SelectorSocketTransport fd=%d read=polling write=<idle, bufsize=0>>", fd);
    assert_string_equal(repr(transport_of(&pair)), expected);
    assert_ok(aiort_stream_close(pair.writer));
    snprintf(expected, sizeof expected,
             "<_SelectorSocketTransport closing fd=%d read=idle write=<idle, bufsize=0>>", fd);
    assert_string_equal(repr(transport_of(&pair)), expected);
    assert_ok(aiort_stream_wait_closed(pair.writer));
    snprintf(expected, sizeof expected, "<_SelectorSocketTransport closed fd=%d>", fd);
    assert_string_equal(repr(transport_of(&pair)), expected);
    drop_pair(&pair);
}

/* ---- Pipes ---- */

TASK_TEST(read_pipe)
{
    aiort_stream_reader_t *reader;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_ok(aiort_connect_read_pipe(fds[0], 0, &reader));
    assert_contains(repr(aiort_stream_reader_transport(reader)), "<_UnixReadPipeTransport fd=");
    assert_contains(repr(aiort_stream_reader_transport(reader)), " polling>");
    assert_int_equal(write(fds[1], "12345\n", 6), 6);
    assert_bytes(aiort_stream_readline(reader, &data), data, "12345\n");
    close(fds[1]);
    assert_code((int)aiort_stream_read(reader, buffer, 10), 0);
    settle(); /* its end closes it */
    assert_contains(repr(aiort_stream_reader_transport(reader)), " closed>");
    assert_ok(aiort_stream_reader_close(reader));
    aiort_unref(reader);
}

TASK_TEST(read_pipe_dropped)
{
    aiort_stream_reader_t *reader;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_ok(aiort_connect_read_pipe(fds[0], 0, &reader));
    aiort_unref(reader);
    settle();
    assert_int_equal(write(fds[1], "x", 1), -1);
    assert_int_equal(errno, EPIPE);
    close(fds[1]);
}

TASK_TEST(read_all_from_pipe_reader)
{
    aiort_stream_reader_t *reader;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "1", 1), 1);
    close(fds[1]);
    assert_ok(aiort_connect_read_pipe(fds[0], 1, &reader));
    assert_bytes(aiort_stream_read_all(reader, &data), data, "1");
    aiort_unref(reader);
}

TASK_TEST(write_pipe)
{
    aiort_stream_writer_t *writer;
    char text[16];
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_ok(aiort_connect_write_pipe(fds[1], &writer));
    assert_contains(repr(aiort_stream_transport(writer)), "<_UnixWritePipeTransport fd=");
    assert_contains(repr(aiort_stream_transport(writer)), " idle bufsize=0>");
    assert_ok(aiort_stream_write(writer, "1", 1));
    assert_ok(aiort_stream_write(writer, "2345", 4));
    assert_int_equal(read(fds[0], text, sizeof text), 5);
    assert_int_equal(aiort_stream_can_write_eof(writer), 1);
    assert_ok(aiort_stream_write_eof(writer)); /* of a pipe: closes it */
    assert_ok(aiort_stream_wait_closed(writer));
    assert_int_equal(read(fds[0], text, sizeof text), 0);
    close(fds[0]);
    aiort_unref(writer);
}

TASK_TEST(write_pipe_disconnect_on_close)
{
    aiort_stream_writer_t *writer;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_ok(aiort_connect_write_pipe(fds[1], &writer));
    close(fds[0]);
    assert_ok(aiort_stream_write(writer, "x", 1));
    assert_code(aiort_stream_wait_closed(writer), UV_EPIPE);
    aiort_unref(writer);
}

TASK_TEST(write_pipe_much)
{
    aiort_stream_writer_t *writer;
    size_t total = 0;
    int fds[2];

    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    assert_ok(aiort_connect_write_pipe(fds[1], &writer));
    assert_ok(aiort_stream_write(writer, buffer, sizeof buffer));
    assert_contains(repr(aiort_stream_transport(writer)), " polling bufsize=");
    assert_ok(aiort_stream_close(writer));
    while (total < sizeof buffer) {
        char sink[4096];
        ssize_t n = read(fds[0], sink, sizeof sink);
        total += n > 0 ? (size_t)n : 0;
        if (n <= 0)
            assert_ok(aiort_sleep(0));
    }
    assert_ok(aiort_stream_wait_closed(writer));
    close(fds[0]);
    aiort_unref(writer);
}

TASK_TEST(pipe_pause_resume_reading)
{
    aiort_stream_reader_t *reader;
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    assert_ok(aiort_connect_read_pipe(fds[0], 0, &reader));
    aiort_transport_t *transport = aiort_stream_reader_transport(reader);
    assert_ok(aiort_transport_pause_reading(transport));
    assert_ok(aiort_transport_pause_reading(transport));
    assert_contains(repr(transport), " idle>");
    assert_int_equal(write(fds[1], "x\n", 2), 2);
    settle();
    assert_lacks(repr(reader), "bytes");
    assert_ok(aiort_transport_resume_reading(transport));
    assert_bytes(aiort_stream_readline(reader, &data), data, "x\n");
    assert_ok(aiort_stream_reader_close(reader));
    assert_ok(aiort_stream_reader_close(reader));
    assert_contains(repr(transport), "closing");
    assert_ok(aiort_transport_pause_reading(transport));
    assert_ok(aiort_transport_resume_reading(transport));
    settle();
    assert_contains(repr(transport), " closed>");
    aiort_unref(reader);
    close(fds[1]);
}

static int run_ignored_pipe_writes(void *writes, void **result)
{
    aiort_stream_writer_t *writer;
    int fds[2];

    (void)result;
    assert_int_equal(pipe(fds), 0);
    assert_ok(aiort_connect_write_pipe(fds[1], &writer));
    assert_ok(aiort_stream_close(writer));
    for (int i = 0; i < INT(writes); i++)
        assert_ok(aiort_stream_write(writer, "x", 1));
    assert_ok(aiort_stream_wait_closed(writer));
    aiort_unref(writer);
    close(fds[0]);
    return 0;
}

static void child_ignored_pipe_writes(void *writes)
{
    assert_ok(aiort_run(AIORT_CORO(run_ignored_pipe_writes, writes), NULL));
}

TEST(write_to_a_closed_pipe)
{
    static const int writes[] = {5, 6, 8}, said[] = {0, 1, 3};

    for (int i = 0; i < 3; i++) {
        char *output;
        assert_int_equal(harness_child(child_ignored_pipe_writes, PTR(writes[i]), 10, &output), 0);
        assert_int_equal(count(output, "pipe closed by peer or os.write(pipe, data) raised"),
                         said[i]);
        free(output);
    }
}

TASK_TEST(write_pipe_eof_pending)
{
    aiort_stream_writer_t *writer;
    size_t total = 0;
    char sink[4096];
    ssize_t n;
    int fds[2];

    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    assert_ok(aiort_connect_write_pipe(fds[1], &writer));
    assert_ok(aiort_stream_write(writer, buffer, 200000));
    assert_ok(aiort_stream_write_eof(writer)); /* after what is kept */
    while ((n = read(fds[0], sink, sizeof sink)) != 0) {
        total += n > 0 ? (size_t)n : 0;
        assert_ok(aiort_sleep(0));
    }
    assert_int_equal(total, 200000);
    aiort_unref(writer);
    close(fds[0]);
}

TASK_TEST(write_pipe_abort)
{
    aiort_stream_writer_t *writer;
    int fds[2];

    assert_int_equal(pipe2(fds, O_NONBLOCK), 0);
    assert_ok(aiort_connect_write_pipe(fds[1], &writer));
    assert_ok(aiort_stream_write(writer, buffer, 200000));
    assert_ok(aiort_transport_abort(aiort_stream_transport(writer)));
    assert_ok(aiort_stream_wait_closed(writer));
    aiort_unref(writer);
    close(fds[0]);
}

/* ---- Terminals ---- */

static int open_terminal(int *other)
{
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    struct termios settings;

    assert_true(master >= 0);
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    *other = open(ptsname(master), O_RDWR | O_NOCTTY);
    assert_true(*other >= 0);
    assert_int_equal(tcgetattr(*other, &settings), 0);
    cfmakeraw(&settings);
    assert_int_equal(tcsetattr(*other, TCSANOW, &settings), 0);
    return master;
}

TASK_TEST(read_pty_output)
{
    aiort_stream_reader_t *reader;
    int other, master = open_terminal(&other);

    assert_ok(aiort_connect_read_pipe(master, 0, &reader));
    assert_int_equal(write(other, "1", 1), 1);
    assert_bytes(aiort_stream_read(reader, buffer, 10), buffer, "1");
    assert_int_equal(write(other, "2345", 4), 4);
    assert_bytes(aiort_stream_readexactly(reader, buffer, 4), buffer, "2345");
    close(other);
    assert_code((int)aiort_stream_read(reader, buffer, 10), 0);
    aiort_unref(reader);
}

TASK_TEST(write_pty)
{
    aiort_stream_writer_t *writer;
    char text[10];
    int other, master = open_terminal(&other);

    assert_ok(aiort_connect_write_pipe(other, &writer));
    assert_ok(aiort_stream_write(writer, "1", 1));
    assert_ok(aiort_stream_write(writer, "2345", 4));
    settle();
    assert_int_equal(read(master, text, sizeof text), 5);
    assert_ok(aiort_stream_close(writer));
    assert_ok(aiort_stream_wait_closed(writer));
    aiort_unref(writer);
    close(master);
}

TASK_TEST(bidirectional_pty)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    char text[10];
    int other, master = open_terminal(&other);

    assert_ok(aiort_connect_read_pipe(dup(master), 0, &reader));
    assert_ok(aiort_connect_write_pipe(master, &writer));
    assert_ok(aiort_stream_write(writer, "there", 5));
    settle();
    assert_int_equal(read(other, text, sizeof text), 5);
    assert_int_equal(write(other, "back", 4), 4);
    assert_bytes(aiort_stream_readexactly(reader, buffer, 4), buffer, "back");
    aiort_stream_close(writer);
    aiort_unref(writer);
    aiort_unref(reader);
    close(other);
}

TASK_TEST(pipes_only)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int fd = open("/proc/self/exe", O_RDONLY);

    assert_code(aiort_connect_read_pipe(fd, 0, &reader), UV_EINVAL);
    assert_message("Pipe transport is for pipes/sockets only.");
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    fd = open("/proc/self/exe", O_RDONLY);
    assert_code(aiort_connect_write_pipe(fd, &writer), UV_EINVAL);
    assert_message("Pipe transport is only for pipes, sockets and character devices");
    assert_code(aiort_connect_read_pipe(-1, 0, &reader), UV_EBADF);
}

/* The writer closes a connection, not its reader. */
TASK_TEST(reader_of_a_connection_does_not_close)
{
    pair_t pair;

    open_pair(&pair);
    assert_code(aiort_stream_reader_close(pair.reader), AIORT_EMISUSE);
    drop_pair(&pair);
}

static int open_pipes(void *arg, void **result)
{
    aiort_stream_reader_t **reader = arg;
    aiort_stream_writer_t *writer;
    int fds[2];

    (void)result;
    assert_int_equal(pipe(fds), 0);
    assert_ok(aiort_connect_read_pipe(fds[0], 0, reader));
    assert_ok(aiort_connect_write_pipe(fds[1], &writer));
    assert_ok(aiort_stream_write(writer, buffer, sizeof buffer));
    aiort_unref(writer); /* what is kept of it is still written, or dropped with the loop */
    return 0;
}

TEST(pipes_at_loop_close)
{
    aiort_loop_t *loop = new_loop();
    aiort_stream_reader_t *reader;

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(open_pipes, &reader), NULL));
    drop_loop(loop);
    aiort_unref(reader);
}

/* ---- Standard streams ---- */

/* Copies standard input to standard output, line by line, in capitals. */
static int shout(void *arg, void **result)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    const char *line;
    ssize_t n;

    (void)arg;
    (void)result;
    assert_ok(aiort_open_stdin(0, &reader));
    assert_ok(aiort_open_stdout(1, &writer));
    while ((n = aiort_stream_readline(reader, &line)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            buffer[i] = (char)(line[i] >= 'a' && line[i] <= 'z' ? line[i] - 32 : line[i]);
        assert_ok(aiort_stream_write(writer, buffer, (size_t)n));
        assert_ok(aiort_stream_drain(writer));
    }
    assert_int_equal(n, 0);
    assert_ok(aiort_stream_close(writer));
    assert_ok(aiort_stream_wait_closed(writer));
    aiort_unref(reader);
    aiort_unref(writer);
    return 0;
}

static void shout_from(void *fd)
{
    assert_true(dup2(INT(fd), 0) == 0);
    int flags = fcntl(0, F_GETFL);
    assert_ok(aiort_run(AIORT_CORO(shout, NULL), NULL));
    assert_int_equal(fcntl(0, F_GETFL), flags); /* open, and as it was */
    assert_int_equal(fcntl(1, F_GETFL) & O_NONBLOCK, 0);
}

TEST(standard_streams_of_pipes)
{
    int fds[2];
    char *output;

    assert_int_equal(pipe(fds), 0);
    assert_int_equal(write(fds[1], "hello\nworld", 11), 11);
    close(fds[1]);
    assert_int_equal(harness_child(shout_from, PTR(fds[0]), 10, &output), 0);
    assert_string_equal(output, "HELLO\nWORLD");
    free(output);
    close(fds[0]);
}

TEST(standard_input_of_a_file)
{
    char path[] = "/tmp/aiort-stdin-XXXXXX", *output, *all = malloc(200001);
    int fd = mkstemp(path);

    for (int i = 0; i < 20000; i++)
        memcpy(all + (size_t)i * 10, "123456789\n", 11);
    assert_int_equal(write(fd, all, 200000), 200000);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(harness_child(shout_from, PTR(fd), 10, &output), 0);
    assert_int_equal(strlen(output), 200000);
    assert_memory_equal(output, all, 200000);
    free(output);
    free(all);
    unlink(path);
}

static void shout_into(void *fd)
{
    int from = open("/dev/null", O_RDONLY);

    assert_true(dup2(INT(fd), 1) == 1);
    shout_from(PTR(from));
}

TEST(standard_streams_of_devices)
{
    int fd = open("/dev/null", O_WRONLY);
    char *output;

    assert_int_equal(harness_child(shout_into, PTR(fd), 10, &output), 0);
    free(output);
    close(fd);
}

static void shout_into_file(void *fd)
{
    int fds[2];

    assert_int_equal(pipe(fds), 0);
    memset(buffer, 'a', 60000);
    assert_int_equal(write(fds[1], buffer, 60000), 60000);
    close(fds[1]);
    assert_true(dup2(INT(fd), 1) == 1);
    shout_from(PTR(fds[0]));
}

TEST(standard_output_to_a_file)
{
    char path[] = "/tmp/aiort-stdout-XXXXXX", *output;
    int fd = mkstemp(path);

    assert_int_equal(harness_child(shout_into_file, PTR(fd), 10, &output), 0);
    assert_string_equal(output, "");
    free(output);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 60000);
    assert_int_equal(pread(fd, buffer, 60000, 0), 60000);
    for (int i = 0; i < 60000; i++)
        assert_int_equal(buffer[i], 'A');
    close(fd);
    unlink(path);
}

TASK_TEST(open_stdout_arguments)
{
    aiort_stream_writer_t *writer;

    assert_code(aiort_open_stdout(0, &writer), UV_EINVAL);
    assert_code(aiort_open_stdout(7, &writer), UV_EINVAL);
}
