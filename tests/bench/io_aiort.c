/* SPDX-License-Identifier: MIT */
/* An echo server on libaiort: prints its port, ends with its standard input. See io_run. */
#include <aiort.h>

static int echo(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    char
        buffer[1024]; /* as large as a request: more would be spread over more pages of the stack */
    ssize_t n = 0;
    int err = 0;

    (void)result;
    while (!err && (n = aiort_stream_read(connection->reader, buffer, sizeof(buffer))) > 0) {
        err = aiort_stream_write(connection->writer, buffer, (size_t)n);
        err = err ? err : aiort_stream_drain(connection->writer);
    }
    aiort_stream_close(connection->writer);
    return 0;
}

static int serve(void *arg, void **result)
{
    aiort_server_options_t options = {.backlog = 1024};
    aiort_stream_reader_t *input;
    aiort_server_t *server;
    const char *rest;

    (void)arg, (void)result;
    int err = aiort_start_server(echo, NULL, "127.0.0.1", 0, &options, &server);
    if (!err) {
        printf("%d\n", aiort_server_port(server));
        fflush(stdout);
        err = aiort_open_stdin(0, &input);
    }
    if (!err) {
        aiort_stream_read_all(input, &rest);
        aiort_unref(input);
        aiort_server_close(server);
        aiort_unref(server);
    }
    return err;
}

int main(void)
{
    return aiort_run(AIORT_CORO(serve, NULL), NULL) < 0;
}
