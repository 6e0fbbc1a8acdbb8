/* SPDX-License-Identifier: MIT */
/*
 * Datagram endpoints: an inbox on libuv's UDP handle. Beyond 1 MiB of what nobody has asked for the
 * socket is not read any more, so the kernel drops, as it does for who is too slow.
 */
#include "inbox.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

enum { KEPT_BYTES = 1024 * 1024 };

typedef struct {
    aiort__item_t item;
    struct sockaddr_storage from;
    size_t n;
    char data[];
} packet_t;

struct aiort_datagram_s {
    aiort__inbox_t inbox;
    uv_udp_t uv;
    size_t kept; /* bytes, with the packets' own */
    bool connected, receiving;
};

typedef struct {
    uv_udp_send_t request;
    char data[];
} sending_t;

static size_t datagram_repr(const void *self, char *buf, size_t size)
{
    const aiort_datagram_t *endpoint = self;
    struct sockaddr_storage address;
    char text[160] = "";

    if (aiort_datagram_sockname(endpoint, &address) == 0) {
        aiort__address_repr((struct sockaddr *)&address, sizeof(address), text, sizeof(text));
    }
    int n = snprintf(buf, size, "<_SelectorDatagramTransport %s%s%s>",
                     endpoint->inbox.closed    ? "closed"
                     : endpoint->inbox.closing ? "closing"
                                               : "open",
                     text[0] ? " laddr=" : "", text);
    return n > 0 ? (size_t)n : 0;
}

/* ---- Life ---- */

/* What was sent is sent first: the last of it closes. */
static void close_endpoint(aiort_datagram_t *endpoint, bool at_once)
{
    if (aiort__inbox_end(&endpoint->inbox)) {
        uv_udp_recv_stop(&endpoint->uv);
    }
    if (at_once || uv_udp_get_send_queue_count(&endpoint->uv) == 0) {
        aiort__inbox_close_handle(&endpoint->inbox);
    }
}

static void left(aiort__inbox_t *inbox, bool now)
{
    if (!inbox->closing) {
        aiort_instrument_open(inbox->base.object.loop, inbox, -1);
    }
    close_endpoint((aiort_datagram_t *)inbox, now);
}

/* ---- Receiving ---- */

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    const aiort_datagram_t *endpoint = handle->data;

    (void)suggested;
    *buf = uv_buf_init(endpoint->inbox.base.object.loop->read_buffer, AIORT__READ_SIZE);
}

static void keep(aiort_datagram_t *endpoint, const char *data, size_t n,
                 const struct sockaddr *from)
{
    packet_t *packet = aiort__malloc(sizeof(*packet) + n);

    if (!packet) {
        endpoint->inbox.error = UV_ENOMEM;
        return;
    }
    packet->n = n;
    memset(&packet->from, 0, sizeof(packet->from));
    memcpy(&packet->from, from,
           from->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in));
    if (n > 0) {
        memcpy(packet->data, data, n);
    }
    aiort__inbox_put(&endpoint->inbox, &packet->item);
    endpoint->kept += sizeof(*packet) + n;
}

static void on_recv(uv_udp_t *handle, ssize_t n, const uv_buf_t *buf, const struct sockaddr *from,
                    unsigned flags)
{
    aiort_datagram_t *endpoint = handle->data;

    (void)flags;
    if (n == 0 && !from) {
        return; /* nothing there */
    }
    if (n < 0) {
        endpoint->inbox.error = (int)n;
    } else {
        keep(endpoint, buf->base, (size_t)n, from);
        if (endpoint->kept > KEPT_BYTES) {
            uv_udp_recv_stop(&endpoint->uv);
            endpoint->receiving = false;
        }
    }
    aiort__unpark(&endpoint->inbox.waiting);
}

static int start_receiving(aiort_datagram_t *endpoint)
{
    int err = endpoint->receiving || endpoint->inbox.closing
                  ? 0
                  : uv_udp_recv_start(&endpoint->uv, on_alloc, on_recv);

    endpoint->receiving = !err;
    return err;
}

static ssize_t take(aiort_datagram_t *endpoint, void *buffer, size_t n,
                    struct sockaddr_storage *from)
{
    packet_t *packet = (packet_t *)aiort__inbox_take(&endpoint->inbox);
    size_t size = packet->n;

    if (n > 0 && size > 0) {
        memcpy(buffer, packet->data, size < n ? size : n);
    }
    if (from) {
        *from = packet->from;
    }
    endpoint->kept -= sizeof(*packet) + size;
    aiort__free(packet);
    int err = start_receiving(endpoint);
    endpoint->inbox.error = err ? err : endpoint->inbox.error;
    return (ssize_t)size;
}

ssize_t aiort_datagram_recvfrom_at(const aiort_site_t *site, aiort_datagram_t *endpoint,
                                   void *buffer, size_t n, struct sockaddr_storage *from)
{
    ssize_t result = aiort__scope_check(&endpoint->inbox.base, "aiort_datagram_recvfrom");

    aiort__ref(&endpoint->inbox.base.object);
    result = result ? result : aiort__inbox_wait(&endpoint->inbox, site);
    result = result ? result : take(endpoint, buffer, n, from);
    aiort__unref(&endpoint->inbox.base.object);
    return result;
}

/* ---- Sending ---- */

static void on_sent(uv_udp_send_t *request, int status)
{
    aiort_datagram_t *endpoint = request->handle->data;

    aiort__free(request);
    if (status && status != UV_ECANCELED && !endpoint->inbox.closing) {
        endpoint->inbox.error = status;
        aiort__unpark(&endpoint->inbox.waiting);
    }
    if (endpoint->inbox.closing && uv_udp_get_send_queue_count(&endpoint->uv) == 0) {
        aiort__inbox_close_handle(&endpoint->inbox);
    }
}

int aiort_datagram_sendto(aiort_datagram_t *endpoint, const void *data, size_t n,
                          const struct sockaddr *to)
{
    int err = aiort__scope_check(&endpoint->inbox.base, "aiort_datagram_sendto");
    uv_buf_t piece = uv_buf_init((char *)(uintptr_t)data, (unsigned)n);

    if (err) {
        return err;
    }
    if (endpoint->inbox.closing) {
        return aiort__fail(UV_EBADF);
    }
    if (!to != endpoint->connected) {
        return aiort__failf(UV_EINVAL, to ? "Invalid address: must be NULL with a peer"
                                          : "an address is required without a peer");
    }
    ssize_t sent = uv_udp_try_send(&endpoint->uv, &piece, 1, to);
    if (sent >= 0) {
        return 0;
    }
    if (sent != UV_EAGAIN) {
        return aiort__fail((int)sent);
    }
    sending_t *sending = aiort__malloc(sizeof(*sending) + n);
    if (!sending) {
        return aiort__fail(UV_ENOMEM);
    }
    memcpy(sending->data, data, n);
    piece.base = sending->data;
    err = uv_udp_send(&sending->request, &endpoint->uv, &piece, 1, to, on_sent);
    if (err) {
        aiort__free(sending);
        return aiort__fail(err);
    }
    return 0;
}

/* ---- Making one ---- */

static int resolve_one(const aiort_site_t *site, const char *host, int port, int family,
                       struct sockaddr_storage *address)
{
    aiort__addresses_t *found;
    int err = aiort__resolve(site, host, port, family, host ? 0 : AI_PASSIVE, &found);

    if (!err) {
        *address = found->at[0].address;
        aiort__free(found);
    }
    return err;
}

static int set_up(aiort_datagram_t *endpoint, const aiort_datagram_options_t *options,
                  const struct sockaddr *local, const struct sockaddr *remote)
{
    int on = 1, err = 0;
    uv_os_fd_t fd;

    if (options->reuse_port && (uv_fileno((uv_handle_t *)&endpoint->uv, &fd) ||
                                setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)))) {
        return UV_ENOTSUP;
    }
    if (local) {
        err = uv_udp_bind(&endpoint->uv, local, 0);
    }
    if (!err && options->broadcast) {
        err = uv_udp_set_broadcast(&endpoint->uv, 1);
    }
    if (!err && remote) {
        err = uv_udp_connect(&endpoint->uv, remote);
        endpoint->connected = !err;
    }
    return err ? err : start_receiving(endpoint);
}

static int make(aiort_loop_t *loop, unsigned family, aiort_datagram_t **result)
{
    aiort_datagram_t *endpoint = aiort__read_buffer(loop) ? aiort__malloc(sizeof(*endpoint)) : NULL;

    if (!endpoint) {
        return UV_ENOMEM;
    }
    memset(endpoint, 0, sizeof(*endpoint));
    int err = uv_udp_init_ex(loop->uv->loop, &endpoint->uv, family);
    if (err) {
        aiort__free(endpoint);
        return err;
    }
    aiort__inbox_init(&endpoint->inbox, loop, (uv_handle_t *)&endpoint->uv, AIORT_KIND_DATAGRAM,
                      datagram_repr, left);
    *result = endpoint;
    return 0;
}

int aiort_create_datagram_endpoint_at(const aiort_site_t *site,
                                      const aiort_datagram_options_t *options,
                                      aiort_datagram_t **result)
{
    static const aiort_datagram_options_t none = {0};
    struct sockaddr_storage local, remote;
    aiort_task_t *task = aiort_current_task();
    aiort_datagram_t *endpoint;
    int err = 0;

    *result = NULL;
    options = options ? options : &none;
    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    bool binds = options->local_host || options->local_port || !options->remote_host;
    int family = options->family;
    if (options->remote_host) {
        err = resolve_one(site, options->remote_host, options->remote_port, family, &remote);
        family = err ? family : remote.ss_family;
    }
    if (!err && binds) {
        family = family || options->local_host ? family : AF_INET;
        err = resolve_one(site, options->local_host, options->local_port, family, &local);
        family = err ? family : local.ss_family;
    }
    if (err) {
        return err;
    }
    err = make(task->future.object.loop, (unsigned)family, &endpoint);
    if (err) {
        return aiort__fail(err);
    }
    err = set_up(endpoint, options, binds ? (struct sockaddr *)&local : NULL,
                 options->remote_host ? (struct sockaddr *)&remote : NULL);
    if (err) {
        close_endpoint(endpoint, true);
        aiort__unref(&endpoint->inbox.base.object);
        return aiort__fail(err);
    }
    aiort_instrument_open(task->future.object.loop, endpoint, 1);
    *result = endpoint;
    return 0;
}

/* ---- The rest ---- */

int aiort_datagram_close(aiort_datagram_t *endpoint)
{
    int err = aiort__scope_check(&endpoint->inbox.base, "aiort_datagram_close");

    if (!err && !endpoint->inbox.closing) {
        aiort_instrument_open(endpoint->inbox.base.object.loop, endpoint, 0);
        close_endpoint(endpoint, false);
    }
    return err;
}

int aiort_datagram_is_closing(const aiort_datagram_t *endpoint)
{
    return endpoint->inbox.closing;
}

int aiort_datagram_sockname(const aiort_datagram_t *endpoint, struct sockaddr_storage *address)
{
    int length = sizeof(*address);

    return endpoint->inbox.closing
               ? UV_EBADF
               : uv_udp_getsockname(&endpoint->uv, (struct sockaddr *)address, &length);
}

int aiort_datagram_port(const aiort_datagram_t *endpoint)
{
    struct sockaddr_storage address;

    if (aiort_datagram_sockname(endpoint, &address)) {
        return 0;
    }
    return ntohs(address.ss_family == AF_INET6 ? ((struct sockaddr_in6 *)&address)->sin6_port
                                               : ((struct sockaddr_in *)&address)->sin_port);
}
