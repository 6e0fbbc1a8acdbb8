/* SPDX-License-Identifier: MIT */
/* A connection whose last reference goes without a close, which warns, and closes it. */
#include <aiort.h>
#include <sys/socket.h>
#include <unistd.h>

static int test(void *arg, void **result)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    char byte;
    int fds[2];

    (void)arg, (void)result;
    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    aiort_open_socket(fds[0], NULL, &reader, &writer);
    aiort_unref(reader);
    aiort_unref(writer);
    aiort_sleep(0.5);
    printf("the other end is told: %d\n", read(fds[1], &byte, 1) == 0);
    close(fds[1]);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(test, NULL), NULL) < 0;
}
