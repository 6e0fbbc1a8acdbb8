/* SPDX-License-Identifier: MIT */
/*
 * Transports over libuv's streams: TCP, Unix sockets, pipes, terminals.
 *
 * All streams of a loop read into one buffer, each at its time: what arrives is handed on before
 * libuv asks for the buffer again. Who waits for bytes and nothing else is only woken, and reads
 * them to where they shall be: libuv lets a callback that gives it no buffer leave them in the
 * kernel. So with very many connections each is gone through once, and what is needed of it is in
 * the cache.
 */
#include "transport.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

typedef struct {
    aiort_transport_t transport; /* first */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
        uv_tty_t tty;
    } u;
    union {
        uv_write_t write;
        uv_connect_t connect; /* before it is open */
    } request;
    void (*connected)(void *arg, int status); /* NULL: nobody wants to know */
    void *connected_arg;
    int given; /* a terminal's descriptor, which libuv leaves open; -1: none */
} uv_transport_t;

static uv_transport_t *of(aiort_transport_t *transport)
{
    return (uv_transport_t *)transport;
}

char *aiort__read_buffer(aiort_loop_t *loop)
{
    if (!loop->read_buffer) {
        loop->read_buffer = aiort__malloc(AIORT__READ_SIZE);
    }
    return loop->read_buffer;
}

static void ignore_sigpipe(void)
{
    struct sigaction action;

    if (sigaction(SIGPIPE, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
        action.sa_handler == SIG_DFL) {
        signal(SIGPIPE, SIG_IGN);
    }
}

void aiort__ignore_sigpipe(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, ignore_sigpipe);
}

/*
 * In a process with more than one thread libc makes a read() or write() a point of cancellation, by
 * two atomic operations: a fiftieth of what a request costs. Here nothing blocks, so it need not be
 * one: libuv's wait is. Sanitizers want to see the call.
 */
#if defined(AIORT__FIBER_ASAN) || defined(AIORT__FIBER_TSAN)
#define READ read
#define WRITE write
#else
#define READ(fd, buffer, n) (ssize_t)syscall(SYS_read, fd, buffer, n)
#define WRITE(fd, data, n) (ssize_t)syscall(SYS_write, fd, data, n)
#endif

/* ---- Reading ---- */

AIORT__HOT static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    const aiort_transport_t *transport = handle->data;

    (void)suggested;
    if (aiort__transport_readable(handle->data)) {
        *buf = uv_buf_init(NULL, 0);
        return;
    }
    *buf = uv_buf_init(transport->base.object.loop->read_buffer, AIORT__READ_SIZE);
}

AIORT__HOT static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    aiort_transport_t *transport = stream->data;

    if (n > 0) {
        aiort__transport_data(transport, buf->base, (size_t)n);
    } else if (n == UV_EOF || (n == UV_EIO && !transport->ops->writes)) {
        aiort__transport_eof(transport);   /* EIO: the terminal's other side has gone */
    } else if (n < 0 && n != UV_ENOBUFS) { /* that is on_alloc()'s own */
        aiort__transport_failed(transport, (int)n, NULL);
    }
}

AIORT__HOT static ssize_t try_read(aiort_transport_t *transport, void *buffer, size_t n)
{
    ssize_t got;

    do {
        got = READ(transport->fd, buffer, n);
    } while (got < 0 && errno == EINTR);
    return got >= 0 ? got : errno == EIO && !transport->ops->writes ? 0 : -errno;
}

static int start_reading(aiort_transport_t *transport)
{
    return uv_read_start(&of(transport)->u.stream, on_alloc, on_read);
}

static void stop_reading(aiort_transport_t *transport)
{
    uv_read_stop(&of(transport)->u.stream);
}

/* ---- Writing ---- */

/* libuv's own queue is empty here: nothing is overtaken. */
AIORT__HOT static ssize_t try_write(aiort_transport_t *transport, const uv_buf_t *pieces, unsigned n)
{
    ssize_t sent;

    do {
        sent = n == 1 ? WRITE(transport->fd, pieces[0].base, pieces[0].len)
                      : writev(transport->fd, (const struct iovec *)pieces,
                               (int)(n < IOV_MAX ? n : IOV_MAX));
    } while (sent < 0 && errno == EINTR);
    return sent >= 0 ? sent : errno == EWOULDBLOCK ? UV_EAGAIN : -errno;
}

static void on_written(uv_write_t *request, int status)
{
    aiort__transport_written(request->data, status);
}

static int start_write(aiort_transport_t *transport, const char *data, size_t n)
{
    uv_transport_t *self = of(transport);
    uv_buf_t piece = uv_buf_init((char *)data, (unsigned)n);

    self->request.write.data = transport;
    return uv_write(&self->request.write, &self->u.stream, &piece, 1, on_written);
}

static int shut_down(aiort_transport_t *transport)
{
    return shutdown(transport->fd, SHUT_WR) && errno != ENOTCONN ? -errno : 0;
}

/* A pipe has one direction only: its end is its close. */
static int close_pipe(aiort_transport_t *transport)
{
    aiort__transport_close(transport);
    return 0;
}

/* ---- Connecting ---- */

static void on_connect(uv_connect_t *request, int status)
{
    uv_transport_t *self = request->data;

    if (self->connected) {
        self->connected(self->connected_arg, status);
    }
}

int aiort__transport_connect(aiort_transport_t *transport, const struct sockaddr *address,
                             const struct sockaddr *local, void (*done)(void *arg, int status),
                             void *arg)
{
    uv_transport_t *self = of(transport);
    int err = local ? uv_tcp_bind(&self->u.tcp, local, 0) : 0;

    if (err) {
        return err;
    }
    self->connected = done;
    self->connected_arg = arg;
    self->request.connect.data = self;
    return uv_tcp_connect(&self->request.connect, &self->u.tcp, address, on_connect);
}

void aiort__transport_forget(aiort_transport_t *transport)
{
    of(transport)->connected = NULL;
}

int aiort__transport_open(aiort_transport_t *transport, int fd)
{
    uv_transport_t *self = of(transport);
    int err = self->u.handle.type == UV_TCP ? uv_tcp_open(&self->u.tcp, fd)
                                            : uv_pipe_open(&self->u.pipe, fd);

    if (!err) {
        aiort__transport_opened(transport);
    }
    return err;
}

/* ---- Closing ---- */

static void on_close(uv_handle_t *handle)
{
    aiort__transport_closed(handle->data);
}

static void close_handle(aiort_transport_t *transport)
{
    uv_close(&of(transport)->u.handle, on_close);
}

static void release(aiort_transport_t *transport)
{
    if (of(transport)->given >= 0) {
        close(of(transport)->given);
    }
}

/* ---- Kinds ---- */

#define STREAM_OPS                                                                                 \
    .start_reading = start_reading, .stop_reading = stop_reading, .try_read = try_read,            \
    .try_write = try_write, .start_write = start_write, .close = close_handle

static const aiort__transport_ops_t socket_ops = {
    STREAM_OPS,
    .name = "_SelectorSocketTransport",
    .shutdown = shut_down,
    .ignored_message = "socket.send() raised exception.",
    .ignored_at = 5,
    .reads = true,
    .writes = true,
};

static const aiort__transport_ops_t read_pipe_ops = {
    STREAM_OPS,
    .name = "_UnixReadPipeTransport",
    .release = release,
    .reads = true,
    .closes_at_eof = true,
};

static const aiort__transport_ops_t write_pipe_ops = {
    STREAM_OPS,
    .name = "_UnixWritePipeTransport",
    .release = release,
    .shutdown = close_pipe,
    .ignored_message = "pipe closed by peer or os.write(pipe, data) raised exception.",
    .ignored_at = 6,
    .writes = true,
};

static const aiort__transport_ops_t *const ops_of[] = {
    [AIORT__UV_TCP] = &socket_ops,          [AIORT__UV_UNIX] = &socket_ops,
    [AIORT__UV_PIPE_READ] = &read_pipe_ops, [AIORT__UV_PIPE_WRITE] = &write_pipe_ops,
    [AIORT__UV_TTY_READ] = &read_pipe_ops,  [AIORT__UV_TTY_WRITE] = &write_pipe_ops,
};

static int init_handle(uv_transport_t *self, uv_loop_t *loop, aiort__uv_kind_t kind, int fd)
{
    switch (kind) {
    case AIORT__UV_TCP:
        return uv_tcp_init(loop, &self->u.tcp);
    case AIORT__UV_UNIX:
    case AIORT__UV_PIPE_READ:
    case AIORT__UV_PIPE_WRITE:
        return uv_pipe_init(loop, &self->u.pipe, 0);
    case AIORT__UV_TTY_READ:
    case AIORT__UV_TTY_WRITE:
        return uv_tty_init(loop, &self->u.tty, fd, 0);
    }
    return UV_EINVAL;
}

/* It has no handle: there is nothing to close. */
static void drop(aiort_transport_t *transport)
{
    transport->closing = transport->down = transport->closed = true;
    aiort__unref(&transport->base.object);
}

aiort_transport_t *aiort__transport_uv(aiort_loop_t *loop, aiort__uv_kind_t kind, int fd)
{
    aiort__ignore_sigpipe();
    if (!aiort__read_buffer(loop)) {
        return aiort__fail_null(UV_ENOMEM);
    }
    aiort_transport_t *transport = aiort__transport_new(loop, ops_of[kind], sizeof(uv_transport_t));
    if (!transport) {
        return NULL;
    }
    uv_transport_t *self = of(transport);
    self->given = -1;
    int err = init_handle(self, loop->uv->loop, kind, fd);
    if (err) {
        drop(transport);
        return aiort__fail_null(err);
    }
    self->u.handle.data = transport;
    if (kind == AIORT__UV_TTY_READ || kind == AIORT__UV_TTY_WRITE) {
        uv_os_fd_t now;
        aiort__transport_opened(transport);
        self->given = uv_fileno(&self->u.handle, &now) == 0 && now == fd ? -1 : fd;
    }
    return transport;
}

uv_stream_t *aiort__transport_stream(aiort_transport_t *transport)
{
    return &of(transport)->u.stream;
}

void aiort__transport_opened(aiort_transport_t *transport)
{
    uv_transport_t *self = of(transport);
    uv_os_fd_t fd;

    if (uv_fileno(&self->u.handle, &fd) == 0) {
        transport->fd = fd;
    }
    if (self->u.handle.type == UV_TCP) {
        uv_tcp_nodelay(&self->u.tcp, 1); /* fails for what is no TCP socket: no harm */
    }
}
