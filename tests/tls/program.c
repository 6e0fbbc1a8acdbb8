/* SPDX-License-Identifier: MIT */
/*
 * What libaiort-tls does, case by case: each prints "ok NAME" or "FAILED NAME (line)". The
 * certificates are made here; nothing leaves this machine.
 */
#include <aiort_tls.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANY = 1024 * 1024 };

static int failed_line;
static SSL_CTX *server_context, *trusting;

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            failed_line = failed_line ? failed_line : __LINE__;                                    \
            return UV_EINVAL;                                                                      \
        }                                                                                          \
    } while (0)

static X509 *self_signed(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);

    X509_set_version(certificate, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
    return certificate;
}

/* ---- The server's side ---- */

static char *bytes;
static int calls;

static int echo(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    char buffer[5000];
    ssize_t n = 0;
    int err = 0;

    (void)result;
    calls++;
    while (!err && (n = aiort_stream_read(connection->reader, buffer, sizeof(buffer))) > 0) {
        err = aiort_stream_write(connection->writer, buffer, (size_t)n);
        err = err ? err : aiort_stream_drain(connection->writer);
    }
    aiort_stream_close(connection->writer);
    return err ? err : n < 0 ? (int)n : 0;
}

/* Says one line in plain text, waits for one, then goes over to TLS. */
static int upgrade(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    aiort_tls_options_t options = {.server_side = 1};
    const char *line;

    (void)result;
    aiort_stream_write(connection->writer, "220 ready\n", 10);
    if (aiort_stream_readline(connection->reader, &line) <= 0 ||
        aiort_stream_write(connection->writer, "220 go\n", 7) != 0 ||
        aiort_tls_start(connection->reader, connection->writer, server_context, &options)) {
        return 0;
    }
    return echo(connection, result);
}

/* Never answers. */
static int silent(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    char buffer[1000];

    (void)result;
    while (aiort_stream_read(connection->reader, buffer, sizeof(buffer)) > 0) {
    }
    aiort_stream_close(connection->writer);
    return 0;
}

typedef struct {
    aiort_server_t *server;
    int port;
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
} pair_t;

static int serve(pair_t *pair, aiort_coroutine_fn function, bool tls)
{
    int err = tls ? aiort_tls_start_server(function, NULL, "localhost", 0, server_context, NULL,
                                           &pair->server)
                  : aiort_start_server(function, NULL, "localhost", 0, NULL, &pair->server);
    pair->port = err ? 0 : aiort_server_port(pair->server);
    return err;
}

static void end(pair_t *pair)
{
    if (pair->writer) {
        aiort_stream_close(pair->writer);
        aiort_stream_wait_closed(pair->writer);
    }
    aiort_unref(pair->reader);
    aiort_unref(pair->writer);
    if (pair->server) {
        aiort_server_close(pair->server);
        aiort_server_wait_closed(pair->server);
        aiort_unref(pair->server);
    }
}

static int join(pair_t *pair)
{
    return aiort_tls_open_connection("localhost", pair->port, trusting, NULL, &pair->reader,
                                     &pair->writer);
}

/* ---- Cases ---- */

static int line(pair_t *pair)
{
    const char *data;
    char text[100];

    EXPECT(serve(pair, echo, true) == 0 && join(pair) == 0);
    EXPECT(aiort_stream_write(pair->writer, "hello\n", 6) == 0);
    EXPECT(aiort_stream_readline(pair->reader, &data) == 6 && memcmp(data, "hello\n", 6) == 0);
    EXPECT(strncmp(SSL_get_version(aiort_tls_of(pair->writer)), "TLSv1.", 6) == 0);
    EXPECT(aiort_stream_get_extra_info(pair->writer, "cipher", text, sizeof(text)) > 0);
    EXPECT(strstr(text, "AES") || strstr(text, "CHACHA"));
    EXPECT(aiort_stream_get_extra_info(pair->writer, "peername", text, sizeof(text)) > 0);
    return 0;
}

static int feed(void *arg, void **result)
{
    pair_t *pair = arg;
    int err = 0;

    (void)result;
    for (size_t at = 0; !err && at < MANY; at += MANY / 8) {
        err = aiort_stream_write(pair->writer, bytes + at, MANY / 8);
        err = err ? err : aiort_stream_drain(pair->writer);
    }
    return err;
}

/* More than any buffer holds, both ways at once: nobody loses a byte, and who is too fast waits. */
static int much(pair_t *pair)
{
    char *back = malloc(MANY);

    EXPECT(serve(pair, echo, true) == 0 && join(pair) == 0);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(feed, pair));
    ssize_t n = aiort_stream_readexactly(pair->reader, back, MANY);
    int err = aiort_await(AIORT_FUTURE(task), NULL);
    int differs = n != MANY || memcmp(back, bytes, MANY) != 0;
    aiort_unref(task);
    free(back);
    EXPECT(err == 0 && !differs);
    return 0;
}

static int end_is_seen(pair_t *pair)
{
    char buffer[10];

    EXPECT(serve(pair, echo, true) == 0 && join(pair) == 0);
    EXPECT(aiort_stream_write(pair->writer, "hello", 5) == 0);
    EXPECT(aiort_stream_readexactly(pair->reader, buffer, 5) == 5);
    aiort_server_close(pair->server);
    aiort_server_close_clients(pair->server);
    EXPECT(aiort_stream_read(pair->reader, buffer, sizeof(buffer)) == 0);
    return 0;
}

static int stranger(pair_t *pair)
{
    int before = calls;

    EXPECT(serve(pair, echo, true) == 0);
    int err = aiort_tls_open_connection("localhost", pair->port, NULL, NULL, &pair->reader,
                                        &pair->writer);
    EXPECT(err == UV_EPROTO && pair->writer == NULL && pair->reader == NULL);
    EXPECT(strstr(aiort_error_message(aiort_current_error()), "certificate verify failed"));
    EXPECT(calls == before); /* the server's function was not called */
    return 0;
}

static int wrong_host(pair_t *pair)
{
    aiort_tls_options_t options = {.server_hostname = "example.org"};

    EXPECT(serve(pair, echo, true) == 0);
    int err = aiort_tls_open_connection("localhost", pair->port, trusting, &options, &pair->reader,
                                        &pair->writer);
    EXPECT(err == UV_EPROTO);
    EXPECT(strstr(aiort_error_message(aiort_current_error()), "ostname mismatch"));
    return 0;
}

static int not_tls(pair_t *pair)
{
    EXPECT(serve(pair, echo, false) == 0); /* sends back what it gets */
    EXPECT(join(pair) == UV_EPROTO);
    return 0;
}

static int plain_client(pair_t *pair)
{
    char buffer[100];
    int before = calls;

    EXPECT(serve(pair, echo, true) == 0);
    EXPECT(aiort_open_connection("localhost", pair->port, NULL, &pair->reader, &pair->writer) == 0);
    EXPECT(aiort_stream_write(pair->writer, "GET / HTTP/1.0\r\n\r\n", 18) == 0);
    while (aiort_stream_read(pair->reader, buffer, sizeof(buffer)) > 0) {
    }
    EXPECT(calls == before);
    return 0;
}

static int times_out(pair_t *pair)
{
    aiort_tls_options_t options = {.handshake_timeout = 0.05};

    EXPECT(serve(pair, silent, false) == 0);
    EXPECT(aiort_tls_open_connection("localhost", pair->port, trusting, &options, &pair->reader,
                                     &pair->writer) == UV_ETIMEDOUT);
    return 0;
}

static int connecting(void *arg, void **result)
{
    pair_t *pair = arg;

    (void)result;
    return join(pair);
}

static int cancelled(pair_t *pair)
{
    EXPECT(serve(pair, silent, false) == 0);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(connecting, pair));
    EXPECT(aiort_sleep(0.05) == 0);
    aiort_task_cancel(task, NULL);
    int err = aiort_await(AIORT_FUTURE(task), NULL);
    aiort_unref(task);
    EXPECT(err == UV_ECANCELED && pair->writer == NULL);
    return 0;
}

static int upgraded(pair_t *pair)
{
    aiort_tls_options_t options = {.server_hostname = "localhost"};
    const char *data;

    EXPECT(serve(pair, upgrade, false) == 0);
    EXPECT(aiort_open_connection("localhost", pair->port, NULL, &pair->reader, &pair->writer) == 0);
    EXPECT(aiort_tls_of(pair->writer) == NULL);
    EXPECT(aiort_stream_readline(pair->reader, &data) == 10);
    EXPECT(aiort_stream_write(pair->writer, "STARTTLS\n", 9) == 0);
    EXPECT(aiort_stream_readline(pair->reader, &data) == 7);
    EXPECT(aiort_tls_start(pair->reader, pair->writer, trusting, &options) == 0);
    EXPECT(aiort_tls_of(pair->writer) != NULL);
    EXPECT(aiort_stream_write(pair->writer, "inside\n", 7) == 0);
    EXPECT(aiort_stream_readline(pair->reader, &data) == 7 && memcmp(data, "inside\n", 7) == 0);
    EXPECT(aiort_tls_start(pair->reader, pair->writer, trusting, &options) == AIORT_EMISUSE);
    return 0;
}

static int misuse(pair_t *pair)
{
    EXPECT(aiort_tls_start_server(echo, NULL, "localhost", 0, NULL, NULL, &pair->server) ==
           UV_EINVAL);
    EXPECT(serve(pair, echo, false) == 0);
    EXPECT(aiort_open_connection("localhost", pair->port, NULL, &pair->reader, &pair->writer) == 0);
    aiort_tls_options_t options = {.server_side = 1};
    EXPECT(aiort_tls_start(pair->reader, pair->writer, NULL, &options) == UV_EINVAL);
    aiort_stream_close(pair->writer);
    EXPECT(aiort_tls_start(pair->reader, pair->writer, trusting, NULL) == UV_ENOTCONN);
    return 0;
}

static const struct {
    const char *name;
    int (*run)(pair_t *pair);
} cases[] = {
    {"line", line},           {"much", much},         {"end_is_seen", end_is_seen},
    {"stranger", stranger},   {"wrong_host", wrong_host}, {"not_tls", not_tls},
    {"plain_client", plain_client}, {"times_out", times_out}, {"cancelled", cancelled},
    {"upgraded", upgraded},   {"misuse", misuse},
};

static int all(void *arg, void **result)
{
    (void)arg;
    (void)result;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        pair_t pair = {0};
        failed_line = 0;
        (void)cases[i].run(&pair);
        end(&pair);
        if (failed_line) {
            printf("FAILED %s (line %d)\n", cases[i].name, failed_line);
        } else {
            printf("ok %s\n", cases[i].name);
        }
    }
    return 0;
}

int main(void)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    X509 *certificate = self_signed(key);

    bytes = malloc(MANY);
    for (size_t i = 0; i < MANY; i++) {
        bytes[i] = (char)(i * 2654435761U >> 13);
    }
    server_context = SSL_CTX_new(TLS_server_method());
    trusting = aiort_tls_client_context();
    SSL_CTX_use_certificate(server_context, certificate);
    SSL_CTX_use_PrivateKey(server_context, key);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(trusting), certificate);
    int err = aiort_run(AIORT_CORO(all, NULL), NULL);
    SSL_CTX_free(server_context);
    SSL_CTX_free(trusting);
    X509_free(certificate);
    EVP_PKEY_free(key);
    free(bytes);
    return err < 0;
}
