/* SPDX-License-Identifier: MIT */
/*
 * Out of memory in streams, servers and pipes: a scenario is run again and again, each time with
 * another of its allocations refused. It ends as it should or with an error, and nothing is left
 * allocated, no descriptor open.
 */
#include "allocator.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[300000];

static void drop(aiort_stream_reader_t *reader, aiort_stream_writer_t *writer)
{
    aiort_stream_close(writer);
    aiort_unref(reader);
    aiort_unref(writer);
}

/* ---- A connection over a socket pair ---- */

static int use_pair(aiort_stream_reader_t *reader, aiort_stream_writer_t *writer, int peer)
{
    const char *line;
    ssize_t n;
    int err = aiort_stream_write(writer, "hello\n", 6);

    if (!err && write(peer, "an answer\nand half\xff of one", 25) != 25)
        return UV_EIO;
    n = err ? err : aiort_stream_readline(reader, &line);
    n = n < 0 ? n : aiort_stream_readuntil(reader, "\xff", 1, &line);
    n = n < 0 ? n : aiort_stream_readexactly(reader, buffer, 4);
    err = n < 0 ? (int)n : aiort_stream_write(writer, buffer, sizeof buffer);
    err = err ? err : aiort_stream_write(writer, buffer, sizeof buffer);
    for (int i = 0; i < 100 && !err; i++) {
        while (recv(peer, buffer, sizeof buffer, MSG_DONTWAIT) > 0)
            ;
        err = aiort_sleep(0);
    }
    err = err ? err : aiort_stream_drain(writer);
    err = err ? err : aiort_stream_close(writer);
    return err ? err : aiort_stream_wait_closed(writer);
}

static int over_a_pair(void)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds))
        return UV_EMFILE;
    int err = aiort_open_socket(fds[0], NULL, &reader, &writer);
    if (!err) {
        err = use_pair(reader, writer, fds[1]);
        drop(reader, writer);
    }
    close(fds[1]);
    return err;
}

/* ---- A server and its client ---- */

static int answer(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    char byte;
    ssize_t n = aiort_stream_read(connection->reader, &byte, 1);
    int err = n < 0 ? (int)n : aiort_stream_write(connection->writer, &byte, (size_t)n);

    (void)result;
    aiort_stream_close(connection->writer);
    return err;
}

static int quietly(aiort_loop_t *loop, const aiort_report_t *report, void *arg)
{
    (void)loop;
    (void)report;
    (void)arg;
    return 0;
}

static int use_server(aiort_server_t *server)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    char byte;
    int err = aiort_open_connection("127.0.0.1", aiort_server_port(server), NULL, &reader, &writer);

    if (err)
        return err;
    err = aiort_stream_write(writer, "x", 1);
    ssize_t n = err ? err : aiort_stream_read(reader, &byte, 1);
    drop(reader, writer);
    return n < 0 ? (int)n : n == 0 ? UV_ENOMEM : 0; /* the end alone: the server had no memory */
}

static int with_a_server(void)
{
    aiort_server_t *server;

    aiort_loop_set_exception_handler(aiort_get_running_loop(), quietly, NULL);
    int err = aiort_start_server(answer, NULL, "127.0.0.1", 0, NULL, &server);
    if (err)
        return err;
    err = use_server(server);
    aiort_server_close(server);
    int other = aiort_server_wait_closed(server);
    aiort_unref(server);
    /* One that was reset by a server without memory. */
    return err == UV_ECONNRESET ? UV_ENOMEM : err ? err : other;
}

static int by_name(void)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    aiort_connection_options_t options = {.family = AF_INET};
    int err = aiort_open_connection("localhost", 1, &options, &reader, &writer);

    if (!err)
        drop(reader, writer);
    return err;
}

/* ---- Pipes ---- */

static int with_pipes(void)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    const char *all;
    int fds[2];

    if (pipe(fds))
        return UV_EMFILE;
    int err = aiort_connect_read_pipe(fds[0], 0, &reader);
    if (err) {
        close(fds[1]);
        return err;
    }
    err = aiort_connect_write_pipe(fds[1], &writer);
    if (!err) {
        err = aiort_stream_write(writer, buffer, 100000);
        aiort_stream_close(writer);
        aiort_unref(writer);
    }
    ssize_t n = err ? err : aiort_stream_read_all(reader, &all);
    aiort_unref(reader);
    return n == 100000 ? 0 : n < 0 ? (int)n : UV_ENOMEM;
}

/* ---- Each allocation refused once, and from one on for good ---- */

typedef struct {
    int (*run)(void);
} scenario_t;

static int run_scenario(void *arg, void **result)
{
    (void)result;
    return ((const scenario_t *)arg)->run();
}

static int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

static void refuse_each(int (*run)(void), int expected)
{
    scenario_t scenario = {run};
    long refusals = 0;

    allocator_install();
    /* libuv opens two for the whole process, with its first loop. */
    assert_code(aiort_run(AIORT_CORO(run_scenario, &scenario), NULL), expected);
    forget_error();
    int before = open_descriptors();
    for (long n = 1;; n++) {
        allocator_refuse(n);
        aiort_coroutine_t *coroutine = AIORT_CORO(run_scenario, &scenario);
        int err = coroutine ? aiort_run(coroutine, NULL) : aiort_last_error();
        long refused = allocator_refused();
        allocator_refuse(0);
        if (err != expected)
            assert_code(err, refused ? UV_ENOMEM : expected);
        forget_error();
        assert_int_equal(allocator_live(), 0);
        assert_int_equal(open_descriptors(), before);
        if (refused == 0)
            break;
        refusals++;
    }
    assert_true(refusals > 5);
}

TEST_WITHIN(60, connection)
{
    refuse_each(over_a_pair, 0);
}

TEST_WITHIN(60, server)
{
    refuse_each(with_a_server, 0);
}

TEST_WITHIN(60, resolving)
{
    refuse_each(by_name, UV_ECONNREFUSED);
}

TEST_WITHIN(60, pipes)
{
    refuse_each(with_pipes, 0);
}
