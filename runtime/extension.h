/* SPDX-License-Identifier: MIT */
/*
 * What libaiort-tls, a library of its own, uses of libaiort's inside: a table, since these
 * functions are hidden. Both are of one version: the number changes with any of the types used.
 */
#ifndef AIORT_EXTENSION_H
#define AIORT_EXTENSION_H

#include "stream.h"
#include "transport.h"

enum { AIORT__EXTENSION_VERSION = 1 };

typedef struct {
    void *(*transport_new)(aiort_loop_t *loop, const aiort__transport_ops_t *ops, size_t size);
    void (*transport_discard)(aiort_transport_t *transport);
    int (*transport_start)(aiort_transport_t *transport, const aiort__protocol_t *protocol,
                           void *self);
    void (*transport_data)(aiort_transport_t *transport, const char *data, size_t n);
    void (*transport_eof)(aiort_transport_t *transport);
    void (*transport_written)(aiort_transport_t *transport, int status);
    void (*transport_failed)(aiort_transport_t *transport, int code, const char *message);
    void (*transport_closed)(aiort_transport_t *transport);
    int (*transport_write)(aiort_transport_t *transport, const uv_buf_t *pieces, unsigned n,
                           const char *function);
    void (*transport_close)(aiort_transport_t *transport);
    void (*transport_abort)(aiort_transport_t *transport, aiort_error_t *error);
    void (*transport_read)(aiort_transport_t *transport, bool on);
    int (*transport_extra_info)(const aiort_transport_t *transport, const char *name, char *buf,
                                size_t size);
    void (*stream_replace)(aiort_stream_writer_t *writer, aiort_transport_t *transport);
    aiort_future_t *(*future_new)(aiort_loop_t *loop);
    void (*future_finish)(aiort_future_t *future, void *result);
    int (*await_future)(aiort_task_t *task, const aiort_site_t *site, aiort_future_t *future,
                        void **result);
    int (*check_thread)(aiort_loop_t *loop, const void *object, const char *function);
    int (*fail)(int code);
    int (*fail_with)(int code, const char *message);
    void *(*malloc)(size_t size);
    void (*free)(void *memory);
} aiort__extension_t;

#endif
