/* SPDX-License-Identifier: MIT */
/*
 * Servers: their life, as in Python 3.12. Closing one stops to listen; it is over, for
 * wait_closed(), when its last connection has ended too. How connections come in is in
 * server_accept.c, how sockets are made in server_bind.c, how a server is started in
 * server_start.c.
 */
#include "server.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- The repr ---- */

typedef int (*name_fn)(int fd, struct sockaddr *address, socklen_t *length);

static void put_address(int fd, const char *key, name_fn get, char *buf, size_t size)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    char text[160];

    buf[0] = '\0';
    if (get(fd, (struct sockaddr *)&address, &length) == 0) {
        aiort__address_repr((struct sockaddr *)&address, length, text, sizeof(text));
        if (strcmp(text, "''") != 0) {
            snprintf(buf, size, ", %s=%s", key, text);
        }
    }
}

static int option_of(int fd, int option)
{
    int value = 0;
    socklen_t length = sizeof(value);

    return getsockopt(fd, SOL_SOCKET, option, &value, &length) ? 0 : value;
}

/* "<asyncio.TransportSocket fd=6, family=2, type=1, proto=6, laddr=('127.0.0.1', 8888)>" */
size_t aiort__socket_repr(int fd, char *buf, size_t size)
{
    char local[200], remote[200];

    put_address(fd, "laddr", getsockname, local, sizeof(local));
    put_address(fd, "raddr", getpeername, remote, sizeof(remote));
    int n = snprintf(buf, size, "<asyncio.TransportSocket fd=%d, family=%d, type=%d, proto=%d%s%s>",
                     fd, option_of(fd, SO_DOMAIN), option_of(fd, SO_TYPE),
                     option_of(fd, SO_PROTOCOL), local, remote);
    return n > 0 ? (size_t)n : 0;
}

static size_t server_repr(const void *self, char *buf, size_t size)
{
    const aiort_server_t *server = self;
    char text[900] = "";
    size_t length = 0;

    for (size_t i = 0; i < server->nlisteners && length + 2 < sizeof(text); i++) {
        length +=
            aiort__socket_repr(server->listeners[i]->fd, text + length, sizeof(text) - length);
        if (length + 3 < sizeof(text)) {
            /* As Python writes a tuple: one alone has a comma behind it. */
            const char *after = i + 1 < server->nlisteners ? ", " : i == 0 ? "," : "";
            memcpy(text + length, after, strlen(after) + 1);
            length += strlen(after);
        }
    }
    int n = snprintf(buf, size, "<Server sockets=(%s)>", text);
    return n > 0 ? (size_t)n : 0;
}

/* ---- Life ---- */

static void give_back(aiort_server_t *server)
{
    if (server->base.object.trace && aiort__seam(AIORT__SEAM_DESTROYED)) {
        aiort_instrument_destroyed(AIORT_KIND_SERVER, server);
    }
    if (server->release) {
        server->release(server->arg);
    }
    aiort__free(server->listeners);
    aiort__scope_free(&server->base);
}

/* The last reference has gone. One that still listens, or has connections, goes on without. */
static void destroy(void *self)
{
    aiort_server_t *server = self;

    if (!server->in_loop && !server->clients) {
        give_back(server);
    }
}

static void close_listeners(aiort_server_t *server)
{
    for (size_t i = 0; i < server->nlisteners; i++) {
        aiort__listener_close(server->listeners[i]);
    }
    server->nlisteners = 0;
    server->serving = false;
}

/* Whoever calls this holds a reference while it does: giving that back may be the end of it. */
void aiort__server_settle(aiort_server_t *server)
{
    if (!server->closed || server->active > 0) {
        return;
    }
    aiort__unpark(&server->waiting);
    if (!server->clients && server->in_loop) {
        aiort__detach(server->base.object.loop, &server->attached);
        server->in_loop = false;
    }
}

static void close_server(aiort_server_t *server)
{
    aiort__ref(&server->base.object);
    if (!server->closed) {
        server->closed = true;
        close_listeners(server);
        aiort_instrument_open(server->base.object.loop, server, 0);
        aiort__unpark(&server->serving_forever);
    }
    aiort__server_settle(server);
    aiort__unref(&server->base.object);
}

/* The loop is closed: its tasks are gone, its transports go now. */
static void loop_closed(aiort__attached_t *attached)
{
    aiort_server_t *server =
        (aiort_server_t *)((char *)attached - offsetof(aiort_server_t, attached));
    aiort__client_t *next;

    aiort__ref(&server->base.object);
    if (!server->closed) {
        aiort_instrument_open(server->base.object.loop, server, -1);
        server->closed = true;
        close_listeners(server);
    }
    aiort__detach(server->base.object.loop, attached);
    server->in_loop = false;
    for (aiort__client_t *client = server->clients; client; client = next) {
        next = client->next;
        aiort__client_release(client);
    }
    aiort__unref(&server->base.object);
}

static aiort__listener_t *new_listener(aiort_server_t *server, int fd, const char *path)
{
    aiort__listener_t *listener = aiort__malloc(sizeof(*listener));
    struct stat status;

    if (!listener) {
        return NULL;
    }
    *listener = (aiort__listener_t){.server = server, .fd = fd};
    listener->family = option_of(fd, SO_DOMAIN);
    if (path && path[0] && !server->options.keep_path && stat(path, &status) == 0) {
        snprintf(listener->path, sizeof(listener->path), "%s", path);
        listener->inode = status.st_ino;
        listener->unlink = true;
    }
    return listener;
}

static int add_listeners(aiort_server_t *server, const int *fds, size_t n, const char *path)
{
    aiort_loop_t *loop = server->base.object.loop;

    server->listeners = aiort__malloc(n * sizeof(server->listeners[0]));
    for (size_t i = 0; server->listeners && i < n; i++) {
        aiort__listener_t *listener = new_listener(server, fds[i], path);
        if (!listener) {
            return UV_ENOMEM;
        }
        int err = uv_poll_init(loop->uv->loop, &listener->poll, fds[i]);
        if (err) {
            aiort__free(listener);
            return err;
        }
        listener->poll.data = listener;
        listener->open = true;
        server->listeners[server->nlisteners++] = listener;
    }
    return server->listeners ? 0 : UV_ENOMEM;
}

aiort_server_t *aiort__server_new(const aiort_site_t *site, aiort_loop_t *loop,
                                  aiort_coroutine_fn function, void *arg,
                                  const aiort_server_options_t *options, const int *fds, size_t n,
                                  const char *path)
{
    aiort_server_t *server = aiort__malloc(sizeof(*server));
    int err = server ? 0 : UV_ENOMEM;

    if (server) {
        memset(server, 0, sizeof(*server));
        aiort__scope_init(&server->base, loop, AIORT_KIND_SERVER, destroy, server_repr);
        server->site = site;
        server->function = function;
        server->arg = arg;
        server->options = *options;
        err = add_listeners(server, fds, n, path);
    }
    if (err) {
        for (size_t i = server ? server->nlisteners : 0; i < n; i++) {
            close(fds[i]);
        }
        if (server) {
            close_listeners(server);
            aiort__unref(&server->base.object);
        }
        return aiort__fail_null(err);
    }
    aiort__created(&server->base.object);
    aiort__attach(loop, &server->attached, loop_closed);
    server->in_loop = true;
    aiort_instrument_open(loop, server, 1);
    return server;
}

/* ---- For the program ---- */

static int check(const aiort_server_t *server, const char *function)
{
    return aiort__scope_check(&server->base, function);
}

/* "server <Server sockets=()> is closed" */
static int refuse(const aiort_server_t *server, const char *what)
{
    char repr[400];

    aiort_repr(server, repr, sizeof(repr));
    return aiort__failf(AIORT_EMISUSE, "server %s %s", repr, what);
}

static int start_serving(aiort_server_t *server)
{
    int err = 0;

    if (server->closed) {
        return refuse(server, "is closed");
    }
    for (size_t i = 0; !server->serving && !err && i < server->nlisteners; i++) {
        err = aiort__listener_start(server->listeners[i]);
    }
    server->serving = !err;
    return err ? aiort__fail(err) : 0;
}

int aiort_server_start_serving(aiort_server_t *server)
{
    int err = check(server, "aiort_server_start_serving");

    return err ? err : start_serving(server);
}

int aiort_server_is_serving(const aiort_server_t *server)
{
    (void)check(server, "aiort_server_is_serving");
    return server->serving;
}

int aiort_server_close(aiort_server_t *server)
{
    int err = check(server, "aiort_server_close");

    if (!err) {
        close_server(server);
    }
    return err;
}

static void end_clients(aiort_server_t *server, bool abort)
{
    for (aiort__client_t *client = server->clients; client; client = client->next) {
        if (!client->transport) {
            continue;
        }
        if (abort) {
            aiort__transport_abort(client->transport, NULL);
        } else {
            aiort__transport_close(client->transport);
        }
    }
}

int aiort_server_close_clients(aiort_server_t *server)
{
    int err = check(server, "aiort_server_close_clients");

    if (!err) {
        end_clients(server, false);
    }
    return err;
}

int aiort_server_abort_clients(aiort_server_t *server)
{
    int err = check(server, "aiort_server_abort_clients");

    if (!err) {
        end_clients(server, true);
    }
    return err;
}

static int wait_closed(aiort_server_t *server, const aiort_site_t *site)
{
    int err = 0;

    while (!err && (!server->closed || server->active > 0)) {
        err = aiort__park(&server->waiting, site);
    }
    return err;
}

int aiort_server_wait_closed_at(const aiort_site_t *site, aiort_server_t *server)
{
    int err = check(server, "aiort_server_wait_closed");

    if (err) {
        return err;
    }
    aiort__ref(&server->base.object);
    err = wait_closed(server, site);
    aiort__unref(&server->base.object);
    return err;
}

static int serve_forever(aiort_server_t *server, const aiort_site_t *site)
{
    int err = start_serving(server);

    server->forever = true;
    if (!err) {
        err = aiort__park(&server->serving_forever, site);
        if (!err) {
            err = aiort__fail_at(site, UV_ECANCELED, NULL); /* it was closed: as asyncio */
        } else if (err == UV_ECANCELED) {
            aiort_error_t *error = aiort__take_error(UV_ECANCELED);
            close_server(server);
            int other = wait_closed(server, site);
            if (other == AIORT_ECLOSED) {
                err = other;
            } else {
                aiort__set_current_error(error);
            }
            aiort_unref(error);
        }
    }
    server->forever = false;
    return err;
}

int aiort_server_serve_forever_at(const aiort_site_t *site, aiort_server_t *server)
{
    int err = check(server, "aiort_server_serve_forever");

    if (err) {
        return err;
    }
    if (server->forever) {
        return refuse(server, "is already being awaited on serve_forever()");
    }
    if (server->closed) {
        return refuse(server, "is closed");
    }
    aiort__ref(&server->base.object);
    err = serve_forever(server, site);
    aiort__unref(&server->base.object);
    return err;
}

size_t aiort_server_sockets(const aiort_server_t *server, int *fds, size_t max)
{
    (void)check(server, "aiort_server_sockets");
    for (size_t i = 0; i < server->nlisteners && i < max; i++) {
        fds[i] = server->listeners[i]->fd;
    }
    return server->nlisteners;
}

int aiort_server_port(const aiort_server_t *server)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);

    (void)check(server, "aiort_server_port");
    if (server->nlisteners == 0 ||
        getsockname(server->listeners[0]->fd, (struct sockaddr *)&address, &length)) {
        return 0;
    }
    return address.ss_family == AF_INET    ? ntohs(((struct sockaddr_in *)&address)->sin_port)
           : address.ss_family == AF_INET6 ? ntohs(((struct sockaddr_in6 *)&address)->sin6_port)
                                           : 0;
}
