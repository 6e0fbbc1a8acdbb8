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

/* The loop to use, and how to reach the descriptor, which is closed when there is an error. */
static int prepare(int fd, aiort_loop_t **loop, reach_t *how)
{
    *loop = aiort__tls.running;
    *how = reach(fd);
    if (*how == NOTHING) {
        return aiort__fail(UV_EBADF);
    }
    if (!*loop) {
        close(fd);
        return aiort__fail(AIORT_ENOLOOP);
    }
    return 0;
}

/* ---- Pipes ---- */

int aiort_connect_read_pipe_at(const aiort_site_t *site, int fd, size_t limit,
                               aiort_stream_reader_t **reader)
{
    aiort_loop_t *loop;
    reach_t how;
    int err = prepare(fd, &loop, &how);

    (void)site;
    if (err) {
        return err;
    }
    if (how == PLAIN) {
        close(fd);
        return aiort__failf(UV_EINVAL, "Pipe transport is for pipes/sockets only.");
    }
    aiort_transport_t *transport = open_transport(loop, fd, PIPE, true);
    return transport ? aiort__stream_start(transport, limit, reader, NULL) : aiort_last_error();
}

int aiort_connect_write_pipe_at(const aiort_site_t *site, int fd, aiort_stream_writer_t **writer)
{
    aiort_loop_t *loop;
    reach_t how;
    int err = prepare(fd, &loop, &how);

    (void)site;
    if (err) {
        return err;
    }
    if (how == PLAIN) {
        close(fd);
        return aiort__failf(UV_EINVAL, "Pipe transport is only for pipes, sockets and character "
                                       "devices");
    }
    aiort_transport_t *transport = open_transport(loop, fd, PIPE, false);
    return transport ? aiort__stream_start(transport, 0, NULL, writer) : aiort_last_error();
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

int aiort_open_stdin_at(const aiort_site_t *site, size_t limit, aiort_stream_reader_t **reader)
{
    aiort_loop_t *loop = aiort__tls.running;
    reach_t how = reach(STDIN_FILENO);

    (void)site;
    if (!loop || how == NOTHING) {
        return aiort__fail(loop ? UV_EBADF : AIORT_ENOLOOP);
    }
    int fd = another(STDIN_FILENO, how, O_RDONLY);
    if (fd < 0) {
        return fd;
    }
    aiort_transport_t *transport = open_transport(loop, fd, how, true);
    return transport ? aiort__stream_start(transport, limit, reader, NULL) : aiort_last_error();
}

int aiort_open_stdout_at(const aiort_site_t *site, int stream, aiort_stream_writer_t **writer)
{
    aiort_loop_t *loop = aiort__tls.running;
    reach_t how = reach(stream);

    (void)site;
    if (stream != STDOUT_FILENO && stream != STDERR_FILENO) {
        return aiort__failf(UV_EINVAL, "1 (output) or 2 (errors) is required, got %d", stream);
    }
    if (!loop || how == NOTHING) {
        return aiort__fail(loop ? UV_EBADF : AIORT_ENOLOOP);
    }
    int fd = another(stream, how, O_WRONLY);
    if (fd < 0) {
        return fd;
    }
    aiort_transport_t *transport = open_transport(loop, fd, how, false);
    return transport ? aiort__stream_start(transport, 0, NULL, writer) : aiort_last_error();
}
