/* SPDX-License-Identifier: MIT */
/* getaddrinfo() and getnameinfo() by libuv's pool. */
#include "request.h"

#include <netdb.h>
#include <string.h>

static void on_addresses(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    (void)found; /* is in the request */
    aiort__request_done(request->data, status);
}

static void release_addresses(aiort__request_t *request)
{
    uv_freeaddrinfo(request->u.addrinfo.addrinfo);
}

int aiort_getaddrinfo_at(const aiort_site_t *site, const char *node, const char *service,
                         const struct addrinfo *hints, struct addrinfo **found)
{
    aiort_task_t *task;
    aiort__request_t *request = aiort__request_new(&task, 0);

    *found = NULL;
    if (!request) {
        return aiort_last_error();
    }
    request->release = release_addresses;
    int err = uv_getaddrinfo(task->future.object.loop->uv->loop, &request->u.addrinfo, on_addresses,
                             node, service, hints);
    err = aiort__request_await(request, task, site, err);
    if (err) {
        return err;
    }
    err = (int)request->result;
    if (!err) {
        *found = request->u.addrinfo.addrinfo;
        request->release = NULL; /* it is the caller's now */
    }
    aiort__request_free(request);
    return err ? aiort__failf(err, "%s: %s", node ? node : service, aiort_strerror(err)) : 0;
}

static void on_names(uv_getnameinfo_t *request, int status, const char *host, const char *service)
{
    (void)host; /* both are in the request */
    (void)service;
    aiort__request_done(request->data, status);
}

/* 0, or UV_ENOBUFS. */
static int copy(char *to, size_t size, const char *from)
{
    if (!to) {
        return 0;
    }
    int n = snprintf(to, size, "%s", from);
    return n < 0 || (size_t)n >= size ? UV_ENOBUFS : 0;
}

int aiort_getnameinfo_at(const aiort_site_t *site, const struct sockaddr *address, int flags,
                         char *host, size_t host_size, char *service, size_t service_size)
{
    aiort_task_t *task;
    aiort__request_t *request = aiort__request_new(&task, 0);

    if (!request) {
        return aiort_last_error();
    }
    int err = uv_getnameinfo(task->future.object.loop->uv->loop, &request->u.nameinfo, on_names,
                             address, flags);
    err = aiort__request_await(request, task, site, err);
    if (err) {
        return err;
    }
    err = (int)request->result;
    if (!err) {
        err = copy(host, host_size, request->u.nameinfo.host);
        int service_err = copy(service, service_size, request->u.nameinfo.service);
        err = err ? err : service_err;
    }
    aiort__request_free(request);
    return err ? aiort__fail(err) : 0;
}
