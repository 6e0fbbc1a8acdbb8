/* SPDX-License-Identifier: MIT */
/*
 * echo_server: sends back what it gets. With a port it serves until Ctrl-C; without one it serves
 * two clients of its own and ends. A clean program: libaiodebug is silent.
 */
#include <aiort.h>
#include <stdlib.h>
#include <string.h>

/* One of these for each connection. Both ends of it are borrowed and given back when this returns. */
static int echo(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    char buffer[4096];
    ssize_t n = 0;
    int err = 0;

    (void)result;
    while (err == 0 && (n = aiort_stream_read(connection->reader, buffer, sizeof buffer)) > 0) {
        aiort_stream_write(connection->writer, buffer, (size_t)n);
        err = aiort_stream_drain(connection->writer); /* waits while the client does not read */
    }
    aiort_stream_close(connection->writer);
    if (n == UV_ECONNRESET || err == UV_ECONNRESET || err == UV_EPIPE)
        return 0; /* the client has gone: that happens */
    return n < 0 ? (int)n : err;
}

/* Sends so many lines and reads each back. */
typedef struct {
    const char *name;
    int port, lines;
} client_t;

static int talk(const client_t *client, aiort_stream_reader_t *reader,
                aiort_stream_writer_t *writer)
{
    char line[64];
    const char *answer;

    for (int i = 1; i <= client->lines; i++) {
        int n = snprintf(line, sizeof line, "%s says %d\n", client->name, i);
        aiort_stream_write(writer, line, (size_t)n);
        ssize_t got = aiort_stream_readline(reader, &answer);
        if (got < 0)
            return (int)got;
        if (got != n || memcmp(answer, line, (size_t)n) != 0)
            return aiort_raise(UV_EPROTO, "%s got another line back", client->name);
    }
    return 0;
}

static int run_client(void *arg, void **result)
{
    const client_t *client = arg;
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int err = aiort_open_connection("127.0.0.1", client->port, NULL, &reader, &writer);

    (void)result;
    if (err < 0)
        return err;
    err = talk(client, reader, writer);
    aiort_stream_close(writer);
    int closed = aiort_stream_wait_closed(writer);
    aiort_unref(reader);
    aiort_unref(writer);
    return err < 0 ? err : closed;
}

static int demonstrate(aiort_server_t *server)
{
    client_t clients[] = {{"ann", aiort_server_port(server), 100},
                          {"bob", aiort_server_port(server), 100}};
    aiort_task_group_t *group = aiort_task_group_new();
    int err = aiort_task_group_enter(group);

    if (err == 0) {
        for (int i = 0; i < 2 && err == 0; i++)
            err = aiort_task_group_create_task(group, AIORT_CORO(run_client, &clients[i]), NULL);
        err = aiort_task_group_exit(group, err);
    }
    aiort_unref(group);
    if (err == 0)
        puts("two clients got back every line they sent");
    aiort_server_close(server);
    int closed = aiort_server_wait_closed(server);
    return err < 0 ? err : closed;
}

static int serve(void *port, void **result)
{
    aiort_server_t *server;
    int err = aiort_start_server(echo, NULL, "127.0.0.1", *(int *)port, NULL, &server);

    (void)result;
    if (err < 0)
        return err;
    if (*(int *)port == 0) {
        err = demonstrate(server);
    } else {
        printf("echo at port %d, until Ctrl-C\n", *(int *)port);
        err = aiort_server_serve_forever(server);
    }
    aiort_unref(server);
    return err;
}

int main(int argc, char **argv)
{
    int port = argc > 1 ? atoi(argv[1]) : 0;
    int err = aiort_run(AIORT_CORO(serve, &port), NULL);

    if (err < 0)
        fprintf(stderr, "echo_server: %s\n", aiort_error_message(aiort_current_error()));
    return err < 0;
}
