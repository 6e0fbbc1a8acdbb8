/* SPDX-License-Identifier: MIT */
/*
 * What a program may do with a transport itself: close it, brake it, set its marks, ask it.
 */
#include "transport.h"

#include <string.h>

static int check(const aiort_transport_t *transport, const char *function)
{
    return aiort__scope_check(&transport->base, function);
}

int aiort_transport_close(aiort_transport_t *transport)
{
    int err = check(transport, "aiort_transport_close");

    if (!err) {
        aiort__transport_close(transport);
    }
    return err;
}

int aiort_transport_abort(aiort_transport_t *transport)
{
    int err = check(transport, "aiort_transport_abort");

    if (!err) {
        aiort__transport_abort(transport, NULL);
    }
    return err;
}

int aiort_transport_is_closing(const aiort_transport_t *transport)
{
    (void)check(transport, "aiort_transport_is_closing");
    return transport->closing;
}

int aiort_transport_pause_reading(aiort_transport_t *transport)
{
    int err = check(transport, "aiort_transport_pause_reading");

    if (!err) {
        aiort__transport_read(transport, false);
    }
    return err;
}

int aiort_transport_resume_reading(aiort_transport_t *transport)
{
    int err = check(transport, "aiort_transport_resume_reading");

    if (!err) {
        aiort__transport_read(transport, true);
    }
    return err;
}

int aiort_transport_is_reading(const aiort_transport_t *transport)
{
    (void)check(transport, "aiort_transport_is_reading");
    return transport->ops->reads && !transport->closing && !transport->brake;
}

int aiort_transport_set_write_buffer_limits(aiort_transport_t *transport, int64_t high, int64_t low)
{
    int err = check(transport, "aiort_transport_set_write_buffer_limits");

    if (err) {
        return err;
    }
    if (high < 0) {
        high = low < 0 ? 64 * 1024 : low > INT64_MAX / 4 ? INT64_MAX : 4 * low;
    }
    if (low < 0) {
        low = high / 4;
    }
    if (high < low) {
        return aiort__failf(UV_EINVAL, "high (%lld) must be >= low (%lld) must be >= 0",
                            (long long)high, (long long)low);
    }
    transport->high = (size_t)high;
    transport->low = (size_t)low;
    if (transport->protocol && !transport->pausing &&
        aiort_transport_get_write_buffer_size(transport) > transport->high) {
        transport->pausing = true;
        transport->protocol->pause_writing(transport->self);
    }
    return 0;
}

void aiort_transport_get_write_buffer_limits(const aiort_transport_t *transport, size_t *high,
                                             size_t *low)
{
    (void)check(transport, "aiort_transport_get_write_buffer_limits");
    *high = transport->high;
    *low = transport->low;
}

int aiort_transport_fileno(const aiort_transport_t *transport)
{
    (void)check(transport, "aiort_transport_fileno");
    return transport->down || transport->fd < 0 ? aiort__fail(UV_EBADF) : transport->fd;
}

/* ---- Addresses ---- */

typedef int (*name_fn)(int fd, struct sockaddr *address, socklen_t *length);

static int name_of(const aiort_transport_t *transport, name_fn get,
                   struct sockaddr_storage *address, socklen_t *length)
{
    memset(address, 0, sizeof(*address));
    *length = sizeof(*address);
    if (transport->down || transport->fd < 0) {
        return UV_EBADF;
    }
    return get(transport->fd, (struct sockaddr *)address, length) ? -errno : 0;
}

int aiort_transport_peername(const aiort_transport_t *transport, struct sockaddr_storage *address)
{
    socklen_t length;
    int err = name_of(transport, getpeername, address, &length);

    return err ? aiort__fail(err) : 0;
}

int aiort_transport_sockname(const aiort_transport_t *transport, struct sockaddr_storage *address)
{
    socklen_t length;
    int err = name_of(transport, getsockname, address, &length);

    return err ? aiort__fail(err) : 0;
}

static int no_info(const char *name)
{
    return aiort__failf(UV_ENOENT, "no such information: %s", name);
}

int aiort__transport_extra_info(const aiort_transport_t *transport, const char *name, char *buf,
                                size_t size)
{
    struct sockaddr_storage address;
    socklen_t length;
    name_fn get = strcmp(name, "peername") == 0   ? getpeername
                  : strcmp(name, "sockname") == 0 ? getsockname
                                                  : NULL;

    if (get) {
        if (name_of(transport, get, &address, &length)) {
            return no_info(name);
        }
        return (int)aiort__address_repr((struct sockaddr *)&address, length, buf, size);
    }
    if (strcmp(name, "socket") == 0 || strcmp(name, "pipe") == 0) {
        return transport->down || transport->fd < 0 ? no_info(name)
                                                    : snprintf(buf, size, "%d", transport->fd);
    }
    int n = transport->ops->extra_info ? transport->ops->extra_info(transport, name, buf, size)
                                       : UV_ENOENT;
    return n == UV_ENOENT ? no_info(name) : n;
}
