/* SPDX-License-Identifier: MIT */
/*
 * What the shim knows of libuv: loops, handles, pending requests, and what each thread does now.
 *
 * A record of 64 bytes stands for each handle from its init to its close callback, and for each
 * request from its submission to its callback. The object carries the record's number in a field
 * that libuv reserves and leaves alone (u.reserved[3] of a handle, reserved[5] of a request); the
 * number is believed only when the record names the same object, so memory that was copied, cleared
 * or never initialised does no harm. Reports come from records alone: real programs leave freed
 * handles in a loop's queue.
 *
 * A record belongs to the loop's thread. It is dropped before the program's close callback or
 * request callback is called, because there the memory may be freed or used again.
 */
#ifndef AIODEBUG_TRACK_UV_H
#define AIODEBUG_TRACK_UV_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <uv.h>

typedef void (*aiodebug_uv_function_t)(void);

/* ---- Loops ---- */

typedef struct aiodebug_uv_loop aiodebug_uv_loop_t;
typedef struct aiodebug_uv_thread aiodebug_uv_thread_t;

struct aiodebug_uv_loop {
    aiodebug_uv_loop_t *next;              /* in its bucket, or of the unused */
    _Atomic(const uv_loop_t *) uv;         /* NULL: unused */
    _Atomic(aiodebug_uv_thread_t *) owner; /* the thread inside uv_run() now, or NULL */
    _Atomic pid_t owner_tid;
    _Atomic uintptr_t frame; /* of the owner's uv_run(), and where that returns to */
    _Atomic(const void *) caller;
    _Atomic uint64_t found;   /* ns: when the owner was last seen to be in its uv_run() */
    _Atomic uint32_t handles; /* open or closing ones */
    uint32_t created;         /* stack */
};

/* The loop's entry, made when there is none: loops are also made where the shim does not look.
 * NULL only without memory. */
aiodebug_uv_loop_t *aiodebug_uv_loop_of(const uv_loop_t *uv);
/* How many there have been in this process. */
uint32_t aiodebug_uv_loops_seen(void);
/* A loop is made at this address: what was known of one there is over. */
aiodebug_uv_loop_t *aiodebug_uv_loop_new(const uv_loop_t *uv, uint32_t created);
/* Whether the loop's owner, another thread, has left uv_run() without anyone seeing it (longjmp()),
 * or has ended; then it is the owner no more. Reads /proc and walks the owner's stack, ten times a
 * second at most: for when there is something to report. */
bool aiodebug_uv_loop_left(aiodebug_uv_loop_t *loop);
/* The loop is closed. */
void aiodebug_uv_loop_gone(const uv_loop_t *uv);

/* ---- Handles and requests ---- */

enum {
    AIODEBUG_UV_REQUEST = 1 << 0,  /* not a handle */
    AIODEBUG_UV_INTERNAL = 1 << 1, /* libaiort's own: timed and checked there */
    AIODEBUG_UV_CLOSING = 1 << 2,
    AIODEBUG_UV_HALF = 1 << 3,   /* nothing is sure: the init failed half-way, the request was
                                    submitted again */
    AIODEBUG_UV_FREED = 1 << 4,  /* its memory was given back: libuv may still use it */
    AIODEBUG_UV_CLOSED = 1 << 5, /* over: of no record, only in what is said of it */
};

/* Which callback of a handle; requests have the first alone, uv_queue_work() two. */
typedef enum {
    AIODEBUG_UV_CB, /* timer, idle, async, poll, signal, ...; read, recv; exit */
    AIODEBUG_UV_CB_ALLOC,
    AIODEBUG_UV_CB_CONNECTION,
    AIODEBUG_UV_CB_CLOSE,
    AIODEBUG_UV_CB_COUNT,
    AIODEBUG_UV_CB_WALK = AIODEBUG_UV_CB_COUNT, /* of no record's own */
    AIODEBUG_UV_CB_AFTER_WORK = AIODEBUG_UV_CB_ALLOC,
} aiodebug_uv_slot_t;

typedef struct {
    _Atomic(const void *) object; /* NULL: unused */
    aiodebug_uv_loop_t *loop;
    aiodebug_uv_function_t cb[AIODEBUG_UV_CB_COUNT]; /* the program's; unused: [0] is the next */
    uint32_t created, closed;                        /* stacks */
    uint32_t number;
    uint8_t type; /* uv_handle_type or uv_req_type */
    uint8_t flags;
    uint16_t size; /* of the handle; of a request: how often it was submitted while pending */
} aiodebug_uv_record_t;

/* The number of the record of the handle that was initialised at this address, 0: none. Reads no
 * memory of the program. */
uint32_t aiodebug_uv_number_at(const uv_handle_t *handle);

enum { AIODEBUG_UV_CHUNK = 1024, AIODEBUG_UV_CHUNKS = 1 << 14 }; /* records a chunk */

extern _Atomic(aiodebug_uv_record_t *) aiodebug_uv_chunks[AIODEBUG_UV_CHUNKS];

/* The record of this number, used or not; NULL when there is none. */
static inline aiodebug_uv_record_t *aiodebug_uv_record(uint32_t number)
{
    if (number / AIODEBUG_UV_CHUNK >= AIODEBUG_UV_CHUNKS || number == 0) {
        return NULL;
    }
    aiodebug_uv_record_t *chunk =
        atomic_load_explicit(&aiodebug_uv_chunks[number / AIODEBUG_UV_CHUNK], memory_order_acquire);
    return chunk ? &chunk[number % AIODEBUG_UV_CHUNK] : NULL;
}

enum { AIODEBUG_UV_MARK = 0xa5, AIODEBUG_UV_MARK_BITS = 8 }; /* with a number, what objects carry */

/* The record that the object's mark names, if that one names the object. */
static inline aiodebug_uv_record_t *aiodebug_uv_marked(const void *mark, const void *object)
{
    uintptr_t bits = (uintptr_t)mark;
    if ((bits & ((1 << AIODEBUG_UV_MARK_BITS) - 1)) != AIODEBUG_UV_MARK || bits >> 40) {
        return NULL;
    }
    aiodebug_uv_record_t *record = aiodebug_uv_record((uint32_t)(bits >> AIODEBUG_UV_MARK_BITS));
    return record && atomic_load_explicit(&record->object, memory_order_relaxed) == object ? record
                                                                                           : NULL;
}

aiodebug_uv_record_t *aiodebug_uv_handle_lost(const uv_handle_t *handle);

/* The handle's; NULL when it was never seen. Reads the handle's memory. */
static inline aiodebug_uv_record_t *aiodebug_uv_handle(const uv_handle_t *handle)
{
    aiodebug_uv_record_t *record = aiodebug_uv_marked(handle->u.reserved[3], handle);
    return __builtin_expect(record != NULL, 1) ? record : aiodebug_uv_handle_lost(handle);
}

/* The pending request's; NULL when it is not pending. Reads the request's memory. */
static inline aiodebug_uv_record_t *aiodebug_uv_request(const uv_req_t *request)
{
    aiodebug_uv_record_t *record = aiodebug_uv_marked(request->reserved[5], request);
    return record && record->flags & AIODEBUG_UV_REQUEST ? record : NULL;
}

/* The same for one that must be pending, should its number have been overwritten meanwhile. */
aiodebug_uv_record_t *aiodebug_uv_request_lost(const uv_req_t *request);

/* New records, marked in the object. NULL without memory. The handle is initialised. */
aiodebug_uv_record_t *aiodebug_uv_handle_add(uv_handle_t *handle, size_t size, uint32_t created,
                                             unsigned flags);
aiodebug_uv_record_t *aiodebug_uv_request_add(uv_req_t *request, aiodebug_uv_loop_t *loop,
                                              uv_req_type type, aiodebug_uv_function_t cb,
                                              uint32_t created, unsigned flags);
/* The object is over; its memory is not touched. */
void aiodebug_uv_drop(aiodebug_uv_record_t *record);

/* Every record in use, in no order. Those of loops that run in other threads may change meanwhile.
 */
void aiodebug_uv_each(void (*fn)(aiodebug_uv_record_t *record, void *arg), void *arg);

/* ---- What was closed lately: a table without promise, for "closed twice" ---- */

typedef struct {
    const void *object;
    uint32_t created, closed;
    uint8_t type;
} aiodebug_uv_closed_t;

void aiodebug_uv_closed_note(const aiodebug_uv_record_t *record);
void aiodebug_uv_closed_forget(const void *object);
/* NULL: not known to be closed. In this thread only. */
const aiodebug_uv_closed_t *aiodebug_uv_closed_find(const void *object);

/* ---- Threads ---- */

enum { AIODEBUG_UV_DEAREST = 3 };

/* A callback of the program's that runs, or did until now: nobody waits for its end. */
typedef struct {
    aiodebug_uv_function_t cb; /* NULL: none runs */
    uint64_t start;            /* ticks */
    uint64_t excused;          /* the thread's at the start */
    const void *object;
    uint32_t created;
    uint8_t type, flags, slot;
} aiodebug_uv_call_t;

typedef struct {
    aiodebug_uv_call_t call;
    const void *back; /* where in libuv a callback of this thread returned or will return to */
} aiodebug_uv_callback_t;

typedef struct {
    uint64_t took;
    const void *object;
    aiodebug_uv_function_t cb;
    uint32_t created;
    uint8_t type, flags, slot;
} aiodebug_uv_dear_t;

/* A uv_run() that runs. Not on a stack: longjmp() may leave it behind, to be used once more. What
 * each of them needs comes first; the rest is for one inside of another. */
typedef struct aiodebug_uv_run {
    _Alignas(64) uintptr_t frame; /* of the wrapper */
    const void *caller;           /* return address */
    aiodebug_uv_loop_t *loop;
    aiodebug_uv_thread_t *owner_before; /* of the loop */
    uint64_t turn_start;                /* ticks; the turn: between two polls */
    uint64_t excused;                   /* the thread's at the turn's start */
    uint32_t callbacks;                 /* of a turn that is reported */
    uint32_t callbacks_before;          /* of the turn around this run */
    uint8_t dears;                      /* of the turn */
    bool internal;                      /* libaiort runs it */
    bool in_callback;                   /* `outer` says in which */

    aiodebug_uv_callback_t outer;
    pid_t owner_tid_before;
    uintptr_t frame_before;
    const void *caller_before;
    aiodebug_uv_dear_t dearest[AIODEBUG_UV_DEAREST]; /* the dearest first */
} aiodebug_uv_run_t;

enum { AIODEBUG_UV_RUNS = 16 }; /* one in another; more are not watched */

/* What each callback needs comes first: after a system call little of it is in the cache. */
struct aiodebug_uv_thread {
    aiodebug_uv_run_t *run; /* the innermost, or NULL */
    uint64_t last;  /* ticks, when the counter was read: at the end of a callback or of the poll */
    uint64_t stood; /* the coarse clock, then */
    uint64_t excused;   /* ticks that were reported already, or were the shim's own; only grows */
    uint32_t unread;    /* so many callbacks more may end without the counter being read */
    bool exact;         /* this turn takes long: none may */
    uint32_t callbacks; /* of the turn */
    uint32_t unused, unused_count; /* records ready for use */
    aiodebug_uv_callback_t now;
    aiodebug_uv_run_t *runs; /* AIODEBUG_UV_RUNS of them, the outermost first */
    const uv_loop_t *cached_uv;
    aiodebug_uv_loop_t *cached_loop;
    aiodebug_uv_closed_t *closed;
};

extern _Thread_local aiodebug_uv_thread_t aiodebug_uv_self
    __attribute__((tls_model("initial-exec")));

/* ---- Records, where nothing is unusual ---- */

enum { AIODEBUG_UV_KEPT = 64 * 32 }; /* unused ones that a thread keeps: writes of one turn */

/* One of the thread's unused records; NULL: it has none. */
static inline aiodebug_uv_record_t *aiodebug_uv_take(void)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    aiodebug_uv_record_t *record = aiodebug_uv_record(self->unused);
    if (__builtin_expect(record != NULL, 1)) {
        self->unused = (uint32_t)(uintptr_t)record->cb[0];
        self->unused_count--;
        __builtin_prefetch(aiodebug_uv_record(self->unused), 1);
    }
    return record;
}

/* Back to them. What it says stays until it is used again, but for the first callback. */
static inline void aiodebug_uv_put(aiodebug_uv_record_t *record)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    record->cb[0] = (aiodebug_uv_function_t)(uintptr_t)self->unused;
    self->unused = record->number;
    self->unused_count++;
}

static inline void aiodebug_uv_fill(aiodebug_uv_record_t *record, const void *object,
                                    aiodebug_uv_loop_t *loop, int type, aiodebug_uv_function_t cb,
                                    uint32_t created, unsigned flags, size_t size)
{
    record->loop = loop;
    record->cb[AIODEBUG_UV_CB] = cb;
    for (int i = AIODEBUG_UV_CB + 1; i < AIODEBUG_UV_CB_COUNT; i++) {
        record->cb[i] = NULL;
    }
    record->created = created;
    record->closed = 0;
    record->type = (uint8_t)type;
    record->flags = (uint8_t)flags;
    record->size = (uint16_t)size;
    atomic_store_explicit(&record->object, object, memory_order_release);
}

static inline void *aiodebug_uv_mark(const aiodebug_uv_record_t *record)
{
    return (void *)((uintptr_t)record->number << AIODEBUG_UV_MARK_BITS | AIODEBUG_UV_MARK);
}

/* aiodebug_uv_request_add() with what the thread has; NULL: it has nothing. */
static inline aiodebug_uv_record_t *aiodebug_uv_request_begin(uv_req_t *request,
                                                              aiodebug_uv_loop_t *loop,
                                                              uv_req_type type,
                                                              aiodebug_uv_function_t cb,
                                                              uint32_t created, unsigned flags)
{
    aiodebug_uv_record_t *record = aiodebug_uv_take();
    if (__builtin_expect(record != NULL, 1)) {
        aiodebug_uv_fill(record, request, loop, type, cb, created, flags | AIODEBUG_UV_REQUEST, 0);
        request->reserved[5] = aiodebug_uv_mark(record);
    }
    return record;
}

/* aiodebug_uv_drop() of a request, of which only the loop's thread knows; if it may be. */
static inline bool aiodebug_uv_request_may_end(const aiodebug_uv_record_t *record)
{
    return record->size == 0 && aiodebug_uv_self.unused_count < AIODEBUG_UV_KEPT;
}

static inline void aiodebug_uv_request_end(aiodebug_uv_record_t *record)
{
    atomic_store_explicit(&record->object, NULL, memory_order_relaxed);
    aiodebug_uv_put(record);
}

/* A module's code, or a part of it. */
typedef struct {
    uintptr_t low, size;
} aiodebug_uv_code_t;

/* libuv's code, the shim's, and libaiort's, whose calls are the runtime's own. Empty: not known. */
extern aiodebug_uv_code_t aiodebug_uv_code, aiodebug_uv_own_code, aiodebug_uv_runtime_code;

/* Whether the address lies in it. Another thread may just be finding out where that is. */
static inline bool aiodebug_uv_in_code(const void *address, const aiodebug_uv_code_t *code)
{
    return (uintptr_t)address - __atomic_load_n(&code->low, __ATOMIC_RELAXED) <
           __atomic_load_n(&code->size, __ATOMIC_RELAXED);
}

static inline void aiodebug_uv_set_code(aiodebug_uv_code_t *code, aiodebug_uv_code_t is)
{
    __atomic_store_n(&code->low, is.low, __ATOMIC_RELAXED);
    __atomic_store_n(&code->size, is.size, __ATOMIC_RELAXED);
}

static inline bool aiodebug_uv_from_runtime(const void *return_address)
{
    return aiodebug_uv_in_code(return_address, &aiodebug_uv_runtime_code);
}

/* The code of the module that this address lies in. */
aiodebug_uv_code_t aiodebug_uv_code_at(const void *address);
void aiodebug_uv_runtime_at(const void *address);

/* Ticks from which a callback is slow, a turn is slow, and a callback is worth remembering among
 * the turn's dearest; INT64_MAX: never. Set when the shim starts. */
extern int64_t aiodebug_uv_slow, aiodebug_uv_slow_turn, aiodebug_uv_notable;
/* How many callbacks may end, one after the other, with the coarse clock alone being looked at; 0:
 * the thresholds are too small for it. */
extern uint32_t aiodebug_uv_unread;
/* Ticks from which a threshold can be left to the coarse clock. */
extern int64_t aiodebug_uv_fine;
/* The counter was read, which is `now`, at the end of a callback or step that took so long at most,
 * the coarse clock having been `stood` when it was read before. True: the turn takes long and may
 * become slow, what it does further is to be timed exactly. */
bool aiodebug_uv_exact_from(uint64_t now, uint64_t turn_start, int64_t took, uint64_t stood);
/* Ticks that a callback has taken for the most part itself, whenever since the counter was read it
 * began. */
extern int64_t aiodebug_uv_sure;
/* Ticks from which a poll may be worth a record; and whether that is so little that it must be
 * known when the poll began, not only since when the coarse clock has stood still. */
extern int64_t aiodebug_uv_notable_poll;
extern bool aiodebug_uv_exact_polls;

void aiodebug_uv_start(void);

/* Ends the runs that longjmp() left behind, as seen from this frame. */
void aiodebug_uv_runs_left(uintptr_t frame);
/* uv_run() begins, by the wrapper with this frame; NULL: not watched. */
aiodebug_uv_run_t *aiodebug_uv_run_begin(aiodebug_uv_loop_t *loop, uintptr_t frame,
                                         const void *caller);
void aiodebug_uv_run_end(aiodebug_uv_run_t *run);

/* Async-signal-safe. */
void aiodebug_uv_after_fork_child(void);

#endif
