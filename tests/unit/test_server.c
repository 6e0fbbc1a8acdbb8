/* SPDX-License-Identifier: MIT */
/*
 * Servers: CPython's test_server.py, the servers of test_streams.py and test_unix_events.py, and
 * what happens when descriptors run out.
 */
#include "streams.h"

#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/stat.h>

static char buffer[65536];
static const char *data;
static int connected; /* calls of the server's coroutine */

static int echo(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    ssize_t n;
    int err = 0;

    (void)result;
    connected++;
    while (!err && (n = aiort_stream_read(connection->reader, buffer, sizeof buffer)) != 0) {
        err = n < 0 ? (int)n : aiort_stream_write(connection->writer, buffer, (size_t)n);
        err = err ? err : aiort_stream_drain(connection->writer);
    }
    aiort_stream_close(connection->writer);
    return err == UV_ECONNRESET ? 0 : err;
}

/* Waits for the end of the connection, with it in hand. */
static int hold(void *arg, void **result)
{
    aiort_connection_t *connection = arg;

    (void)result;
    connected++;
    ssize_t n = aiort_stream_read(connection->reader, buffer, 1);
    aiort_stream_close(connection->writer);
    return n < 0 && n != UV_ECONNRESET ? (int)n : 0;
}

static aiort_server_t *serve(aiort_coroutine_fn function)
{
    aiort_server_t *server;

    assert_ok(aiort_start_server(function, NULL, "127.0.0.1", 0, NULL, &server));
    return server;
}

typedef struct {
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
} client_t;

static client_t connect_to(const aiort_server_t *server)
{
    client_t client;

    assert_ok(aiort_open_connection("127.0.0.1", aiort_server_port(server), NULL, &client.reader,
                                    &client.writer));
    return client;
}

static void drop_client(client_t client)
{
    aiort_stream_close(client.writer);
    aiort_stream_wait_closed(client.writer);
    aiort_unref(client.reader);
    aiort_unref(client.writer);
}

static void talk(client_t client, const char *text)
{
    static char answer[256];

    assert_ok(aiort_stream_write(client.writer, text, strlen(text)));
    assert_bytes(aiort_stream_readexactly(client.reader, answer, strlen(text)), answer, text);
}

static int wait_closed(void *server, void **result)
{
    (void)result;
    return aiort_server_wait_closed((aiort_server_t *)server);
}

static int serve_forever(void *server, void **result)
{
    (void)result;
    return aiort_server_serve_forever((aiort_server_t *)server);
}

static void end_server(aiort_server_t *server)
{
    assert_ok(aiort_server_close(server));
    assert_ok(aiort_server_wait_closed(server));
    aiort_unref(server);
}

/* ---- Serving ---- */

TASK_TEST(start_server)
{
    aiort_server_t *server = serve(echo);
    client_t one = connect_to(server), two = connect_to(server);

    talk(one, "hello from one");
    talk(two, "hello from two");
    talk(one, "again");
    drop_client(one);
    drop_client(two);
    assert_int_equal(connected, 2);
    end_server(server);
}

static int arg_of_server(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    int *seen = connection->arg;

    (void)result;
    *seen += 1;
    aiort_stream_close(connection->writer);
    return 0;
}

TASK_TEST(server_argument)
{
    int seen = 0;
    aiort_server_t *server;

    assert_ok(aiort_start_server(arg_of_server, &seen, "127.0.0.1", 0, NULL, &server));
    drop_client(connect_to(server));
    assert_ok(aiort_sleep(0.02));
    assert_int_equal(seen, 1);
    end_server(server);
}

TASK_TEST(start_server_1)
{
    aiort_server_options_t options = {.start_later = 1};
    aiort_server_t *server;

    assert_ok(aiort_start_server(echo, NULL, "127.0.0.1", 0, &options, &server));
    assert_int_equal(aiort_server_is_serving(server), 0);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(serve_forever, server));
    assert_ok(aiort_sleep(0));
    assert_int_equal(aiort_server_is_serving(server), 1);
    client_t client = connect_to(server);
    talk(client, "HELLO");
    drop_client(client);

    assert_code(aiort_server_serve_forever(server), AIORT_EMISUSE);
    assert_message("is already being awaited on serve_forever()");
    aiort_task_cancel(task, NULL);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    aiort_unref(task);
    assert_int_equal(aiort_server_is_serving(server), 0);
    assert_code(aiort_server_serve_forever(server), AIORT_EMISUSE);
    assert_message("server <Server sockets=()> is closed");
    assert_code(aiort_server_start_serving(server), AIORT_EMISUSE);
    end_server(server);
}

/* Closing it ends serve_forever() as a cancellation does: asyncio's. */
TASK_TEST(close_ends_serve_forever)
{
    aiort_server_t *server = serve(echo);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(serve_forever, server));

    settle();
    assert_ok(aiort_server_close(server));
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    aiort_unref(task);
    aiort_unref(server);
}

/* Cancelled while connections are open: it is closed, and they are waited for. */
TASK_TEST(cancelled_serve_forever_waits)
{
    aiort_server_t *server = serve(hold);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(serve_forever, server));
    client_t client = connect_to(server);

    settle();
    aiort_task_cancel(task, NULL);
    settle();
    assert_int_equal(aiort_future_done(AIORT_FUTURE(task)), 0);
    assert_int_equal(aiort_server_is_serving(server), 0);
    drop_client(client);
    assert_code(aiort_await(task, NULL), UV_ECANCELED);
    aiort_unref(task);
    aiort_unref(server);
}

TASK_TEST(wait_closed_basic)
{
    aiort_server_t *server = serve(hold);
    client_t client = connect_to(server);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(wait_closed, server));

    settle();
    assert_int_equal(aiort_future_done(AIORT_FUTURE(task)), 0); /* active, not closed */
    assert_ok(aiort_server_close(server));
    settle();
    assert_int_equal(aiort_future_done(AIORT_FUTURE(task)), 0); /* closed, with a connection */
    drop_client(client);
    assert_ok(aiort_await(task, NULL));
    assert_ok(aiort_server_wait_closed(server));
    aiort_unref(task);
    aiort_unref(server);
}

static int close_server_cb(void *server)
{
    return aiort_server_close((aiort_server_t *)server);
}

TASK_TEST(wait_closed_race)
{
    aiort_server_t *server = serve(hold);
    client_t client = connect_to(server);
    aiort_loop_t *loop = aiort_get_running_loop();

    settle();
    assert_ok(aiort_stream_close(client.writer));
    assert_ok(aiort_call_soon(loop, close_server_cb, server, NULL));
    assert_ok(aiort_server_wait_closed(server));
    drop_client(client);
    aiort_unref(server);
}

TASK_TEST(close_clients)
{
    aiort_server_t *server = serve(hold);
    client_t client = connect_to(server);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(wait_closed, server));

    settle();
    assert_ok(aiort_server_close(server));
    assert_ok(aiort_server_close_clients(server));
    assert_ok(aiort_await(task, NULL));
    assert_code((int)aiort_stream_read_all(client.reader, &data), 0);
    drop_client(client);
    aiort_unref(task);
    aiort_unref(server);
}

/* Writes more than anybody reads. */
static int flood(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    int err = 0;

    (void)result;
    connected++;
    while (!err) {
        err = aiort_stream_write(connection->writer, buffer, sizeof buffer);
        err = err ? err : aiort_stream_drain(connection->writer);
    }
    return err == UV_ECONNRESET ? 0 : err;
}

TASK_TEST(abort_clients)
{
    aiort_server_t *server = serve(flood);
    client_t client = connect_to(server);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(wait_closed, server));

    assert_ok(aiort_transport_pause_reading(aiort_stream_transport(client.writer)));
    for (int i = 0; i < 20; i++)
        assert_ok(aiort_sleep(0.005));
    assert_int_equal(connected, 1);
    assert_ok(aiort_server_close(server));
    assert_ok(aiort_server_close_clients(server)); /* waits until what is kept is sent: never */
    settle();
    assert_int_equal(aiort_future_done(AIORT_FUTURE(task)), 0);
    assert_ok(aiort_server_abort_clients(server));
    assert_ok(aiort_await(task, NULL));
    aiort_unref(task);
    drop_client(client);
    aiort_unref(server);
}

/* ---- The coroutine's outcome ---- */

static int fail_at_once(void *arg, void **result)
{
    (void)arg;
    (void)result;
    connected++;
    return aiort_raise(UV_ERANGE, "cb failed");
}

TASK_TEST(unhandled_exception)
{
    reports_t reports;

    record(aiort_get_running_loop(), &reports);
    aiort_server_t *server = serve(fail_at_once);
    client_t client = connect_to(server);
    assert_code((int)aiort_stream_read_all(client.reader, &data), 0);
    assert_int_equal(reports.calls, 1);
    assert_string_equal(reports.message, "Unhandled exception in client_connected_cb");
    assert_contains(reports.keys, "transport");
    assert_int_equal(reports.code, UV_ERANGE);
    assert_string_equal(reports.text, "cb failed");
    drop_client(client);
    end_server(server);
    assert_int_equal(reports.calls, 1);
}

static int cancel_itself(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_task_cancel(aiort_current_task(), NULL);
    return aiort_sleep(1);
}

TASK_TEST(unhandled_cancel)
{
    reports_t reports;

    record(aiort_get_running_loop(), &reports);
    aiort_server_t *server = serve(cancel_itself);
    client_t client = connect_to(server);
    assert_code((int)aiort_stream_read_all(client.reader, &data), 0);
    drop_client(client);
    end_server(server);
    assert_int_equal(reports.calls, 0);
}

/* Keeps the writer for longer than its coroutine runs. */
static aiort_stream_writer_t *kept;

static int keep(void *arg, void **result)
{
    (void)result;
    kept = aiort_ref(((aiort_connection_t *)arg)->writer);
    return 0;
}

TASK_TEST(writer_outlives_its_coroutine)
{
    aiort_server_t *server = serve(keep);
    client_t client = connect_to(server);

    settle();
    assert_ok(aiort_stream_write(kept, "later\n", 6));
    assert_bytes(aiort_stream_readline(client.reader, &data), data, "later\n");
    aiort_unref(kept); /* the last one: it is closed */
    assert_code((int)aiort_stream_read_all(client.reader, &data), 0);
    drop_client(client);
    end_server(server);
}

/* ---- Loops that are closed ---- */

static int start_and_leave(void *arg, void **result)
{
    client_t *client = arg;
    aiort_server_t *server = serve(hold);

    (void)result;
    *client = connect_to(server);
    settle();
    assert_int_equal(connected, 1);
    aiort_unref(server); /* the loop keeps it */
    settle();
    return 0;
}

TEST(serving_at_loop_close)
{
    aiort_loop_t *loop = new_loop();
    client_t client;
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(start_and_leave, &client), NULL));
    drop_loop(loop);
    assert_int_equal(reports.calls, 1); /* the coroutine of the connection */
    assert_string_equal(reports.check, "task-destroyed-pending");
    aiort_unref(client.reader);
    aiort_unref(client.writer);
}

static int start_and_keep(void *server, void **result)
{
    (void)result;
    *(aiort_server_t **)server = serve(echo);
    return 0;
}

TEST(server_outlives_its_loop)
{
    aiort_loop_t *loop = new_loop();
    aiort_server_t *server;

    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(start_and_keep, &server), NULL));
    assert_string_equal(aiort_server_is_serving(server) ? "serving" : "", "serving");
    drop_loop(loop);
    assert_string_equal(repr(server), "<Server sockets=()>");
    assert_int_equal(aiort_server_is_serving(server), 0);
    assert_ok(aiort_server_close(server));
    aiort_unref(server);
}

/* All that have come are accepted at once, as many as the backlog. */
TASK_TEST(accept_many)
{
    aiort_server_options_t options = {.backlog = 10};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    aiort_server_t *server;
    int fds[7];

    assert_ok(aiort_start_server(hold, NULL, "127.0.0.1", 0, &options, &server));
    address.sin_port = htons((uint16_t)aiort_server_port(server));
    for (int i = 0; i < 7; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(connect(fds[i], (struct sockaddr *)&address, sizeof address), 0);
    }
    assert_int_equal(connected, 0);
    settle();
    assert_int_equal(connected, 7);
    for (int i = 0; i < 7; i++)
        close(fds[i]);
    end_server(server);
}

TASK_TEST(server_close)
{
    aiort_server_t *server = serve(echo);
    int port = aiort_server_port(server);
    client_t client = connect_to(server), other;

    talk(client, "before");
    assert_ok(aiort_server_close(server));
    assert_ok(aiort_server_close(server));
    assert_int_equal(aiort_server_port(server), 0);
    assert_code(aiort_open_connection("127.0.0.1", port, NULL, &other.reader, &other.writer),
                UV_ECONNREFUSED);
    talk(client, "connections go on");
    drop_client(client);
    end_server(server);
}

/* ---- Addresses ---- */

TASK_TEST(create_server_dual_stack)
{
    aiort_server_t *four = serve(echo), *six;

    int err = aiort_start_server(echo, NULL, "::1", aiort_server_port(four), NULL, &six);
    if (err == UV_EADDRNOTAVAIL || err == UV_EAFNOSUPPORT)
        test_skip("no IPv6 here");
    assert_ok(err); /* the same port of the other family is another one */
    end_server(four);
    end_server(six);
}

TASK_TEST(server_repr)
{
    aiort_server_t *server = serve(echo);
    char expected[160];
    int fd;

    assert_int_equal(aiort_server_sockets(server, &fd, 1), 1);
    snprintf(expected, sizeof expected,
             "<Server sockets=(<asyncio.TransportSocket fd=%d, family=2, type=1, proto=6, "
             "laddr=('127.0.0.1', %d)>,)>",
             fd, aiort_server_port(server));
    assert_string_equal(repr(server), expected);
    assert_ok(aiort_server_close(server));
    assert_string_equal(repr(server), "<Server sockets=()>");
    assert_int_equal(aiort_server_sockets(server, &fd, 1), 0);
    end_server(server);
}

TASK_TEST(create_server_multiple_hosts)
{
    aiort_server_t *server;
    int fds[4];

    assert_ok(aiort_start_server(echo, NULL, "127.0.0.1,127.0.0.2,127.0.0.1", 0, NULL, &server));
    assert_int_equal(aiort_server_sockets(server, fds, 4), 3);
    client_t client = connect_to(server);
    talk(client, "x");
    drop_client(client);
    end_server(server);
}

TASK_TEST(create_server_all_interfaces)
{
    aiort_server_options_t v4 = {.family = AF_INET};
    aiort_server_t *server;
    int fd;

    assert_ok(aiort_start_server(echo, NULL, NULL, 0, &v4, &server));
    assert_int_equal(aiort_server_sockets(server, &fd, 1), 1);
    assert_contains(repr(server), "laddr=('0.0.0.0', ");
    client_t client = connect_to(server);
    talk(client, "x");
    drop_client(client);
    end_server(server);
    assert_ok(aiort_start_server(echo, NULL, "", 0, NULL, &server));
    assert_true(aiort_server_sockets(server, NULL, 0) >= 1);
    end_server(server);
}

TASK_TEST(create_server_addr_in_use)
{
    aiort_server_t *server = serve(echo), *second;

    assert_code(
        aiort_start_server(echo, NULL, "127.0.0.1", aiort_server_port(server), NULL, &second),
        UV_EADDRINUSE);
    assert_message("error while attempting to bind on address ('127.0.0.1', ");
    assert_message("address already in use");
    end_server(server);
}

TASK_TEST(create_server_reuse_port)
{
    aiort_server_options_t options = {.reuse_port = 1};
    aiort_server_t *server, *second;

    assert_ok(aiort_start_server(echo, NULL, "127.0.0.1", 0, &options, &server));
    assert_ok(
        aiort_start_server(echo, NULL, "127.0.0.1", aiort_server_port(server), &options, &second));
    end_server(server);
    end_server(second);
}

TASK_TEST(create_server_bad_address)
{
    aiort_server_t *server;

    assert_code(aiort_start_server(echo, NULL, "203.0.113.1", 0, NULL, &server), UV_EADDRNOTAVAIL);
    assert_message("could not bind on any address out of 203.0.113.1");
    assert_code(aiort_start_server(echo, NULL, "127.0.0.1", 70000, NULL, &server), UV_EINVAL);
    assert_code(aiort_start_server(NULL, NULL, "127.0.0.1", 0, NULL, &server), UV_EINVAL);
}

TASK_TEST(create_server_sock)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    aiort_server_t *server;

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_ok(aiort_start_server_sockets(echo, NULL, &fd, 1, NULL, &server));
    client_t client = connect_to(server);
    talk(client, "over a socket of the program's");
    drop_client(client);
    end_server(server);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

TASK_TEST(create_server_wrong_sock)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    aiort_server_t *server;

    assert_code(aiort_start_server_sockets(echo, NULL, &fd, 1, NULL, &server), UV_EINVAL);
    assert_message("A Stream Socket was expected");
    assert_int_equal(fcntl(fd, F_GETFD), -1);
    assert_code(aiort_start_server_sockets(echo, NULL, NULL, 0, NULL, &server), UV_EINVAL);
    assert_message("Neither host/port nor sock were specified");
}

TASK_TEST(create_server_stream_bittype)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x7f000001)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    aiort_server_t *server;

    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_ok(aiort_start_server_sockets(echo, NULL, &fd, 1, NULL, &server));
    end_server(server);
}

TASK_TEST(create_server_ipv6)
{
    aiort_server_t *server;

    if (aiort_start_server(echo, NULL, "::1", 0, NULL, &server))
        test_skip("no IPv6 here");
    assert_contains(repr(server), "family=10");
    assert_contains(repr(server), "laddr=('::1', ");
    client_t client;
    assert_ok(aiort_open_connection("::1", aiort_server_port(server), NULL, &client.reader,
                                    &client.writer));
    talk(client, "six");
    drop_client(client);
    end_server(server);
}

/* ---- Unix sockets ---- */

static const char *socket_path(void)
{
    static char path[64];

    snprintf(path, sizeof path, "/tmp/aiort-server-%d.sock", (int)getpid());
    return path;
}

static aiort_server_t *serve_unix(const aiort_server_options_t *options)
{
    aiort_server_t *server;

    assert_ok(aiort_start_unix_server(echo, NULL, socket_path(), 0, options, &server));
    return server;
}

static int exists(const char *path)
{
    struct stat status;

    return stat(path, &status) == 0;
}

TASK_TEST(start_unix_server)
{
    aiort_server_t *server = serve_unix(NULL);
    client_t client;

    assert_ok(aiort_open_unix_connection(socket_path(), 0, NULL, &client.reader, &client.writer));
    talk(client, "unix");
    drop_client(client);
    assert_contains(repr(server), "family=1, type=1, proto=0, laddr='/tmp/aiort-server-");
    end_server(server);
}

TASK_TEST(start_unix_server_1)
{
    aiort_server_options_t options = {.start_later = 1};
    aiort_server_t *server = serve_unix(&options);
    client_t client;

    assert_int_equal(aiort_server_is_serving(server), 0);
    assert_code(aiort_open_unix_connection(socket_path(), 0, NULL, &client.reader, &client.writer),
                UV_ECONNREFUSED);
    assert_ok(aiort_server_start_serving(server));
    assert_ok(aiort_server_start_serving(server));
    assert_int_equal(aiort_server_is_serving(server), 1);
    assert_ok(aiort_open_unix_connection(socket_path(), 0, NULL, &client.reader, &client.writer));
    talk(client, "x");
    drop_client(client);
    assert_ok(aiort_server_close(server));
    assert_code(aiort_server_serve_forever(server), AIORT_EMISUSE);
    assert_message("is closed");
    end_server(server);
}

TASK_TEST(unix_server_addr_cleanup)
{
    aiort_server_t *server = serve_unix(NULL);

    assert_int_equal(exists(socket_path()), 1);
    end_server(server);
    assert_int_equal(exists(socket_path()), 0);
}

TASK_TEST(unix_server_cleanup_gone)
{
    aiort_server_t *server = serve_unix(NULL);

    assert_int_equal(unlink(socket_path()), 0);
    end_server(server);
}

TASK_TEST(unix_server_cleanup_replaced)
{
    aiort_server_t *server = serve_unix(NULL);
    char other[80];

    /* Another file by that name is somebody else's: made before the old one goes, so that it cannot
     * have its number. */
    snprintf(other, sizeof other, "%s.new", socket_path());
    close(open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_int_equal(rename(other, socket_path()), 0);
    end_server(server);
    assert_int_equal(exists(socket_path()), 1);
    unlink(socket_path());
}

TASK_TEST(unix_server_cleanup_prevented)
{
    aiort_server_options_t options = {.keep_path = 1};
    aiort_server_t *server = serve_unix(&options);

    end_server(server);
    assert_int_equal(exists(socket_path()), 1);
    unlink(socket_path());
}

TASK_TEST(create_unix_server_existing_path_sock)
{
    aiort_server_options_t options = {.keep_path = 1};

    end_server(serve_unix(&options));
    assert_int_equal(exists(socket_path()), 1);
    end_server(serve_unix(NULL)); /* a socket left behind is replaced */
}

TASK_TEST(create_unix_server_existing_path_nonsock)
{
    aiort_server_t *server;

    close(open(socket_path(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    assert_code(aiort_start_unix_server(echo, NULL, socket_path(), 0, NULL, &server),
                UV_EADDRINUSE);
    assert_message("Address '/tmp/aiort-server-");
    assert_message("is already in use");
    unlink(socket_path());
}

TASK_TEST(create_unix_server_nopath_nosock)
{
    aiort_server_t *server;

    assert_code(aiort_start_unix_server(echo, NULL, NULL, 0, NULL, &server), UV_EINVAL);
    assert_message("path was specified, and no sock");
}

TASK_TEST(create_unix_server_bind_error)
{
    aiort_server_t *server;

    assert_code(
        aiort_start_unix_server(echo, NULL, "/nonexistent/directory/socket", 0, NULL, &server),
        UV_ENOENT);
}

/* ---- Out of descriptors ---- */

static int in_use(void)
{
    int fd = dup(0), n = fd;

    close(fd);
    return n;
}

TASK_TEST(accept_out_of_descriptors)
{
    if (harness_on_valgrind())
        test_skip("Valgrind accepts a connection beyond the limit, and closes it");

    struct rlimit before, low;
    reports_t reports;

    record(aiort_get_running_loop(), &reports);
    aiort_server_t *server = serve(echo);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(0x7f000001),
                                  .sin_port = htons((uint16_t)aiort_server_port(server))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)in_use();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_ok(aiort_sleep(0.3));
    assert_int_equal(reports.calls, 1); /* said once, though it can be accepted all the time */
    assert_string_equal(reports.message, "socket.accept() out of system resource");
    assert_int_equal(reports.code, UV_EMFILE);
    assert_contains(reports.keys, "socket");
    assert_ok(aiort_sleep(1.2)); /* tried again in vain meanwhile: not said */
    assert_int_equal(reports.calls, 1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_ok(aiort_sleep(1.2));
    assert_int_equal(connected, 1); /* it goes on, and says how often it was tried */
    assert_int_equal(reports.calls, 2);
    assert_contains(reports.message, "socket.accept() was out of system resource for ");
    assert_contains(reports.message, "(2 times)");
    close(fd);
    end_server(server);
}

TASK_TEST(closed_while_out_of_descriptors)
{
    struct rlimit before, low;
    reports_t reports;

    record(aiort_get_running_loop(), &reports);
    aiort_server_t *server = serve(echo);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(0x7f000001),
                                  .sin_port = htons((uint16_t)aiort_server_port(server))};
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    low = before;
    low.rlim_cur = (rlim_t)in_use();
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    settle();
    assert_int_equal(reports.calls, 1);
    end_server(server);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    close(fd);
}
