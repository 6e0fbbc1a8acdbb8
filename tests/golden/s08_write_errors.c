/* SPDX-License-Identifier: MIT */
/* What a writer and its transport refuse: codes, no reports. */
#include <aiort.h>
#include <sys/socket.h>
#include <unistd.h>

static void show(int err)
{
    if (err < 0)
        printf("%s %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
    else
        printf("%d\n", err);
}

static int test(void *arg, void **result)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    char text[] = "y";
    uv_buf_t piece = uv_buf_init(text, 1);
    int fds[2];

    (void)arg, (void)result;
    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    aiort_open_socket(fds[0], NULL, &reader, &writer);
    show(aiort_transport_set_write_buffer_limits(aiort_stream_transport(writer), 1, 2));
    show(aiort_stream_write_eof(writer));
    show(aiort_stream_write(writer, "x", 1));
    show(aiort_stream_writelines(writer, &piece, 1));
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
