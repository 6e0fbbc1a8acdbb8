/* SPDX-License-Identifier: MIT */
/*
 * aiort_tls.h - TLS for libaiort's streams, by OpenSSL. A library of its own (libaiort-tls,
 * pkg-config libaiort-tls), so that programs without TLS do not link OpenSSL.
 *
 * A context is OpenSSL's SSL_CTX, which the program makes and configures (certificates, protocols,
 * ALPN, verification); the functions here take a reference of their own where they keep it. Errors
 * of TLS are UV_EPROTO with OpenSSL's words as message.
 */
#ifndef AIORT_TLS_H
#define AIORT_TLS_H

#include <openssl/ssl.h>

#include <aiort.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *server_hostname; /* a client's: to ask for and to verify; NULL: the host connected to,
                                    none for aiort_tls_start() */
    int server_side;             /* of aiort_tls_start(): 1: this is the server */
    double handshake_timeout;    /* seconds; 0: 60 */
} aiort_tls_options_t;

/* A client's context as Python's ssl.create_default_context(): the system's certificates, which are
 * verified, TLS 1.2 or later. The caller's, for SSL_CTX_free(); NULL: AIORT_EPROTO or UV_ENOMEM is
 * the current error. any thread. */
AIORT_EXTERN SSL_CTX *aiort_tls_client_context(void);

/*
 * Puts TLS between a reader and a writer and their connection, and makes the handshake. context
 * NULL: that of aiort_tls_client_context() (a client's). 0, or UV_EPROTO, UV_ETIMEDOUT,
 * UV_ECONNRESET, UV_ECANCELED: then the connection is aborted. AIORT_EMISUSE while bytes are waiting
 * to be read or written, or on a connection that has TLS already. SUSPENDS.
 * asyncio: StreamWriter.start_tls()
 */
#define aiort_tls_start(reader, writer, context, options)                                          \
    AIORT__CALL(int, aiort_tls_start_at(AIORT_SITE(NULL), (reader), (writer), (context),           \
                (options)))
AIORT_EXTERN int aiort_tls_start_at(const aiort_site_t *site, aiort_stream_reader_t *reader,
                                    aiort_stream_writer_t *writer, SSL_CTX *context,
                                    const aiort_tls_options_t *options);

/* aiort_open_connection() and aiort_tls_start() as a client. SUSPENDS.
 * asyncio: open_connection(ssl=...) */
#define aiort_tls_open_connection(host, port, context, options, reader, writer)                    \
    AIORT__CALL(int, aiort_tls_open_connection_at(AIORT_SITE(NULL), (host), (port), (context),     \
                (options), (reader), (writer)))
AIORT_EXTERN int aiort_tls_open_connection_at(const aiort_site_t *site, const char *host, int port,
                                              SSL_CTX *context, const aiort_tls_options_t *options,
                                              aiort_stream_reader_t **reader,
                                              aiort_stream_writer_t **writer);

/*
 * aiort_start_server() whose connections begin with a handshake; the function is called after it. A
 * handshake that fails ends its connection without a word, as in Python: whoever knocks may not
 * speak TLS at all. The server has a reference on the context until it has ended. SUSPENDS (not for
 * addresses). asyncio: start_server(ssl=...)
 */
#define aiort_tls_start_server(function, arg, host, port, context, options, server)                \
    AIORT__CALL(int, aiort_tls_start_server_at(AIORT_SITE(#function), (function), (arg), (host),   \
                (port), (context), (options), (server)))
AIORT_EXTERN int aiort_tls_start_server_at(const aiort_site_t *site, aiort_coroutine_fn function,
                                           void *arg, const char *host, int port, SSL_CTX *context,
                                           const aiort_server_options_t *options,
                                           aiort_server_t **server);

/* OpenSSL's object of a connection, borrowed: for SSL_get_peer_certificate(), SSL_get_cipher(),
 * SSL_get0_alpn_selected(). NULL: it has no TLS. Nothing is to be read or written through it.
 * asyncio: get_extra_info("ssl_object") */
AIORT_EXTERN SSL *aiort_tls_of(const aiort_stream_writer_t *writer);

#ifdef __cplusplus
}
#endif

#endif
