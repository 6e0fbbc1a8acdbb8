/* SPDX-License-Identifier: MIT */
/*
 * Between a transport and its reader and writer: what arrives is fed to the reader, the transport's
 * brake stops who drains, its end wakes everybody. See stream.h for who holds whom.
 */
#include "stream.h"

#include <string.h>

/* ---- Waiting ---- */

int aiort__park(aiort__parking_t *parking, const aiort_site_t *site)
{
    aiort_task_t *task = aiort_current_task();
    aiort__parked_t parked;

    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    parked.future = aiort__future_new(task->future.object.loop);
    if (!parked.future) {
        return UV_ENOMEM;
    }
    parked.previous = NULL;
    parked.next = parking->first;
    if (parking->first) {
        parking->first->previous = &parked;
    }
    parking->first = &parked;
    int err = aiort__await_future(task, site, parked.future, NULL);
    if (parked.previous) {
        parked.previous->next = parked.next;
    } else {
        parking->first = parked.next;
    }
    if (parked.next) {
        parked.next->previous = parked.previous;
    }
    aiort__unref(&parked.future->object);
    return err;
}

/* In the order in which they came: the list has the newest first. */
void aiort__unpark(aiort__parking_t *parking)
{
    aiort__parked_t *parked = parking->first;

    while (parked && parked->next) {
        parked = parked->next;
    }
    for (; parked; parked = parked->previous) {
        if (parked->future->object.state == AIORT_PENDING) {
            aiort__future_finish(parked->future, NULL);
        }
    }
}

/* ---- What the transport calls ---- */

void aiort__stream_unref(aiort__stream_t *stream)
{
    if (--stream->refs == 0) {
        if (stream->reader) {
            stream->reader->stream = NULL;
        }
        aiort_unref(stream->error);
        aiort__free(stream);
    }
}

static void on_data(void *self, const char *data, size_t n)
{
    aiort_stream_reader_t *reader = ((aiort__stream_t *)self)->reader;

    if (reader && aiort__reader_feed(reader, data, n) == UV_ENOMEM) {
        /* A gap in what is read would be worse than the end. */
        aiort__transport_failed(reader->transport, UV_ENOMEM, NULL);
    }
}

/* The task that waits for any bytes is woken, or was before, and has not run yet. */
AIORT__HOT static bool on_readable(void *self)
{
    aiort_stream_reader_t *reader = ((aiort__stream_t *)self)->reader;

    if (!reader || !reader->pulls || reader->waiter.object.state == AIORT_CANCELLED) {
        return false;
    }
    if (reader->waiter.object.state == AIORT_PENDING) {
        aiort__future_finish(&reader->waiter, NULL);
    }
    return true;
}

static bool on_eof(void *self)
{
    aiort_stream_reader_t *reader = ((aiort__stream_t *)self)->reader;

    if (reader) {
        aiort__reader_feed_eof(reader);
    }
    return true;
}

static void on_lost(void *self, aiort_error_t *error)
{
    aiort__stream_t *stream = self;
    aiort_stream_reader_t *reader = stream->reader;

    stream->lost = true;
    stream->error = aiort_ref(error);
    if (reader && error) {
        aiort__reader_fail(reader, error);
    } else if (reader) {
        aiort__reader_feed_eof(reader);
    }
    aiort__unpark(&stream->closes);
    aiort__unpark(&stream->drains);
    aiort__stream_unref(stream);
}

static void on_pause_writing(void *self)
{
    ((aiort__stream_t *)self)->paused = true;
}

static void on_resume_writing(void *self)
{
    aiort__stream_t *stream = self;

    stream->paused = false;
    aiort__unpark(&stream->drains);
}

static const aiort__protocol_t protocol = {
    .data = on_data,
    .readable = on_readable,
    .eof = on_eof,
    .lost = on_lost,
    .pause_writing = on_pause_writing,
    .resume_writing = on_resume_writing,
};

const aiort__protocol_t *aiort__stream_protocol(aiort_stream_writer_t *writer, void **self)
{
    *self = writer->stream;
    writer->stream->refs++;
    return &protocol;
}

void aiort__stream_replace(aiort_stream_writer_t *writer, aiort_transport_t *transport)
{
    aiort_transport_t *old = writer->transport;

    writer->transport = transport;
    if (writer->reader) {
        writer->reader->transport = transport;
        writer->reader->paused = false;
    }
    aiort__unref(&old->base.object);
}

/* ---- Beginning ---- */

/* All that is needed, or nothing. */
static int make(aiort_loop_t *loop, size_t limit, bool with_reader, bool with_writer,
                aiort__stream_t **stream, aiort_stream_reader_t **reader,
                aiort_stream_writer_t **writer)
{
    *stream = aiort__malloc(sizeof(**stream));
    *reader = with_reader ? aiort__reader_new(loop, limit) : NULL;
    *writer = with_writer ? aiort__writer_new(loop) : NULL;
    if (*stream && (*reader || !with_reader) && (*writer || !with_writer)) {
        memset(*stream, 0, sizeof(**stream));
        return 0;
    }
    aiort__free(*stream);
    aiort_unref(*reader);
    aiort_unref(*writer);
    return aiort__fail(UV_ENOMEM);
}

int aiort__stream_start(aiort_transport_t *transport, size_t limit,
                        aiort_stream_reader_t **reader_out, aiort_stream_writer_t **writer_out)
{
    aiort_loop_t *loop = transport->base.object.loop;
    aiort__stream_t *stream;
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int err = make(loop, limit, reader_out != NULL, writer_out != NULL, &stream, &reader, &writer);

    if (err) {
        aiort__transport_discard(transport);
        return err;
    }
    stream->refs = writer ? 2 : 1;
    stream->reader = reader;
    if (reader) {
        reader->stream = stream;
        reader->transport = transport;
        reader->owns = !writer;
    }
    if (writer) {
        writer->transport = transport;
        writer->stream = stream;
        writer->reader = aiort_ref(reader);
    }
    err = aiort__transport_start(transport, &protocol, stream);
    if (err) {
        aiort__ref(&transport->base.object); /* for the discard */
        aiort__transport_discard(transport);
        aiort__stream_unref(stream); /* the transport's */
        aiort_unref(writer);
        aiort_unref(reader);
        return err;
    }
    if (reader_out) {
        *reader_out = reader;
    }
    if (writer_out) {
        *writer_out = writer;
    }
    return 0;
}
