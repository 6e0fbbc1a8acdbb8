/* SPDX-License-Identifier: MIT */
/* Readers and writers on a descriptor that is a transport's: refused. */
#include <aiort.h>
#include <sys/socket.h>
#include <unistd.h>

static int callback(void *arg)
{
    (void)arg;
    return 0;
}

static void show(int err)
{
    printf("%s %s\n", aiort_err_name(err), aiort_error_message(aiort_current_error()));
}

static int test(void *arg, void **result)
{
    aiort_loop_t *loop = aiort_get_running_loop();
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int fds[2];

    (void)arg, (void)result;
    socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
    aiort_open_socket(fds[0], NULL, &reader, &writer);
    show(aiort_add_reader(loop, fds[0], callback, NULL));
    show(aiort_add_writer(loop, fds[0], callback, NULL));
    show(aiort_remove_reader(loop, fds[0]));
    show(aiort_add_reader(loop, -1, callback, NULL));
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
