/* SPDX-License-Identifier: MIT */
/* What the files of libaiort-tls share. */
#ifndef AIORT_TLS_TLS_H
#define AIORT_TLS_TLS_H

#include <aiort_tls.h>

#include "extension.h"

/* libaiort's inside, from the library's constructor on. NULL: libaiort is of another version. */
extern AIORT__HIDDEN const aiort__extension_t *aiort__rt;

/* The handshake on a connection, whose host is verified when it is not NULL. Takes a reference on
 * the context. */
AIORT__HIDDEN int aiort__tls_begin(const aiort_site_t *site, aiort_stream_reader_t *reader,
                                   aiort_stream_writer_t *writer, SSL_CTX *context, bool server,
                                   const char *hostname, double timeout);

#endif
