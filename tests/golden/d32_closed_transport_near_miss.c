/* SPDX-License-Identifier: MIT */
/* A connection that is closed, and given one more turn: nothing is said. */
#include <aiort.h>
#include <sys/socket.h>
#include <unistd.h>

static int test(void *arg, void **result)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int fds[2];

    (void)arg, (void)result;
    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    aiort_open_socket(fds[0], NULL, &reader, &writer);
    aiort_stream_close(writer);
    aiort_sleep(0);
    aiort_unref(reader);
    aiort_unref(writer);
    close(fds[1]);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(test, NULL), NULL) < 0;
}
