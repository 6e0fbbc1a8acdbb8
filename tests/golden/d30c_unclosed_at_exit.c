/* SPDX-License-Identifier: MIT */
/* A connection that is open at exit, in a loop that nobody closed. */
#include <aiort.h>
#include <stdlib.h>
#include <sys/socket.h>

static int test(void *arg, void **result)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int fds[2];

    (void)arg, (void)result;
    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    aiort_open_socket(fds[0], NULL, &reader, &writer);
    exit(0);
}

int main(void)
{
    return aiort_run(AIORT_CORO(test, NULL), NULL) < 0;
}
