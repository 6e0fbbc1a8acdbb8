/* SPDX-License-Identifier: MIT */
/* The example's server, and a client that connects and goes away without a word: nothing is said. */
#define main main_of_the_example
#include "../examples/http_client.c"
#undef main

static int come_and_go(void *arg, void **result)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    aiort_server_t *server;
    int err = aiort_start_server(answer, NULL, "127.0.0.1", 0, NULL, &server);

    (void)arg, (void)result;
    if (err == 0)
        err = aiort_open_connection("127.0.0.1", aiort_server_port(server), NULL, &reader, &writer);
    if (err < 0)
        return err;
    aiort_stream_write_eof(writer);
    printf("%zd bytes were answered\n", aiort_stream_read_all(reader, &(const char *){NULL}));
    aiort_stream_close(writer);
    aiort_unref(reader);
    aiort_unref(writer);
    aiort_server_close(server);
    err = aiort_server_wait_closed(server);
    aiort_unref(server);
    return err;
}

int main(void)
{
    return aiort_run(AIORT_CORO(come_and_go, NULL), NULL) < 0;
}
