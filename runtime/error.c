/* SPDX-License-Identifier: MIT */
/*
 * Errors: codes with names and texts, error objects, and the current error.
 *
 * The current error is what Python calls the exception being handled: each task has one, and each
 * thread outside of tasks. It is either nothing, a bare code, or an error object with a message and
 * an origin (see aiort__tls_t for how one word holds either). A coroutine that returns a code fails
 * with the current error when the codes agree, so that an error that passes through keeps its
 * origin.
 *
 * Error objects travel between threads; their references are counted atomically. When there is no
 * memory for one, a static error with its code alone stands in.
 */
#include "internal.h"

#include <pthread.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *aiort_err_name(int code)
{
    static _Thread_local char unknown[16];

    switch (code) {
#define OWN(name, value, text)                                                                     \
    case value:                                                                                    \
        return #name;
#define LIBUV(name, text)                                                                          \
    case UV_##name:                                                                                \
        return #name;
        AIORT_ERRNO_MAP(OWN)
        UV_ERRNO_MAP(LIBUV)
#undef OWN
#undef LIBUV
    default:
        snprintf(unknown, sizeof(unknown), "E%u", code < 0 ? 0U - (unsigned)code : (unsigned)code);
        return unknown;
    }
}

const char *aiort_strerror(int code)
{
    switch (code) {
#define OWN(name, value, text)                                                                     \
    case value:                                                                                    \
        return text;
#define LIBUV(name, text)                                                                          \
    case UV_##name:                                                                                \
        return text;
        AIORT_ERRNO_MAP(OWN)
        UV_ERRNO_MAP(LIBUV)
#undef OWN
#undef LIBUV
    default:
        return code == 0 ? "success" : "unknown error";
    }
}

/* ---- Error objects ---- */

static aiort_error_t no_memory = {
    .object = {.refs = 1U << 30, .kind = AIORT_KIND_ERROR, .flags = AIORT__SHARED},
    .code = UV_ENOMEM,
};

static aiort_error_t *error_alloc(const aiort_site_t *site, int code, size_t length,
                                  aiort_error_t *cause)
{
    aiort_error_t *error = aiort__malloc(sizeof(*error) + length + 1);

    if (!error) {
        return NULL;
    }
    memset(error, 0, sizeof(*error));
    error->object.refs = 1;
    error->object.kind = AIORT_KIND_ERROR;
    error->object.flags = AIORT__SHARED;
    error->code = code < 0 ? code : UV_EINVAL;
    error->site = site;
    error->cause = aiort_ref(cause);
    error->message[length] = '\0';
    return error;
}

aiort_error_t *aiort__error_new(const aiort_site_t *site, int code, const char *message,
                                aiort_error_t *cause)
{
    size_t length = message ? strlen(message) : 0;
    aiort_error_t *error = error_alloc(site, code, length, cause);

    if (!error) {
        return aiort_ref(&no_memory);
    }
    if (length > 0) {
        memcpy(error->message, message, length);
    }
    if (site) {
        aiort__created(&error->object);
    }
    return error;
}

aiort_error_t *aiort__error_newv(const aiort_site_t *site, int code, const char *format,
                                 va_list args)
{
    char message[512];

    if (!format) {
        return aiort__error_new(site, code, NULL, NULL);
    }
    vsnprintf(message, sizeof(message), format, args);
    return aiort__error_new(site, code, message, NULL);
}

void aiort__error_destroy(aiort_error_t *error)
{
    aiort_unref(error->cause);
    for (uint32_t i = 0; i < error->nerrors; i++) {
        aiort_unref(error->errors[i]);
    }
    if (error->errors) {
        aiort__free(error->errors);
    }
    aiort__free(error);
}

int aiort_error_code(const aiort_error_t *error)
{
    return error->code;
}

const char *aiort_error_message(const aiort_error_t *error)
{
    return error->message;
}

aiort_error_t *aiort_error_cause(const aiort_error_t *error)
{
    return error->cause;
}

const aiort_site_t *aiort_error_site(const aiort_error_t *error)
{
    return error->site;
}

/* ---- The current error ---- */

uintptr_t *aiort__current_error_slot(void)
{
    aiort_loop_t *loop = aiort__tls.running;

    return loop && loop->current ? &loop->current->current_error : &aiort__tls.current_error;
}

void aiort__clear_error_slot(uintptr_t *slot)
{
    uintptr_t old = *slot;

    *slot = 0;
    if (old && !(old & 1)) {
        aiort_unref((void *)old);
    }
}

/* A thread that ends lets go of the error it has kept outside of tasks. */
static pthread_key_t thread_end;
static bool thread_end_known;

static void on_thread_end(void *slot)
{
    aiort__clear_error_slot(slot);
}

static void make_thread_end(void)
{
    thread_end_known = pthread_key_create(&thread_end, on_thread_end) == 0;
}

AIORT__COLD static void watch_thread_end(uintptr_t *slot)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_thread_end);
    if (thread_end_known) {
        (void)pthread_setspecific(thread_end, slot); /* fails: that one error is lost at the end */
    }
}

static void set_slot(uintptr_t *slot, uintptr_t value)
{
    uintptr_t old = *slot;

    if (slot == &aiort__tls.current_error && !(value & 1) && (old == 0 || (old & 1))) {
        watch_thread_end(slot);
    }
    *slot = value;
    if (old && !(old & 1)) {
        aiort_unref((void *)old);
    }
}

static int slot_code(uintptr_t slot)
{
    if (slot & 1) {
        return (int)((intptr_t)slot >> 1);
    }
    return slot ? ((aiort_error_t *)slot)->code : 0;
}

int aiort__fail(int code)
{
    uintptr_t *slot = aiort__current_error_slot();

    if (slot_code(*slot) != code) {
        set_slot(slot, (uintptr_t)((intptr_t)code * 2 + 1));
    }
    return code;
}

void *aiort__fail_null(int code)
{
    aiort__fail(code);
    return NULL;
}

void aiort__set_current_error(aiort_error_t *error)
{
    set_slot(aiort__current_error_slot(), (uintptr_t)aiort_ref(error));
}

int aiort__not_made(void)
{
    int err = aiort_last_error();

    return err ? err : aiort__fail(AIORT_EBADAWAIT);
}

int aiort__failf(int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    aiort_error_t *error = aiort__error_newv(NULL, code, format, args);
    va_end(args);
    set_slot(aiort__current_error_slot(), (uintptr_t)error);
    return code;
}

int aiort__fail_at(const aiort_site_t *site, int code, const char *message)
{
    set_slot(aiort__current_error_slot(), (uintptr_t)aiort__error_new(site, code, message, NULL));
    return code;
}

aiort_error_t *aiort__take_error(int code)
{
    uintptr_t slot = *aiort__current_error_slot();

    if (slot && !(slot & 1) && ((aiort_error_t *)slot)->code == code) {
        return aiort_ref((void *)slot);
    }
    return aiort__error_new(NULL, code, NULL, NULL);
}

int aiort_last_error(void)
{
    return slot_code(*aiort__current_error_slot());
}

aiort_error_t *aiort_current_error(void)
{
    uintptr_t *slot = aiort__current_error_slot();

    if (*slot & 1) {
        aiort_error_t *error = aiort__error_new(NULL, slot_code(*slot), NULL, NULL);
        set_slot(slot, (uintptr_t)error);
    }
    return (aiort_error_t *)*slot;
}

static int raise_error(aiort_error_t *error)
{
    int code = error->code;

    set_slot(aiort__current_error_slot(), (uintptr_t)error);
    return code;
}

int aiort_raise_at(const aiort_site_t *site, int code, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    aiort_error_t *error = aiort__error_newv(site, code, format, args);
    va_end(args);
    return raise_error(error);
}

int aiort_raise_from_at(const aiort_site_t *site, aiort_error_t *cause, int code,
                        const char *format, ...)
{
    char message[512] = "";
    va_list args;

    if (format) {
        va_start(args, format);
        vsnprintf(message, sizeof(message), format, args);
        va_end(args);
    }
    return raise_error(aiort__error_new(site, code, message, cause));
}
