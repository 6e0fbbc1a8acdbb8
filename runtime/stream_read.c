/* SPDX-License-Identifier: MIT */
/*
 * Reading from a reader. Each function looks whether what it is asked for is there, waits if not,
 * and takes it out only then: one that is cancelled while it waits has taken nothing.
 */
#include "stream.h"

#include <string.h>

static size_t available(const aiort_stream_reader_t *reader)
{
    return reader->size - reader->from;
}

static void maybe_resume(aiort_stream_reader_t *reader)
{
    if (AIORT__UNLIKELY(reader->paused) && available(reader) <= reader->limit) {
        reader->paused = false;
        if (reader->transport) {
            aiort__transport_read(reader->transport, true);
        }
    }
}

static void skip(aiort_stream_reader_t *reader, size_t n)
{
    reader->from += n;
    maybe_resume(reader);
}

/* The next n bytes are the caller's, in memory of our own that the next call reuses. 0 or
 * UV_ENOMEM, and then nothing is taken out. */
static int lend(aiort_stream_reader_t *reader, size_t n)
{
    if (reader->lent_room < n + 1) {
        size_t room = n < 255 ? 256 : n + n / 2 + 1;
        char *lent = aiort__realloc(reader->lent, room);
        if (!lent) {
            return aiort__fail(UV_ENOMEM);
        }
        reader->lent = lent;
        reader->lent_room = room;
    }
    if (n > 0) {
        memcpy(reader->lent, reader->data + reader->from, n);
    }
    reader->lent[n] = '\0';
    skip(reader, n);
    return 0;
}

/* Before all else. */
static inline int begin(aiort_stream_reader_t *reader, const char *function)
{
    int err = aiort__scope_check(&reader->base, function);

    reader->partial = 0;
    if (AIORT__UNLIKELY(err)) {
        return err;
    }
    if (AIORT__UNLIKELY(reader->error != NULL)) {
        aiort__set_current_error(reader->error);
        return reader->error->code;
    }
    return 0;
}

/* How the future of a reader is told from others. */
static const aiort_site_t reader_site = AIORT__OWN_SITE("StreamReader._wait_for_data");

/* The future is the reader's own, since nobody else ever gets it to keep; it is not worth a trace,
 * being made where the task stands. */
__attribute__((always_inline)) static inline int wait_here(aiort_stream_reader_t *reader,
                                                           aiort_task_t *task,
                                                           const aiort_site_t *site)
{
    aiort_loop_t *loop = task->future.object.loop;

    aiort__future_init(&reader->waiter, loop, AIORT_KIND_FUTURE, 0);
    reader->waiter.completed = &reader_site;
    reader->waiting = true;
    int err = aiort__await_own(task, site, &reader->waiter);
    reader->waiting = false;
    if (AIORT__UNLIKELY(err)) {
        aiort__future_drop(&reader->waiter);
    }
    aiort__loop_release(loop);
    return err;
}

/* The rare cases before a wait. */
AIORT__COLD static int may_wait(aiort_stream_reader_t *reader, const aiort_task_t *task,
                                const char *name)
{
    if (!task) {
        return aiort__fail(AIORT_ENOTASK);
    }
    if (reader->waiting) {
        return aiort__failf(AIORT_EMISUSE,
                            "%s() called while another coroutine is already waiting for incoming "
                            "data",
                            name);
    }
    if (aiort__scope_adopt(&reader->base, task->future.object.loop)) {
        return AIORT_EOTHERLOOP;
    }
    if (reader->paused) {
        reader->paused = false;
        if (reader->transport) {
            aiort__transport_read(reader->transport, true);
        }
    }
    return 0;
}

/* Waits for more bytes, the end, or an error, which it returns. */
__attribute__((always_inline)) static inline int wait_for_data(aiort_stream_reader_t *reader,
                                                               const aiort_site_t *site,
                                                               const char *name)
{
    aiort_loop_t *loop = aiort__tls.running;
    aiort_task_t *task = loop ? loop->current : NULL;

    if (AIORT__UNLIKELY(!task || reader->waiting || reader->paused ||
                        reader->base.object.loop != loop)) {
        int refused = may_wait(reader, task, name);
        if (refused) {
            return refused;
        }
    }
    int err = wait_here(reader, task, site);
    return AIORT__LIKELY(err == 0) && AIORT__UNLIKELY(reader->error != NULL)
               ? (aiort__set_current_error(reader->error), reader->error->code)
               : err;
}

/* The same as a call. */
static int wait_for_more(aiort_stream_reader_t *reader, const aiort_site_t *site, const char *name)
{
    return wait_for_data(reader, site, name);
}

/* ---- read() ---- */

static inline const aiort_task_t *task_at(const aiort__object_t *object)
{
    return object && object->kind == AIORT_KIND_TASK ? (const aiort_task_t *)object : NULL;
}

enum { AHEAD = 8, STACK_LINES = 4, READER_LINES = 4, TRANSPORT_LINES = 2, BYTES_LINES = 16 };

/* A reader that will read itself: to where, and through what. */
__attribute__((always_inline)) static inline void fetch_way(const aiort_stream_reader_t *reader)
{
    size_t lines = reader->wanted / 64;

    aiort__fetch(reader->transport, TRANSPORT_LINES);
    aiort__fetch(reader->stream, 1);
    if (reader->pulls) {
        aiort__fetch(reader->into, lines < BYTES_LINES ? (int)lines : BYTES_LINES);
    }
}

/*
 * With very many connections nothing of the next one is in the cache any more when its turn comes,
 * nor the way to its stack's page, and one miss after another costs as much as a system call. So,
 * every few tasks, all that the next few need is asked for at once, and comes at once: their stacks
 * and readers, then what those lead to.
 */
__attribute__((always_inline)) static inline void fetch_next(const aiort_loop_t *loop)
{
    const aiort_task_t *task = task_at(loop->head);

    if (loop->popped % AHEAD) {
        return;
    }
    for (int i = 0; i < AHEAD && task; i++, task = task_at(task->future.object.next)) {
        if (task->sp && task->waiter) {
            aiort__fetch(task->sp, STACK_LINES);
            aiort__fetch((const char *)task->waiter - offsetof(aiort_stream_reader_t, waiter),
                         READER_LINES);
            aiort__fetch(task->innermost, 1);
            aiort__fetch(&task->attention, 1);
        }
    }
    task = task_at(loop->head);
    for (int i = 0; i < AHEAD && task; i++, task = task_at(task->future.object.next)) {
        if (task->waiter && task->waiter->completed == &reader_site) {
            fetch_way((const aiort_stream_reader_t *)((const char *)task->waiter -
                                                      offsetof(aiort_stream_reader_t, waiter)));
        }
    }
}

/* Waits for any bytes, and reads them straight to where they belong, if they are still in the
 * kernel then. How many those are; else they are in the reader, or the end has come. */
__attribute__((always_inline)) static inline ssize_t wait_for_any(aiort_stream_reader_t *reader,
                                                                  const aiort_site_t *site,
                                                                  void *buffer, size_t n)
{
    ssize_t got = 0;
    int err = 0;

    while (got == 0 && available(reader) == 0 && !reader->eof && !err) {
        bool pulls = !reader->waiting && reader->transport && reader->transport->ops->try_read;
        reader->pulls = pulls || reader->pulls;
        reader->into = buffer;
        reader->wanted = n;
        err = wait_for_data(reader, site, "read");
        if (!pulls) {
            continue;
        }
        reader->pulls = false;
        if (!err && available(reader) == 0 && !reader->eof && reader->transport) {
            fetch_next(reader->base.object.loop);
            got = (ssize_t)aiort__transport_pull(reader->transport, buffer, n);
            err = reader->error ? begin(reader, "aiort_stream_read") : 0;
        }
    }
    return err ? err : got;
}

AIORT__HOT ssize_t aiort_stream_read_at(const aiort_site_t *site, aiort_stream_reader_t *reader,
                                        void *buffer, size_t n)
{
    int err = begin(reader, "aiort_stream_read");

    if (AIORT__UNLIKELY(err || n == 0)) {
        return err;
    }
    aiort__ref(&reader->base.object);
    ssize_t got = available(reader) == 0 ? wait_for_any(reader, site, buffer, n) : 0;
    if (got == 0) {
        n = available(reader) < n ? available(reader) : n;
        if (n > 0) {
            memcpy(buffer, reader->data + reader->from, n);
            skip(reader, n);
        }
        got = (ssize_t)n;
    }
    aiort__unref(&reader->base.object);
    return got;
}

ssize_t aiort_stream_read_all_at(const aiort_site_t *site, aiort_stream_reader_t *reader,
                                 const char **data)
{
    int err = begin(reader, "aiort_stream_read_all");
    size_t n = 0;

    if (err) {
        return err;
    }
    aiort__ref(&reader->base.object);
    while (!reader->eof && !err) {
        err = wait_for_more(reader, site, "read");
    }
    if (!err) {
        n = available(reader);
        err = lend(reader, n);
        *data = reader->lent;
    }
    aiort__unref(&reader->base.object);
    return err ? err : (ssize_t)n;
}

/* ---- readexactly() ---- */

/* The end has come: what is left goes with the error. */
static int incomplete(aiort_stream_reader_t *reader, const char *expected)
{
    size_t n = available(reader);
    int err = lend(reader, n);

    if (err) {
        return err;
    }
    reader->partial = n;
    return aiort__failf(AIORT_EINCOMPLETE, "%zu bytes read on a total of %s expected bytes", n,
                        expected);
}

static int wait_for(aiort_stream_reader_t *reader, const aiort_site_t *site, size_t n)
{
    char expected[24];

    while (available(reader) < n) {
        if (reader->eof) {
            snprintf(expected, sizeof(expected), "%zu", n);
            return incomplete(reader, expected);
        }
        int err = wait_for_more(reader, site, "readexactly");
        if (err) {
            return err;
        }
    }
    return 0;
}

ssize_t aiort_stream_readexactly_at(const aiort_site_t *site, aiort_stream_reader_t *reader,
                                    void *buffer, size_t n)
{
    int err = begin(reader, "aiort_stream_readexactly");

    if (!err && n > SSIZE_MAX) {
        return aiort__failf(UV_EINVAL, "readexactly size can not be less than zero");
    }
    if (err || n == 0) {
        return err;
    }
    aiort__ref(&reader->base.object);
    err = wait_for(reader, site, n);
    if (!err) {
        memcpy(buffer, reader->data + reader->from, n);
        skip(reader, n);
    }
    aiort__unref(&reader->base.object);
    return err ? err : (ssize_t)n;
}

/* ---- readuntil(), readline() ---- */

static int overrun(aiort_stream_reader_t *reader, const char *message, size_t consumed)
{
    reader->consumed = consumed;
    return aiort__failf(AIORT_ELIMIT, "%s", message);
}

/* The number of bytes up to and with the separator, or a code. What was searched is not searched
 * again when more has come. */
static ssize_t find(aiort_stream_reader_t *reader, const aiort_site_t *site, const void *separator,
                    size_t n)
{
    size_t offset = 0;

    for (;;) {
        size_t size = available(reader);
        if (size >= offset + n) {
            const char *data = reader->data + reader->from;
            const char *at = n == 1 ? memchr(data + offset, *(const char *)separator, size - offset)
                                    : memmem(data + offset, size - offset, separator, n);
            if (at) {
                size_t before = (size_t)(at - data);
                return before > reader->limit
                           ? overrun(reader, "Separator is found, but chunk is longer than limit",
                                     before)
                           : (ssize_t)(before + n);
            }
            offset = size + 1 - n;
            if (offset > reader->limit) {
                return overrun(reader, "Separator is not found, and chunk exceed the limit",
                               offset);
            }
        }
        if (reader->eof) {
            return incomplete(reader, "undefined");
        }
        int err = wait_for_more(reader, site, "readuntil");
        if (err) {
            return err;
        }
    }
}

static ssize_t read_until(aiort_stream_reader_t *reader, const aiort_site_t *site,
                          const void *separator, size_t n, const char **data)
{
    ssize_t size = find(reader, site, separator, n);
    int err = size < 0 ? (int)size : lend(reader, (size_t)size);

    *data = reader->lent;
    return err ? err : size;
}

ssize_t aiort_stream_readuntil_at(const aiort_site_t *site, aiort_stream_reader_t *reader,
                                  const void *separator, size_t n, const char **data)
{
    int err = begin(reader, "aiort_stream_readuntil");

    if (!err && n == 0) {
        return aiort__failf(UV_EINVAL, "Separator should be at least one-byte string");
    }
    if (err) {
        return err;
    }
    aiort__ref(&reader->base.object);
    ssize_t size = read_until(reader, site, separator, n, data);
    aiort__unref(&reader->base.object);
    return size;
}

/* A line that is too long: drops it up to its newline, or all there is of it. */
static void drop_line(aiort_stream_reader_t *reader)
{
    size_t at = reader->consumed;

    if (available(reader) > at && reader->data[reader->from + at] == '\n') {
        skip(reader, at + 1);
    } else {
        skip(reader, available(reader));
    }
}

ssize_t aiort_stream_readline_at(const aiort_site_t *site, aiort_stream_reader_t *reader,
                                 const char **data)
{
    int err = begin(reader, "aiort_stream_readline");

    if (err) {
        return err;
    }
    aiort__ref(&reader->base.object);
    ssize_t size = read_until(reader, site, "\n", 1, data);
    if (size == AIORT_EINCOMPLETE) {
        size = (ssize_t)reader->partial;
        aiort__clear_error();
    } else if (size == AIORT_ELIMIT) {
        drop_line(reader);
    }
    aiort__unref(&reader->base.object);
    return size;
}
