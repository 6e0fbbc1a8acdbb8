/* SPDX-License-Identifier: MIT */
/* The reprs of transports, readers, writers and servers in each of their states. */
#include <aiort.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static int nothing(void *arg, void **result)
{
    (void)arg, (void)result;
    return 0;
}

/* up_to: where the line is cut, since what follows differs from machine to machine. */
static void show(const void *object, const char *up_to)
{
    char repr[1024];

    aiort_repr(object, repr, sizeof repr);
    char *end = up_to ? strstr(repr, up_to) : NULL;
    if (end)
        *end = '\0';
    puts(repr);
}

static void of_a_transport(void)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    char *much = calloc(1, 4000000);
    int fds[2];

    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    aiort_open_socket(fds[0], NULL, &reader, &writer);
    aiort_transport_t *transport = aiort_stream_transport(writer);
    show(transport, NULL);
    aiort_transport_pause_reading(transport);
    show(transport, NULL);
    aiort_stream_write(writer, much, 4000000);
    show(transport, "bufsize=");
    aiort_transport_close(transport);
    show(transport, "bufsize=");
    aiort_transport_abort(transport);
    aiort_stream_wait_closed(writer);
    show(transport, NULL);
    aiort_unref(reader);
    aiort_unref(writer);
    close(fds[1]);
    free(much);
}

static void of_a_stream(void)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int fds[2];

    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    aiort_open_socket(fds[0], NULL, &reader, &writer);
    show(reader, NULL);
    show(writer, NULL);
    if (write(fds[1], "abc", 3) == 3)
        aiort_sleep(0.01);
    show(reader, NULL);
    close(fds[1]);
    aiort_sleep(0.01);
    show(reader, NULL);
    aiort_stream_close(writer);
    aiort_stream_wait_closed(writer);
    show(writer, NULL);
    aiort_unref(reader);
    aiort_unref(writer);
}

static int test(void *arg, void **result)
{
    aiort_server_t *server;

    (void)arg, (void)result;
    of_a_transport();
    of_a_stream();
    int err = aiort_start_server(nothing, NULL, "127.0.0.1", 0, NULL, &server);
    if (err)
        return err;
    show(server, NULL);
    aiort_server_close(server);
    show(server, NULL);
    aiort_unref(server);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(test, NULL), NULL) < 0;
}
