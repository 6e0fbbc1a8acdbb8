/* SPDX-License-Identifier: MIT */
/*
 * Reprs: asyncio's, with C's names. Written piece by piece into the caller's buffer, which may be
 * too small: the length is counted on, as snprintf does.
 *
 * Three parts come from libaiodebug when it is there: where an object was created, and a function's
 * name and line from its address. Without it the macros' records stand in.
 */
#include "internal.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    char *buf;
    size_t size, length;
    const void *seen[8]; /* what is being written: a repr never goes in circles */
    int depth;
} out_t;

static void put(out_t *out, const char *text, size_t length)
{
    if (out->length < out->size) {
        size_t room = out->size - out->length - 1;
        size_t n = length < room ? length : room;
        memcpy(out->buf + out->length, text, n);
        out->buf[out->length + n] = '\0';
    }
    out->length += length;
}

static void puts_to(out_t *out, const char *text)
{
    put(out, text, strlen(text));
}

AIORT_PRINTF(2, 3) static void putf(out_t *out, const char *format, ...)
{
    char text[512];
    va_list args;

    va_start(args, format);
    int length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (length > 0) {
        put(out, text, (size_t)length < sizeof(text) ? (size_t)length : sizeof(text) - 1);
    }
}

/* As Python writes a string: in one line, whatever is in it. */
static void put_quoted(out_t *out, const char *text)
{
    const char *quote = strchr(text, '\'') && !strchr(text, '"') ? "\"" : "'";

    puts_to(out, quote);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '\n' || c == '\r' || c == '\t') {
            puts_to(out, c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
        } else if (c < 0x20 || c == 0x7f) {
            putf(out, "\\x%02x", c);
        } else {
            if (c == '\\' || c == (unsigned char)*quote) {
                puts_to(out, "\\");
            }
            put(out, text, 1);
        }
    }
    puts_to(out, quote);
}

static void put_site(out_t *out, const aiort_site_t *site)
{
    putf(out, "%s:%d", site->file, site->line);
}

static void put_created_at(out_t *out, const aiort__object_t *object)
{
    char text[512];

    if (object->trace) {
        size_t n = aiort_instrument_created_at(object->trace, text, sizeof(text));
        put(out, text, n < sizeof(text) ? n : sizeof(text) - 1);
    }
}

static void put_name(out_t *out, void (*function)(void), const char *fallback)
{
    char text[512];
    size_t n = aiort_instrument_function_name(function, fallback, text, sizeof(text));

    if (n > 0 && n < sizeof(text)) {
        put(out, text, n);
    } else if (fallback) {
        puts_to(out, fallback);
    } else {
        putf(out, "%p", (void *)(uintptr_t)function);
    }
}

/* FILE:LINE of the function's definition, when somebody knows it. */
static bool put_line(out_t *out, const char *before, void (*function)(void),
                     const aiort_site_t *site)
{
    char text[512];
    char fallback[512] = "";

    if (site && site->file) {
        snprintf(fallback, sizeof(fallback), "%s:%d", site->file, site->line);
    }
    size_t n = aiort_instrument_function_line(function, fallback, text, sizeof(text));
    if (n == 0 || n >= sizeof(text)) {
        return false;
    }
    puts_to(out, before);
    put(out, text, n);
    return true;
}

static void put_repr(out_t *out, const void *object);

/* ---- Handles ---- */

static const char *what(const aiort_site_t *site)
{
    return site ? site->what : NULL;
}

/* "f(0x55..) at f.c:5"; the runtime's own callbacks have a name but no place. */
static void put_callback(out_t *out, const aiort_handle_t *handle, bool with_arg)
{
    const aiort_site_t *site = handle->site;
    void (*function)(void) = (void (*)(void))(uintptr_t)handle->callback;
    bool own = !site || !site->file;

    if (own) {
        puts_to(out, site ? site->what : "<internal>");
        puts_to(out, "()");
        return;
    }
    put_name(out, function, what(site));
    if (with_arg && (handle->object.flags & AIORT__DONE_CALLBACK)) {
        puts_to(out, "(");
        if (handle->u.future) {
            put_repr(out, handle->u.future);
        }
        puts_to(out, ")");
    } else if (with_arg) {
        putf(out, handle->arg ? "(%p)" : "()", handle->arg);
    } else {
        puts_to(out, "()");
    }
    if (!put_line(out, " at ", function, site)) {
        puts_to(out, " at ");
        put_site(out, site);
    }
}

static void put_handle(out_t *out, const aiort_handle_t *handle)
{
    uint8_t flags = handle->object.flags;
    bool cancelled = flags & AIORT__THREADSAFE ? aiort__threadsafe_cancelled(handle)
                                               : !!(flags & AIORT__CANCELLED);

    puts_to(out, flags & AIORT__TIMER ? "<TimerHandle" : "<Handle");
    if (cancelled) {
        puts_to(out, " cancelled");
    }
    if (flags & AIORT__TIMER) {
        putf(out, " when=%.9g", (double)handle->u.when * 1e-9);
    }
    /* As asyncio: a cancelled handle has forgotten its callback, but in debug mode. */
    if (!cancelled || handle->object.trace) {
        puts_to(out, " ");
        put_callback(out, handle, true);
    }
    put_created_at(out, &handle->object);
    puts_to(out, ">");
}

size_t aiort__callback_repr(const aiort_handle_t *handle, char *buf, size_t size)
{
    out_t out = {.buf = buf, .size = size};

    if (size > 0) {
        buf[0] = '\0';
    }
    put_callback(&out, handle, true);
    return out.length;
}

/* ---- Coroutines ---- */

static void put_coroutine_body(out_t *out, const aiort_coroutine_t *coroutine)
{
    void (*function)(void) = (void (*)(void))(uintptr_t)coroutine->function;
    const aiort_site_t *site = coroutine->site;
    int state = coroutine->object.state;

    put_name(out, function, what(site));
    puts_to(out, "()");
    if (state == AIORT__CORO_RUNNING) {
        puts_to(out, " running");
        if (coroutine->u.where) {
            puts_to(out, " at ");
            put_site(out, coroutine->u.where);
        }
        return;
    }
    if (state == AIORT__CORO_DONE) {
        puts_to(out, " done");
    }
    if (put_line(out, state == AIORT__CORO_DONE ? ", defined at " : " running at ", function,
                 site)) {
        return;
    }
    if (site && site->file) {
        puts_to(out, state == AIORT__CORO_DONE ? ", created at " : " created at ");
        put_site(out, site);
    }
}

/* ---- Futures and tasks ---- */

static void put_error(out_t *out, const aiort_error_t *error)
{
    const char *message = error->message[0] ? error->message : aiort_strerror(error->code);

    putf(out, "%s(", aiort_err_name(error->code));
    if (error->nerrors == 0) {
        put_quoted(out, message);
    } else {
        put_quoted(out, aiort_strerror(error->code));
        for (uint32_t i = 0; i < error->nerrors; i++) {
            puts_to(out, i == 0 ? ", [" : ", ");
            put_repr(out, error->errors[i]);
        }
        puts_to(out, "]");
    }
    puts_to(out, ")");
}

static void put_outcome(out_t *out, const aiort_future_t *future)
{
    if (future->object.state != AIORT_FINISHED) {
        return;
    }
    if (future->object.flags & AIORT__FAILED) {
        puts_to(out, " exception=");
        put_error(out, future->u.error);
    } else if (future->u.result) {
        putf(out, " result=%p", future->u.result);
    } else {
        puts_to(out, " result=0x0");
    }
}

static void put_waiting(out_t *out, const aiort__object_t *object)
{
    if (object->kind == AIORT_KIND_TASK) {
        puts_to(out, "Task.task_wakeup()");
    } else {
        put_callback(out, (const aiort_handle_t *)object, false);
    }
}

/* cb=[first], cb=[first, second], cb=[first, <3 more>, last] */
static void put_callbacks(out_t *out, const aiort_future_t *future)
{
    unsigned n = 0;

    for (const aiort__object_t *o = future->first; o; o = o->next) {
        n++;
    }
    if (n == 0 || future->object.state != AIORT_PENDING) {
        return;
    }
    puts_to(out, " cb=[");
    put_waiting(out, future->first);
    if (n > 2) {
        putf(out, ", <%u more>", n - 2);
    }
    if (n > 1) {
        puts_to(out, ", ");
        put_waiting(out, future->last);
    }
    puts_to(out, "]");
}

static const char *const state_names[] = {"pending", "finished", "cancelled"};

static void put_future(out_t *out, const aiort_future_t *future)
{
    putf(out, "<%s %s", aiort__class_name(future), state_names[future->object.state]);
    put_outcome(out, future);
    put_callbacks(out, future);
    if (future->object.trace == 0 && future->object.state == AIORT_PENDING && future->completed &&
        future->completed->file && future->object.loop->debug) {
        puts_to(out, " created at ");
        put_site(out, future->completed);
    }
    put_created_at(out, &future->object);
    puts_to(out, ">");
}

static void put_task(out_t *out, const aiort_task_t *task)
{
    const aiort_future_t *future = &task->future;
    bool pending = future->object.state == AIORT_PENDING;
    char name[24];

    putf(out, "<Task %s name=",
         pending && task->cancel_requests ? "cancelling" : state_names[future->object.state]);
    put_quoted(out, aiort__task_name(task, name));
    puts_to(out, " coro=<");
    put_coroutine_body(out, task->coroutine);
    puts_to(out, ">");
    if (pending && task->waiter) {
        puts_to(out, " wait_for=");
        put_repr(out, task->waiter);
    }
    put_outcome(out, future);
    put_callbacks(out, future);
    put_created_at(out, &future->object);
    puts_to(out, ">");
}

/* ---- All kinds ---- */

static void put_extended(out_t *out, const aiort__extended_t *object)
{
    char text[1024]; /* a writer's has its transport's and its reader's in it */
    size_t length = object->repr(object, text, sizeof(text));

    put(out, text, length < sizeof(text) ? length : sizeof(text) - 1);
}

static void put_repr(out_t *out, const void *object)
{
    const aiort__object_t *header = object;

    for (int i = 0; i < out->depth; i++) {
        if (out->seen[i] == object) {
            puts_to(out, "...");
            return;
        }
    }
    if (out->depth == (int)(sizeof(out->seen) / sizeof(out->seen[0]))) {
        puts_to(out, "...");
        return;
    }
    out->seen[out->depth++] = object;
    switch ((aiort_kind_t)header->kind) {
    case AIORT_KIND_LOOP: {
        const aiort_loop_t *loop = object;
        putf(out, "<Loop running=%s closed=%s debug=%s>",
             aiort_loop_is_running(loop) ? "True" : "False", loop->closed ? "True" : "False",
             loop->debug ? "True" : "False");
        break;
    }
    case AIORT_KIND_HANDLE:
        put_handle(out, object);
        break;
    case AIORT_KIND_FUTURE:
        put_future(out, object);
        break;
    case AIORT_KIND_TASK:
        put_task(out, object);
        break;
    case AIORT_KIND_COROUTINE:
        puts_to(out, "<coroutine object ");
        put_coroutine_body(out, object);
        putf(out, " at %p>", object);
        break;
    case AIORT_KIND_ERROR:
        put_error(out, object);
        break;
    case AIORT_KIND_CONCURRENT:
        putf(out, "<Future at %p>", object); /* other threads may be changing it */
        break;
    case AIORT_KIND_TIMEOUT:
    case AIORT_KIND_TASK_GROUP:
    case AIORT_KIND_EVENT:
    case AIORT_KIND_LOCK:
    case AIORT_KIND_CONDITION:
    case AIORT_KIND_SEMAPHORE:
    case AIORT_KIND_BARRIER:
    case AIORT_KIND_QUEUE:
    case AIORT_KIND_CONTEXT:
    case AIORT_KIND_RUNNER:
    case AIORT_KIND_CALL_GRAPH:
    case AIORT_KIND_EXECUTOR:
    case AIORT_KIND_CONTEXT_VAR:
    case AIORT_KIND_STREAM_READER:
    case AIORT_KIND_STREAM_WRITER:
    case AIORT_KIND_TRANSPORT:
    case AIORT_KIND_SERVER:
    case AIORT_KIND_PROCESS:
    case AIORT_KIND_DATAGRAM:
    case AIORT_KIND_WATCHER:
        put_extended(out, object);
        break;
    }
    out->depth--;
}

size_t aiort_repr(const void *object, char *buf, size_t size)
{
    out_t out = {.buf = buf, .size = size};

    if (size > 0) {
        buf[0] = '\0';
    }
    if (!object) {
        puts_to(&out, "NULL");
    } else {
        put_repr(&out, object);
    }
    return out.length;
}
