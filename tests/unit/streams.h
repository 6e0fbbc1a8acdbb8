/* SPDX-License-Identifier: MIT */
/*
 * streams.h - what the tests of streams, servers and transports share: connections to play with.
 */
#ifndef STREAMS_H
#define STREAMS_H

#include "helpers.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define assert_message(part) assert_contains(aiort_error_message(aiort_current_error()), part)

/* A stream over one end of a socket pair; the other end is a plain descriptor. */
typedef struct {
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    int peer;
} pair_t;

static inline void open_pair(pair_t *pair)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    assert_ok(aiort_open_socket(fds[0], NULL, &pair->reader, &pair->writer));
    pair->peer = fds[1];
}

static inline void close_peer(pair_t *pair)
{
    if (pair->peer >= 0)
        close(pair->peer);
    pair->peer = -1;
}

static inline void drop_pair(pair_t *pair)
{
    aiort_stream_close(pair->writer);
    aiort_stream_wait_closed(pair->writer);
    aiort_unref(pair->writer);
    aiort_unref(pair->reader);
    close_peer(pair);
}

static inline void send_peer(const pair_t *pair, const char *text)
{
    assert_int_equal(write(pair->peer, text, strlen(text)), (int)strlen(text));
}

/* Lets what is under way happen. */
static inline void settle(void)
{
    for (int i = 0; i < 5; i++)
        assert_ok(aiort_sleep(0.002));
}

#define feed(reader, text) assert_ok(aiort_stream_feed_data((reader), (text), strlen(text)))

/* The call gave these bytes. */
#define assert_bytes(call, data, text)                                                             \
    do {                                                                                           \
        ssize_t n_ = (call);                                                                       \
        if (n_ != (ssize_t)strlen(text))                                                           \
            assert_code((int)n_, (int)strlen(text));                                               \
        assert_memory_equal((data), (text), strlen(text));                                         \
    } while (0)

#endif /* STREAMS_H */
