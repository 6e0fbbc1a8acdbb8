/* SPDX-License-Identifier: MIT */
/*
 * References, the allocator, and the loop's pools of objects.
 *
 * A pool hands out objects of one size from chunks that it takes from the allocator and keeps until
 * the loop's memory goes, which is after the last object's. Freed objects form a list, last in
 * first out, so that a hot path runs on warm memory. Under AddressSanitizer there are no pools.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif
#ifndef RUNNING_ON_VALGRIND
#define RUNNING_ON_VALGRIND 0
#endif

_Thread_local aiort__tls_t aiort__tls;

static struct {
    uv_malloc_func malloc;
    uv_realloc_func realloc;
    uv_calloc_func calloc;
    uv_free_func free;
} allocator = {malloc, realloc, calloc, free};

int aiort_replace_allocator(uv_malloc_func malloc_func, uv_realloc_func realloc_func,
                            uv_calloc_func calloc_func, uv_free_func free_func)
{
    if (!malloc_func || !realloc_func || !calloc_func || !free_func) {
        return UV_EINVAL;
    }
    allocator.malloc = malloc_func;
    allocator.realloc = realloc_func;
    allocator.calloc = calloc_func;
    allocator.free = free_func;
    return 0;
}

void *aiort__malloc(size_t size)
{
    return allocator.malloc(size);
}

void *aiort__realloc(void *memory, size_t size)
{
    return allocator.realloc(memory, size);
}

void aiort__free(void *memory)
{
    allocator.free(memory);
}

char *aiort__strdup(const char *string)
{
    size_t size = strlen(string) + 1;
    char *copy = aiort__malloc(size);

    return copy ? memcpy(copy, string, size) : NULL;
}

const char *aiort_version(void)
{
    return "0.1.0";
}

/* ---- Pools ---- */

enum { /* with malloc's own header below a power of two */
    CHUNK_FIRST = 4096 - 64,
    CHUNK_SIZE = 64 * 1024 - 64,
    CHUNK_LARGE = 16 * 1024 * 1024 - 64, /* once there are so many objects that pages matter */
    CHUNKS_SMALL = 64,
    HUGE_PAGE = 2 * 1024 * 1024,
};

void aiort__huge(void *memory, size_t size)
{
    uintptr_t begin = ((uintptr_t)memory + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
    uintptr_t end = ((uintptr_t)memory + size) & ~(uintptr_t)(HUGE_PAGE - 1);

    if (end > begin) {
        int saved = errno;
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
        errno = saved;
    }
}

typedef struct aiort__chunk {
    struct aiort__chunk *next;
    _Alignas(16) char memory[];
} chunk_t;

void *aiort__pool_refill(aiort__pool_t *pool, size_t size)
{
    if (!AIORT__USE_POOLS) {
        return aiort__malloc(size);
    }
    if ((size_t)(pool->end - pool->fresh) < size) {
        /* Valgrind sees leaks and wrong uses of single objects when each is a block of its own. */
        size_t room = RUNNING_ON_VALGRIND             ? size
                      : pool->nchunks == 0            ? CHUNK_FIRST /* of what is never used */
                      : pool->nchunks < CHUNKS_SMALL ? CHUNK_SIZE
                                                      : CHUNK_LARGE;
        chunk_t *chunk = aiort__malloc(sizeof(*chunk) + room);
        if (!chunk) {
            return NULL;
        }
        aiort__huge(chunk, room);
        pool->nchunks++;
        chunk->next = pool->chunks;
        pool->chunks = chunk;
        pool->fresh = chunk->memory;
        pool->end = chunk->memory + room;
    }
    void *object = pool->fresh;
    pool->fresh += size;
    return object;
}

void aiort__pools_destroy(aiort_loop_t *loop)
{
    for (int i = 0; i < AIORT__POOLS; i++) {
        chunk_t *chunk = loop->pools[i].chunks;
        while (chunk) {
            chunk_t *next = chunk->next;
            aiort__free(chunk);
            chunk = next;
        }
    }
}

/* ---- References ---- */

static _Atomic uint32_t *shared_refs(aiort__object_t *object)
{
    return (_Atomic uint32_t *)&object->refs;
}

void *aiort_ref(void *object)
{
    aiort__object_t *header = object;

    if (!header) {
        return NULL;
    }
    if (header->flags & AIORT__SHARED) {
        atomic_fetch_add_explicit(shared_refs(header), 1, memory_order_relaxed);
    } else {
        header->refs++;
    }
    return object;
}

/* A future with a result that is only memory any more. */
static inline bool plain_future(const aiort__object_t *object)
{
    return aiort__tail(object) ==
               aiort__tail_of(AIORT_KIND_FUTURE, AIORT__POOLED, AIORT_FINISHED) &&
           object->trace == 0;
}

static inline void last_reference(aiort__object_t *object)
{
    aiort_loop_t *loop = object->loop;

    if (object->kind == AIORT_KIND_TASK && aiort__task_plain(loop, (aiort_task_t *)object)) {
        aiort__task_put(loop, (aiort_task_t *)object);
    } else if (plain_future(object)) {
        aiort__pool_put(&loop->pools[AIORT__POOL_SMALL], object);
        aiort__loop_release(loop);
    } else {
        aiort__destroy(object);
    }
}

__attribute__((noinline)) static void unref_slowly(aiort__object_t *object)
{
    if (object->flags & AIORT__SHARED) {
        /* Release our writes to whoever destroys it; acquire everybody's when that is us. */
        if (atomic_fetch_sub_explicit(shared_refs(object), 1, memory_order_acq_rel) == 1) {
            aiort__destroy(object);
        }
        return;
    }
    if (object->loop) {
        /* A refused call must not lose the reference: the tool has spoken, the count goes on. */
        (void)aiort__check_thread(object->loop, object, "aiort_unref");
    }
    aiort__unref(object);
}

void aiort_unref(void *object)
{
    aiort__object_t *header = object;

    if (!header) {
        return;
    }
    if (AIORT__UNLIKELY(header->flags & AIORT__SHARED || header->loop != aiort__tls.running)) {
        unref_slowly(header);
    } else if (--header->refs == 0) {
        last_reference(header);
    }
}

aiort_kind_t aiort_kind(const void *object)
{
    return (aiort_kind_t)((const aiort__object_t *)object)->kind;
}

void aiort__destroy(aiort__object_t *object)
{
    if (AIORT__UNLIKELY(object->trace != 0) && aiort__seam(AIORT__SEAM_DESTROYED) &&
        object->kind != AIORT_KIND_FUTURE && object->kind != AIORT_KIND_TASK &&
        object->kind != AIORT_KIND_COROUTINE && object->kind != AIORT_KIND_TRANSPORT &&
        object->kind != AIORT_KIND_SERVER) {
        /* Those may report first, or even be kept; they say it themselves. */
        aiort_instrument_destroyed((aiort_kind_t)object->kind, object);
    }
    switch ((aiort_kind_t)object->kind) {
    case AIORT_KIND_HANDLE:
        aiort__handle_destroy((aiort_handle_t *)object);
        return;
    case AIORT_KIND_FUTURE:
        aiort__future_destroy((aiort_future_t *)object);
        return;
    case AIORT_KIND_TASK:
        aiort__task_destroy((aiort_task_t *)object);
        return;
    case AIORT_KIND_COROUTINE:
        aiort__coroutine_destroy((aiort_coroutine_t *)object);
        return;
    case AIORT_KIND_ERROR:
        aiort__error_destroy((aiort_error_t *)object);
        return;
    case AIORT_KIND_LOOP:
        aiort__loop_destroy((aiort_loop_t *)object);
        return;
    case AIORT_KIND_CONCURRENT:
        aiort__concurrent_destroy((aiort_concurrent_t *)object);
        return;
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
        ((aiort__extended_t *)object)->destroy(object);
        return;
    }
}
