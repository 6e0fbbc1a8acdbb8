/* SPDX-License-Identifier: MIT */
/* A connection, a server and a pipe that are open when their loop is closed, which warns. */
#include <aiort.h>
#include <sys/socket.h>
#include <unistd.h>

static int client(void *arg, void **result)
{
    (void)arg, (void)result;
    return 0;
}

typedef struct {
    aiort_stream_reader_t *reader, *pipe;
    aiort_stream_writer_t *writer;
    aiort_server_t *server;
    int peer, end;
} left_open_t;

static int test(void *arg, void **result)
{
    left_open_t *left = arg;
    int fds[2];

    (void)result;
    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    left->peer = fds[1];
    aiort_open_socket(fds[0], NULL, &left->reader, &left->writer);
    aiort_start_server(client, NULL, "127.0.0.1", 0, NULL, &left->server);
    pipe(fds);
    left->end = fds[1];
    return aiort_connect_read_pipe(fds[0], 0, &left->pipe);
}

int main(void)
{
    left_open_t left;
    int err = aiort_run(AIORT_CORO(test, &left), NULL);

    aiort_unref(left.reader);
    aiort_unref(left.writer);
    aiort_unref(left.server);
    aiort_unref(left.pipe);
    close(left.peer);
    close(left.end);
    return err < 0;
}
