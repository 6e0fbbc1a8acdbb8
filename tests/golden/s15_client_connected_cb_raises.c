/* SPDX-License-Identifier: MIT */
/* The coroutine of a connection fails: reported, and the connection is closed. */
#include <aiort.h>

static int callback(void *arg, void **result)
{
    (void)arg, (void)result;
    return aiort_raise(UV_EINVAL, "cb failed");
}

static int test(void *arg, void **result)
{
    aiort_server_t *server;
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    const char *data;

    (void)arg, (void)result;
    int err = aiort_start_server(callback, NULL, "127.0.0.1", 0, NULL, &server);
    if (!err)
        err = aiort_open_connection("127.0.0.1", aiort_server_port(server), NULL, &reader, &writer);
    if (err)
        return err;
    printf("read %zd bytes\n", aiort_stream_read_all(reader, &data));
    aiort_stream_close(writer);
    aiort_unref(reader);
    aiort_unref(writer);
    aiort_server_close(server);
    aiort_unref(server);
    return 0;
}

int main(void)
{
    return aiort_run(AIORT_CORO(test, NULL), NULL) < 0;
}
