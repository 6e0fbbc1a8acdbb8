/* SPDX-License-Identifier: MIT */
/*
 * Starting servers: at the addresses of hosts, at a Unix socket, at sockets that are there.
 */
#include "server.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_SOCKETS = 64, HOST_SIZE = 256 };

static const aiort_server_options_t default_options;

static int start(const aiort_site_t *site, aiort_coroutine_fn function, void *arg,
                 const aiort_server_options_t *options, const int *fds, size_t n, const char *path,
                 aiort_server_t **out)
{
    aiort_loop_t *loop = aiort__tls.running;
    aiort_server_t *server = aiort__server_new(site, loop, function, arg, options, fds, n, path);
    int err = server ? 0 : aiort_last_error();

    if (!err && !options->start_later) {
        err = aiort_server_start_serving(server);
    }
    if (err) {
        if (server) {
            aiort_server_close(server);
            aiort_unref(server);
        }
        return aiort__fail(err);
    }
    *out = server;
    return 0;
}

static int check(aiort_coroutine_fn function, const char *name)
{
    aiort_loop_t *loop = aiort__tls.running;

    if (!loop) {
        return aiort__fail(AIORT_ENOLOOP);
    }
    return aiort__callback_check(loop, (const void *)(uintptr_t)function, name);
}

static void close_all(const int *fds, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        close(fds[i]);
    }
}

/* ---- Hosts ---- */

static void set_port(struct sockaddr_storage *address, int port)
{
    if (address->ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)address)->sin6_port = htons((uint16_t)port);
    } else {
        ((struct sockaddr_in *)address)->sin_port = htons((uint16_t)port);
    }
}

static bool same(const aiort__addresses_t *list, size_t i)
{
    for (size_t k = 0; k < i; k++) {
        if (list->at[k].length == list->at[i].length &&
            memcmp(&list->at[k].address, &list->at[i].address, list->at[i].length) == 0) {
            return true;
        }
    }
    return false;
}

/* Binds to every address of the list; families that this kernel lacks, and addresses that this
 * machine lacks, are left out as long as there are others. */
static int bind_all(aiort__addresses_t *list, const aiort_server_options_t *options, int *fds,
                    size_t *n, int *skipped)
{
    for (size_t i = 0; i < list->n; i++) {
        if (same(list, i)) {
            continue;
        }
        if (*n == MAX_SOCKETS) {
            return aiort__failf(UV_EINVAL, "more than %d addresses", MAX_SOCKETS);
        }
        int err = aiort__bind((const struct sockaddr *)&list->at[i].address, list->at[i].length,
                              options, &fds[*n]);
        if (err == UV_EAFNOSUPPORT || err == UV_EADDRNOTAVAIL) {
            *skipped = err;
        } else if (err) {
            return err;
        } else {
            ++*n;
        }
    }
    return 0;
}

/* The next of the comma-separated names; NULL at the end. */
static const char *next_host(const char *hosts, char *host)
{
    size_t n = strcspn(hosts, ",");

    snprintf(host, HOST_SIZE, "%.*s", (int)n, hosts);
    return hosts[n] ? hosts + n + 1 : NULL;
}

static int bind_hosts(const aiort_site_t *site, const char *hosts, int port,
                      const aiort_server_options_t *options, int *fds, size_t *n)
{
    char host[HOST_SIZE];
    int skipped = 0, err = 0;

    while (hosts && !err) {
        aiort__addresses_t *list;
        hosts = next_host(hosts, host);
        err = aiort__resolve(site, host[0] ? host : NULL, port, options->family, AI_PASSIVE, &list);
        for (size_t i = 0; !err && i < list->n; i++) {
            set_port(&list->at[i].address, port);
        }
        err = err ? err : bind_all(list, options, fds, n, &skipped);
        aiort__free(list);
    }
    if (!err && *n == 0) {
        /* The message of the last one left out is the current error. */
        return skipped == UV_EADDRNOTAVAIL || skipped == 0
                   ? aiort__failf(UV_EADDRNOTAVAIL, "could not bind on any address out of %s", host)
                   : aiort__fail(skipped);
    }
    return err;
}

int aiort_start_server_at(const aiort_site_t *site, aiort_coroutine_fn function, void *arg,
                          const char *host, int port, const aiort_server_options_t *options,
                          aiort_server_t **server)
{
    const aiort_server_options_t *o = options ? options : &default_options;
    int err = check(function, "aiort_start_server");
    int fds[MAX_SOCKETS];
    size_t n = 0;

    if (err) {
        return err;
    }
    err = bind_hosts(site, host ? host : "", port, o, fds, &n);
    if (err) {
        close_all(fds, n);
        return err;
    }
    return start(site, function, arg, o, fds, n, NULL, server);
}

/* ---- Unix sockets, sockets given ---- */

int aiort_start_unix_server_at(const aiort_site_t *site, aiort_coroutine_fn function, void *arg,
                               const char *path, size_t length,
                               const aiort_server_options_t *options, aiort_server_t **server)
{
    int err = check(function, "aiort_start_unix_server");
    int fd;

    if (!err) {
        err = aiort__bind_unix(path, length, &fd);
    }
    return err ? err
               : start(site, function, arg, options ? options : &default_options, &fd, 1, path,
                       server);
}

int aiort_start_server_sockets_at(const aiort_site_t *site, aiort_coroutine_fn function, void *arg,
                                  const int *fds, size_t n, const aiort_server_options_t *options,
                                  aiort_server_t **server)
{
    int err = check(function, "aiort_start_server_sockets");

    if (!err && n == 0) {
        err = aiort__failf(UV_EINVAL, "Neither host/port nor sock were specified");
    }
    for (size_t i = 0; i < n && !err; i++) {
        int type = 0;
        socklen_t size = sizeof(type);
        if (getsockopt(fds[i], SOL_SOCKET, SO_TYPE, &type, &size) || type != SOCK_STREAM) {
            err =
                aiort__failf(UV_EINVAL, "A Stream Socket was expected, got descriptor %d", fds[i]);
        } else if (fcntl(fds[i], F_SETFL, fcntl(fds[i], F_GETFL) | O_NONBLOCK)) {
            err = aiort__fail(-errno);
        }
    }
    if (err) {
        close_all(fds, n);
        return err;
    }
    return start(site, function, arg, options ? options : &default_options, fds, n, NULL, server);
}
