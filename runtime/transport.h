/* SPDX-License-Identifier: MIT */
/*
 * Transports: how streams, and who builds on them, reach what is below.
 *
 *      reader, writer                      stream.c, stream_read.c, stream_write.c
 *         |      ^  aiort__protocol_t: data, end, loss, brake      (upwards)
 *         v      |
 *      aiort_transport_t                   transport.c: closing, what is kept to be written, marks
 *         |      ^  aiort__transport_closed(), _written(), _data(), ...
 *         v      |  aiort__transport_ops_t: try to write, wait, close  (downwards)
 *      TCP, pipe, terminal, file, TLS, a child's pipes
 *
 * A transport is an object with references. It is in its loop's list (attached) from
 * aiort__transport_start() until aiort__transport_closed(), and its memory stays until then even
 * without references: so libuv's handles live in it. The last reference closes it when nobody did.
 * A loop that is closed closes its transports; then nobody above is told.
 *
 * The life: made -> started (protocol.data ...) -> closing (no data any more, what is kept is still
 * written) -> lost (ops.close was called, what was kept is dropped) -> closed (protocol.lost,
 * once). The one below calls aiort__transport_closed() later, never from inside ops.close: for
 * libuv's handles it is the close callback, so nothing is needed to make that call come.
 *
 * TLS is a transport over another one: it is the protocol of the lower one, and what its
 * ops.try_write does is aiort__transport_write() of the lower one. Its ops.close closes the lower
 * one, and the lower one's protocol.lost calls aiort__transport_closed() of the upper one.
 */
#ifndef AIORT_TRANSPORT_H
#define AIORT_TRANSPORT_H

#include "combine.h"
#include "scope.h"

/* ---- Upwards: who uses a transport ---- */

/* Called from libuv's callbacks, or from inside a call of the transport: they start nothing that
 * runs program code, only complete futures. */
typedef struct {
    /* Bytes arrived; they are valid during the call. */
    void (*data)(void *self, const char *data, size_t n);
    /* There is something to be read. true: who wants it will be at it soon, by
     * aiort__transport_pull(), and until then it stays where it is. May be NULL. */
    bool (*readable)(void *self);
    /* The other end writes no more. true: the transport stays open for writing. */
    bool (*eof)(void *self);
    /* The last call. error is borrowed; NULL: it was closed from here. */
    void (*lost)(void *self, aiort_error_t *error);
    /* More is kept than the high mark / no more than the low one. */
    void (*pause_writing)(void *self);
    void (*resume_writing)(void *self);
} aiort__protocol_t;

/* ---- Downwards: what a transport is made of ---- */

typedef struct {
    const char *name; /* in reprs: "_SelectorSocketTransport" */
    /* 0 or a code. Data come by aiort__transport_data(), _eof(), _failed(). */
    int (*start_reading)(aiort_transport_t *transport);
    void (*stop_reading)(aiort_transport_t *transport);
    /* As many bytes as there are, 0 at the end, or UV_EAGAIN, or an error. Only for one that asks
     * aiort__transport_readable(). */
    ssize_t (*try_read)(aiort_transport_t *transport, void *buffer, size_t n);
    /* As many bytes as go at once, or UV_EAGAIN, or an error. */
    ssize_t (*try_write)(aiort_transport_t *transport, const uv_buf_t *pieces, unsigned n);
    /* Writes these bytes, which stay where they are, and then calls aiort__transport_written().
     * Only one at a time. 0 or a code. */
    int (*start_write)(aiort_transport_t *transport, const char *data, size_t n);
    /* All is written: ends the direction. 0 or a code. NULL: cannot. */
    int (*shutdown)(aiort_transport_t *transport);
    /* Closes, whatever is under way; then, later, aiort__transport_closed(). */
    void (*close)(aiort_transport_t *transport);
    /* Before the memory goes. May be NULL. */
    void (*release)(aiort_transport_t *transport);
    /* As aiort_stream_get_extra_info(), for names that others do not know; UV_ENOENT. May be NULL.
     */
    int (*extra_info)(const aiort_transport_t *transport, const char *name, char *buf, size_t size);
    /* The repr between "<" and ">"; NULL: that of a socket transport. */
    size_t (*describe)(const aiort_transport_t *transport, char *buf, size_t size);
    /* What was kept one floor below; may be NULL. */
    size_t (*buffered)(const aiort_transport_t *transport);
    /* What writing after the loss is reported with, and the write from which on. */
    const char *ignored_message;
    unsigned ignored_at;
    bool reads, writes; /* a pipe has one direction */
    bool closes_at_eof; /* a pipe to read from */
} aiort__transport_ops_t;

/* Bytes kept to be written. */
typedef struct {
    char *data;
    size_t from, size, room; /* data[from .. size) is kept, room allocated */
} aiort__kept_t;

/* What each read and write looks at comes first. */
struct aiort_transport_s {
    aiort__extended_t base;
    const aiort__transport_ops_t *ops;
    const aiort__protocol_t *protocol; /* NULL: not started, or lost already */
    void *self;                        /* the protocol's */
    int fd;                            /* for reprs; it stays after the close */
    bool started;                      /* and attached */
    bool reading;                      /* start_reading() was called */
    bool brake;                        /* the program's pause_reading() */
    bool flying;                       /* start_write() is under way */
    bool pausing;                      /* pause_writing() was called last */
    bool eof_wanted;                   /* write_eof() */
    bool eof_sent;
    bool eof_received;
    bool closing;
    bool down;        /* lost: ops.close was called */
    bool closed;      /* aiort__transport_closed() was */
    bool reported;    /* as unclosed */
    unsigned ignored; /* writes after the loss */
    aiort__attached_t attached;
    void (*ended)(aiort_transport_t *transport); /* a server's: it is closed; or NULL */
    void *owner;                                 /* that server */
    aiort__kept_t flight, next; /* start_write() has the first, write() adds to the second */
    aiort_error_t *error;       /* that it is being lost for, with a reference, or NULL */
    size_t high, low;
};

/* ---- For who makes transports: transport.c ---- */

/* Zeroed behind the head, not started: size is that of the struct that begins with it. NULL:
 * UV_ENOMEM. */
AIORT__HIDDEN void *aiort__transport_new(aiort_loop_t *loop, const aiort__transport_ops_t *ops,
                                         size_t size);
/* One that was made and will not be started after all: ops.close comes, and then its memory goes.
 * For one whose handle is open. The reference is taken over. */
AIORT__HIDDEN void aiort__transport_discard(aiort_transport_t *transport);
/* From now on it belongs to the loop, and the protocol gets what comes. Begins to read when the ops
 * can. 0, or start_reading()'s code: then it is not started. */
AIORT__HIDDEN int aiort__transport_start(aiort_transport_t *transport,
                                         const aiort__protocol_t *protocol, void *self);

/* From below: whether what can be read shall be left alone. */
AIORT__HIDDEN bool aiort__transport_readable(aiort_transport_t *transport);
/* From below. data and eof may close the transport. */
AIORT__HIDDEN void aiort__transport_data(aiort_transport_t *transport, const char *data, size_t n);
AIORT__HIDDEN void aiort__transport_eof(aiort_transport_t *transport);
/* start_write() is done: with 0, the bytes are written. */
AIORT__HIDDEN void aiort__transport_written(aiort_transport_t *transport, int status);
/* It is lost because of this error: the rest follows by itself. */
AIORT__HIDDEN void aiort__transport_failed(aiort_transport_t *transport, int code,
                                           const char *message);
/* ops.close has done its work. The transport may be gone after this. */
AIORT__HIDDEN void aiort__transport_closed(aiort_transport_t *transport);

/* ---- For who uses them: transport.c ---- */

/* See aiort_stream_writelines(), aiort_stream_write_eof(). */
AIORT__HIDDEN int aiort__transport_write(aiort_transport_t *transport, const uv_buf_t *pieces,
                                         unsigned n, const char *function);
/* Reads at once what protocol.readable() has left: how many bytes; 0 when there are none (any
 * more), and when the end or an error came, of which the protocol has been told. */
AIORT__HIDDEN size_t aiort__transport_pull(aiort_transport_t *transport, void *buffer, size_t n);
AIORT__HIDDEN int aiort__transport_write_eof(aiort_transport_t *transport);
AIORT__HIDDEN void aiort__transport_close(aiort_transport_t *transport);
/* error: the reference is taken over; NULL: none. */
AIORT__HIDDEN void aiort__transport_abort(aiort_transport_t *transport, aiort_error_t *error);
/* The protocol's brake; does nothing once it is closing. */
AIORT__HIDDEN void aiort__transport_read(aiort_transport_t *transport, bool on);
/* The open one over this descriptor, or NULL. */
AIORT__HIDDEN aiort_transport_t *aiort__transport_over(const aiort_loop_t *loop, int fd);
/* See aiort_stream_get_extra_info(): transport_api.c. */
AIORT__HIDDEN int aiort__transport_extra_info(const aiort_transport_t *transport, const char *name,
                                              char *buf, size_t size);
AIORT__HIDDEN size_t aiort__transport_repr(const void *self, char *buf, size_t size);

/* ---- Over libuv's streams: transport_uv.c ---- */

typedef enum {
    AIORT__UV_TCP,
    AIORT__UV_UNIX,      /* a Unix socket */
    AIORT__UV_PIPE_READ, /* a pipe's end to read from, or a terminal (fd is given then) */
    AIORT__UV_PIPE_WRITE,
    AIORT__UV_TTY_READ,
    AIORT__UV_TTY_WRITE,
} aiort__uv_kind_t;

/* A transport with its handle initialised, not open yet (a terminal: open, it takes fd over). The
 * stream below is what uv_tcp_connect(), uv_accept(), uv_spawn() need. Drop it by
 * aiort__transport_discard(), also when it was never opened. NULL: libuv's error, UV_ENOMEM. */
AIORT__HIDDEN aiort_transport_t *aiort__transport_uv(aiort_loop_t *loop, aiort__uv_kind_t kind,
                                                     int fd);
AIORT__HIDDEN uv_stream_t *aiort__transport_stream(aiort_transport_t *transport);
/* The handle is connected: notes the descriptor, sets TCP_NODELAY. */
AIORT__HIDDEN void aiort__transport_opened(aiort_transport_t *transport);
/* Opens it over a descriptor, which it takes over when this is 0. */
AIORT__HIDDEN int aiort__transport_open(aiort_transport_t *transport, int fd);
/* Connects a TCP transport, from a local address if there is one: done(arg, status) is called
 * later, unless this returns a code. It is to be forgotten before it is discarded meanwhile. */
AIORT__HIDDEN int aiort__transport_connect(aiort_transport_t *transport,
                                           const struct sockaddr *address,
                                           const struct sockaddr *local,
                                           void (*done)(void *arg, int status), void *arg);
AIORT__HIDDEN void aiort__transport_forget(aiort_transport_t *transport);
/* Has SIGPIPE ignored, unless the program has decided about it. */
AIORT__HIDDEN void aiort__ignore_sigpipe(void);

/* ---- Over files and devices: transport_file.c ---- */

/* Takes the descriptor over, not on failure. NULL: UV_ENOMEM. */
AIORT__HIDDEN aiort_transport_t *aiort__transport_file(aiort_loop_t *loop, int fd, bool reads);

/* ---- Streams over a transport: stream.c ---- */

/* Starts the transport with a reader and a writer, new references each; either may be NULL: not
 * wanted. A reader without a writer owns the transport (its last reference closes it). The caller's
 * reference on the transport is taken over, also on failure (it is discarded then). limit 0:
 * AIORT_STREAM_LIMIT. */
AIORT__HIDDEN int aiort__stream_start(aiort_transport_t *transport, size_t limit,
                                      aiort_stream_reader_t **reader,
                                      aiort_stream_writer_t **writer);
/* Puts another transport (TLS over the old one, say) under a reader and a writer, whose protocol it
 * gets: *self and the protocol for aiort__transport_start(). The writer takes the reference over.
 */
AIORT__HIDDEN const aiort__protocol_t *aiort__stream_protocol(aiort_stream_writer_t *writer,
                                                              void **self);
AIORT__HIDDEN void aiort__stream_replace(aiort_stream_writer_t *writer,
                                         aiort_transport_t *transport);

/* ---- Names and addresses: stream_resolve.c ---- */

typedef struct {
    size_t n;
    struct {
        struct sockaddr_storage address;
        socklen_t length;
    } at[];
} aiort__addresses_t;

/* Resolves a host (NULL: any, or loopback to connect to) and a port to addresses of stream sockets,
 * by libuv's pool when it is a name; flags are AI_PASSIVE or 0. The caller frees them with
 * aiort__free(). SUSPENDS, but for addresses. */
AIORT__HIDDEN int aiort__resolve(const aiort_site_t *site, const char *host, int port, int family,
                                 int flags, aiort__addresses_t **addresses);
/* "('127.0.0.1', 8888)", as snprintf does. */
AIORT__HIDDEN size_t aiort__address_repr(const struct sockaddr *address, socklen_t length,
                                         char *buf, size_t size);

/* A Unix socket's address: path and length as aiort_open_unix_connection(). 0, UV_EINVAL,
 * UV_ENAMETOOLONG. */
AIORT__HIDDEN int aiort__unix_address(const char *path, size_t length,
                                      struct sockaddr_storage *address, socklen_t *size);

/* What a loop's streams read into (64 KiB), each at its time. NULL: UV_ENOMEM. */
enum { AIORT__READ_SIZE = 64 * 1024 };
AIORT__HIDDEN char *aiort__read_buffer(aiort_loop_t *loop);

#endif
