/* SPDX-License-Identifier: MIT */
/* libaiort-tls: contexts, connections, servers. How TLS goes over a connection is transport.c's. */
#include "server.h"
#include "tls.h"

#include <openssl/err.h>
#include <string.h>

const aiort__extension_t *aiort__rt;

__attribute__((constructor)) static void find_runtime(void)
{
    aiort__rt = aiort_extension(AIORT__EXTENSION_VERSION);
}

/* 0, or UV_ENOTSUP when libaiort is of another version. */
static int ready(void)
{
    return aiort__rt ? 0 : UV_ENOTSUP;
}

SSL_CTX *aiort_tls_client_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());

    if (!context || SSL_CTX_set_default_verify_paths(context) != 1 ||
        SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1) {
        SSL_CTX_free(context);
        ERR_clear_error();
        (void)(ready() ? 0 : aiort__rt->fail(UV_ENOMEM));
        return NULL;
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    return context;
}

int aiort_tls_start_at(const aiort_site_t *site, aiort_stream_reader_t *reader,
                       aiort_stream_writer_t *writer, SSL_CTX *context,
                       const aiort_tls_options_t *options)
{
    static const aiort_tls_options_t none = {0};
    int err = ready();

    options = options ? options : &none;
    if (err) {
        return err;
    }
    if (!context && options->server_side) {
        return aiort__rt->fail_with(UV_EINVAL, "a server needs a context with its certificate");
    }
    SSL_CTX *own = context ? NULL : aiort_tls_client_context();
    if (!context && !own) {
        return aiort_last_error();
    }
    err = aiort__tls_begin(site, reader, writer, context ? context : own, options->server_side,
                           options->server_hostname,
                           options->handshake_timeout > 0 ? options->handshake_timeout : 60.0);
    SSL_CTX_free(own);
    return err;
}

int aiort_tls_open_connection_at(const aiort_site_t *site, const char *host, int port,
                                 SSL_CTX *context, const aiort_tls_options_t *options,
                                 aiort_stream_reader_t **reader, aiort_stream_writer_t **writer)
{
    aiort_tls_options_t with = {0};
    int err = ready();

    if (err) {
        return err;
    }
    if (options) {
        with = *options;
    }
    with.server_hostname = with.server_hostname ? with.server_hostname : host;
    err = aiort_open_connection_at(site, host, port, NULL, reader, writer);
    if (err) {
        return err;
    }
    err = aiort_tls_start_at(site, *reader, *writer, context, &with);
    if (err) {
        aiort_stream_close(*writer);
        aiort_unref(*reader);
        aiort_unref(*writer);
        *reader = NULL;
        *writer = NULL;
    }
    return err;
}

/* ---- Servers ---- */

/* What a server's connections need; it goes with the server, which outlives them. */
typedef struct {
    aiort_coroutine_fn function;
    void *arg;
    SSL_CTX *context;
} served_t;

static void release(void *arg)
{
    served_t *served = arg;

    SSL_CTX_free(served->context);
    aiort__rt->free(served);
}

static int serve(void *arg, void **result)
{
    aiort_connection_t *connection = arg;
    served_t *served = connection->arg;
    aiort_connection_t inner = {connection->reader, connection->writer, served->arg};
    aiort_tls_options_t options = {.server_side = 1};

    if (aiort_tls_start(connection->reader, connection->writer, served->context, &options)) {
        return 0; /* whoever knocks may not speak TLS, or not like us: that is no error of ours */
    }
    return served->function(&inner, result);
}

int aiort_tls_start_server_at(const aiort_site_t *site, aiort_coroutine_fn function, void *arg,
                              const char *host, int port, SSL_CTX *context,
                              const aiort_server_options_t *options, aiort_server_t **server)
{
    int err = ready();

    *server = NULL;
    if (err) {
        return err;
    }
    if (!context) {
        return aiort__rt->fail_with(UV_EINVAL, "a server needs a context with its certificate");
    }
    served_t *served = aiort__rt->malloc(sizeof(*served));
    if (!served) {
        return aiort__rt->fail(UV_ENOMEM);
    }
    *served = (served_t){.function = function, .arg = arg, .context = context};
    SSL_CTX_up_ref(context);
    err = aiort_start_server_at(site, serve, served, host, port, options, server);
    if (err) {
        release(served);
    } else {
        (*server)->release = release;
    }
    return err;
}
