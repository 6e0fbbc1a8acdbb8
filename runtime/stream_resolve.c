/* SPDX-License-Identifier: MIT */
/*
 * From a host's name to addresses, and from an address to text. Numbers are told by themselves;
 * names go to libuv's pool, and the task waits.
 *
 * A request outlives a task that is cancelled while it waits: then libuv's callback frees it.
 */
#include "transport.h"

#include <netdb.h>
#include <string.h>
#include <sys/un.h>

typedef struct {
    uv_getaddrinfo_t request;
    aiort_future_t *future; /* of the waiting frame */
    aiort__addresses_t *found;
    int status;
    bool done;
    bool abandoned; /* nobody waits any more */
} resolution_t;

/* ---- Lists of addresses ---- */

static aiort__addresses_t *new_list(size_t n)
{
    aiort__addresses_t *list = aiort__malloc(sizeof(*list) + n * sizeof(list->at[0]));

    if (list) {
        list->n = 0;
        memset(list->at, 0, n * sizeof(list->at[0]));
    }
    return list;
}

static void add(aiort__addresses_t *list, const void *address, socklen_t length)
{
    memcpy(&list->at[list->n].address, address, length);
    list->at[list->n].length = length;
    list->n++;
}

static aiort__addresses_t *from_addrinfo(const struct addrinfo *first)
{
    size_t n = 0;

    for (const struct addrinfo *info = first; info; info = info->ai_next) {
        n++;
    }
    aiort__addresses_t *list = new_list(n);
    for (const struct addrinfo *info = first; list && info; info = info->ai_next) {
        if (info->ai_addrlen <= sizeof(struct sockaddr_storage)) {
            add(list, info->ai_addr, info->ai_addrlen);
        }
    }
    return list;
}

/* ---- Names ---- */

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *info)
{
    resolution_t *resolution = request->data;

    if (resolution->abandoned) {
        uv_freeaddrinfo(info);
        aiort__free(resolution);
        return;
    }
    resolution->done = true;
    resolution->status = status;
    if (status == 0) {
        resolution->found = from_addrinfo(info);
        resolution->status = resolution->found ? 0 : UV_ENOMEM;
    }
    uv_freeaddrinfo(info);
    if (resolution->future->object.state == AIORT_PENDING) {
        aiort__future_finish(resolution->future, NULL);
    }
}

static int start(aiort_loop_t *loop, resolution_t *resolution, const char *host, int port,
                 int family, int flags)
{
    struct addrinfo hints = {.ai_family = family, .ai_socktype = SOCK_STREAM, .ai_flags = flags};
    char service[16];

    snprintf(service, sizeof(service), "%d", port);
    resolution->request.data = resolution;
    return uv_getaddrinfo(loop->uv->loop, &resolution->request, on_resolved, host, service, &hints);
}

static int resolve_name(aiort_task_t *task, const aiort_site_t *site, const char *host, int port,
                        int family, int flags, aiort__addresses_t **addresses)
{
    aiort_loop_t *loop = task->future.object.loop;
    resolution_t *resolution = aiort__malloc(sizeof(*resolution));
    aiort_future_t *future = resolution ? aiort__future_new(loop) : NULL;
    int err = UV_ENOMEM;

    if (future) {
        *resolution = (resolution_t){.future = future};
        err = start(loop, resolution, host, port, family, flags);
    }
    if (err) {
        aiort__free(resolution);
        aiort_unref(future);
        return aiort__fail(err);
    }
    err = aiort__await_future(task, site, future, NULL);
    aiort__unref(&future->object);
    if (!resolution->done) {
        resolution->abandoned = true;
        (void)uv_cancel((uv_req_t *)&resolution->request); /* what runs, runs to its end */
        return err;
    }
    if (!err && resolution->status) {
        err = aiort__failf(resolution->status, "%s: %s", host, aiort_strerror(resolution->status));
    }
    if (err) {
        aiort__free(resolution->found);
    } else {
        *addresses = resolution->found;
    }
    aiort__free(resolution);
    return err;
}

/* ---- All hosts ---- */

/* 1: it is one, and is in the list. 0: it is a name. */
static int numeric(const char *host, int port, int family, aiort__addresses_t *list)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    if (!host) { /* all interfaces */
        if (family != AF_INET6 && uv_ip4_addr("0.0.0.0", port, &v4) == 0) {
            add(list, &v4, sizeof(v4));
        }
        if (family != AF_INET && uv_ip6_addr("::", port, &v6) == 0) {
            add(list, &v6, sizeof(v6));
        }
        return 1;
    }
    if (family != AF_INET6 && uv_ip4_addr(host, port, &v4) == 0) {
        add(list, &v4, sizeof(v4));
        return 1;
    }
    if (family != AF_INET && uv_ip6_addr(host, port, &v6) == 0) {
        add(list, &v6, sizeof(v6));
        return 1;
    }
    return 0;
}

int aiort__resolve(const aiort_site_t *site, const char *host, int port, int family, int flags,
                   aiort__addresses_t **addresses)
{
    aiort_task_t *task = aiort_current_task();

    *addresses = NULL;
    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    if (port < 0 || port > 65535) {
        return aiort__failf(UV_EINVAL, "getaddrinfo: port must be 0-65535, got %d", port);
    }
    if (family != AF_UNSPEC && family != AF_INET && family != AF_INET6) {
        return aiort__failf(UV_EAFNOSUPPORT, "an IP family is required, got %d", family);
    }
    aiort__addresses_t *list = new_list(2);
    if (!list) {
        return aiort__fail(UV_ENOMEM);
    }
    if (numeric(host, port, family, list)) {
        *addresses = list;
        return 0;
    }
    aiort__free(list);
    return resolve_name(task, site, host, port, family, flags, addresses);
}

int aiort__unix_address(const char *path, size_t length, struct sockaddr_storage *address,
                        socklen_t *size)
{
    struct sockaddr_un *un = (struct sockaddr_un *)address;

    memset(address, 0, sizeof(*address));
    if (!path || (length == 0 && path[0] == '\0')) {
        return aiort__failf(UV_EINVAL, "no path was specified, and no sock");
    }
    length = length ? length : strlen(path);
    if (length > sizeof(un->sun_path) - (path[0] != '\0')) {
        return aiort__failf(UV_ENAMETOOLONG, "AF_UNIX path too long");
    }
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, length);
    /* An abstract name has no end but its length. */
    *size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (path[0] != '\0'));
    return 0;
}

/* ---- As text ---- */

static size_t unix_repr(const struct sockaddr_un *address, socklen_t length, char *buf, size_t size)
{
    size_t room = length > offsetof(struct sockaddr_un, sun_path)
                      ? length - offsetof(struct sockaddr_un, sun_path)
                      : 0;
    int n;

    if (room > 0 && address->sun_path[0] == '\0') {
        n = snprintf(buf, size, "b'\\x00%.*s'", (int)room - 1, address->sun_path + 1);
    } else {
        n = snprintf(buf, size, "'%.*s'", (int)strnlen(address->sun_path, room), address->sun_path);
    }
    return n > 0 ? (size_t)n : 0;
}

size_t aiort__address_repr(const struct sockaddr *address, socklen_t length, char *buf, size_t size)
{
    char host[INET6_ADDRSTRLEN + 1] = "?";
    int n;

    if (address->sa_family == AF_UNIX) {
        return unix_repr((const struct sockaddr_un *)address, length, buf, size);
    }
    if (address->sa_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        uv_ip4_name(v4, host, sizeof(host));
        n = snprintf(buf, size, "('%s', %d)", host, ntohs(v4->sin_port));
    } else if (address->sa_family == AF_INET6) {
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        uv_ip6_name(v6, host, sizeof(host));
        n = snprintf(buf, size, "('%s', %d, %u, %u)", host, ntohs(v6->sin6_port),
                     (unsigned)ntohl(v6->sin6_flowinfo), (unsigned)v6->sin6_scope_id);
    } else {
        n = snprintf(buf, size, "None");
    }
    return n > 0 ? (size_t)n : 0;
}
