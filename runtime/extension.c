/* SPDX-License-Identifier: MIT */
/* The table for libaiort-tls: see extension.h. */
#include "extension.h"

static int check_thread(aiort_loop_t *loop, const void *object, const char *function)
{
    return aiort__check_thread(loop, object, function);
}

static int fail_with(int code, const char *message)
{
    return aiort__failf(code, "%s", message);
}

const void *aiort_extension(int version)
{
    static const aiort__extension_t table = {
        .transport_new = aiort__transport_new,
        .transport_discard = aiort__transport_discard,
        .transport_start = aiort__transport_start,
        .transport_data = aiort__transport_data,
        .transport_eof = aiort__transport_eof,
        .transport_written = aiort__transport_written,
        .transport_failed = aiort__transport_failed,
        .transport_closed = aiort__transport_closed,
        .transport_write = aiort__transport_write,
        .transport_close = aiort__transport_close,
        .transport_abort = aiort__transport_abort,
        .transport_read = aiort__transport_read,
        .transport_extra_info = aiort__transport_extra_info,
        .stream_replace = aiort__stream_replace,
        .future_new = aiort__future_new,
        .future_finish = aiort__future_finish,
        .await_future = aiort__await_future,
        .check_thread = check_thread,
        .fail = aiort__fail,
        .fail_with = fail_with,
        .malloc = aiort__malloc,
        .free = aiort__free,
    };

    return version == AIORT__EXTENSION_VERSION ? &table : NULL;
}
