/* SPDX-License-Identifier: MIT */
/*
 * TLS as a transport over another one. OpenSSL reads and writes memory: what arrives below is put
 * into one BIO and what comes out of the other is written below. To the lower transport this is its
 * protocol; to the reader and the writer it is their transport.
 *
 * The upper one is made before the handshake and started after it. Until then the lower one's own
 * protocol is kept aside, and gets it back when the handshake fails.
 */
#include "tls.h"

#include <openssl/err.h>
#include <string.h>

enum { PIECE = 16 * 1024 }; /* a TLS record */

typedef struct {
    aiort_transport_t transport; /* first */
    aiort_transport_t *lower;    /* with a reference */
    SSL *ssl;
    BIO *in, *out;                     /* ssl's */
    const aiort__protocol_t *protocol; /* the lower one's own */
    void *self;
    aiort_future_t *handshake; /* who waits for it; NULL: nobody */
    int error;                 /* the handshake's */
    char message[160];
    bool ready;       /* the handshake is over and went well */
    bool full;        /* the lower one has more than it likes */
    bool lost;        /* so is the lower one */
    bool waking;      /* a call of pump() is scheduled */
    const char *held; /* what start_write() was given, until the lower one has room */
    size_t held_size;
} tls_t;

static const aiort__transport_ops_t tls_ops;

static tls_t *of(const aiort_transport_t *transport)
{
    return (tls_t *)(uintptr_t)transport;
}

/* OpenSSL's words for what went wrong last. */
static void describe(char *buf, size_t size, long verified)
{
    unsigned long code = ERR_peek_last_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;

    if (verified != X509_V_OK) {
        snprintf(buf, size, "certificate verify failed: %s",
                 X509_verify_cert_error_string(verified));
    } else {
        snprintf(buf, size, "%s", reason ? reason : "TLS error");
    }
    ERR_clear_error();
}

/* ---- Downwards ---- */

/* Writes below what OpenSSL has to say. */
static void flush_out(tls_t *tls)
{
    char buffer[PIECE];
    int n;

    while (BIO_pending(tls->out) > 0 && (n = BIO_read(tls->out, buffer, sizeof(buffer))) > 0) {
        uv_buf_t piece = uv_buf_init(buffer, (unsigned)n);
        if (!tls->lost && !tls->lower->closing) {
            (void)aiort__rt->transport_write(tls->lower, &piece, 1, "aiort_stream_write");
        }
    }
}

/* 0: all of it went. */
static int encrypt(tls_t *tls, const char *data, size_t n)
{
    size_t written = 0;

    ERR_clear_error();
    if (n > 0 && SSL_write_ex(tls->ssl, data, n, &written) != 1) {
        describe(tls->message, sizeof(tls->message), X509_V_OK);
        return UV_EPROTO;
    }
    flush_out(tls);
    return 0;
}

static ssize_t try_write(aiort_transport_t *transport, const uv_buf_t *pieces, unsigned n)
{
    tls_t *tls = of(transport);
    size_t total = 0;

    if (tls->full) {
        return UV_EAGAIN;
    }
    for (unsigned i = 0; i < n; i++) {
        if (encrypt(tls, pieces[i].base, pieces[i].len)) {
            return UV_EPROTO;
        }
        total += pieces[i].len;
    }
    return (ssize_t)total;
}

static int start_write(aiort_transport_t *transport, const char *data, size_t n)
{
    of(transport)->held = data;
    of(transport)->held_size = n;
    return 0;
}

static size_t buffered(const aiort_transport_t *transport)
{
    return aiort_transport_get_write_buffer_size(of(transport)->lower);
}

/* ---- Upwards ---- */

/* Hands on what can be decrypted, as long as somebody reads. */
static void pump(tls_t *tls)
{
    aiort_transport_t *upper = &tls->transport;
    char buffer[PIECE];
    size_t n;

    aiort_ref(upper);
    while (upper->reading && !upper->closing) {
        ERR_clear_error();
        int ok = SSL_read_ex(tls->ssl, buffer, sizeof(buffer), &n);
        if (ok == 1) {
            aiort__rt->transport_data(upper, buffer, n);
            continue;
        }
        int why = SSL_get_error(tls->ssl, ok);
        if (why == SSL_ERROR_ZERO_RETURN) {
            aiort__rt->transport_eof(upper);
        } else if (why != SSL_ERROR_WANT_READ) {
            describe(tls->message, sizeof(tls->message), X509_V_OK);
            aiort__rt->transport_failed(upper, UV_EPROTO, tls->message);
        }
        break;
    }
    flush_out(tls); /* answers to key updates, alerts */
    aiort_unref(upper);
}

static int wake(void *arg)
{
    tls_t *tls = arg;

    tls->waking = false;
    if (!tls->transport.down) {
        pump(tls);
    }
    aiort_unref(tls);
    return 0;
}

/* Not at once: whoever starts to read need not be ready for it. */
static int start_reading(aiort_transport_t *transport)
{
    tls_t *tls = of(transport);

    if (!tls->waking && (SSL_pending(tls->ssl) > 0 || BIO_pending(tls->in) > 0)) {
        aiort_ref(tls);
        int err = aiort_call_soon(transport->base.object.loop, wake, tls, NULL);
        if (err) {
            aiort_unref(tls);
            return err;
        }
        tls->waking = true;
    }
    aiort__rt->transport_read(tls->lower, true);
    return 0;
}

static void stop_reading(aiort_transport_t *transport)
{
    if (!of(transport)->lost) {
        aiort__rt->transport_read(of(transport)->lower, false);
    }
}

/* ---- The handshake ---- */

static void handshake_over(tls_t *tls, int error)
{
    if (tls->handshake && tls->handshake->object.state == AIORT_PENDING) {
        tls->error = error;
        tls->ready = error == 0;
        aiort__rt->future_finish(tls->handshake, NULL);
    }
}

static void step(tls_t *tls)
{
    ERR_clear_error();
    int ok = SSL_do_handshake(tls->ssl);
    int why = ok == 1 ? SSL_ERROR_NONE : SSL_get_error(tls->ssl, ok);

    flush_out(tls);
    if (ok == 1) {
        handshake_over(tls, 0);
    } else if (why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE) {
        describe(tls->message, sizeof(tls->message),
                 SSL_is_server(tls->ssl) ? X509_V_OK : SSL_get_verify_result(tls->ssl));
        handshake_over(tls, UV_EPROTO);
    }
}

/* ---- As the protocol of the lower one ---- */

static void on_data(void *self, const char *data, size_t n)
{
    tls_t *tls = self;

    if (BIO_write(tls->in, data, (int)n) != (int)n) {
        snprintf(tls->message, sizeof(tls->message), "%s", aiort_strerror(UV_ENOMEM));
        if (tls->ready) {
            aiort__rt->transport_failed(&tls->transport, UV_ENOMEM, NULL);
        } else {
            handshake_over(tls, UV_ENOMEM);
        }
    } else if (tls->transport.started) {
        pump(tls);
    } else if (!tls->ready) {
        step(tls);
    }
}

static bool on_eof(void *self)
{
    tls_t *tls = self;

    if (!tls->ready) {
        snprintf(tls->message, sizeof(tls->message), "the connection ended in the TLS handshake");
        handshake_over(tls, UV_ECONNRESET);
        return true;
    }
    aiort__rt->transport_eof(&tls->transport);
    return true;
}

static void on_lost(void *self, aiort_error_t *error)
{
    tls_t *tls = self;

    tls->lost = true;
    if (!tls->transport.started) {
        snprintf(tls->message, sizeof(tls->message),
                 "the connection was lost in the TLS handshake");
        handshake_over(tls, error ? aiort_error_code(error) : UV_ECONNRESET);
        return;
    }
    aiort__rt->transport_abort(&tls->transport, error ? aiort_ref(error) : NULL);
    aiort__rt->transport_closed(&tls->transport);
}

static void on_pause(void *self)
{
    ((tls_t *)self)->full = true;
}

static void on_resume(void *self)
{
    tls_t *tls = self;
    size_t n = tls->held_size;

    tls->full = false;
    if (tls->transport.down || !tls->transport.started) {
        return;
    }
    tls->held_size = 0;
    int err = encrypt(tls, tls->held, n);
    tls->held = NULL;
    aiort__rt->transport_written(&tls->transport, err);
}

static const aiort__protocol_t tls_protocol = {
    .data = on_data,
    .eof = on_eof,
    .lost = on_lost,
    .pause_writing = on_pause,
    .resume_writing = on_resume,
};

/* ---- Ends ---- */

static void close_tls(aiort_transport_t *transport)
{
    tls_t *tls = of(transport);

    if (!transport->started || tls->lost) {
        /* Its start failed, or the lower one has ended, which says so itself. */
        if (!transport->started) {
            aiort__rt->transport_closed(transport);
        }
        return;
    }
    if (transport->error) {
        aiort__rt->transport_abort(tls->lower, NULL);
        return;
    }
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl); /* says goodbye, and does not wait for the answer */
    ERR_clear_error();
    flush_out(tls);
    aiort__rt->transport_read(tls->lower, true); /* its end must be seen */
    aiort__rt->transport_close(tls->lower);
}

static void release(aiort_transport_t *transport)
{
    tls_t *tls = of(transport);

    SSL_free(tls->ssl);
    aiort_unref(tls->lower);
}

static int extra_info(const aiort_transport_t *transport, const char *name, char *buf, size_t size)
{
    const SSL *ssl = of(transport)->ssl;
    const char *value = NULL;

    if (strcmp(name, "cipher") == 0) {
        value = SSL_get_cipher_name(ssl);
    } else if (strcmp(name, "version") == 0) {
        value = SSL_get_version(ssl);
    } else if (strcmp(name, "sslcontext") != 0) {
        return aiort__rt->transport_extra_info(of(transport)->lower, name, buf, size);
    }
    if (!value) {
        return UV_ENOENT;
    }
    return snprintf(buf, size, "%s", value);
}

static size_t describe_transport(const aiort_transport_t *transport, char *buf, size_t size)
{
    int n = snprintf(buf, size, "_SSLProtocolTransport%s%s", transport->closing ? " closing" : "",
                     transport->closed ? " closed" : "");
    return n > 0 ? (size_t)n : 0;
}

static const aiort__transport_ops_t tls_ops = {
    .name = "_SSLProtocolTransport",
    .start_reading = start_reading,
    .stop_reading = stop_reading,
    .try_write = try_write,
    .start_write = start_write,
    .close = close_tls,
    .release = release,
    .extra_info = extra_info,
    .describe = describe_transport,
    .buffered = buffered,
    .ignored_message = "SSL connection is closed",
    .ignored_at = 5,
    .reads = true,
    .writes = true,
    .closes_at_eof = true,
};

SSL *aiort_tls_of(const aiort_stream_writer_t *writer)
{
    return writer->transport && writer->transport->ops == &tls_ops ? of(writer->transport)->ssl
                                                                   : NULL;
}

/* ---- Beginnings ---- */

static int out_of_time(void *arg)
{
    tls_t *tls = arg;

    snprintf(tls->message, sizeof(tls->message),
             "SSL handshake is taking too long: aborting the connection");
    handshake_over(tls, UV_ETIMEDOUT);
    aiort_unref(tls);
    return 0;
}

static int new_ssl(tls_t *tls, SSL_CTX *context, bool server, const char *hostname)
{
    struct in6_addr address;

    tls->ssl = SSL_new(context);
    tls->in = tls->ssl ? BIO_new(BIO_s_mem()) : NULL;
    tls->out = tls->in ? BIO_new(BIO_s_mem()) : NULL;
    if (!tls->out) {
        BIO_free(tls->in);
        return UV_ENOMEM;
    }
    BIO_set_mem_eof_return(tls->in, -1);
    BIO_set_mem_eof_return(tls->out, -1);
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    SSL_set_mode(tls->ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_set_options(tls->ssl, SSL_OP_NO_RENEGOTIATION);
    if (server) {
        SSL_set_accept_state(tls->ssl);
        return 0;
    }
    SSL_set_connect_state(tls->ssl);
    if (!hostname) {
        return 0;
    }
    if (uv_inet_pton(AF_INET, hostname, &address) == 0 ||
        uv_inet_pton(AF_INET6, hostname, &address) == 0) {
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), hostname) == 1 ? 0
                                                                                      : UV_ENOMEM;
    }
    return SSL_set1_host(tls->ssl, hostname) == 1 &&
                   SSL_set_tlsext_host_name(tls->ssl, hostname) == 1
               ? 0
               : UV_ENOMEM;
}

/* The handshake, with a time limit. What went wrong is told by its message. */
static int shake_hands(tls_t *tls, aiort_task_t *task, const aiort_site_t *site, double timeout)
{
    aiort_loop_t *loop = task->future.object.loop;
    aiort_handle_t *timer = NULL;

    aiort_ref(tls);
    int err = aiort_call_later(loop, timeout, out_of_time, tls, &timer);
    if (err) {
        aiort_unref(tls);
        return err;
    }
    step(tls);
    err = aiort__rt->await_future(task, site, tls->handshake, NULL);
    if (err || tls->error != UV_ETIMEDOUT) {
        aiort_handle_cancel(timer);
        aiort_unref(tls);
    }
    aiort_unref(timer);
    return err ? err : tls->error ? aiort__rt->fail_with(tls->error, tls->message) : 0;
}

/* The lower one is as before, but aborted. */
static void undo(tls_t *tls)
{
    aiort_transport_t *lower = tls->lower;

    if (!tls->lost) {
        lower->protocol = tls->protocol;
        lower->self = tls->self;
        aiort__rt->transport_read(lower, true);
        aiort__rt->transport_abort(lower, NULL);
    } else {
        tls->protocol->lost(tls->self, NULL);
    }
    aiort__rt->transport_discard(&tls->transport);
}

int aiort__tls_begin(const aiort_site_t *site, aiort_stream_reader_t *reader,
                     aiort_stream_writer_t *writer, SSL_CTX *context, bool server,
                     const char *hostname, double timeout)
{
    aiort_transport_t *lower = writer->transport;
    aiort_task_t *task = aiort_current_task();
    aiort_loop_t *loop = writer->base.object.loop;

    if (!task) {
        return aiort__rt->fail(AIORT_ENOTASK);
    }
    int err = aiort__rt->check_thread(loop, writer, "aiort_tls_start");
    if (err) {
        return aiort__rt->fail(err);
    }
    if (lower->closing || !lower->protocol) {
        return aiort__rt->fail_with(UV_ENOTCONN, "the connection is closed");
    }
    if (lower->ops == &tls_ops || aiort_transport_get_write_buffer_size(lower) > 0 ||
        (reader && reader->size > reader->from)) {
        return aiort__rt->fail_with(AIORT_EMISUSE, lower->ops == &tls_ops
                                                       ? "the connection has TLS already"
                                                       : "bytes are waiting to be read or written");
    }
    tls_t *tls = aiort__rt->transport_new(loop, &tls_ops, sizeof(*tls));
    if (!tls) {
        return UV_ENOMEM;
    }
    tls->lower = aiort_ref(lower);
    tls->transport.fd = lower->fd;
    tls->protocol = lower->protocol;
    tls->self = lower->self;
    lower->protocol = &tls_protocol;
    lower->self = tls;
    err = new_ssl(tls, context, server, hostname);
    tls->handshake = err ? NULL : aiort__rt->future_new(loop);
    err = err ? aiort__rt->fail(err) : tls->handshake ? 0 : UV_ENOMEM;
    if (!err) {
        aiort__rt->transport_read(lower, true);
        err = shake_hands(tls, task, site, timeout);
    }
    aiort_unref(tls->handshake);
    tls->handshake = NULL;
    if (!err && (tls->lost || lower->closing)) {
        err = aiort__rt->fail(UV_ECONNRESET);
    }
    if (!err) {
        err = aiort__rt->transport_start(&tls->transport, tls->protocol, tls->self);
    }
    if (err) {
        undo(tls);
        return err;
    }
    aiort__rt->stream_replace(writer, &tls->transport);
    return 0;
}
