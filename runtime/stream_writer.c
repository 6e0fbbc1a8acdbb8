/* SPDX-License-Identifier: MIT */
/*
 * Writers: a transport with waiting added. Its last reference closes the connection.
 */
#include "stream.h"

#include <string.h>

static void writer_destroy(void *self)
{
    aiort_stream_writer_t *writer = self;

    if (writer->reader) {
        writer->reader->transport = NULL; /* it may go now */
    }
    if (writer->transport) {
        aiort__unref(&writer->transport->base.object);
    }
    if (writer->stream) {
        aiort__stream_unref(writer->stream);
    }
    aiort_unref(writer->reader);
    aiort__scope_free(&writer->base);
}

static size_t writer_repr(const void *self, char *buf, size_t size)
{
    const aiort_stream_writer_t *writer = self;
    char transport[256], reader[512] = "";

    aiort_repr(writer->transport, transport, sizeof(transport));
    if (writer->reader) {
        memcpy(reader, " reader=", 8);
        aiort_repr(writer->reader, reader + 8, sizeof(reader) - 8);
    }
    int n = snprintf(buf, size, "<StreamWriter transport=%s%s>", transport, reader);
    return n > 0 ? (size_t)n : 0;
}

aiort_stream_writer_t *aiort__writer_new(aiort_loop_t *loop)
{
    aiort_stream_writer_t *writer = aiort__malloc(sizeof(*writer));

    if (!writer) {
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(writer, 0, sizeof(*writer));
    aiort__scope_init(&writer->base, loop, AIORT_KIND_STREAM_WRITER, writer_destroy, writer_repr);
    return writer;
}

static int check(const aiort_stream_writer_t *writer, const char *function)
{
    return aiort__scope_check(&writer->base, function);
}

/* ---- Writing ---- */

AIORT__HOT int aiort_stream_write(aiort_stream_writer_t *writer, const void *data, size_t n)
{
    int err = check(writer, "aiort_stream_write");
    uv_buf_t piece = {.base = (char *)data, .len = n};

    return err ? err : aiort__transport_write(writer->transport, &piece, 1, "write");
}

int aiort_stream_writelines(aiort_stream_writer_t *writer, const uv_buf_t *pieces, unsigned n)
{
    int err = check(writer, "aiort_stream_writelines");

    return err ? err : aiort__transport_write(writer->transport, pieces, n, "writelines");
}

int aiort_stream_write_eof(aiort_stream_writer_t *writer)
{
    int err = check(writer, "aiort_stream_write_eof");

    return err ? err : aiort__transport_write_eof(writer->transport);
}

int aiort_stream_can_write_eof(const aiort_stream_writer_t *writer)
{
    (void)check(writer, "aiort_stream_can_write_eof");
    return writer->transport->ops->shutdown != NULL;
}

int aiort_stream_close(aiort_stream_writer_t *writer)
{
    int err = check(writer, "aiort_stream_close");

    if (!err) {
        aiort__transport_close(writer->transport);
    }
    return err;
}

int aiort_stream_is_closing(const aiort_stream_writer_t *writer)
{
    (void)check(writer, "aiort_stream_is_closing");
    return writer->transport->closing;
}

aiort_transport_t *aiort_stream_transport(const aiort_stream_writer_t *writer)
{
    return writer->transport;
}

int aiort_stream_get_extra_info(const aiort_stream_writer_t *writer, const char *name, char *buf,
                                size_t size)
{
    int err = check(writer, "aiort_stream_get_extra_info");

    return err ? err : aiort__transport_extra_info(writer->transport, name, buf, size);
}

/* ---- Waiting ---- */

static int lost(const aiort__stream_t *stream)
{
    if (stream->error) {
        aiort__set_current_error(stream->error);
        return stream->error->code;
    }
    return 0;
}

/* The connection is well, and what is kept below the mark. */
static bool nothing_to_wait_for(const aiort_stream_writer_t *writer)
{
    return !writer->stream->paused && !writer->stream->lost && !writer->transport->closing &&
           !(writer->reader && writer->reader->error);
}

static int wait_until_written(aiort_stream_writer_t *writer, const aiort_site_t *site)
{
    aiort__stream_t *stream = writer->stream;
    int err = 0;

    if (writer->reader && writer->reader->error) {
        aiort__set_current_error(writer->reader->error);
        return writer->reader->error->code;
    }
    if (writer->transport->closing) {
        /* Who writes and drains in a loop lets the loss be noticed. */
        err = aiort_sleep_at(site, 0);
    }
    if (!err && stream->lost) {
        return aiort__failf(UV_ECONNRESET, "Connection lost");
    }
    if (!err && stream->paused) {
        err = aiort__park(&stream->drains, site);
        err = !err && stream->lost ? lost(stream) : err;
    }
    return err;
}

__attribute__((noinline)) static int drain(aiort_stream_writer_t *writer, const aiort_site_t *site)
{
    aiort__ref(&writer->base.object);
    int err = wait_until_written(writer, site);
    aiort__unref(&writer->base.object);
    return err;
}

AIORT__HOT int aiort_stream_drain_at(const aiort_site_t *site, aiort_stream_writer_t *writer)
{
    int err = check(writer, "aiort_stream_drain");

    if (AIORT__LIKELY(err || nothing_to_wait_for(writer))) {
        return err;
    }
    return drain(writer, site);
}

int aiort_stream_wait_closed_at(const aiort_site_t *site, aiort_stream_writer_t *writer)
{
    aiort__stream_t *stream = writer->stream;
    int err = check(writer, "aiort_stream_wait_closed");

    if (err) {
        return err;
    }
    aiort__ref(&writer->base.object);
    if (!stream->lost) {
        err = aiort__park(&stream->closes, site);
    }
    err = err ? err : lost(stream);
    aiort__unref(&writer->base.object);
    return err;
}
