/* SPDX-License-Identifier: MIT */
/*
 * Transports over files and over devices that are no terminals, for standard input and output: the
 * selector cannot wait for them, so that each read and write is a call on a thread of libuv's pool,
 * one at a time.
 */
#include "transport.h"

typedef struct {
    aiort_transport_t transport; /* first */
    aiort_loop_t *loop;
    uv_fs_t request;
    bool busy;        /* request is under way */
    bool closes;      /* and the close has to follow */
    const char *data; /* what is being written, and how much of it is not */
    size_t left;
    char *buffer; /* to read into */
} file_t;

static file_t *of(aiort_transport_t *transport)
{
    return (file_t *)transport;
}

/* ---- Closing ---- */

static void on_closed(uv_fs_t *request)
{
    aiort_transport_t *transport = request->data;

    uv_fs_req_cleanup(request);
    aiort__transport_closed(transport);
}

static void close_file(aiort_transport_t *transport)
{
    file_t *file = of(transport);

    if (file->busy) {
        file->closes = true;
        return;
    }
    file->request.data = transport;
    (void)uv_fs_close(file->loop->uv ? file->loop->uv->loop : NULL, &file->request, transport->fd,
                      on_closed);
}

/* The request has ended. true: so has the transport. */
static bool ended(uv_fs_t *request)
{
    file_t *file = request->data;

    uv_fs_req_cleanup(request);
    file->busy = false;
    if (file->closes) {
        request->data = file;
        (void)uv_fs_close(request->loop, request, file->transport.fd, on_closed);
    }
    return file->closes;
}

static void release(aiort_transport_t *transport)
{
    aiort__free(of(transport)->buffer);
}

/* ---- Reading ---- */

static int start_reading(aiort_transport_t *transport);

static void on_read(uv_fs_t *request)
{
    aiort_transport_t *transport = request->data;
    ssize_t n = request->result;

    if (ended(request)) {
        return;
    }
    if (n > 0) {
        aiort__transport_data(transport, of(transport)->buffer, (size_t)n);
        if (transport->reading && !of(transport)->busy) {
            int err = start_reading(transport);
            n = err ? err : n;
        }
    } else if (n == 0) {
        aiort__transport_eof(transport);
    }
    if (n < 0) {
        aiort__transport_failed(transport, (int)n, NULL);
    }
}

static int start_reading(aiort_transport_t *transport)
{
    file_t *file = of(transport);
    uv_buf_t piece = uv_buf_init(file->buffer, AIORT__READ_SIZE);

    if (file->busy) {
        return 0; /* what was stopped has not ended yet, and will go on */
    }
    file->request.data = transport;
    int err =
        uv_fs_read(file->loop->uv->loop, &file->request, transport->fd, &piece, 1, -1, on_read);
    file->busy = err == 0;
    return err;
}

static void stop_reading(aiort_transport_t *transport)
{
    (void)transport; /* what is under way is read to the end */
}

/* ---- Writing ---- */

static ssize_t try_write(aiort_transport_t *transport, const uv_buf_t *pieces, unsigned n)
{
    (void)transport;
    (void)pieces;
    (void)n;
    return UV_EAGAIN;
}

static int write_on(file_t *file);

static void on_written(uv_fs_t *request)
{
    file_t *file = request->data;
    ssize_t n = request->result;

    if (ended(request)) {
        return;
    }
    if (n >= 0 && (size_t)n < file->left) {
        file->data += n;
        file->left -= (size_t)n;
        n = write_on(file);
        if (n == 0) {
            return;
        }
    }
    aiort__transport_written(&file->transport, n < 0 ? (int)n : 0);
}

static int write_on(file_t *file)
{
    uv_buf_t piece = uv_buf_init((char *)file->data, (unsigned)file->left);

    file->request.data = file;
    int err = uv_fs_write(file->loop->uv->loop, &file->request, file->transport.fd, &piece, 1, -1,
                          on_written);
    file->busy = err == 0;
    return err;
}

static int start_write(aiort_transport_t *transport, const char *data, size_t n)
{
    file_t *file = of(transport);

    file->data = data;
    file->left = n;
    return write_on(file);
}

static int finish(aiort_transport_t *transport)
{
    aiort__transport_close(transport);
    return 0;
}

/* ---- Kinds ---- */

static const aiort__transport_ops_t read_ops = {
    .name = "_UnixReadPipeTransport",
    .start_reading = start_reading,
    .stop_reading = stop_reading,
    .close = close_file,
    .release = release,
    .reads = true,
    .closes_at_eof = true,
};

static const aiort__transport_ops_t write_ops = {
    .name = "_UnixWritePipeTransport",
    .try_write = try_write,
    .start_write = start_write,
    .shutdown = finish,
    .close = close_file,
    .ignored_message = "pipe closed by peer or os.write(pipe, data) raised exception.",
    .ignored_at = 6,
    .writes = true,
};

aiort_transport_t *aiort__transport_file(aiort_loop_t *loop, int fd, bool reads)
{
    char *buffer = reads ? aiort__malloc(AIORT__READ_SIZE) : NULL;
    aiort_transport_t *transport =
        reads && !buffer
            ? aiort__fail_null(UV_ENOMEM)
            : aiort__transport_new(loop, reads ? &read_ops : &write_ops, sizeof(file_t));

    if (!transport) {
        aiort__free(buffer);
        return NULL;
    }
    of(transport)->loop = loop;
    of(transport)->buffer = buffer;
    transport->fd = fd;
    return transport;
}
