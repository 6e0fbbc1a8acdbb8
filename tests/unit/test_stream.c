/* SPDX-License-Identifier: MIT */
/*
 * Connections: opened, read and written, lost, closed. CPython's test_streams.py, where it needs a
 * server or a socket.
 */
#include "streams.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

static char buffer[1 << 20];
static const char *data;

/* ---- Servers to connect to ---- */

/* Answers one line with another, as CPython's test server answers HTTP. */
static int answer(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    const char *line;
    ssize_t n = aiort_stream_readline(connection->reader, &line);

    (void)result;
    if (n < 0)
        return (int)n;
    assert_ok(aiort_stream_write(connection->writer, "re: ", 4));
    assert_ok(aiort_stream_write(connection->writer, line, (size_t)n));
    int err = aiort_stream_drain(connection->writer);
    aiort_stream_close(connection->writer);
    return err;
}

static aiort_server_t *serve(aiort_coroutine_fn function)
{
    aiort_server_t *server;

    assert_ok(aiort_start_server(function, NULL, "127.0.0.1", 0, NULL, &server));
    return server;
}

static void end_server(aiort_server_t *server)
{
    assert_ok(aiort_server_close(server));
    assert_ok(aiort_server_wait_closed(server));
    aiort_unref(server);
}

static void end_connection(aiort_stream_reader_t *reader, aiort_stream_writer_t *writer)
{
    aiort_stream_close(writer);
    assert_ok(aiort_stream_wait_closed(writer));
    aiort_unref(reader);
    aiort_unref(writer);
}

/* Says hello and expects the answer and the end. */
static void talk(aiort_stream_reader_t *reader, aiort_stream_writer_t *writer)
{
    assert_ok(aiort_stream_write(writer, "hello\n", 6));
    assert_bytes(aiort_stream_readline(reader, &data), data, "re: hello\n");
    assert_code((int)aiort_stream_read_all(reader, &data), 0);
    end_connection(reader, writer);
}

static const char *temporary_path(void)
{
    static char path[64];

    snprintf(path, sizeof path, "/tmp/aiort-%d.sock", (int)getpid());
    return path;
}

TASK_TEST(open_connection)
{
    aiort_server_t *server = serve(answer);
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;

    assert_ok(
        aiort_open_connection("127.0.0.1", aiort_server_port(server), NULL, &reader, &writer));
    talk(reader, writer);
    end_server(server);
}

TASK_TEST(open_connection_by_name)
{
    aiort_server_t *server = serve(answer);
    aiort_connection_options_t options = {.family = AF_INET};
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;

    assert_ok(
        aiort_open_connection("localhost", aiort_server_port(server), &options, &reader, &writer));
    talk(reader, writer);
    end_server(server);
}

TASK_TEST(open_unix_connection)
{
    const char *path = temporary_path();
    aiort_server_t *server;
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;

    assert_ok(aiort_start_unix_server(answer, NULL, path, 0, NULL, &server));
    assert_ok(aiort_open_unix_connection(path, 0, NULL, &reader, &writer));
    talk(reader, writer);
    end_server(server);
}

TASK_TEST(open_abstract_unix_connection)
{
    char name[32];
    aiort_server_t *server;
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    size_t length = (size_t)snprintf(name, sizeof name, "%caiort-%d", 0, (int)getpid());

    assert_ok(aiort_start_unix_server(answer, NULL, name, length, NULL, &server));
    assert_ok(aiort_open_unix_connection(name, length, NULL, &reader, &writer));
    talk(reader, writer);
    end_server(server);
}

/* The other end resets the connection: the error is every reading call's. */
static int reset(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    struct linger linger = {1, 0};
    int fd = aiort_transport_fileno(aiort_stream_transport(connection->writer));

    (void)result;
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger), 0);
    aiort_stream_close(connection->writer);
    return 0;
}

TASK_TEST(open_connection_error)
{
    aiort_server_t *server = serve(reset);
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;

    assert_ok(
        aiort_open_connection("127.0.0.1", aiort_server_port(server), NULL, &reader, &writer));
    assert_code((int)aiort_stream_read_all(reader, &data), UV_ECONNRESET);
    assert_code((int)aiort_stream_read(reader, buffer, 1), UV_ECONNRESET);
    assert_code(aiort_stream_drain(writer), UV_ECONNRESET);
    assert_code(aiort_stream_wait_closed(writer), UV_ECONNRESET);
    aiort_unref(reader);
    aiort_unref(writer);
    end_server(server);
}

TASK_TEST(open_unix_connection_error)
{
    pair_t pair;

    open_pair(&pair);
    assert_ok(aiort_stream_write(pair.writer, "never read", 10));
    close_peer(&pair); /* with something unread: a reset */
    assert_code((int)aiort_stream_read_all(pair.reader, &data), UV_ECONNRESET);
    assert_contains(repr(pair.reader), "exception=ECONNRESET(");
    drop_pair(&pair);
}

TASK_TEST(connect_refused)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    aiort_server_t *server = serve(answer);
    int port = aiort_server_port(server);

    end_server(server);
    assert_code(aiort_open_connection("127.0.0.1", port, NULL, &reader, &writer), UV_ECONNREFUSED);
    assert_message("Connect call failed ('127.0.0.1', ");
    assert_code(aiort_open_unix_connection("/nonexistent/socket", 0, NULL, &reader, &writer),
                UV_ENOENT);
}

TASK_TEST(connect_arguments)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    aiort_connection_options_t options = {.family = 12345};

    assert_code(aiort_open_connection(NULL, 80, NULL, &reader, &writer), UV_EINVAL);
    assert_message("host and port was not specified and no sock specified");
    assert_code(aiort_open_connection("127.0.0.1", 65536, NULL, &reader, &writer), UV_EINVAL);
    assert_code(aiort_open_connection("127.0.0.1", -1, NULL, &reader, &writer), UV_EINVAL);
    assert_code(aiort_open_connection("127.0.0.1", 80, &options, &reader, &writer),
                UV_EAFNOSUPPORT);
    assert_code(aiort_open_unix_connection("", 0, NULL, &reader, &writer), UV_EINVAL);
    memset(buffer, 'x', 300);
    buffer[300] = '\0';
    assert_code(aiort_open_unix_connection(buffer, 0, NULL, &reader, &writer), UV_ENAMETOOLONG);
    assert_code(aiort_open_socket(-1, NULL, &reader, &writer), UV_EINVAL);
    assert_message("A Stream Socket was expected");
    int datagram = socket(AF_INET, SOCK_DGRAM, 0);
    assert_code(aiort_open_socket(datagram, NULL, &reader, &writer), UV_EINVAL);
    assert_int_equal(fcntl(datagram, F_GETFD), -1); /* taken over, also on failure */
}

TEST(connect_outside_of_a_task)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;

    assert_code(aiort_open_connection("127.0.0.1", 80, NULL, &reader, &writer), AIORT_ENOTASK);
    assert_code(aiort_open_unix_connection("/tmp/x", 0, NULL, &reader, &writer), AIORT_ENOTASK);
}

TASK_TEST(connect_local_addr)
{
    aiort_server_t *server = serve(answer);
    aiort_connection_options_t options = {.local_host = "127.0.0.2"};
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    char name[128];

    assert_ok(
        aiort_open_connection("127.0.0.1", aiort_server_port(server), &options, &reader, &writer));
    assert_true(aiort_stream_get_extra_info(writer, "sockname", name, sizeof name) > 0);
    assert_contains(name, "('127.0.0.2', ");
    talk(reader, writer);

    options.local_host = "::1";
    assert_code(
        aiort_open_connection("127.0.0.1", aiort_server_port(server), &options, &reader, &writer),
        UV_EADDRNOTAVAIL);
    assert_message("no matching local address with family=2 found");
    options.local_host = "203.0.113.1"; /* an address for documentation: nobody's */
    assert_code(
        aiort_open_connection("127.0.0.1", aiort_server_port(server), &options, &reader, &writer),
        UV_EADDRNOTAVAIL);
    end_server(server);
}

TASK_TEST(connect_local_addr_in_use)
{
    aiort_server_t *server = serve(answer);
    aiort_connection_options_t options = {.local_host = "127.0.0.1",
                                          .local_port = aiort_server_port(server)};
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;

    assert_code(
        aiort_open_connection("127.0.0.1", aiort_server_port(server), &options, &reader, &writer),
        UV_EADDRINUSE);
    end_server(server);
}

/* A socket that the program has accepted itself. */
TASK_TEST(connect_accepted_socket)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    pair_t pair;

    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, sizeof address), 0);
    assert_ok(aiort_open_socket(accept(listener, NULL, NULL), NULL, &pair.reader, &pair.writer));
    pair.peer = client;
    close(listener);
    send_peer(&pair, "hello\n");
    assert_bytes(aiort_stream_readline(pair.reader, &data), data, "hello\n");
    drop_pair(&pair);
}

/* Both ends send small pieces at once. */
TASK_TEST(set_nodelay)
{
    aiort_server_t *server = serve(answer);
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int value = 0;
    socklen_t length = sizeof value;

    assert_ok(
        aiort_open_connection("127.0.0.1", aiort_server_port(server), NULL, &reader, &writer));
    int fd = aiort_transport_fileno(aiort_stream_transport(writer));
    assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &value, &length), 0);
    assert_int_not_equal(value, 0);
    talk(reader, writer);
    end_server(server);
}

TASK_TEST(connect_unknown_host)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int err = aiort_open_connection("no such host.invalid", 80, NULL, &reader, &writer);

    assert_true(err == UV_EAI_NONAME || err == UV_EAI_AGAIN || err == UV_EAI_FAIL ||
                err == UV_EAI_NODATA);
    assert_message("no such host.invalid");
}

static int connect_slowly(void *port, void **result)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;

    (void)result;
    return aiort_open_connection("127.0.0.1", INT(port), NULL, &reader, &writer);
}

static int resolve_slowly(void *arg, void **result)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;

    (void)arg;
    (void)result;
    return aiort_open_connection("localhost", 1, NULL, &reader, &writer);
}

/* A listening socket that nobody accepts from, full: who connects to it waits. */
static int full_listener(int *port, int *clients, int n)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 0), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    *port = ntohs(address.sin_port);
    for (int i = 0; i < n; i++) {
        clients[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        (void)connect(clients[i], (struct sockaddr *)&address, sizeof address);
    }
    return fd;
}

TASK_TEST(connect_cancelled)
{
    int clients[4], port, fd = full_listener(&port, clients, 4);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(connect_slowly, PTR(port)));

    settle();
    assert_int_equal(aiort_future_done(AIORT_FUTURE(task)), 0);
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    aiort_unref(task);
    task = aiort_create_task(AIORT_CORO(resolve_slowly, NULL));
    assert_ok(aiort_sleep(0));
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    aiort_unref(task);
    close(fd);
    for (int i = 0; i < 4; i++)
        close(clients[i]);
}

/* Destroyed with the loop while it connects, and while it resolves. */
TEST(connecting_at_close)
{
    aiort_loop_t *loop = new_loop();
    int clients[4], port, fd = full_listener(&port, clients, 4);
    reports_t reports;

    record(loop, &reports);
    aiort_unref(start(loop, AIORT_CORO(connect_slowly, PTR(port))));
    aiort_unref(start(loop, AIORT_CORO(resolve_slowly, NULL)));
    run_once(loop);
    drop_loop(loop);
    assert_int_equal(reports.calls, 2);
    assert_string_equal(reports.check, "task-destroyed-pending");
    close(fd);
    for (int i = 0; i < 4; i++)
        close(clients[i]);
}

/* The first address does not answer: the second is tried beside it. */
TASK_TEST(happy_eyeballs)
{
    aiort_server_t *server;
    aiort_server_options_t v6 = {.family = AF_INET6};
    aiort_connection_options_t options = {.happy_eyeballs_delay = 0.01};
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;

    /* One family refuses, whichever comes first. */
    if (aiort_start_server(answer, NULL, "::1", 0, &v6, &server))
        test_skip("no IPv6 here");
    assert_ok(aiort_open_connection("::1", aiort_server_port(server), &options, &reader, &writer));
    talk(reader, writer);
    end_server(server);
    server = serve(answer);
    int err =
        aiort_open_connection("localhost", aiort_server_port(server), &options, &reader, &writer);
    assert_ok(err);
    talk(reader, writer);
    end_server(server);
}

/* ---- Reading: the brake ---- */

TASK_TEST(reader_stops_the_transport)
{
    aiort_connection_options_t options = {.limit = 1000};
    int fds[2];
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    assert_ok(aiort_open_socket(fds[0], &options, &reader, &writer));
    memset(buffer, 'x', 5000);
    assert_int_equal(write(fds[1], buffer, 5000), 5000);
    settle();
    assert_contains(repr(reader), "5000 bytes limit=1000");
    assert_contains(repr(reader), "read=idle");
    assert_contains(repr(reader), "paused>");
    assert_code((int)aiort_stream_read(reader, buffer, 3999), 3999);
    assert_contains(repr(reader), "paused>");
    assert_code((int)aiort_stream_read(reader, buffer, 1), 1);
    assert_contains(repr(reader), "read=polling");
    /* More than the limit can be waited for: it reads on as long as somebody waits. */
    memset(buffer, 'y', 9000);
    assert_int_equal(write(fds[1], buffer, 9000), 9000);
    assert_code((int)aiort_stream_readexactly(reader, buffer, 10000), 10000);
    close(fds[1]);
    assert_code((int)aiort_stream_read_all(reader, &data), 0);
    end_connection(reader, writer);
}

TASK_TEST(wait_closed_on_close)
{
    aiort_server_t *server = serve(answer);
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;

    assert_ok(
        aiort_open_connection("127.0.0.1", aiort_server_port(server), NULL, &reader, &writer));
    assert_ok(aiort_stream_write(writer, "GET\n", 4));
    assert_bytes(aiort_stream_readline(reader, &data), data, "re: GET\n");
    assert_int_equal(aiort_stream_is_closing(writer), 0);
    assert_ok(aiort_stream_close(writer));
    assert_int_equal(aiort_stream_is_closing(writer), 1);
    assert_ok(aiort_stream_wait_closed(writer));
    assert_ok(aiort_stream_wait_closed(writer));
    aiort_unref(reader);
    aiort_unref(writer);
    end_server(server);
}

TASK_TEST(wait_closed_on_close_with_unread_data)
{
    pair_t pair;

    open_pair(&pair);
    send_peer(&pair, "a lot of data that is never read\nand more");
    assert_bytes(aiort_stream_readline(pair.reader, &data), data,
                 "a lot of data that is never read\n");
    assert_ok(aiort_stream_close(pair.writer));
    assert_ok(aiort_stream_wait_closed(pair.writer));
    drop_pair(&pair);
}

TASK_TEST(async_writer_api)
{
    aiort_server_t *server = serve(answer);
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    char text[] = "hello\n";
    uv_buf_t lines[] = {uv_buf_init(text, 2), uv_buf_init(text, 0), uv_buf_init(text + 2, 4)};

    assert_ok(
        aiort_open_connection("127.0.0.1", aiort_server_port(server), NULL, &reader, &writer));
    assert_ok(aiort_stream_writelines(writer, lines, 3));
    assert_ok(aiort_stream_drain(writer));
    assert_bytes(aiort_stream_readline(reader, &data), data, "re: hello\n");
    end_connection(reader, writer);
    end_server(server);
}

TASK_TEST(async_writer_api_exception_after_close)
{
    pair_t pair;

    open_pair(&pair);
    assert_ok(aiort_stream_close(pair.writer));
    assert_ok(aiort_stream_write(pair.writer, "data", 4));
    assert_code(aiort_stream_drain(pair.writer), UV_ECONNRESET);
    assert_message("Connection lost");
    drop_pair(&pair);
}

TASK_TEST(eof_feed_when_closing_writer)
{
    pair_t pair;

    open_pair(&pair);
    assert_ok(aiort_stream_close(pair.writer));
    assert_ok(aiort_stream_wait_closed(pair.writer));
    assert_code((int)aiort_stream_read(pair.reader, buffer, 100), 0);
    assert_int_equal(aiort_stream_at_eof(pair.reader), 1);
    drop_pair(&pair);
}

TASK_TEST(__repr__transport)
{
    pair_t pair;
    char expected[160];

    open_pair(&pair);
    snprintf(expected, sizeof expected,
             "<StreamReader transport=<_SelectorSocketTransport fd=%d read=polling write=<idle, "
             "bufsize=0>>>",
             aiort_transport_fileno(aiort_stream_transport(pair.writer)));
    assert_string_equal(repr(pair.reader), expected);
    assert_contains(repr(pair.writer), "<StreamWriter transport=<_SelectorSocketTransport fd=");
    assert_contains(repr(pair.writer), expected);
    drop_pair(&pair);
}

/* ---- Writing ---- */

static int drain(void *writer, void **result)
{
    (void)result;
    return aiort_stream_drain((aiort_stream_writer_t *)writer);
}

/* Writes so much that some is kept. */
static size_t fill(const pair_t *pair)
{
    memset(buffer, 'f', sizeof buffer);
    assert_ok(aiort_stream_write(pair->writer, buffer, sizeof buffer));
    size_t kept = aiort_transport_get_write_buffer_size(aiort_stream_transport(pair->writer));
    assert_true(kept > 100000);
    return kept;
}

static int read_peer(void *peer)
{
    static char sink[65536];
    int fd = INT(peer);
    ssize_t n;

    while ((n = recv(fd, sink, sizeof sink, MSG_DONTWAIT)) > 0) {
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal(sink[i], 'f');
    }
    return 0;
}

TASK_TEST(multiple_drain)
{
    pair_t pair;
    aiort_task_t *tasks[5];

    open_pair(&pair);
    fill(&pair);
    for (int i = 0; i < 5; i++)
        tasks[i] = aiort_create_task(AIORT_CORO(drain, pair.writer));
    settle();
    for (int i = 0; i < 5; i++)
        assert_int_equal(aiort_future_done(AIORT_FUTURE(tasks[i])), 0);
    aiort_task_cancel(tasks[2], NULL); /* one of them leaves */
    for (int i = 0; i < 100; i++) {
        read_peer(PTR(pair.peer));
        assert_ok(aiort_sleep(0.001));
    }
    for (int i = 0; i < 5; i++) {
        assert_code(aiort_await(tasks[i], NULL), i == 2 ? UV_ECANCELED : 0);
        aiort_unref(tasks[i]);
    }
    assert_int_equal(aiort_transport_get_write_buffer_size(aiort_stream_transport(pair.writer)), 0);
    drop_pair(&pair);
}

TASK_TEST(drain_raises)
{
    pair_t pair;

    open_pair(&pair);
    fill(&pair);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(drain, pair.writer));
    settle();
    close_peer(&pair);
    int err = aiort_await(task, NULL);
    assert_true(err == UV_ECONNRESET || err == UV_EPIPE);
    aiort_unref(task);
    err = aiort_stream_drain(pair.writer);
    assert_true(err == UV_ECONNRESET || err == UV_EPIPE);
    drop_pair(&pair);
}

/* What is kept arrives whole, in order, before the end. */
TASK_TEST(write_much_then_close)
{
    pair_t pair;
    size_t got = 0;
    unsigned char expected = 0;
    static unsigned char chunk[70001];

    open_pair(&pair);
    for (int i = 0; i < 40; i++) {
        for (size_t k = 0; k < sizeof chunk; k++)
            chunk[k] = expected++;
        assert_ok(aiort_stream_write(pair.writer, chunk, sizeof chunk));
    }
    assert_ok(aiort_stream_close(pair.writer));
    expected = 0;
    for (;;) {
        ssize_t n = recv(pair.peer, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n == 0)
            break;
        for (ssize_t i = 0; i < n; i++)
            assert_int_equal((unsigned char)buffer[i], expected++);
        got += n > 0 ? (size_t)n : 0;
        assert_ok(aiort_sleep(0));
    }
    assert_int_equal(got, 40 * sizeof chunk);
    drop_pair(&pair);
}

TASK_TEST(write_eof)
{
    pair_t pair;
    char text[16];

    open_pair(&pair);
    assert_int_equal(aiort_stream_can_write_eof(pair.writer), 1);
    assert_ok(aiort_stream_write(pair.writer, "last", 4));
    assert_ok(aiort_stream_write_eof(pair.writer));
    assert_ok(aiort_stream_write_eof(pair.writer));
    assert_code(aiort_stream_write(pair.writer, "more", 4), AIORT_EMISUSE);
    assert_message("Cannot call write() after write_eof()");
    assert_code(aiort_stream_writelines(pair.writer, NULL, 0), AIORT_EMISUSE);
    assert_message("Cannot call writelines() after write_eof()");
    assert_int_equal(read(pair.peer, text, sizeof text), 4);
    assert_int_equal(read(pair.peer, text, sizeof text), 0);
    send_peer(&pair, "still\n"); /* the other direction goes on */
    assert_bytes(aiort_stream_readline(pair.reader, &data), data, "still\n");
    drop_pair(&pair);
}

/* The end waits for what is kept. */
TASK_TEST(write_eof_after_much)
{
    pair_t pair;
    size_t total = 0;

    open_pair(&pair);
    fill(&pair);
    assert_ok(aiort_stream_write_eof(pair.writer));
    for (;;) {
        ssize_t n = recv(pair.peer, buffer, sizeof buffer, MSG_DONTWAIT);
        if (n == 0)
            break;
        total += n > 0 ? (size_t)n : 0;
        assert_ok(aiort_sleep(0));
    }
    assert_int_equal(total, sizeof buffer);
    drop_pair(&pair);
}

/* ---- Left open ---- */

TASK_TEST(dropped_writer_closes)
{
    pair_t pair;
    char byte;

    open_pair(&pair);
    assert_ok(aiort_stream_write(pair.writer, "x", 1));
    aiort_unref(pair.reader);
    aiort_unref(pair.writer);
    settle();
    assert_int_equal(read(pair.peer, &byte, 1), 1);
    assert_int_equal(read(pair.peer, &byte, 1), 0);
    close_peer(&pair);
}

TEST(open_socket_without_a_loop)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    assert_code(aiort_open_socket(fd, NULL, &reader, &writer), AIORT_ENOLOOP);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static int open_and_leave(void *arg, void **result)
{
    pair_t *pair = arg;

    (void)result;
    open_pair(pair);
    assert_ok(aiort_stream_write(pair->writer, buffer, sizeof buffer));
    return 0;
}

TEST(stream_outlives_its_loop)
{
    aiort_loop_t *loop = new_loop();
    pair_t pair;

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(open_and_leave, &pair), NULL));
    drop_loop(loop);
    assert_int_equal(aiort_stream_at_eof(pair.reader), 1);
    assert_int_equal(aiort_stream_is_closing(pair.writer), 1);
    assert_contains(repr(pair.writer), "closed");
    assert_ok(aiort_stream_write(pair.writer, "x", 1));
    assert_ok(aiort_stream_close(pair.writer));
    aiort_unref(pair.writer);
    aiort_unref(pair.reader);
    close_peer(&pair);
}

static int read_for_ever(void *arg, void **result)
{
    pair_t pair;

    (void)arg;
    (void)result;
    open_pair(&pair);
    ssize_t n = aiort_stream_read(pair.reader, buffer, 1);
    aiort_unref(pair.reader);
    aiort_unref(pair.writer);
    close_peer(&pair);
    return (int)n;
}

TEST(reading_at_loop_close)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    aiort_unref(start(loop, AIORT_CORO(read_for_ever, NULL)));
    run_briefly(loop);
    drop_loop(loop);
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.check, "task-destroyed-pending");
}

/* ---- Information ---- */

TASK_TEST(get_extra_info)
{
    aiort_server_t *server = serve(answer);
    struct sockaddr_storage address;
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    char text[128], expected[64];

    assert_ok(
        aiort_open_connection("127.0.0.1", aiort_server_port(server), NULL, &reader, &writer));
    snprintf(expected, sizeof expected, "('127.0.0.1', %d)", aiort_server_port(server));
    assert_int_equal(aiort_stream_get_extra_info(writer, "peername", text, sizeof text),
                     strlen(expected));
    assert_string_equal(text, expected);
    assert_ok(aiort_transport_peername(aiort_stream_transport(writer), &address));
    assert_int_equal(ntohs(((struct sockaddr_in *)&address)->sin_port), aiort_server_port(server));
    assert_ok(aiort_transport_sockname(aiort_stream_transport(writer), &address));
    int fd = aiort_transport_fileno(aiort_stream_transport(writer));
    assert_true(aiort_stream_get_extra_info(writer, "socket", text, sizeof text) > 0);
    assert_int_equal(atoi(text), fd);
    assert_code(aiort_stream_get_extra_info(writer, "nonsense", text, sizeof text), UV_ENOENT);
    aiort_transport_t *transport = aiort_ref(aiort_stream_transport(writer));
    talk(reader, writer);
    assert_code(aiort_transport_fileno(transport), UV_EBADF);
    assert_code(aiort_transport_peername(transport, &address), UV_EBADF);
    aiort_unref(transport);
    end_server(server);
}

/* ---- Without a task ---- */

TEST(read_outside_of_a_task)
{
    aiort_loop_t *loop = new_loop();
    pair_t pair;

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(open_and_leave, &pair), NULL));
    assert_code((int)aiort_stream_read(pair.reader, buffer, 1), AIORT_ENOTASK);
    assert_code(aiort_stream_wait_closed(pair.writer), AIORT_ENOTASK);
    aiort_unref(pair.writer);
    aiort_unref(pair.reader);
    close_peer(&pair);
    drop_loop(loop);
}
