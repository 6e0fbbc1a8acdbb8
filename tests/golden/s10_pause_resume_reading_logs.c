/* SPDX-License-Identifier: MIT */
/* Pausing and resuming, each twice: neither is a mistake. */
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
    aiort_transport_t *transport = aiort_stream_transport(writer);
    aiort_transport_pause_reading(transport);
    aiort_transport_pause_reading(transport);
    printf("reading: %d\n", aiort_transport_is_reading(transport));
    aiort_transport_resume_reading(transport);
    aiort_transport_resume_reading(transport);
    printf("reading: %d\n", aiort_transport_is_reading(transport));
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
