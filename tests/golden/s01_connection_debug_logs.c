/* SPDX-License-Identifier: MIT */
/* An echo over loopback, everything closed properly: nothing to report. */
#include <aiort.h>

static int echo(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    char buffer[100];
    ssize_t n;

    (void)result;
    while ((n = aiort_stream_read(connection->reader, buffer, sizeof buffer)) > 0)
        aiort_stream_write(connection->writer, buffer, (size_t)n);
    aiort_stream_close(connection->writer);
    return n < 0 ? (int)n : 0;
}

static int test(void *arg, void **result)
{
    aiort_server_t *server;
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    const char *data;

    (void)arg, (void)result;
    int err = aiort_start_server(echo, NULL, "127.0.0.1", 0, NULL, &server);
    if (!err)
        err = aiort_open_connection("127.0.0.1", aiort_server_port(server), NULL, &reader, &writer);
    if (err)
        return err;
    aiort_stream_write(writer, "hi", 2);
    aiort_stream_write_eof(writer);
    aiort_stream_read_all(reader, &data);
    printf("client got %s\n", data);
    aiort_stream_close(writer);
    printf("lost %d\n", aiort_stream_wait_closed(writer));
    aiort_server_close(server);
    err = aiort_server_wait_closed(server);
    aiort_unref(reader);
    aiort_unref(writer);
    aiort_unref(server);
    return err;
}

int main(void)
{
    return aiort_run(AIORT_CORO(test, NULL), NULL) < 0;
}
