/* SPDX-License-Identifier: MIT */
/*
 * Readers: the bytes that have arrived and were not read yet, their end or the error after them,
 * and the one task that waits for more. How they are read is in stream_read.c.
 *
 * More than twice the limit stops the transport; reading down to the limit lets it go on.
 */
#include "stream.h"

#include <string.h>

static size_t available(const aiort_stream_reader_t *reader)
{
    return reader->size - reader->from;
}

/* ---- Life ---- */

static void reader_destroy(void *self)
{
    aiort_stream_reader_t *reader = self;

    if (reader->stream) {
        reader->stream->reader = NULL;
    }
    if (reader->owns) {
        aiort__unref(&reader->transport->base.object);
    }
    aiort__free(reader->data);
    aiort__free(reader->lent);
    aiort_unref(reader->error);
    aiort__scope_free(&reader->base);
}

/* "<StreamReader 5 bytes eof limit=10 waiter=... exception=... transport=... paused>" */
static size_t reader_repr(const void *self, char *buf, size_t size)
{
    const aiort_stream_reader_t *reader = self;
    char bytes[40] = "", limit[40] = "", text[3][512] = {"", "", ""};

    if (available(reader)) {
        snprintf(bytes, sizeof(bytes), " %zu bytes", available(reader));
    }
    if (reader->limit != AIORT_STREAM_LIMIT) {
        snprintf(limit, sizeof(limit), " limit=%zu", reader->limit);
    }
    const void *objects[] = {reader->waiting ? &reader->waiter : NULL, reader->error,
                             reader->transport};
    static const char *const names[] = {" waiter=", " exception=", " transport="};
    for (int i = 0; i < 3; i++) {
        if (objects[i]) {
            size_t n = strlen(names[i]);
            memcpy(text[i], names[i], n);
            aiort_repr(objects[i], text[i] + n, sizeof(text[i]) - n);
        }
    }
    int n = snprintf(buf, size, "<StreamReader%s%s%s%s%s%s%s>", bytes, reader->eof ? " eof" : "",
                     limit, text[0], text[1], text[2], reader->paused ? " paused" : "");
    return n > 0 ? (size_t)n : 0;
}

aiort_stream_reader_t *aiort__reader_new(aiort_loop_t *loop, size_t limit)
{
    aiort_stream_reader_t *reader = aiort__malloc(sizeof(*reader));

    if (!reader) {
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(reader, 0, sizeof(*reader));
    aiort__scope_init(&reader->base, loop, AIORT_KIND_STREAM_READER, reader_destroy, reader_repr);
    reader->limit = limit ? limit : AIORT_STREAM_LIMIT;
    return reader;
}

aiort_stream_reader_t *aiort_stream_reader_new(size_t limit)
{
    return aiort__reader_new(NULL, limit);
}

/* ---- What arrives ---- */

static void wake(aiort_stream_reader_t *reader)
{
    if (reader->waiting && reader->waiter.object.state == AIORT_PENDING) {
        aiort__future_finish(&reader->waiter, NULL);
    }
}

static bool reserve(aiort_stream_reader_t *reader, size_t n)
{
    if (reader->from == reader->size) {
        reader->from = reader->size = 0;
    }
    if (AIORT__LIKELY(reader->room - reader->size >= n)) {
        return true;
    }
    if (reader->from > 0) {
        memmove(reader->data, reader->data + reader->from, available(reader));
        reader->size -= reader->from;
        reader->from = 0;
    }
    if (n > SIZE_MAX / 4 - reader->size) {
        return false;
    }
    size_t room = reader->room ? reader->room : 2048;
    while (room < reader->size + n) {
        room *= 2;
    }
    if (room == reader->room) {
        return true;
    }
    char *data = aiort__realloc(reader->data, room);
    if (!data) {
        return false;
    }
    reader->data = data;
    reader->room = room;
    return true;
}

int aiort__reader_feed(aiort_stream_reader_t *reader, const char *data, size_t n)
{
    if (n == 0) {
        return 0;
    }
    if (!reserve(reader, n)) {
        return aiort__fail(UV_ENOMEM);
    }
    memcpy(reader->data + reader->size, data, n);
    reader->size += n;
    wake(reader);
    if (AIORT__UNLIKELY(available(reader) > 2 * reader->limit) && reader->transport &&
        !reader->paused) {
        reader->paused = true;
        aiort__transport_read(reader->transport, false);
    }
    return 0;
}

void aiort__reader_feed_eof(aiort_stream_reader_t *reader)
{
    reader->eof = true;
    wake(reader);
}

void aiort__reader_fail(aiort_stream_reader_t *reader, aiort_error_t *error)
{
    aiort_unref(reader->error);
    reader->error = aiort_ref(error);
    wake(reader);
}

/* ---- By the program ---- */

static int check(const aiort_stream_reader_t *reader, const char *function)
{
    return aiort__scope_check(&reader->base, function);
}

int aiort_stream_feed_data(aiort_stream_reader_t *reader, const void *data, size_t n)
{
    int err = check(reader, "aiort_stream_feed_data");

    if (err) {
        return err;
    }
    if (reader->eof) {
        return aiort__failf(AIORT_EMISUSE, "feed_data after feed_eof");
    }
    return aiort__reader_feed(reader, data, n);
}

int aiort_stream_feed_eof(aiort_stream_reader_t *reader)
{
    int err = check(reader, "aiort_stream_feed_eof");

    if (!err) {
        aiort__reader_feed_eof(reader);
    }
    return err;
}

int aiort_stream_set_error(aiort_stream_reader_t *reader, aiort_error_t *error)
{
    int err = check(reader, "aiort_stream_set_error");

    if (!err && !error) {
        return aiort__failf(UV_EINVAL, "an error is required");
    }
    if (!err) {
        aiort__reader_fail(reader, error);
    }
    return err;
}

int aiort_stream_at_eof(const aiort_stream_reader_t *reader)
{
    (void)check(reader, "aiort_stream_at_eof");
    return reader->eof && available(reader) == 0;
}

aiort_error_t *aiort_stream_error(const aiort_stream_reader_t *reader)
{
    (void)check(reader, "aiort_stream_error");
    return reader->error;
}

const char *aiort_stream_partial(const aiort_stream_reader_t *reader, size_t *n)
{
    *n = reader->partial;
    return reader->partial ? reader->lent : "";
}

size_t aiort_stream_consumed(const aiort_stream_reader_t *reader)
{
    return reader->consumed;
}

aiort_transport_t *aiort_stream_reader_transport(const aiort_stream_reader_t *reader)
{
    return reader->transport;
}

int aiort_stream_reader_close(aiort_stream_reader_t *reader)
{
    int err = check(reader, "aiort_stream_reader_close");

    if (err) {
        return err;
    }
    if (reader->transport && !reader->owns) {
        return aiort__failf(AIORT_EMISUSE, "the writer closes this connection");
    }
    if (reader->transport) {
        aiort__transport_close(reader->transport);
    }
    return 0;
}
