/* SPDX-License-Identifier: MIT */
/*
 * The sockets of servers: made, set up as asyncio does, bound. Nothing here waits or listens.
 */
#include "server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static int set_up(int fd, int family, const aiort_server_options_t *options)
{
    int yes = 1;

    if (!options->no_reuse_address && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes))) {
        return -errno;
    }
    if (options->reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &yes, sizeof(yes))) {
        return -errno;
    }
    /* The same port of both families is two sockets. */
    if (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes))) {
        return -errno;
    }
    return 0;
}

static int bind_failed(int code, const struct sockaddr *address, socklen_t length)
{
    char repr[160];

    aiort__address_repr(address, length, repr, sizeof(repr));
    return aiort__failf(code, "error while attempting to bind on address %s: %s", repr,
                        aiort_strerror(code));
}

int aiort__bind(const struct sockaddr *address, socklen_t length,
                const aiort_server_options_t *options, int *out)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return aiort__fail(-errno);
    }
    int err = set_up(fd, address->sa_family, options);
    if (err) {
        close(fd);
        return aiort__fail(err);
    }
    if (bind(fd, address, length)) {
        err = -errno;
        close(fd);
        return bind_failed(err, address, length);
    }
    *out = fd;
    return 0;
}

/* ---- Unix sockets ---- */

/* What a server left behind that is no more would be in the way: as asyncio, any socket there is
 * taken for such. */
static void remove_stale(const char *path)
{
    struct stat status;

    if (path[0] && stat(path, &status) == 0 && S_ISSOCK(status.st_mode)) {
        unlink(path);
    }
}

int aiort__bind_unix(const char *path, size_t length, int *out)
{
    struct sockaddr_storage address;
    socklen_t size;
    char repr[160];
    int err = aiort__unix_address(path, length, &address, &size);

    if (err) {
        return err;
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return aiort__fail(-errno);
    }
    remove_stale(((struct sockaddr_un *)&address)->sun_path);
    if (bind(fd, (struct sockaddr *)&address, size)) {
        err = -errno;
        close(fd);
        aiort__address_repr((struct sockaddr *)&address, size, repr, sizeof(repr));
        return err == UV_EADDRINUSE ? aiort__failf(err, "Address %s is already in use", repr)
                                    : aiort__failf(err, "%s: %s", repr, aiort_strerror(err));
    }
    *out = fd;
    return 0;
}
