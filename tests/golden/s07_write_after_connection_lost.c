/* SPDX-License-Identifier: MIT */
/* Writing on after the connection is lost: from the fifth write on that is said. */
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
    aiort_transport_abort(aiort_stream_transport(writer));
    for (int i = 0; i < 8; i++) {
        printf("write %d\n", i);
        aiort_stream_write(writer, "x", 1);
    }
    printf("wait_closed %d\n", aiort_stream_wait_closed(writer));
    aiort_unref(reader);
    aiort_unref(writer);
    close(fds[1]);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(test, NULL), NULL) < 0;
}
