/* SPDX-License-Identifier: MIT */
/*
 * Lives that end wrongly: memory given back under an open handle, handles initialised again, closed
 * twice or used after their close, requests submitted twice, loops closed while something is open,
 * and what is left at exit.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../config.h"
#include "../report/record.h"
#include "../track/memory.h"
#include "../track/stacks.h"
#include "uv.h"

enum { REPR_SIZE = 512 };

/* The parts that all of these have: the object, where it was created, its loop. */
static void add_subject(aiodebug_record_t *r, const aiodebug_uv_subject_t *subject)
{
    char repr[REPR_SIZE];
    bool request = subject->flags & AIODEBUG_UV_REQUEST;
    aiodebug_uv_repr(subject, repr, sizeof repr);
    aiodebug_record_context(r, request ? "request" : "handle", "%s", repr);
    aiodebug_record_object(r, aiodebug_uv_kind(subject->type, subject->flags), 0, subject->object,
                           "%s", repr);
    if (request) {
        aiodebug_record_stack(r, AIODEBUG_ROLE_SCHEDULED, subject->created,
                              "Submitted first at (most recent call last):");
    } else {
        aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, subject->created, NULL);
    }
}

/* The callback that runs. A compiler turns its last call, of free() say, into a jump, and then no
 * frame of it is in the stack any more. */
static void add_callback(aiodebug_record_t *r)
{
    char repr[REPR_SIZE];
    const aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    const aiodebug_uv_call_t *call = &self->now.call;
    if (!call->cb || call->flags & AIODEBUG_UV_INTERNAL ||
        (self->run && self->run->frame < (uintptr_t)__builtin_frame_address(0))) {
        return; /* none, or longjmp() left it behind */
    }
    aiodebug_uv_subject_t subject = {call->object, call->cb,    call->created,
                                     call->type,   call->flags, call->slot};
    aiodebug_record_context(r, "callback", "%s", aiodebug_uv_repr(&subject, repr, sizeof repr));
}

static void add_loop(aiodebug_record_t *r, const aiodebug_uv_loop_t *loop)
{
    char repr[REPR_SIZE];
    if (loop && loop->uv) {
        aiodebug_record_loop(r, "%s", aiodebug_uv_loop_repr(loop, repr, sizeof repr));
    }
}


/* -------------------------------------------------------------------------------------- memory */

/* The record stays: what libuv still calls by the old address is called as before. */
void aiodebug_uv_memory_freed(uint32_t number, const void *object, const void *block, size_t size,
                              aiodebug_freed_t how)
{
    static const char *const functions[] = {
        [AIODEBUG_FREED_FREE] = "free",
        [AIODEBUG_FREED_REALLOC] = "realloc",
        [AIODEBUG_FREED_MUNMAP] = "munmap",
        [AIODEBUG_FREED_MREMAP] = "mremap",
        [AIODEBUG_FREED_DELETE] = "operator delete",
        [AIODEBUG_FREED_DELETE_ARRAY] = "operator delete[]",
    };
    aiodebug_uv_record_t *record = aiodebug_uv_record(number);
    if (!record || record->object != object ||
        record->flags & (AIODEBUG_UV_FREED | AIODEBUG_UV_INTERNAL)) {
        return;
    }
    if (record->flags & AIODEBUG_UV_HALF) {
        aiodebug_uv_drop(record);
        return;
    }
    record->flags |= AIODEBUG_UV_FREED;
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_HANDLE_DESTROYED_ACTIVE, 0);
    if (!r) {
        return;
    }
    bool closing = record->flags & AIODEBUG_UV_CLOSING;
    aiodebug_uv_subject_t subject = aiodebug_uv_subject(record);
    if (closing) {
        aiodebug_record_message(r, "Handle was destroyed but it is closing!");
        aiodebug_record_hint(r, "free the memory in the close callback given to uv_close(), not "
                                "before");
    } else {
        aiodebug_record_message(r, "Handle was destroyed but it is active!");
    }
    if (how == AIODEBUG_FREED_REALLOC || how == AIODEBUG_FREED_MREMAP) {
        aiodebug_record_hint(r, "a handle must stay where it was initialised: give each memory of "
                                "its own, or make the array large enough at first");
    }
    add_subject(r, &subject);
    if (block == object) {
        aiodebug_record_context(r, "memory", "%zu bytes at %p given to %s()", size, block,
                                functions[how]);
    } else if ((uintptr_t)block > (uintptr_t)object) {
        aiodebug_record_context(r, "memory", "%zu bytes at %p, inside the handle, given to %s()",
                                size, block, functions[how]);
    } else {
        aiodebug_record_context(
            r, "memory", "%zu bytes at %p, the handle %zu bytes into it, given to %s()", size,
            block, (size_t)((uintptr_t)object - (uintptr_t)block), functions[how]);
    }
    if (closing) {
        aiodebug_record_stack(r, AIODEBUG_ROLE_CLOSED, record->closed, NULL);
    }
    add_callback(r);
    aiodebug_record_stack(r, AIODEBUG_ROLE_FREED, aiodebug_stack_capture(), NULL);
    add_loop(r, record->loop);
    aiodebug_record_submit(r);
}


/* --------------------------------------------------------------------------- handles, requests */

void aiodebug_check_uv_reinitialized(const aiodebug_uv_record_t *record, const char *function)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_HANDLE_REINITIALIZED, 0);
    if (!r) {
        return;
    }
    aiodebug_uv_subject_t subject = aiodebug_uv_subject(record);
    if (record->flags & AIODEBUG_UV_CLOSING) {
        aiodebug_record_message(r, "Handle was initialised again while it is closing!");
    } else {
        aiodebug_record_message(r, "Handle was initialised again while it is active!");
    }
    add_subject(r, &subject);
    aiodebug_record_context(r, "function", "%s()", function);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CLOSED, record->closed, NULL);
    add_callback(r);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CALL, aiodebug_stack_capture(),
                          "Initialised again at (most recent call last):");
    add_loop(r, record->loop);
    aiodebug_record_submit(r);
}

static void after_close(aiodebug_record_t *r, const aiodebug_uv_subject_t *subject, uint32_t closed,
                        const char *function)
{
    add_subject(r, subject);
    aiodebug_record_context(r, "function", "%s()", function);
    add_callback(r);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CLOSED, closed, NULL);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CALL, aiodebug_stack_capture(), NULL);
    if (aiodebug_uv_self.run) {
        add_loop(r, aiodebug_uv_self.run->loop);
    }
    aiodebug_record_submit(r);
}

void aiodebug_check_uv_closed_twice(const aiodebug_uv_subject_t *subject, uint32_t closed,
                                    const char *function)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_HANDLE_CLOSED_TWICE, 0);
    if (r) {
        aiodebug_record_message(r, "Handle was closed twice!");
        after_close(r, subject, closed, function);
    }
}

void aiodebug_check_uv_used_after_close(const aiodebug_uv_subject_t *subject, uint32_t closed,
                                        const char *function)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_HANDLE_USED_AFTER_CLOSE, 0);
    if (r) {
        aiodebug_record_message(r, "Handle was used after it was closed!");
        after_close(r, subject, closed, function);
    }
}

void aiodebug_check_uv_reused(const aiodebug_uv_record_t *record, const char *function)
{
    aiodebug_record_t *r = aiodebug_record_new(AIODEBUG_CHECK_REQUEST_REUSED, 0);
    if (!r) {
        return;
    }
    aiodebug_uv_subject_t subject = aiodebug_uv_subject(record);
    aiodebug_record_message(r, "Request was submitted again before its callback ran!");
    add_subject(r, &subject);
    aiodebug_record_context(r, "function", "%s()", function);
    add_callback(r);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CALL, aiodebug_stack_capture(),
                          "Submitted again at (most recent call last):");
    add_loop(r, record->loop);
    aiodebug_record_submit(r);
}


/* -------------------------------------------------------------------------- what is left open */

/* Records of one kind, state and place. */
typedef struct {
    aiodebug_uv_subject_t first;
    const aiodebug_uv_loop_t *loop; /* of all of them; NULL: they differ, or it is not known */
    uint32_t count;
} heap_t;

typedef struct {
    const aiodebug_uv_loop_t *loop; /* NULL: of all */
    heap_t *heaps;
    size_t used, size;
    uint32_t handles, closing, requests;
    bool failed;
} left_t;

enum { STATE = AIODEBUG_UV_REQUEST | AIODEBUG_UV_CLOSING | AIODEBUG_UV_FREED };

static bool same(const aiodebug_uv_subject_t *a, const aiodebug_uv_subject_t *b)
{
    return a->created == b->created && a->type == b->type &&
           (a->flags & STATE) == (b->flags & STATE) &&
           (a->created || a->object == b->object || a->cb == b->cb);
}

static size_t hash_of(const aiodebug_uv_subject_t *subject)
{
    return (subject->created * 64u + subject->type * 4u + (subject->flags & STATE)) * 2654435761u;
}

static bool grow(left_t *left)
{
    size_t size = left->size ? left->size * 2 : 64;
    heap_t *heaps = calloc(size, sizeof *heaps);
    if (!heaps) {
        left->failed = true;
        return false;
    }
    for (size_t i = 0; i < left->size; i++) {
        if (left->heaps[i].count) {
            size_t at = hash_of(&left->heaps[i].first) & (size - 1);
            while (heaps[at].count) {
                at = (at + 1) & (size - 1);
            }
            heaps[at] = left->heaps[i];
        }
    }
    free(left->heaps);
    left->heaps = heaps;
    left->size = size;
    return true;
}

static void gather(aiodebug_uv_record_t *record, void *arg)
{
    left_t *left = arg;
    /* That its memory was freed has been said; a busy loop still has it. */
    unsigned unwanted =
        AIODEBUG_UV_INTERNAL | AIODEBUG_UV_HALF | (left->loop ? 0u : (unsigned)AIODEBUG_UV_FREED);
    if ((left->loop && record->loop != left->loop) || record->flags & unwanted ||
        (left->used * 2 >= left->size && !grow(left))) {
        return;
    }
    aiodebug_uv_subject_t subject = aiodebug_uv_subject(record);
    if (record->flags & AIODEBUG_UV_REQUEST) {
        left->requests++;
    } else {
        left->handles++;
        left->closing += (record->flags & AIODEBUG_UV_CLOSING) != 0;
    }
    size_t at = hash_of(&subject) & (left->size - 1);
    while (left->heaps[at].count && !same(&left->heaps[at].first, &subject)) {
        at = (at + 1) & (left->size - 1);
    }
    if (!left->heaps[at].count) {
        left->heaps[at].first = subject;
        left->heaps[at].loop = record->loop;
        left->used++;
    } else if (left->heaps[at].loop != record->loop) {
        left->heaps[at].loop = NULL;
    }
    left->heaps[at].count++;
}

static int more_first(const void *a, const void *b)
{
    const heap_t *x = a, *y = b;
    if (x->count != y->count) {
        return x->count < y->count ? 1 : -1;
    }
    return x->first.created < y->first.created ? -1 : x->first.created > y->first.created;
}

static void collect(left_t *left)
{
    aiodebug_uv_each(gather, left);
    size_t n = 0;
    for (size_t i = 0; i < left->size; i++) {
        if (left->heaps[i].count) {
            left->heaps[n++] = left->heaps[i];
        }
    }
    if (n) {
        qsort(left->heaps, n, sizeof *left->heaps, more_first);
    }
    left->used = n;
}

static const char *state_of(const aiodebug_uv_subject_t *subject)
{
    return subject->flags & AIODEBUG_UV_REQUEST   ? "pending"
           : subject->flags & AIODEBUG_UV_FREED   ? "open though its memory was freed"
           : subject->flags & AIODEBUG_UV_CLOSING ? "closing: run the loop once more"
                                                  : "open";
}

void aiodebug_check_uv_busy(const aiodebug_uv_loop_t *loop)
{
    enum { SHOWN = 48 };
    char repr[REPR_SIZE];
    left_t left = {.loop = loop};
    if (!aiodebug_config_wants(AIODEBUG_CHECK_LOOP_BUSY_AT_CLOSE, AIODEBUG_LEVEL_WARNING)) {
        return;
    }
    collect(&left);
    aiodebug_record_t *r = left.handles + left.requests
                               ? aiodebug_record_new(AIODEBUG_CHECK_LOOP_BUSY_AT_CLOSE, 0)
                               : NULL;
    if (left.handles) {
        aiodebug_record_message(r, "Loop was closed but %u handle%s still open", left.handles,
                                left.handles == 1 ? " is" : "s are");
    } else {
        aiodebug_record_message(r, "Loop was closed but %u request%s still pending", left.requests,
                                left.requests == 1 ? " is" : "s are");
    }
    aiodebug_uv_loop_repr(loop, repr, sizeof repr);
    aiodebug_record_context(r, "loop", "%s", repr);
    aiodebug_record_loop(r, "%s", repr);
    aiodebug_record_object(r, "uv_loop_t", 0, loop->uv, "%s", repr);
    aiodebug_record_count(r, left.handles ? left.handles : left.requests);
    for (size_t i = 0; i < left.used && i < SHOWN; i++) {
        const heap_t *heap = &left.heaps[i];
        const char *kind = aiodebug_uv_kind(heap->first.type, heap->first.flags);
        if (heap->first.created) {
            aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, heap->first.created,
                                  "%u %s, %s\002; created at (most recent call last):", heap->count,
                                  kind, state_of(&heap->first));
        } else {
            char key[48];
            snprintf(key, sizeof key, "%u %s", heap->count, kind);
            aiodebug_record_context(r, key, "%s, %s",
                                    aiodebug_uv_repr(&heap->first, repr, sizeof repr),
                                    state_of(&heap->first));
        }
    }
    if (left.handles && left.closing == left.handles) {
        aiodebug_record_hint(r, "all of them are closing: run the loop once more, so that their "
                                "close callbacks run, then close it");
    } else if (!left.handles) {
        aiodebug_record_hint(r, "run the loop until their callbacks have run, then close it");
    }
    aiodebug_record_stack(r, AIODEBUG_ROLE_CALL, aiodebug_stack_capture(), NULL);
    aiodebug_record_submit(r);
    free(left.heaps);
}

static void say_left(const heap_t *heap)
{
    char repr[REPR_SIZE];
    bool request = heap->first.flags & AIODEBUG_UV_REQUEST;
    aiodebug_record_t *r;
    if (request) {
        r = aiodebug_record_new(AIODEBUG_CHECK_REQUEST_PENDING_AT_EXIT, 0);
    } else {
        r = aiodebug_record_new(AIODEBUG_CHECK_UNCLOSED_HANDLE, 0);
    }
    if (!r) {
        return;
    }
    aiodebug_uv_repr(&heap->first, repr, sizeof repr);
    if (request) {
        aiodebug_record_message(r, "ResourceWarning: request was still pending at exit %s", repr);
    } else {
        aiodebug_record_message(r, "ResourceWarning: unclosed handle %s", repr);
    }
    if (heap->count > 1) {
        aiodebug_record_context(r, "count", "%u of this kind from one place", heap->count);
    }
    if (heap->first.flags & AIODEBUG_UV_CLOSING) {
        aiodebug_record_hint(r, "it is closing: run the loop once more before the program ends");
    }
    aiodebug_record_count(r, heap->count);
    add_loop(r, heap->loop);
    aiodebug_record_object(r, aiodebug_uv_kind(heap->first.type, heap->first.flags), 0,
                           heap->first.object, "%s", repr);
    aiodebug_record_stack(r, AIODEBUG_ROLE_CREATED, heap->first.created, NULL);
    if (!heap->first.created) {
        aiodebug_record_key(r, (uintptr_t)heap->first.object);
    }
    aiodebug_record_submit(r);
}

void aiodebug_check_uv_left(void)
{
    left_t left = {.loop = NULL};
    if (!aiodebug_config.resource) {
        return;
    }
    collect(&left);
    for (size_t i = 0; i < left.used; i++) {
        say_left(&left.heaps[i]);
    }
    free(left.heaps);
}
