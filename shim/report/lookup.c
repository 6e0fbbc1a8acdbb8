/* SPDX-License-Identifier: MIT */
/* Names for the program's own use; see lookup.h. */
#include "lookup.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>

#include "../track/stacks.h"
#include "symbols.h"

enum { THREAD_STACK = 1024 * 1024 };

typedef struct request {
    void (*answer)(struct request *request);
    uintptr_t address;
    uint32_t trace;
    char *buf;
    size_t size;
    int length;
} request_t;

static void *serve(void *arg)
{
    request_t *request = arg;

    request->answer(request);
    return NULL;
}

static void serve_apart(request_t *request)
{
    pthread_attr_t attributes;
    pthread_t thread;
    sigset_t all, before;

    /* The program's handlers must not run on a thread it knows nothing of. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, THREAD_STACK);
    if (pthread_create(&thread, &attributes, serve, request) == 0) {
        pthread_join(thread, NULL);
    }
    pthread_attr_destroy(&attributes);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static size_t ask(request_t *request, bool small_stack)
{
    int saved = errno;

    if (small_stack) {
        serve_apart(request);
    } else {
        request->answer(request);
    }
    errno = saved;
    return request->length > 0 ? (size_t)request->length : 0;
}

static void answer_created(request_t *request)
{
    void *pcs[AIODEBUG_STACK_DEPTH_MAX];
    aiodebug_frame_t frame;
    int n = aiodebug_stack_frames(request->trace, pcs, AIODEBUG_STACK_DEPTH_MAX);

    for (int i = 0; i < n; i++) {
        if (aiodebug_symbols_internal((uintptr_t)pcs[i])) {
            continue;
        }
        if (aiodebug_symbols_resolve((uintptr_t)pcs[i], &frame, 1) > 0 && frame.file) {
            request->length = snprintf(request->buf, request->size, " created at %s:%d",
                                       frame.file, frame.line);
        }
        return;
    }
}

static void answer_name(request_t *request)
{
    aiodebug_frame_t frame;

    if (aiodebug_symbols_function(request->address, &frame) && frame.function) {
        request->length = snprintf(request->buf, request->size, "%s", frame.function);
    }
}

static void answer_line(request_t *request)
{
    aiodebug_frame_t frame;

    if (aiodebug_symbols_function(request->address, &frame) && frame.file) {
        request->length =
            snprintf(request->buf, request->size, "%s:%d", frame.file, frame.line);
    }
}

static void answer_frame(request_t *request)
{
    aiodebug_frame_t frame;

    if (aiodebug_symbols_internal(request->address) ||
        aiodebug_symbols_resolve(request->address, &frame, 1) < 1 ||
        aiodebug_symbols_startup(&frame) || !frame.file) {
        return;
    }
    const char *source = aiodebug_symbols_source(frame.file, frame.line);
    request->length = snprintf(request->buf, request->size, "File \"%s\", line %d, in %s%s%s",
                               frame.file, frame.line, frame.function ? frame.function : "?",
                               source ? "\n    " : "", source ? source : "");
}

size_t aiodebug_lookup_created(uint32_t trace, bool small_stack, char *buf, size_t size)
{
    request_t request = {.answer = answer_created, .trace = trace, .buf = buf, .size = size};

    return ask(&request, small_stack);
}

size_t aiodebug_lookup_name(uintptr_t function, bool small_stack, char *buf, size_t size)
{
    request_t request = {.answer = answer_name, .address = function, .buf = buf, .size = size};

    return ask(&request, small_stack);
}

size_t aiodebug_lookup_line(uintptr_t function, bool small_stack, char *buf, size_t size)
{
    request_t request = {.answer = answer_line, .address = function, .buf = buf, .size = size};

    return ask(&request, small_stack);
}

size_t aiodebug_lookup_frame(uintptr_t address, bool small_stack, char *buf, size_t size)
{
    request_t request = {.answer = answer_frame, .address = address, .buf = buf, .size = size};

    return ask(&request, small_stack);
}
