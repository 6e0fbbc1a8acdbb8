/* SPDX-License-Identifier: MIT */
/*
 * What the runtime's files share: the layout of every object, the ready queue, the seams.
 *
 * Objects. Each begins with aiort__object_t. References are counted without atomics, since objects
 * belong to their loop's thread; the two exceptions, errors and thread-safe handles, say so in
 * their flags. An object of a loop holds the loop's memory, so that a future that outlives its
 * loop's close can still report through it. These holds are counted apart from the program's own
 * references on the loop: when the last of those goes, the loop is closed, whatever it still has.
 *
 * The ready queue is a list through the objects themselves: handles and tasks. Scheduling therefore
 * allocates nothing and cannot fail, and a future's done callbacks and waiting tasks, which form
 * the same kind of list, move over as they are when it completes. An object is in one list at most.
 *
 * Memory. Objects of a running loop come from the loop's own pools (object.c), others from malloc.
 */
#ifndef AIORT_INTERNAL_H
#define AIORT_INTERNAL_H

#include "include/aiort.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "context/context.h"
#include "stack.h"

#define AIORT__LIKELY(x) __builtin_expect(!!(x), 1)
#define AIORT__UNLIKELY(x) __builtin_expect(!!(x), 0)
#define AIORT__COLD __attribute__((cold, noinline))
/* What every request or switch goes through. Such functions lie side by side: after a system call
 * little of the code is in the cache still. */
#define AIORT__HOT __attribute__((hot))

/* ---- Objects ---- */

enum { /* aiort__object.flags, for any kind */
    AIORT__POOLED = 1 << 0,     /* memory is from the loop's pool, else from malloc */
    AIORT__SHARED = 1 << 1,     /* references are counted atomically */
    AIORT__CANCELLED = 1 << 2,  /* handle: will not be called */
    AIORT__DONE_CALLBACK = 1 << 3, /* handle: callback is an aiort_done_fn of handle->future */
    AIORT__TIMER = 1 << 4,      /* handle: has a time */
    AIORT__THREADSAFE = 1 << 5, /* handle: from call_soon_threadsafe */
    AIORT__UNRETRIEVED = 1 << 6, /* future: failed, and nobody asked for the error */
    AIORT__IN_CONTEXT = 1 << 6,  /* handle: it is one of contexts.c, called in a context */
    AIORT__BATCHED = 1 << 7,    /* handle: memory is from a batch of threadsafe.c */
    AIORT__QUIET = 1 << 7,      /* task: not reported when it is destroyed pending;
                                   coroutine: not reported as never awaited */

    /* For a future the bits that only handles use mean: */
    AIORT__FAILED = 1 << 2,     /* u.error is meant, in state AIORT_FINISHED */
    AIORT__CLASS_SHIFT = 3,     /* three bits: AIORT__CLASS_* */
};

typedef struct aiort__object {
    uint32_t refs;
    uint8_t kind;
    uint8_t flags;
    uint8_t state;  /* future, coroutine: see there. handle: aiort__in */
    uint8_t queued; /* handle: in the ready queue, or in a future's list */
    uint32_t trace; /* what aiort_instrument_created() returned */
    uint32_t id;
    aiort_loop_t *loop;        /* with a reference; NULL: a coroutine made outside of loops */
    struct aiort__object *next; /* in the ready queue, a future's list or a free list */
} aiort__object_t;

enum { AIORT__IN_NONE, AIORT__IN_TIMERS }; /* aiort_handle_s.object.state, but see threadsafe.c */

struct aiort_handle_s {
    aiort__object_t object;
    aiort_callback_fn callback;
    void *arg;
    union {
        uint64_t when;          /* TIMER: nanoseconds of the loop's clock */
        aiort_future_t *future; /* DONE_CALLBACK: with a reference while it is queued */
        struct aiort__batch *batch; /* BATCHED */
    } u;
    const aiort_site_t *site; /* NULL: one of the runtime's own */
};

struct aiort_future_s {
    aiort__object_t object; /* state: aiort_state_t */
    union {
        void *result;         /* finished without an error */
        aiort_error_t *error; /* failed, or cancelled (then it may be NULL) */
    } u;
    aiort__object_t *first; /* what to schedule when it completes: handles and waiting tasks */
    aiort__object_t *last;  /* means something when first is not NULL */
    const aiort_site_t *completed; /* where, when the macros said so; while it is pending, what made
                                      it, if tools were not told (scope.h) */
};

struct aiort_task_s {
    aiort_future_t future;
    aiort_coroutine_t *coroutine; /* the outermost one; NULL when done */
    aiort_coroutine_t *innermost; /* the one that runs now: the last awaited in place */
    aiort_future_t *waiter;       /* what it waits for, borrowed: the awaiting frame holds it */
    void *sp;                     /* saved; NULL: has not started */
    aiort__stack_t *stack;
    aiort_task_t *following, **link; /* in loop->tasks, while not done; what points to this one */
    char *name;                         /* NULL: "Task-<object.id>" */
    aiort_error_t *cancel_error;        /* carries the message of cancel(msg), or NULL */
    uintptr_t current_error;            /* see aiort__tls */
    struct aiort__context *context;     /* with a reference, may be a box: see context_vars.c;
                                           NULL: nothing was ever set */
    uint32_t cancel_requests;
    uint32_t stack_size; /* bytes; 0: the loop's */
    union {
        struct {
            int32_t throw_code; /* AIORT_ECLOSED while it is being closed */
            uint8_t must_cancel;
            uint8_t abandoned; /* awaited while being closed: never runs again */
            uint16_t unused;
        };
        uint64_t attention; /* all of these: mostly 0, and then one look is enough */
    };
    aiort__fiber_t fiber;
};

enum { /* aiort_coroutine_s.object.state */
    AIORT__CORO_CREATED,
    AIORT__CORO_SCHEDULED, /* a task has it, not started */
    AIORT__CORO_RUNNING,
    AIORT__CORO_DONE
};

/* object.next, which no queue needs here, is the next older of those that nobody awaited (CREATED),
 * and the coroutine that awaits this one in place (RUNNING), or NULL. */
struct aiort_coroutine_s {
    aiort__object_t object;
    aiort_coroutine_fn function;
    void *arg;
    const aiort_site_t *site; /* of AIORT_CORO */
    union {
        aiort_coroutine_t *newer;  /* CREATED: in the list of those that nobody awaited */
        const aiort_site_t *where; /* RUNNING: the await it stands in, NULL when in none */
    } u;
    _Alignas(16) char copy[]; /* the argument, when it was given by value */
};

static inline aiort_coroutine_t *aiort__older(const aiort_coroutine_t *coroutine)
{
    return (aiort_coroutine_t *)coroutine->object.next;
}

static inline aiort_coroutine_t *aiort__awaiter(const aiort_coroutine_t *coroutine)
{
    return (aiort_coroutine_t *)coroutine->object.next;
}

struct aiort_error_s {
    aiort__object_t object; /* SHARED; loop is NULL */
    int code;
    uint32_t nerrors;
    const aiort_site_t *site; /* where it was raised, or NULL */
    aiort_error_t *cause;     /* with a reference, or NULL */
    aiort_error_t **errors;   /* of a group: nerrors, with references, from malloc */
    char message[];
};

/* Objects of the later kinds (scopes) begin with this: only they know how they end, and how they
 * write themselves (as snprintf does). Tools hear nothing of them: their trace is 0. */
typedef struct {
    aiort__object_t object; /* loop is NULL for one made outside of loops, until it is entered */
    void (*destroy)(void *self);
    size_t (*repr)(const void *self, char *buf, size_t size);
} aiort__extended_t;

/* ---- The loop ---- */

enum { AIORT__POOL_SMALL, AIORT__POOL_COROUTINE, AIORT__POOL_TASK, AIORT__POOLS };

/* Handles and futures share a pool. */
#define AIORT__SMALL_SIZE sizeof(aiort_future_t)
#define AIORT__COROUTINE_SIZE sizeof(aiort_coroutine_t)
#define AIORT__TASK_SIZE sizeof(aiort_task_t)

/* In loop->incoming once the loop is closed. */
#define AIORT__INCOMING_CLOSED ((aiort__object_t *)(uintptr_t)1)

typedef struct aiort__pool {
    aiort__object_t *free;
    struct aiort__chunk *chunks;
    char *fresh, *end; /* of the newest chunk, what was never handed out */
    uint32_t nchunks;
} aiort__pool_t;

typedef struct aiort__timer {
    uint64_t when;
    uint64_t tie; /* order among equal times, and the handle, with a reference: see timer.c */
} aiort__timer_t;

/* libuv's handles live apart, since libuv may need them after the loop is closed. */
typedef struct aiort__uv {
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_async_t async;
    uv_prepare_t prepare;
    uv_idle_t idle;      /* only over a given uv_loop_t */
    aiort_loop_t *owner; /* NULL once the loop is closed */
    uint64_t armed;      /* the time the timer is set to; 0: it is not */
    int open;            /* handles not closed yet */
    bool own;            /* loop is ours: it follows this struct */
    uv_loop_t storage;
} aiort__uv_t;

/* What ends with its loop: a watched descriptor, a signal, a bridge to another thread. */
typedef struct aiort__attached {
    struct aiort__attached *previous, *following;
    void (*close)(struct aiort__attached *);
} aiort__attached_t;

struct aiort_loop_s {
    aiort__object_t object;

    /* the scheduler's, hot */
    aiort__object_t *head, **tail; /* the ready queue */
    uint32_t pushed, popped;       /* objects ever put in and taken out; the rest is in it */
    uint32_t limit;                /* what pushed was when this iteration began */
    uint32_t spins; /* iterations left until the next look at clock and selector; 1: stopping */
    uint32_t hooks; /* aiort__seams, AIORT__EMBEDDED, ...: what keeps from the fast paths */
    bool stopping;
    bool closed;
    bool driving;  /* inside run_forever */
    bool embedded; /* over a given uv_loop_t */
    aiort_instrument_pace_t pace;
    uint32_t children; /* objects that hold the loop's memory; object.refs are the program's own */
    aiort_task_t *current;
    void *hub_sp;
    void *nowhere;         /* where a task that ended saves its stack pointer */
    aiort__fiber_t leaving; /* that of a task that ended */
    aiort__stack_t *spare;  /* the stack of one, for the next task to start, or NULL */
    void *running_object;   /* the handle that runs now; while a task runs, see current */
    _Atomic(aiort__object_t *) incoming; /* from call_soon_threadsafe, newest first */
    _Atomic uint32_t wakers;             /* producers that may be about to wake it */
    _Atomic uint32_t batch_size;         /* of the next batch of handles for other threads */
    _Atomic uintptr_t batch;             /* the rest of the newest one: see threadsafe.c */
    _Atomic(void *) owner;               /* &aiort__tls of the thread that runs the loop */

    uint32_t next_id;
    uint32_t spin_limit;
    uint64_t looked; /* when clock and selector were looked at last */
    uint64_t polled;

    aiort__timer_t *timers; /* a 4-ary heap; each four children lie in one cache line */
    void *timers_memory;
    aiort__timer_t *burst, *burst_at, *burst_end; /* see burst.c */
    size_t ntimers, timers_room, cancelled_timers;
    uint32_t next_tie;

    aiort_task_t *tasks, **last_task; /* those not done, oldest first; where the next one goes */
    size_t ntasks;
    aiort_coroutine_t *unstarted; /* newest first */
    aiort__attached_t *attached;  /* newest first */

    aiort__pool_t pools[AIORT__POOLS];
    aiort__stack_pool_t stacks;
    aiort__fiber_t hub_fiber;
    aiort__uv_t *uv;
    aiort_loop_t *outer; /* the loop that ran in this thread before, while running (embedded) */

    aiort_exception_handler_fn handler;
    void *handler_arg;
    double slow_callback_duration; /* negative: not set */
    int tid;
    int debug;
    aiort_executor_t *executor; /* the default one, with a reference; NULL: not made yet */
    bool executor_shut;         /* and none will be */
    char *read_buffer;          /* of its streams: transport_uv.c */
    bool eager_tasks;           /* new tasks start at once: scheduler.c */
    uint32_t reporting;         /* depth of reports that are being handed to a handler */
    struct aiort__eager *eager; /* the task that makes its first step inside of another's */
};

/* ---- What belongs to a thread ---- */

typedef struct {
    aiort_loop_t *running;
    /* The current error outside of tasks: 0, a code shifted left once with the lowest bit set, or a
     * pointer to an aiort_error_t with a reference. */
    uintptr_t current_error;
    struct aiort__context *context; /* outside of tasks: context_vars.c */
} aiort__tls_t;

extern AIORT__HIDDEN _Thread_local aiort__tls_t aiort__tls;

/* ---- Seams ---- */

enum {
    AIORT__SEAM_CREATED = 1 << 0,
    AIORT__SEAM_SCHEDULED = 1 << 1,
    AIORT__SEAM_STEP = 1 << 2,
    AIORT__SEAM_AWAITED = 1 << 3,
    AIORT__SEAM_DESTROYED = 1 << 4,
    AIORT__SEAM_RUNNING = 1 << 5,
    AIORT__SEAM_POLL = 1 << 6,
    AIORT__SEAM_CLOSE = 1 << 7,
    /* Only in loop->hooks: */
    AIORT__EMBEDDED = 1 << 16, /* scheduling must wake a loop that the program runs */
    AIORT__CLOSED = 1 << 17,   /* what loop->closed says */
    AIORT__EAGER = 1 << 18,    /* loop->eager is not NULL */
    AIORT__ALL_EAGER = 1 << 19, /* what loop->eager_tasks says */
};

/* Which of the seams somebody defines besides us; set by the constructor. */
extern AIORT__HIDDEN unsigned aiort__seams;
AIORT__HIDDEN unsigned aiort__seams_find(void);
extern AIORT__HIDDEN const aiort_instrument_api_t aiort__api;

static inline bool aiort__seam(unsigned which)
{
    return AIORT__UNLIKELY(aiort__seams & which);
}

/* The same for one that has a loop at hand. */
static inline bool aiort__hooked(const aiort_loop_t *loop, unsigned which)
{
    return AIORT__UNLIKELY(loop->hooks & which);
}

/* The tool need not be told of the end of this step. */
static inline bool aiort__spared(aiort_loop_t *loop)
{
    if (AIORT__LIKELY(loop->pace.left > 0 && *loop->pace.clock == loop->pace.stood)) {
        loop->pace.left--;
        return true;
    }
    return false;
}

static inline void aiort__created(aiort__object_t *object)
{
    if (aiort__seam(AIORT__SEAM_CREATED)) {
        object->trace = aiort_instrument_created((aiort_kind_t)object->kind, object);
    }
}

/* 0, or the code with which a tool refuses the call. */
static inline int aiort__check_thread(aiort_loop_t *loop, const void *object, const char *function)
{
    void *owner = atomic_load_explicit(&loop->owner, memory_order_relaxed);

    if (AIORT__LIKELY(owner == NULL || owner == (void *)&aiort__tls)) {
        return 0;
    }
    return aiort_instrument_wrong_thread(loop, object, function);
}

/* ---- object.c ---- */

AIORT__HIDDEN void aiort__loop_free(aiort_loop_t *loop); /* loop.c */

AIORT__HIDDEN void *aiort__malloc(size_t size);
AIORT__HIDDEN void *aiort__realloc(void *memory, size_t size);
AIORT__HIDDEN void aiort__free(void *memory);
AIORT__HIDDEN char *aiort__strdup(const char *string);
/* Asks for huge pages in memory that is gone through at random, where it is large enough. */
AIORT__HIDDEN void aiort__huge(void *memory, size_t size);
AIORT__HIDDEN void *aiort__pool_refill(aiort__pool_t *pool, size_t size);
AIORT__HIDDEN void aiort__pools_destroy(aiort_loop_t *loop);
AIORT__HIDDEN void aiort__destroy(aiort__object_t *object);

#if defined(AIORT__FIBER_ASAN)
/* With AddressSanitizer a freed object must be seen as freed: every object has its own malloc. */
#define AIORT__USE_POOLS 0
#else
#define AIORT__USE_POOLS 1
#endif

static inline void *aiort__pool_get(aiort__pool_t *pool, size_t size)
{
    aiort__object_t *object = pool->free;

    if (AIORT__LIKELY(object != NULL)) {
        pool->free = object->next;
        return object;
    }
    return aiort__pool_refill(pool, size);
}

static inline void aiort__pool_put(aiort__pool_t *pool, void *memory)
{
    aiort__object_t *object = memory;

#if AIORT__USE_POOLS
    object->next = pool->free;
    pool->free = object;
#else
    (void)pool;
    aiort__free(object);
#endif
}

static inline void aiort__ref(aiort__object_t *object)
{
    object->refs++;
}

static inline void aiort__unref(aiort__object_t *object)
{
    if (--object->refs == 0) {
        aiort__destroy(object);
    }
}

/* References, kind, flags, state and queued, which many an object is known by at one look. */
static inline uint64_t aiort__head(const aiort__object_t *object)
{
    uint64_t head;

    memcpy(&head, object, sizeof(head));
    return head;
}

/* The second half of these: kind, flags, state and queued. What is read as a whole soon after is
 * written as a whole, or the processor has to wait for the write. */
static inline uint32_t aiort__tail(const aiort__object_t *object)
{
    uint32_t tail;

    memcpy(&tail, &object->kind, sizeof(tail));
    return tail;
}

static inline uint32_t aiort__tail_of(aiort_kind_t kind, uint8_t flags, uint8_t state)
{
    const aiort__object_t object = {.kind = (uint8_t)kind, .flags = flags, .state = state};

    return aiort__tail(&object);
}

static inline void aiort__set_state(aiort__object_t *object, uint8_t state)
{
    uint32_t mask = aiort__tail_of(0, 0, UINT8_MAX);
    uint32_t tail = (aiort__tail(object) & ~mask) | aiort__tail_of(0, 0, state);

    memcpy(&object->kind, &tail, sizeof(tail));
}

static inline uint64_t aiort__head_of(uint32_t refs, aiort_kind_t kind, uint8_t flags,
                                      uint8_t state, uint8_t queued)
{
    const aiort__object_t object = {
        .refs = refs, .kind = (uint8_t)kind, .flags = flags, .state = state, .queued = queued};

    return aiort__head(&object);
}

/* A new object of the loop, with its hold on the loop; its fields after the header are not set. */
static inline void aiort__object_init_as(aiort__object_t *object, aiort_loop_t *loop,
                                         uint64_t head, uint32_t id)
{
    memcpy(object, &head, sizeof(head));
    object->trace = 0;
    object->id = id;
    object->loop = loop;
    loop->children++;
}

static inline void aiort__object_init(aiort__object_t *object, aiort_loop_t *loop,
                                      aiort_kind_t kind, uint8_t flags)
{
    aiort__object_init_as(object, loop, aiort__head_of(1, kind, flags, 0, 0), ++loop->next_id);
}

/* An object gives its hold on the loop's memory back. */
static inline void aiort__loop_release(aiort_loop_t *loop)
{
    if (--loop->children == 0 && AIORT__UNLIKELY(loop->object.refs == 0)) {
        aiort__loop_free(loop);
    }
}


/* ---- error.c ---- */

AIORT__HIDDEN uintptr_t *aiort__current_error_slot(void);
AIORT__HIDDEN void aiort__clear_error_slot(uintptr_t *slot);
/* Remembers code as the current error and returns it; an error object with the same code that is
 * there already stays. */
AIORT__HIDDEN int aiort__fail(int code);
AIORT__HIDDEN void *aiort__fail_null(int code);
/* For NULL where an awaitable belongs: the code AIORT_CORO() or the like has left, if any. */
AIORT__HIDDEN int aiort__not_made(void);
/* fail() with a message: the text is formatted. */
AIORT__HIDDEN int aiort__failf(int code, const char *format, ...) AIORT_PRINTF(2, 3);
/* fail() with an origin: the call that the program made there. message NULL: the code's text. */
AIORT__HIDDEN int aiort__fail_at(const aiort_site_t *site, int code, const char *message);
AIORT__HIDDEN void aiort__set_current_error(aiort_error_t *error);
/* A new reference to the current error when it has this code, else a new error without origin.
 * Never NULL: out of memory gives a static error. */
AIORT__HIDDEN aiort_error_t *aiort__take_error(int code);
AIORT__HIDDEN aiort_error_t *aiort__error_new(const aiort_site_t *site, int code,
                                              const char *message, aiort_error_t *cause);
AIORT__HIDDEN aiort_error_t *aiort__error_newv(const aiort_site_t *site, int code,
                                               const char *format, va_list args);
AIORT__HIDDEN void aiort__error_destroy(aiort_error_t *error);

static inline void aiort__clear_error(void)
{
    aiort_loop_t *loop = aiort__tls.running;
    uintptr_t *slot = loop && loop->current ? &loop->current->current_error
                                            : &aiort__tls.current_error;

    if (AIORT__UNLIKELY(*slot != 0)) {
        aiort__clear_error_slot(slot);
    }
}

/* ---- handle.c, timer.c, threadsafe.c ---- */

/* A handle with two references less than it may need: one, the queue's. NULL: out of memory. */
AIORT__HIDDEN aiort_handle_t *aiort__handle_new(aiort_loop_t *loop, const aiort_site_t *site,
                                                aiort_callback_fn callback, void *arg,
                                                uint8_t flags);
/* A callback that was left by a C++ exception, if any, has been run. */
AIORT__HIDDEN void aiort__handle_left(aiort_loop_t *loop);
/* Runs the handles that are first in the queue, as far as they belong to this iteration. */
AIORT__HIDDEN void aiort__handles_run(aiort_loop_t *loop);
AIORT__HIDDEN int aiort__callback_check(aiort_loop_t *loop, const void *callback,
                                        const char *function);
AIORT__HIDDEN bool aiort__threadsafe_begin(aiort_handle_t *handle);
AIORT__HIDDEN void aiort__threadsafe_end(aiort_handle_t *handle);
AIORT__HIDDEN void aiort__threadsafe_cancel(aiort_handle_t *handle);
AIORT__HIDDEN bool aiort__threadsafe_cancelled(const aiort_handle_t *handle);
/* A call from another thread in two steps, of which the second needs no memory: make the handle, and
 * post it (which takes the reference over, also when it is refused: AIORT_ELOOPCLOSED) or drop it.
 * Posting is for any thread. */
AIORT__HIDDEN aiort_handle_t *aiort__threadsafe_handle(const aiort_site_t *site, aiort_loop_t *loop,
                                                       aiort_callback_fn callback, void *arg);
AIORT__HIDDEN int aiort__threadsafe_post(aiort_handle_t *handle);
AIORT__HIDDEN void aiort__threadsafe_drop(aiort_handle_t *handle);
AIORT__HIDDEN void aiort__threadsafe_free(aiort_handle_t *handle); /* its memory */
AIORT__HIDDEN void aiort__incoming_close(aiort_loop_t *loop);
/* Seconds to nanoseconds; what is not positive gives 0. */
AIORT__HIDDEN uint64_t aiort__nanoseconds(double seconds);
AIORT__HIDDEN void aiort__handle_destroy(aiort_handle_t *handle);
AIORT__HIDDEN int aiort__timer_add(aiort_loop_t *loop, aiort_handle_t *handle);
AIORT__HIDDEN bool aiort__timers_due(aiort_loop_t *loop, uint64_t now);
AIORT__HIDDEN void aiort__timers_destroy(aiort_loop_t *loop);
AIORT__HIDDEN uint64_t aiort__timers_next(aiort_loop_t *loop); /* 0: none */
AIORT__HIDDEN void aiort__incoming_drain(aiort_loop_t *loop);
/* A timer of the runtime's own: no trace, no site. */
AIORT__HIDDEN aiort_handle_t *aiort__timer_start(aiort_loop_t *loop, uint64_t when,
                                                 aiort_callback_fn callback, void *arg);
/* Marks a handle that belongs to the loop's thread as cancelled. */
AIORT__HIDDEN void aiort__handle_cancel(aiort_handle_t *handle);
/* Cancels it and gives the reference back. */
AIORT__HIDDEN void aiort__timer_stop(aiort_handle_t *handle);

AIORT__HIDDEN void aiort__wake_embedded(aiort_loop_t *loop);
/* Tells those who want to hear of it that the object was put into the ready queue. */
AIORT__HIDDEN void aiort__pushed_hook(aiort_loop_t *loop, aiort__object_t *object);

/* How many objects are ready, and how many of them belong to this iteration. */
static inline uint32_t aiort__ready(const aiort_loop_t *loop)
{
    return loop->pushed - loop->popped;
}

static inline uint32_t aiort__remaining(const aiort_loop_t *loop)
{
    return loop->limit - loop->popped;
}

/* Nothing but the queue: nobody is told, and the object does not know. */
static inline void aiort__enqueue(aiort_loop_t *loop, aiort__object_t *object)
{
    object->next = NULL;
    *loop->tail = object;
    loop->tail = &object->next;
    loop->pushed++;
}

static inline void aiort__push(aiort_loop_t *loop, aiort__object_t *object)
{
    object->queued = 1;
    aiort__enqueue(loop, object);
    if (aiort__hooked(loop, AIORT__SEAM_SCHEDULED | AIORT__EMBEDDED)) {
        aiort__pushed_hook(loop, object);
    }
}

/* The object, which is the first, leaves the queue. */
static inline void aiort__pop_first(aiort_loop_t *loop, aiort__object_t *object)
{
    loop->head = object->next;
    if (object->next == NULL) {
        loop->tail = &loop->head;
    }
    loop->popped++;
}

static inline aiort__object_t *aiort__pop(aiort_loop_t *loop)
{
    aiort__object_t *object = loop->head;

    aiort__pop_first(loop, object);
    object->queued = 0;
    return object;
}

/* ---- future.c ---- */

/* What a future is called in reprs. All but the first are aiort__special_t. */
enum { AIORT__CLASS_FUTURE, AIORT__CLASS_GATHERING, AIORT__CLASS_SPECIAL };
AIORT__HIDDEN const char *aiort__class_name(const aiort_future_t *future);

static inline int aiort__class(const aiort_future_t *future)
{
    return (future->object.flags >> AIORT__CLASS_SHIFT) & 7;
}

/*
 * A future that stands for more than itself (gather's, shield's): its memory is from malloc, begins
 * with this and may go on. cancel is called while it is pending and returns what
 * aiort_future_cancel() shall; destroy releases what it holds besides the future's own.
 */
typedef struct {
    aiort_future_t future;
    int (*cancel)(aiort_future_t *future, const char *message);
    void (*destroy)(aiort_future_t *future);
} aiort__special_t;
/* size: of the whole, zeroed behind the header. */
AIORT__HIDDEN void *aiort__special_new(aiort_loop_t *loop, int class, size_t size,
                                       int (*cancel)(aiort_future_t *, const char *),
                                       void (*destroy)(aiort_future_t *));

AIORT__HIDDEN aiort_future_t *aiort__future_new(aiort_loop_t *loop);
static inline void aiort__future_init(aiort_future_t *future, aiort_loop_t *loop, aiort_kind_t kind,
                                      uint8_t flags)
{
    aiort__object_init(&future->object, loop, kind, flags);
    future->u.result = NULL;
    future->first = NULL;
    future->completed = NULL;
}

/* Completes without a check of state, thread or kind. error: the reference is taken over. */
AIORT__HIDDEN void aiort__future_finish(aiort_future_t *future, void *result);
AIORT__HIDDEN void aiort__future_fail(aiort_future_t *future, aiort_error_t *error);
AIORT__HIDDEN void aiort__future_cancelled(aiort_future_t *future, aiort_error_t *error);
/* The outcome of a done future, marked as retrieved, made the current error. */
AIORT__HIDDEN int aiort__future_outcome(aiort_future_t *future, void **result);
AIORT__HIDDEN int aiort__future_cancel(aiort_future_t *future, const char *message);
static inline void aiort__future_link(aiort_future_t *future, aiort__object_t *object)
{
    object->next = NULL;
    if (future->first) {
        future->last->next = object;
    } else {
        future->first = object;
    }
    future->last = object;
}

static inline void aiort__future_append(aiort_future_t *future, aiort__object_t *object)
{
    object->queued = 1;
    aiort__future_link(future, object);
}

/* Schedules what waits for a future whose state was just set. */
AIORT__HIDDEN void aiort__future_complete(aiort_future_t *future);
AIORT__HIDDEN void aiort__future_remove(aiort_future_t *future, aiort__object_t *object);
AIORT__HIDDEN int aiort__future_add_callback(aiort_future_t *future, const aiort_site_t *site,
                                             aiort_done_fn callback, void *arg);
AIORT__HIDDEN void aiort__future_drop(aiort_future_t *future);
AIORT__HIDDEN bool aiort__future_last_words(aiort_future_t *future);
AIORT__HIDDEN void aiort__future_destroy(aiort_future_t *future);

/* ---- coroutine.c, task.c, await.c ---- */

/* From CREATED to the given state; the coroutine leaves the list of unstarted ones. 0, or
 * AIORT_EREUSED, AIORT_EAWAITED. */
AIORT__HIDDEN int aiort__coroutine_claim_slowly(aiort_coroutine_t *coroutine, uint8_t state);

/* The same for the newest of its loop, which it mostly is: cannot fail. */
static inline void aiort__coroutine_claim_newest(aiort_loop_t *loop, aiort_coroutine_t *coroutine,
                                                 uint8_t state)
{
    loop->unstarted = aiort__older(coroutine);
    if (AIORT__UNLIKELY(loop->unstarted != NULL)) {
        loop->unstarted->u.newer = NULL;
    }
    aiort__set_state(&coroutine->object, state);
    coroutine->object.next = NULL;
    coroutine->u.where = NULL;
}

static inline int aiort__coroutine_claim(aiort_coroutine_t *coroutine, uint8_t state)
{
    aiort_loop_t *loop = coroutine->object.loop;

    if (AIORT__UNLIKELY(loop == NULL || loop->unstarted != coroutine)) {
        return aiort__coroutine_claim_slowly(coroutine, state);
    }
    aiort__coroutine_claim_newest(loop, coroutine, state);
    return 0;
}

AIORT__HIDDEN void aiort__coroutine_destroy(aiort_coroutine_t *coroutine);
AIORT__HIDDEN void aiort__coroutine_never_awaited(aiort_coroutine_t *coroutine);
AIORT__HIDDEN void aiort__coroutines_closed(aiort_loop_t *loop);
AIORT__HIDDEN aiort_task_t *aiort__task_new(aiort_loop_t *loop, aiort_coroutine_t *coroutine,
                                            const aiort_task_options_t *options);
/* Out of the list of those that are not done. */
static inline void aiort__task_unlink(aiort_loop_t *loop, aiort_task_t *task)
{
    *task->link = task->following;
    if (task->following) {
        task->following->link = task->link;
    } else {
        loop->last_task = task->link;
    }
    loop->ntasks--;
}

AIORT__HIDDEN void aiort__task_destroy(aiort_task_t *task);

/* Whether there is nothing to say of a task that ended, nor to release but its memory and that of its
 * coroutine, which nobody else has. */
static inline bool aiort__task_plain(const aiort_loop_t *loop, const aiort_task_t *task)
{
    const aiort__object_t *object = &task->future.object;
    const aiort__object_t *coroutine = &task->coroutine->object;
    uint64_t rare = (uintptr_t)task->name | (uintptr_t)task->cancel_error | task->current_error |
                    (uintptr_t)task->context | task->cancel_requests | task->stack_size |
                    task->attention | (uintptr_t)task->future.first;

    return !rare &&
           aiort__tail(object) == aiort__tail_of(AIORT_KIND_TASK, AIORT__POOLED, AIORT_FINISHED) &&
           (object->trace | coroutine->trace) == 0 && coroutine->loop == loop &&
           coroutine->refs == 1 &&
           aiort__tail(coroutine) ==
               aiort__tail_of(AIORT_KIND_COROUTINE, AIORT__POOLED, AIORT__CORO_DONE);
}

/* Gives the memory of both back. */
static inline void aiort__task_put(aiort_loop_t *loop, aiort_task_t *task)
{
    aiort__pool_put(&loop->pools[AIORT__POOL_COROUTINE], task->coroutine);
    aiort__pool_put(&loop->pools[AIORT__POOL_TASK], task);
    loop->children--;
    aiort__loop_release(loop);
}

AIORT__HIDDEN void aiort__task_finish(aiort_task_t *task, int err, void *result);
AIORT__HIDDEN int aiort__task_cancel(aiort_task_t *task, const char *message);
AIORT__HIDDEN void aiort__tasks_close(aiort_loop_t *loop);
AIORT__HIDDEN const char *aiort__task_name(const aiort_task_t *task, char buf[24]);
/* Waits for a future (with a reference of the caller's) and gives its outcome. */
AIORT__HIDDEN int aiort__await_future(aiort_task_t *task, const aiort_site_t *site,
                                      aiort_future_t *future, void **result);
/* The same for one that is pending and of the task's loop, and whose memory is the caller's until the
 * wait is over: 0 when it has completed without an error, and then there is nothing to drop. */
AIORT__HIDDEN int aiort__await_own(aiort_task_t *task, const aiort_site_t *site,
                                   aiort_future_t *future);
/* A future for any awaitable: coroutines become tasks (their reference is taken over), futures and
 * tasks get one more reference. NULL with the current error set. asyncio: ensure_future() */
AIORT__HIDDEN aiort_future_t *aiort__ensure_future(aiort_loop_t *loop,
                                                   aiort_awaitable_t *awaitable);

/* ---- graph_cycle.c ---- */

/* A task waits for another that waits itself: reports it when that leads back to it. */
AIORT__HIDDEN AIORT__COLD void aiort__await_cycle(aiort_task_t *task);

/* ---- scheduler.c ---- */

/* Runs what is ready in this iteration, from the loop's own stack. */
AIORT__HIDDEN void aiort__run_ready(aiort_loop_t *loop);
/* A new task makes its first step now, on its own stack; then whoever made it goes on. */
AIORT__HIDDEN void aiort__start_eagerly(aiort_loop_t *loop, aiort_task_t *task);
/* The running task is closed and awaits again: never returns. */
AIORT__HIDDEN _Noreturn void aiort__abandon(aiort_loop_t *loop, aiort_task_t *task);
/* Resumes a suspended task from the loop's stack until it stops; for closing. */
AIORT__HIDDEN void aiort__resume(aiort_loop_t *loop, aiort_task_t *task);

/* ---- loop.c, poll.c ---- */

AIORT__HIDDEN int aiort__loop_enter(aiort_loop_t *loop);
AIORT__HIDDEN void aiort__loop_leave(aiort_loop_t *loop);
AIORT__HIDDEN void aiort__loop_destroy(aiort_loop_t *loop);
AIORT__HIDDEN int aiort__uv_open(aiort_loop_t *loop, uv_loop_t *given);
AIORT__HIDDEN void aiort__uv_close(aiort_loop_t *loop);
AIORT__HIDDEN void aiort__look(aiort_loop_t *loop);
AIORT__HIDDEN void aiort__uv_hold(aiort_loop_t *loop, bool hold);
AIORT__HIDDEN void aiort__uv_arm(aiort_loop_t *loop, uint64_t now);

static inline uint64_t aiort__now(void)
{
    return uv_hrtime();
}

/* Closes what is attached to the loop, which is closed already. */
AIORT__HIDDEN void aiort__attached_close(aiort_loop_t *loop);
AIORT__HIDDEN void aiort__concurrent_destroy(aiort_concurrent_t *concurrent);
/* A call from another thread will never be made: releases what only it would have. */
AIORT__HIDDEN void aiort__concurrent_dropped(aiort_handle_t *handle);

/* ---- context_vars.c ---- */

/* All of these take NULL for a context in which nothing was ever set. */
AIORT__HIDDEN struct aiort__context *aiort__context_ref(struct aiort__context *context);
AIORT__HIDDEN void aiort__context_unref(struct aiort__context *context);
/* What a new task begins with: a reference to the values, not to the box. */
AIORT__HIDDEN struct aiort__context *aiort__context_take(struct aiort__context *context);

/* ---- contexts.c ---- */

/* From enter to leave, the current task (or thread) has this context; what it had is passed on. */
AIORT__HIDDEN struct aiort__context *aiort__context_enter(struct aiort__context *context);
AIORT__HIDDEN void aiort__context_leave(struct aiort__context *before);
/* The same for a handle with AIORT__IN_CONTEXT. */
AIORT__HIDDEN struct aiort__context *aiort__contextual_enter(const aiort_handle_t *handle);
AIORT__HIDDEN void aiort__contextual_destroy(aiort_handle_t *handle);

/* ---- default_executor.c ---- */

/* At the end of aiort_run(): waits for the default executor's threads while the loop runs. */
AIORT__HIDDEN void aiort__executor_finish(aiort_loop_t *loop);
/* At the loop's close: shuts it down without waiting. */
AIORT__HIDDEN void aiort__executor_close(aiort_loop_t *loop);

/* ---- errorgroup.c ---- */

/* An error group of n errors; takes over the array, which is from malloc, and its references. */
AIORT__HIDDEN aiort_error_t *aiort__error_group(const aiort_site_t *site, const char *message,
                                                aiort_error_t **errors, uint32_t n);

/* ---- report.c, repr.c ---- */

AIORT__HIDDEN void aiort__report(aiort_loop_t *loop, aiort_report_t *report);
/* "f(0x1234) at f.c:5": a handle's callback as "Exception in callback" names it. */
AIORT__HIDDEN size_t aiort__callback_repr(const aiort_handle_t *handle, char *buf, size_t size);

#endif
