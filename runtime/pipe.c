/* SPDX-License-Identifier: MIT */
/*
 * Pipes as streams, and the process's own standard streams.
 *
 * What libuv and the loop need is a descriptor that does not block, which is a mark on what the
 * kernel has opened, shared by all who inherited it: a shell would find its terminal changed. So
 * the standard streams are opened anew through /proc where that can be, and duplicated where not.
 */
#include "transport.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* How the descriptor can be reached; -1: not at all. file: whatever else will do through the pool.
 */
typedef enum { NOTHING, PIPE, TERMINAL, PLAIN } reach_t;

static reach_t reach(int fd)
{
    struct stat status;

    if (fstat(fd, &status)) {
        return NOTHING;
    }
    if (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)) {
        return PIPE;
    }
    return isatty(fd) ? TERMINAL : PLAIN;
}

/* The descriptor is taken over, also on failure. NULL: the code is the current error. */
static aiort_transport_t *open_transport(aiort_loop_t *loop, int fd, reach_t how, bool reads)
{
    aiort_transport_t *transport = NULL;
    int err = 0;

    if (how == PLAIN) {
        transport = aiort__transport_file(loop, fd, reads);
    } else if (how == TERMINAL) {
        transport = aiort__transport_uv(loop, reads ? AIORT__UV_TTY_READ : AIORT__UV_TTY_WRITE, fd);
    } else {
        transport =
            aiort__transport_uv(loop, reads ? AIORT__UV_PIPE_READ : AIORT__UV_PIPE_WRITE, -1);
        err = transport ? aiort__transport_open(transport, fd) : 0;
    }
    if (!transport || err) {
        close(fd);
    }
    if (transport && err) {
        aiort__transport_discard(transport);
        return aiort__fail_null(err);
    }
    return transport;
}

/* A stream on the descriptor, which is taken over: of `reader` and `writer` one is NULL. */
static int start(aiort_loop_t *loop, int fd, reach_t how, size_t limit,
                 aiort_stream_reader_t **reader, aiort_stream_writer_t **writer)
{
    aiort_transport_t *transport = open_transport(loop, fd, how, reader != NULL);

    return transport ? aiort__stream_start(transport, limit, reader, writer) : aiort_last_error();
}

/* ---- Pipes ---- */

/* The descriptor is taken over, but for one that is none. */
static int connect_pipe(int fd, size_t limit, aiort_stream_reader_t **reader,
                        aiort_stream_writer_t **writer)
{
    aiort_loop_t *loop = aiort__tls.running;
    reach_t how = reach(fd);

    if (how == NOTHING) {
        return aiort__fail(UV_EBADF);
    }
    if (!loop || how == PLAIN) {
        close(fd);
        return !loop    ? aiort__fail(AIORT_ENOLOOP)
               : reader ? aiort__failf(UV_EINVAL, "Pipe transport is for pipes/sockets only.")
                        : aiort__failf(UV_EINVAL, "Pipe transport is only for pipes, sockets and "
                                                  "character devices");
    }
    return start(loop, fd, PIPE, limit, reader, writer);
}

int aiort_connect_read_pipe_at(const aiort_site_t *site, int fd, size_t limit,
                               aiort_stream_reader_t **reader)
{
    (void)site;
    return connect_pipe(fd, limit, reader, NULL);
}

int aiort_connect_write_pipe_at(const aiort_site_t *site, int fd, aiort_stream_writer_t **writer)
{
    (void)site;
    return connect_pipe(fd, 0, NULL, writer);
}

/* ---- Standard streams ---- */

/* One of our own for the same thing. A file keeps its position with a duplicate, and a terminal is
 * opened anew by libuv. */
static int another(int fd, reach_t how, int mode)
{
    char path[40];
    int own = -1;

    if (how == PIPE) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        own = open(path, mode | O_NONBLOCK | O_CLOEXEC);
    }
    if (own < 0) {
        own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    }
    return own < 0 ? aiort__fail(-errno) : own;
}

/* Of `reader` and `writer` one is NULL. */
static int open_standard(int stream, size_t limit, aiort_stream_reader_t **reader,
                         aiort_stream_writer_t **writer)
{
    aiort_loop_t *loop = aiort__tls.running;
    reach_t how = reach(stream);

    if (!loop || how == NOTHING) {
        return aiort__fail(loop ? UV_EBADF : AIORT_ENOLOOP);
    }
    int fd = another(stream, how, reader ? O_RDONLY : O_WRONLY);
    return fd < 0 ? fd : start(loop, fd, how, limit, reader, writer);
}

int aiort_open_stdin_at(const aiort_site_t *site, size_t limit, aiort_stream_reader_t **reader)
{
    (void)site;
    return open_standard(STDIN_FILENO, limit, reader, NULL);
}

int aiort_open_stdout_at(const aiort_site_t *site, int stream, aiort_stream_writer_t **writer)
{
    (void)site;
    if (stream != STDOUT_FILENO && stream != STDERR_FILENO) {
        return aiort__failf(UV_EINVAL, "1 (output) or 2 (errors) is required, got %d", stream);
    }
    return open_standard(stream, 0, NULL, writer);
}
