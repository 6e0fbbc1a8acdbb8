/* SPDX-License-Identifier: MIT */
/*
 * Transports: what all of them have in common, whatever is below. See transport.h.
 *
 * Writing tries the system call first. What does not go at once is kept in two buffers: the one in
 * flight, of which a piece is given to the layer below until the descriptor can be written again,
 * and the next one, to which is added meanwhile; so what is in flight never moves.
 */
#include "transport.h"

#include <string.h>

enum { HIGH_WATER = 64 * 1024, KEEP_ROOM = 64 * 1024, PIECE = 64 * 1024 };

/* ---- What is kept ---- */

static size_t kept_size(const aiort__kept_t *kept)
{
    return kept->size - kept->from;
}

static void kept_free(aiort__kept_t *kept)
{
    aiort__free(kept->data);
    *kept = (aiort__kept_t){0};
}

/* Empties it; a large one gives its memory back. */
static void kept_clear(aiort__kept_t *kept)
{
    kept->from = kept->size = 0;
    if (kept->room > KEEP_ROOM) {
        kept_free(kept);
    }
}

static bool kept_reserve(aiort__kept_t *kept, size_t n)
{
    if (kept->from > 0) {
        memmove(kept->data, kept->data + kept->from, kept_size(kept));
        kept->size -= kept->from;
        kept->from = 0;
    }
    if (kept->room - kept->size >= n) {
        return true;
    }
    if (n > SIZE_MAX / 4 - kept->size) {
        return false;
    }
    size_t room = kept->room ? kept->room * 2 : 4096;
    while (room < kept->size + n) {
        room *= 2;
    }
    char *data = aiort__realloc(kept->data, room);
    if (!data) {
        return false;
    }
    kept->data = data;
    kept->room = room;
    return true;
}

/* The pieces but their first `skip` bytes; there is room. */
static void kept_add(aiort__kept_t *kept, const uv_buf_t *pieces, unsigned n, size_t skip)
{
    for (unsigned i = 0; i < n; i++) {
        size_t left = pieces[i].len > skip ? pieces[i].len - skip : 0;
        if (left > 0) {
            memcpy(kept->data + kept->size, pieces[i].base + skip, left);
            kept->size += left;
        }
        skip -= pieces[i].len - left;
    }
}

size_t aiort_transport_get_write_buffer_size(const aiort_transport_t *transport)
{
    size_t below =
        transport->ops->buffered && !transport->down ? transport->ops->buffered(transport) : 0;

    return kept_size(&transport->flight) + kept_size(&transport->next) + below;
}

/* ---- Life ---- */

static void destroy(void *self);

void *aiort__transport_new(aiort_loop_t *loop, const aiort__transport_ops_t *ops, size_t size)
{
    aiort_transport_t *transport = aiort__malloc(size);

    if (!transport) {
        return aiort__fail_null(UV_ENOMEM);
    }
    memset(transport, 0, size);
    aiort__scope_init(&transport->base, loop, AIORT_KIND_TRANSPORT, destroy, aiort__transport_repr);
    transport->ops = ops;
    transport->fd = -1;
    transport->high = HIGH_WATER;
    transport->low = HIGH_WATER / 4;
    aiort__created(&transport->base.object);
    return transport;
}

/* The memory, which nobody needs any more. */
static void give_back(aiort_transport_t *transport)
{
    if (transport->base.object.trace && aiort__seam(AIORT__SEAM_DESTROYED)) {
        aiort_instrument_destroyed(AIORT_KIND_TRANSPORT, transport);
    }
    if (transport->ops->release) {
        transport->ops->release(transport);
    }
    kept_free(&transport->flight);
    kept_free(&transport->next);
    aiort_unref(transport->error);
    aiort__scope_free(&transport->base);
}

static void report_unclosed(aiort_transport_t *transport)
{
    if (transport->started && !transport->closing && !transport->reported) {
        transport->reported = true;
        aiort_instrument_open(transport->base.object.loop, transport, -1);
    }
}

/* The last reference has gone. What is not closed yet is closed; its memory goes after that. */
static void destroy(void *self)
{
    aiort_transport_t *transport = self;

    if (transport->closed) {
        give_back(transport);
        return;
    }
    report_unclosed(transport);
    aiort__transport_close(transport);
}

static void go_down(aiort_transport_t *transport)
{
    if (!transport->down) {
        transport->closing = transport->down = true;
        kept_clear(&transport->next);
        transport->ops->close(transport);
    }
}

void aiort__transport_discard(aiort_transport_t *transport)
{
    go_down(transport);
    aiort__unref(&transport->base.object);
}

/* The loop is closed: whoever waited is gone, so nothing is written any more. */
static void loop_closed(aiort__attached_t *attached)
{
    aiort_transport_t *transport =
        (aiort_transport_t *)((char *)attached - offsetof(aiort_transport_t, attached));

    report_unclosed(transport);
    aiort__detach(transport->base.object.loop, attached);
    transport->started = false;
    transport->reading = false;
    go_down(transport);
}

aiort_transport_t *aiort__transport_over(const aiort_loop_t *loop, int fd)
{
    for (aiort__attached_t *a = loop->attached; a; a = a->following) {
        aiort_transport_t *transport =
            (aiort_transport_t *)((char *)a - offsetof(aiort_transport_t, attached));
        if (a->close == loop_closed && transport->fd == fd && !transport->down) {
            return transport;
        }
    }
    return NULL;
}

static int update_reading(aiort_transport_t *transport)
{
    bool wanted = transport->ops->reads && transport->started && !transport->brake &&
                  !transport->closing && !transport->eof_received;

    if (wanted == transport->reading) {
        return 0;
    }
    transport->reading = wanted;
    if (wanted) {
        return transport->ops->start_reading(transport);
    }
    transport->ops->stop_reading(transport);
    return 0;
}

int aiort__transport_start(aiort_transport_t *transport, const aiort__protocol_t *protocol,
                           void *self)
{
    aiort_loop_t *loop = transport->base.object.loop;

    transport->started = true;
    int err = update_reading(transport);
    if (err) {
        transport->started = transport->reading = false;
        return aiort__fail(err);
    }
    transport->protocol = protocol;
    transport->self = self;
    aiort__attach(loop, &transport->attached, loop_closed);
    aiort_instrument_open(loop, transport, 1);
    return 0;
}

void aiort__transport_closed(aiort_transport_t *transport)
{
    aiort_loop_t *loop = transport->base.object.loop;
    const aiort__protocol_t *protocol = transport->protocol;

    aiort__ref(&transport->base.object);
    transport->closed = true;
    kept_clear(&transport->flight);
    if (transport->started) {
        transport->started = false;
        aiort__detach(loop, &transport->attached);
    }
    if (protocol) {
        aiort_instrument_open(loop, transport, 0);
        transport->protocol = NULL;
        protocol->lost(transport->self, transport->error);
    }
    if (transport->ended) {
        transport->ended(transport);
    }
    aiort__unref(&transport->base.object);
}

void aiort__transport_abort(aiort_transport_t *transport, aiort_error_t *error)
{
    if (transport->down) {
        aiort_unref(error);
        return;
    }
    transport->closing = true;
    (void)update_reading(transport);
    transport->error = error;
    go_down(transport);
}

void aiort__transport_failed(aiort_transport_t *transport, int code, const char *message)
{
    if (!transport->down) {
        aiort__transport_abort(transport, aiort__error_new(NULL, code, message, NULL));
    }
}

void aiort__transport_close(aiort_transport_t *transport)
{
    if (transport->closing) {
        return;
    }
    transport->closing = true;
    (void)update_reading(transport);
    if (!transport->flying && kept_size(&transport->flight) == 0) {
        go_down(transport);
    }
}

/* ---- Reading ---- */

void aiort__transport_read(aiort_transport_t *transport, bool on)
{
    transport->brake = !on;
    int err = update_reading(transport);
    if (err) {
        aiort__transport_failed(transport, err, NULL);
    }
}

AIORT__HOT bool aiort__transport_readable(aiort_transport_t *transport)
{
    return transport->protocol && transport->protocol->readable && !transport->closing &&
           transport->protocol->readable(transport->self);
}

AIORT__HOT size_t aiort__transport_pull(aiort_transport_t *transport, void *buffer, size_t n)
{
    if (!transport->reading) {
        return 0; /* stopped, or closing */
    }
    ssize_t got = transport->ops->try_read(transport, buffer, n);
    if (AIORT__LIKELY(got > 0)) {
        return (size_t)got;
    }
    if (got == 0) {
        aiort__transport_eof(transport);
    } else if (got != UV_EAGAIN) {
        aiort__transport_failed(transport, (int)got, NULL);
    }
    return 0;
}

void aiort__transport_data(aiort_transport_t *transport, const char *data, size_t n)
{
    if (transport->protocol && !transport->closing) {
        transport->protocol->data(transport->self, data, n);
    }
}

void aiort__transport_eof(aiort_transport_t *transport)
{
    if (!transport->protocol || transport->closing || transport->eof_received) {
        return;
    }
    transport->eof_received = true;
    (void)update_reading(transport);
    bool stays = transport->protocol->eof(transport->self);
    if (!stays || transport->ops->closes_at_eof) {
        aiort__transport_close(transport);
    }
}

/* ---- Writing ---- */

static void maybe_pause(aiort_transport_t *transport)
{
    if (!transport->pausing && transport->protocol &&
        aiort_transport_get_write_buffer_size(transport) > transport->high) {
        transport->pausing = true;
        transport->protocol->pause_writing(transport->self);
    }
}

static void maybe_resume(aiort_transport_t *transport)
{
    if (transport->pausing && transport->protocol &&
        aiort_transport_get_write_buffer_size(transport) <= transport->low) {
        transport->pausing = false;
        transport->protocol->resume_writing(transport->self);
    }
}

static void send_eof(aiort_transport_t *transport)
{
    transport->eof_sent = true;
    int err = transport->ops->shutdown(transport);
    if (err) {
        aiort__transport_failed(transport, err, NULL);
    }
}

/* Sends from what is kept as much as goes, and has the rest wait below. full: the descriptor took
 * less than it was given, just now. */
static void flush(aiort_transport_t *transport, bool full)
{
    aiort__kept_t *flight = &transport->flight;

    for (;; full = false) {
        if (kept_size(flight) == 0) {
            kept_clear(flight);
            if (kept_size(&transport->next) == 0) {
                break;
            }
            aiort__kept_t empty = *flight;
            *flight = transport->next;
            transport->next = empty;
        }
        uv_buf_t piece = uv_buf_init(flight->data + flight->from, (unsigned)kept_size(flight));
        ssize_t n = full ? UV_EAGAIN : transport->ops->try_write(transport, &piece, 1);
        if (n == UV_EAGAIN) {
            size_t size = kept_size(flight) < PIECE ? kept_size(flight) : PIECE;
            transport->flying = true;
            n = transport->ops->start_write(transport, flight->data + flight->from, size);
            transport->flying = n == 0;
            if (n == 0) {
                break;
            }
        }
        if (n < 0) {
            aiort__transport_failed(transport, (int)n, NULL);
            return;
        }
        flight->from += (size_t)n;
    }
    maybe_resume(transport);
    if (transport->flying || transport->down) {
        return;
    }
    if (transport->closing) {
        go_down(transport);
    } else if (transport->eof_wanted && !transport->eof_sent) {
        send_eof(transport);
    }
}

void aiort__transport_written(aiort_transport_t *transport, int status)
{
    aiort__kept_t *flight = &transport->flight;

    transport->flying = false;
    if (transport->down) {
        return;
    }
    if (status) {
        aiort__transport_failed(transport, status, NULL);
        return;
    }
    flight->from += kept_size(flight) < PIECE ? kept_size(flight) : PIECE;
    flush(transport, false);
}

/* As asyncio's: silent for the first ones, since the program may not have had a chance to notice.
 */
AIORT__COLD static void ignored(aiort_transport_t *transport)
{
    const char *message = transport->ops->ignored_message;
    aiort_loop_t *loop = transport->base.object.loop;

    if (++transport->ignored < transport->ops->ignored_at || !message) {
        return;
    }
    aiort_report_t report = {
        .message = message,
        .check = "write-after-loss",
        .source_trace = transport->base.object.trace,
    };
    /* A warning, not an error of the loop: it goes past the exception handler, as in asyncio. */
    if (!aiort_instrument_report(loop, &report)) {
        fprintf(stderr, "%s\n", message);
    }
}

/* Keeps what was not sent. */
static int keep(aiort_transport_t *transport, const uv_buf_t *pieces, unsigned n, size_t total,
                size_t sent)
{
    aiort__kept_t *kept = transport->flying ? &transport->next : &transport->flight;

    if (!kept_reserve(kept, total - sent)) {
        if (sent > 0) {
            aiort__transport_failed(transport, UV_ENOMEM, NULL);
        }
        return aiort__fail(UV_ENOMEM);
    }
    kept_add(kept, pieces, n, sent);
    if (!transport->flying) {
        flush(transport, true);
    }
    maybe_pause(transport);
    return 0;
}

__attribute__((noinline)) static int write_slowly(aiort_transport_t *transport,
                                                  const uv_buf_t *pieces, unsigned n,
                                                  const char *function)
{
    size_t total = 0;
    ssize_t sent = 0;

    if (AIORT__UNLIKELY(transport->eof_wanted)) {
        return aiort__failf(AIORT_EMISUSE, "Cannot call %s() after write_eof()", function);
    }
    for (unsigned i = 0; i < n; i++) {
        total += pieces[i].len;
    }
    if (total == 0) {
        return 0;
    }
    if (AIORT__UNLIKELY(transport->down || !transport->ops->writes ||
                        (transport->closing && !transport->ops->reads))) {
        ignored(transport);
        return 0;
    }
    if (AIORT__LIKELY(!transport->flying)) {
        sent = transport->ops->try_write(transport, pieces, n);
        if (AIORT__LIKELY((size_t)sent == total)) {
            return 0;
        }
        if (sent == UV_EAGAIN) {
            sent = 0;
        } else if (sent < 0) {
            aiort__transport_failed(transport, (int)sent, NULL);
            return 0;
        }
    }
    return keep(transport, pieces, n, total, (size_t)sent);
}

/* Mostly it is one piece, nothing was kept before, and all of it goes at once. */
AIORT__HOT int aiort__transport_write(aiort_transport_t *transport, const uv_buf_t *pieces,
                                      unsigned n, const char *function)
{
    if (AIORT__UNLIKELY(n != 1 || pieces->len == 0 || transport->flying || transport->eof_wanted ||
                        transport->closing || transport->down || !transport->ops->writes)) {
        return write_slowly(transport, pieces, n, function);
    }
    ssize_t sent = transport->ops->try_write(transport, pieces, 1);
    if (AIORT__LIKELY((size_t)sent == pieces->len)) {
        return 0;
    }
    if (sent < 0 && sent != UV_EAGAIN) {
        aiort__transport_failed(transport, (int)sent, NULL);
        return 0;
    }
    return keep(transport, pieces, 1, pieces->len, sent < 0 ? 0 : (size_t)sent);
}

int aiort__transport_write_eof(aiort_transport_t *transport)
{
    if (!transport->ops->shutdown) {
        return aiort__failf(AIORT_EMISUSE, "this transport cannot write an end");
    }
    if (transport->closing || transport->eof_wanted) {
        return 0;
    }
    transport->eof_wanted = true;
    if (!transport->flying) {
        send_eof(transport);
    }
    return 0;
}

/* ---- The repr ---- */

static size_t describe_socket(const aiort_transport_t *transport, const char *state, char *buf,
                              size_t size)
{
    int n;

    if (transport->closed || transport->base.object.loop->closed) {
        n = snprintf(buf, size, "<%s %sfd=%d>", transport->ops->name, state, transport->fd);
    } else {
        n = snprintf(buf, size, "<%s %sfd=%d read=%s write=<%s, bufsize=%zu>>",
                     transport->ops->name, state, transport->fd,
                     transport->reading ? "polling" : "idle",
                     transport->flying ? "polling" : "idle",
                     aiort_transport_get_write_buffer_size(transport));
    }
    return n > 0 ? (size_t)n : 0;
}

static size_t describe_pipe(const aiort_transport_t *transport, const char *state, char *buf,
                            size_t size)
{
    bool open = !transport->closed && !transport->base.object.loop->closed;
    const char *polling = transport->closed                         ? "closed"
                          : !open                                   ? "open"
                          : transport->reading || transport->flying ? "polling"
                                                                    : "idle";
    char written[40] = "";

    if (open && transport->ops->writes) {
        snprintf(written, sizeof(written), " bufsize=%zu",
                 aiort_transport_get_write_buffer_size(transport));
    }
    int n = snprintf(buf, size, "<%s %sfd=%d %s%s>", transport->ops->name, state, transport->fd,
                     polling, written);
    return n > 0 ? (size_t)n : 0;
}

size_t aiort__transport_repr(const void *self, char *buf, size_t size)
{
    const aiort_transport_t *transport = self;
    const char *state = transport->closed ? "closed " : transport->closing ? "closing " : "";

    /* As asyncio's, which knows nothing of one whose loop has gone. */
    if (transport->base.object.loop->closed && !transport->closed) {
        state = "";
    }
    if (transport->ops->describe) {
        return transport->ops->describe(transport, buf, size);
    }
    return transport->ops->reads && transport->ops->writes
               ? describe_socket(transport, state, buf, size)
               : describe_pipe(transport, state, buf, size);
}
