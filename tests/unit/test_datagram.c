/* SPDX-License-Identifier: MIT */
/* Datagram endpoints, as CPython's tests have them, and names, files, watchers. */
#include "streams.h"

#include <netdb.h>
#include <stdio.h>
#include <sys/stat.h>

static aiort_datagram_t *bound(void)
{
    aiort_datagram_options_t options = {.local_host = "127.0.0.1"};
    aiort_datagram_t *endpoint;

    assert_ok(aiort_create_datagram_endpoint(&options, &endpoint));
    assert_true(aiort_datagram_port(endpoint) > 0);
    return endpoint;
}

static aiort_datagram_t *connected_to(int port)
{
    aiort_datagram_options_t options = {.remote_host = "127.0.0.1", .remote_port = port};
    aiort_datagram_t *endpoint;

    assert_ok(aiort_create_datagram_endpoint(&options, &endpoint));
    return endpoint;
}

static void drop(aiort_datagram_t *endpoint)
{
    assert_ok(aiort_datagram_close(endpoint));
    assert_int_equal(aiort_datagram_is_closing(endpoint), 1);
    aiort_unref(endpoint);
}

TASK_TEST(create_datagram_endpoint)
{
    aiort_datagram_t *server = bound(), *client = connected_to(aiort_datagram_port(server));
    struct sockaddr_storage from;
    char buffer[100];

    assert_ok(aiort_datagram_sendto(client, "xxx", 3, NULL));
    assert_int_equal(aiort_datagram_recvfrom(server, buffer, sizeof buffer, &from), 3);
    assert_memory_equal(buffer, "xxx", 3);
    assert_ok(aiort_datagram_sendto(server, "reply", 5, (struct sockaddr *)&from));
    assert_int_equal(aiort_datagram_recvfrom(client, buffer, sizeof buffer, NULL), 5);
    assert_memory_equal(buffer, "reply", 5);
    assert_contains(repr(server), "<_SelectorDatagramTransport open laddr=('127.0.0.1', ");
    drop(client);
    drop(server);
}

/* What came before anybody asked is there, in order; what does not fit is cut. */
TASK_TEST(kept_in_order)
{
    aiort_datagram_t *server = bound(), *client = connected_to(aiort_datagram_port(server));
    char text[16], buffer[4];

    for (int i = 0; i < 50; i++) {
        int n = snprintf(text, sizeof text, "number %d", i);
        assert_ok(aiort_datagram_sendto(client, text, (size_t)n, NULL));
    }
    assert_ok(aiort_sleep(0.02));
    for (int i = 0; i < 50; i++) {
        int n = snprintf(text, sizeof text, "number %d", i);
        assert_int_equal(aiort_datagram_recvfrom(server, buffer, sizeof buffer, NULL), n);
        assert_memory_equal(buffer, "numb", 4);
    }
    assert_ok(aiort_datagram_sendto(client, "", 0, NULL));
    assert_int_equal(aiort_datagram_recvfrom(server, buffer, sizeof buffer, NULL), 0);
    drop(client);
    drop(server);
}

TASK_TEST(sendto_wrong_address)
{
    aiort_datagram_t *server = bound(), *client = connected_to(aiort_datagram_port(server));
    struct sockaddr_storage address;

    assert_ok(aiort_datagram_sockname(server, &address));
    assert_int_equal(aiort_datagram_sendto(client, "x", 1, (struct sockaddr *)&address), UV_EINVAL);
    assert_message("Invalid address");
    assert_int_equal(aiort_datagram_sendto(server, "x", 1, NULL), UV_EINVAL);
    drop(client);
    drop(server);
}

TASK_TEST(error_received)
{
    aiort_datagram_t *server = bound();
    aiort_datagram_t *client = connected_to(aiort_datagram_port(server));
    char buffer[10];

    drop(server);
    assert_ok(aiort_sleep(0.01));
    assert_ok(aiort_datagram_sendto(client, "x", 1, NULL));
    assert_int_equal(aiort_datagram_recvfrom(client, buffer, sizeof buffer, NULL), UV_ECONNREFUSED);
    drop(client);
}

static int receive(void *arg, void **result)
{
    char buffer[10];

    (void)result;
    ssize_t n = aiort_datagram_recvfrom(arg, buffer, sizeof buffer, NULL);
    return n < 0 ? (int)n : 0;
}

TASK_TEST(close_wakes_who_waits)
{
    aiort_datagram_t *server = bound();
    aiort_task_t *task = aiort_create_task(AIORT_CORO(receive, server));

    assert_ok(aiort_sleep(0));
    assert_ok(aiort_datagram_close(server));
    assert_int_equal(aiort_await(AIORT_FUTURE(task), NULL), UV_EBADF);
    assert_int_equal(aiort_datagram_sendto(server, "x", 1, NULL), UV_EBADF);
    assert_ok(aiort_datagram_close(server));
    aiort_unref(task);
    aiort_unref(server);
}

TASK_TEST(cancelled_while_receiving)
{
    aiort_datagram_t *server = bound(), *client = connected_to(aiort_datagram_port(server));
    aiort_task_t *task = aiort_create_task(AIORT_CORO(receive, server));
    char buffer[10];

    assert_ok(aiort_sleep(0));
    aiort_task_cancel(task, NULL);
    assert_int_equal(aiort_await(AIORT_FUTURE(task), NULL), UV_ECANCELED);
    aiort_unref(task);
    assert_ok(aiort_datagram_sendto(client, "still", 5, NULL));
    assert_int_equal(aiort_datagram_recvfrom(server, buffer, sizeof buffer, NULL), 5);
    drop(client);
    drop(server);
}

TASK_TEST(create_datagram_endpoint_cant_bind)
{
    aiort_datagram_t *server = bound(), *other;
    aiort_datagram_options_t options = {.local_host = "127.0.0.1",
                                        .local_port = aiort_datagram_port(server)};

    assert_int_equal(aiort_create_datagram_endpoint(&options, &other), UV_EADDRINUSE);
    assert_null(other);
    drop(server);
}

TASK_TEST(create_datagram_endpoint_reuse_port)
{
    aiort_datagram_options_t options = {.local_host = "127.0.0.1", .reuse_port = 1};
    aiort_datagram_t *first, *second;

    assert_ok(aiort_create_datagram_endpoint(&options, &first));
    options.local_port = aiort_datagram_port(first);
    assert_ok(aiort_create_datagram_endpoint(&options, &second));
    drop(first);
    drop(second);
}

TASK_TEST(create_datagram_endpoint_allow_broadcast)
{
    aiort_datagram_options_t options = {.local_host = "127.0.0.1", .broadcast = 1};
    aiort_datagram_t *endpoint;

    assert_ok(aiort_create_datagram_endpoint(&options, &endpoint));
    drop(endpoint);
}

TASK_TEST(create_datagram_endpoint_no_matching_family)
{
    aiort_datagram_options_t options = {
        .local_host = "127.0.0.1", .remote_host = "::1", .remote_port = 9, .family = AF_INET};
    aiort_datagram_t *endpoint;

    assert_true(aiort_create_datagram_endpoint(&options, &endpoint) < 0);
    assert_null(endpoint);
}

static int leave_open(void *arg, void **result)
{
    (void)result;
    *(aiort_datagram_t **)arg = bound();
    return 0;
}

TEST(endpoint_outlives_its_loop)
{
    aiort_datagram_t *endpoint;

    assert_ok(aiort_run(AIORT_CORO(leave_open, &endpoint), NULL));
    assert_int_equal(aiort_datagram_is_closing(endpoint), 1);
    assert_int_equal(aiort_datagram_port(endpoint), 0);
    aiort_unref(endpoint);
}

/* ---- Names ---- */

TASK_TEST(getaddrinfo)
{
    struct addrinfo *found, hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    char host[100], service[100];

    assert_ok(aiort_getaddrinfo("localhost", "80", &hints, &found));
    assert_ok(aiort_getnameinfo(found->ai_addr, NI_NUMERICHOST | NI_NUMERICSERV, host, sizeof host,
                                service, sizeof service));
    assert_string_equal(host, "127.0.0.1");
    assert_string_equal(service, "80");
    assert_int_equal(aiort_getnameinfo(found->ai_addr, NI_NUMERICHOST, host, 3, NULL, 0),
                     UV_ENOBUFS);
    uv_freeaddrinfo(found);
    assert_true(aiort_getaddrinfo("no.such.host.invalid", NULL, &hints, &found) < 0);
    assert_null(found);
}

/* ---- Files ---- */

static char directory[64];

static const char *in_directory(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", directory, name);
    return path;
}

static void make_directory(void)
{
    snprintf(directory, sizeof directory, "/tmp/aiort-files-XXXXXX");
    assert_non_null(mkdtemp(directory));
}

TASK_TEST(files)
{
    uv_stat_t status;
    char buffer[100], other[128];

    make_directory();
    int fd = aiort_fs_open(in_directory("one"), O_CREAT | O_RDWR, 0600);
    assert_true(fd >= 0);
    assert_int_equal(aiort_fs_write(fd, "content", 7, 0), 7);
    assert_int_equal(aiort_fs_read(fd, buffer, sizeof buffer, 3), 4);
    assert_memory_equal(buffer, "tent", 4);
    assert_ok(aiort_fs_ftruncate(fd, 3));
    assert_ok(aiort_fs_fsync(fd));
    assert_ok(aiort_fs_fstat(fd, &status));
    assert_int_equal(status.st_size, 3);
    assert_ok(aiort_fs_close(fd));
    snprintf(other, sizeof other, "%s", in_directory("two"));
    assert_ok(aiort_fs_copyfile(in_directory("one"), other, 0));
    assert_ok(aiort_fs_rename(other, in_directory("three")));
    assert_int_equal(aiort_fs_stat(other, &status), UV_ENOENT);
    assert_ok(symlink("three", in_directory("link")));
    assert_ok(aiort_fs_lstat(in_directory("link"), &status));
    assert_true(S_ISLNK(status.st_mode));
    assert_ok(aiort_fs_readlink(in_directory("link"), buffer, sizeof buffer));
    assert_string_equal(buffer, "three");
    assert_int_equal(aiort_fs_readlink(in_directory("link"), buffer, 3), UV_ENOBUFS);
    assert_ok(aiort_fs_realpath(in_directory("link"), buffer, sizeof buffer));
    assert_string_equal(buffer, in_directory("three"));
    assert_ok(aiort_fs_mkdir(in_directory("sub"), 0700));

    char **names;
    assert_int_equal(aiort_fs_listdir(directory, &names), 4);
    assert_string_equal(names[0], "link");
    assert_string_equal(names[3], "three");
    assert_null(names[4]);
    free(names);
    assert_int_equal(aiort_fs_listdir(in_directory("sub"), &names), 0);
    assert_null(names[0]);
    free(names);
    assert_int_equal(aiort_fs_listdir(in_directory("none"), &names), UV_ENOENT);

    assert_ok(aiort_fs_rmdir(in_directory("sub")));
    assert_ok(aiort_fs_unlink(in_directory("link")));
    assert_ok(aiort_fs_unlink(in_directory("one")));
    assert_ok(aiort_fs_unlink(in_directory("three")));
    assert_ok(aiort_fs_rmdir(directory));
    assert_int_equal(aiort_fs_open(in_directory("one"), O_RDONLY, 0), UV_ENOENT);
}

static int open_and_forget(void *arg, void **result)
{
    (void)arg;
    (void)result;
    return aiort_fs_open("/dev/null", O_RDONLY, 0);
}

/* Cancelled while the pool opens it: the descriptor is closed. */
TASK_TEST(open_cancelled)
{
    int before = dup(0);

    close(before);
    for (int i = 0; i < 20; i++) {
        aiort_task_t *task = aiort_create_task(AIORT_CORO(open_and_forget, NULL));
        assert_ok(aiort_sleep(0));
        aiort_task_cancel(task, NULL);
        assert_int_equal(aiort_await(AIORT_FUTURE(task), NULL), UV_ECANCELED);
        aiort_unref(task);
    }
    assert_ok(aiort_sleep(0.05));
    int after = dup(0);
    close(after);
    assert_int_equal(after, before);
}

TEST(files_need_a_task)
{
    assert_int_equal(aiort_fs_open("/dev/null", O_RDONLY, 0), AIORT_ENOTASK);
}

TASK_TEST(watcher)
{
    aiort_watcher_t *watcher;
    char name[100];

    make_directory();
    assert_ok(aiort_watcher_new(directory, &watcher));
    assert_contains(repr(watcher), directory);
    int fd = open(in_directory("new"), O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_true(aiort_watcher_next(watcher, name, sizeof name) > 0);
    assert_string_equal(name, "new");
    assert_ok(aiort_watcher_close(watcher));
    while (aiort_watcher_next(watcher, NULL, 0) > 0) {
        /* what had come before */
    }
    assert_int_equal(aiort_watcher_next(watcher, NULL, 0), UV_EBADF);
    aiort_unref(watcher);
    unlink(in_directory("new"));
    rmdir(directory);
    assert_int_equal(aiort_watcher_new(directory, &watcher), UV_ENOENT);
    assert_null(watcher);
}
