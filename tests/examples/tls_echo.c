/* SPDX-License-Identifier: MIT */
/* libs: -laiort-tls -lssl -lcrypto */
/*
 * An echo server and its client over TLS, in one program: cc -g tls_echo.c $(pkg-config --cflags
 * --libs libaiort-tls). The certificate is made on the spot, so that nothing has to be installed;
 * the client trusts that one and no other, and verifies the host's name.
 */
#include <aiort_tls.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <stdio.h>

/* A certificate for "localhost", signed by its own key, valid for an hour. */
static X509 *self_signed(EVP_PKEY *key)
{
    X509 *certificate = X509_new();
    X509_NAME *name = X509_get_subject_name(certificate);

    X509_set_version(certificate, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"localhost", -1, -1,
                               0);
    X509_set_issuer_name(certificate, name);
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(certificate, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(certificate, key, EVP_sha256());
    return certificate;
}

/* One connection of the server: every line comes back. */
static int echo(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    const char *line;
    ssize_t n;
    int err = 0;

    (void)result;
    while (!err && (n = aiort_stream_readline(connection->reader, &line)) > 0) {
        err = aiort_stream_write(connection->writer, line, (size_t)n);
        err = err ? err : aiort_stream_drain(connection->writer);
    }
    aiort_stream_close(connection->writer);
    return err;
}

typedef struct {
    SSL_CTX *server, *client;
} contexts_t;

static int talk(int port, SSL_CTX *context)
{
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    const char *answer;
    int err = aiort_tls_open_connection("localhost", port, context, NULL, &reader, &writer);

    if (err) {
        return err;
    }
    printf("connected with %s\n", SSL_get_version(aiort_tls_of(writer)));
    err = aiort_stream_write(writer, "hello\n", 6);
    err = err ? err : aiort_stream_drain(writer);
    ssize_t n = err ? err : aiort_stream_readline(reader, &answer);
    if (n > 0) {
        printf("echo: %.*s", (int)n, answer);
    }
    aiort_stream_close(writer);
    aiort_stream_wait_closed(writer);
    aiort_unref(reader);
    aiort_unref(writer);
    return n < 0 ? (int)n : 0;
}

static int run(void *arg, void **result)
{
    contexts_t *contexts = arg;
    aiort_server_t *server;
    int err = aiort_tls_start_server(echo, NULL, "localhost", 0, contexts->server, NULL, &server);

    (void)result;
    if (err) {
        return err;
    }
    int port = aiort_server_port(server);
    err = talk(port, contexts->client);
    if (!err) {
        /* Without the certificate in its store a client refuses the server. */
        int refused = talk(port, NULL);
        printf("a stranger: %s\n", aiort_err_name(refused));
    }
    aiort_server_close(server);
    aiort_server_wait_closed(server);
    aiort_unref(server);
    return err;
}

int main(void)
{
    EVP_PKEY *key = EVP_RSA_gen(2048);
    X509 *certificate = self_signed(key);
    contexts_t contexts = {SSL_CTX_new(TLS_server_method()), aiort_tls_client_context()};

    SSL_CTX_use_certificate(contexts.server, certificate);
    SSL_CTX_use_PrivateKey(contexts.server, key);
    X509_STORE_add_cert(SSL_CTX_get_cert_store(contexts.client), certificate);
    int err = aiort_run(AIORT_CORO(run, &contexts), NULL);
    SSL_CTX_free(contexts.server);
    SSL_CTX_free(contexts.client);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return err < 0;
}
