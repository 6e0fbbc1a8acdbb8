/* SPDX-License-Identifier: MIT */
/*
 * What the files of the streams share: the layout of readers and writers, and what is between them
 * and their transport (asyncio's StreamReaderProtocol).
 *
 *      writer --strong--> transport --one of its two references--> stream --weak--> reader
 *         +---strong--> stream, reader                      reader --weak--> stream
 *
 * A reader without a writer owns its transport. The stream's references are the transport's, until
 * the connection is lost, and the writer's.
 */
#ifndef AIORT_STREAM_H
#define AIORT_STREAM_H

#include "transport.h"

/* Who waits; each on the stack of its task. */
typedef struct aiort__parked {
    struct aiort__parked *previous, *next;
    aiort_future_t *future; /* with a reference */
} aiort__parked_t;

typedef struct {
    aiort__parked_t *first;
} aiort__parking_t;

/* Waits until aiort__unpark() is called; 0, or what aiort_await() says. */
AIORT__HIDDEN int aiort__park(aiort__parking_t *parking, const aiort_site_t *site);
AIORT__HIDDEN void aiort__unpark(aiort__parking_t *parking);

typedef struct {
    uint32_t refs;
    aiort_stream_reader_t *reader; /* NULL: none, or it has gone */
    aiort__parking_t drains, closes;
    aiort_error_t *error; /* that the connection was lost for, with a reference, or NULL */
    bool paused;          /* more than the high mark is kept */
    bool lost;
} aiort__stream_t;

/* What each read looks at comes first, side by side. */
struct aiort_stream_reader_s {
    aiort__extended_t base;
    aiort_transport_t *transport; /* that feeds it, with a reference if owned; NULL: none, or its
                                     writer has gone */
    bool waiting;                 /* a task waits for the future below */
    bool pulls;                   /* it wants any bytes, and reads them itself */
    bool eof;
    bool paused; /* the transport, by us */
    bool owns;
    aiort_future_t waiter;
    void *into;           /* where it reads them to, */
    size_t wanted;        /* and how many */
    aiort_error_t *error; /* with a reference, or NULL */
    size_t from, size;    /* data[from .. size) is there to be read */
    size_t limit;
    aiort__stream_t *stream; /* NULL: it is fed by the program */
    char *data;
    size_t room; /* allocated */
    char *lent;  /* what *data pointed to */
    size_t lent_room, partial, consumed;
};

struct aiort_stream_writer_s {
    aiort__extended_t base;
    aiort_transport_t *transport;
    aiort__stream_t *stream;
    aiort_stream_reader_t *reader; /* or NULL */
};

/* Has memory fetched into the cache, so many lines of it. What only fetches has no effect that the
 * compiler knows, and it leaves out calls of such functions: so this one, and who is made of it, is
 * inlined always. */
__attribute__((always_inline)) static inline void aiort__fetch(const void *memory, int lines)
{
    enum { LINE = 64 };

    for (int i = 0; i < lines; i++) {
        __builtin_prefetch((const char *)memory + (size_t)i * LINE);
    }
}

AIORT__HIDDEN aiort_stream_reader_t *aiort__reader_new(aiort_loop_t *loop, size_t limit);
AIORT__HIDDEN int aiort__reader_feed(aiort_stream_reader_t *reader, const char *data, size_t n);
AIORT__HIDDEN void aiort__reader_feed_eof(aiort_stream_reader_t *reader);
AIORT__HIDDEN void aiort__reader_fail(aiort_stream_reader_t *reader, aiort_error_t *error);
AIORT__HIDDEN aiort_stream_writer_t *aiort__writer_new(aiort_loop_t *loop);
AIORT__HIDDEN void aiort__stream_unref(aiort__stream_t *stream);

#endif
