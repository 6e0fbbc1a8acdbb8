/* SPDX-License-Identifier: MIT */
/*
 * aiort.h - asyncio's programming model for C, on libuv.
 *
 * This header is the manual. It reads in this order:
 *
 *   1. errors            negative integers with a name and a text; aiort_raise() adds a message
 *   2. objects           every object counts its references: aiort_ref(), aiort_unref()
 *   3. sites             the macros record where in your program a call stands
 *   4. the loop          run it, stop it, close it; runners
 *   5. callbacks         call_soon, call_later, call_at, call_soon_threadsafe
 *   6. futures           a result that is not there yet
 *   7. coroutines, tasks functions that may wait: await, sleep, cancel
 *   7b several at once   gather, wait, shield, as_completed
 *   7c other threads     coroutines from other threads, blocking work in threads
 *   7d descriptors       readers, writers, signals
 *   8. reports           what goes wrong where nobody looks: the exception handler
 *   9. timeouts          wait_for, and a block of code with a deadline
 *  10. task groups       tasks that end together
 *  11. synchronisation   events, locks, conditions, semaphores, barriers
 *  11b queues            first in first out, last in first out, by priority
 *  12. executors         threads of the program's own for blocking work
 *  13. context variables values that flow from a task into those it makes
 *  13b contexts          these values as an object, to copy and to run in
 *  13c call graphs       who waits for whom, and where
 *  14. streams           connections: readers, writers, transports
 *  15. servers           a coroutine for each connection that comes in
 *  16. pipes             pipes, standard input and output as streams
 *  17. instrumentation   the stable interface for debuggers and profilers (libaiodebug uses it)
 *
 * How to read a contract. Each function says one of
 *
 *   never suspends   returns before any other task runs
 *   SUSPENDS         other tasks run meanwhile; only inside a task
 *   any thread       may be called from any thread at any time
 *
 * A function that does not say "any thread" belongs to the thread that runs the loop (or, while
 * the loop does not run, to one thread at a time). Seconds are doubles. Where a function mirrors
 * asyncio, its name there is given as "asyncio: ...".
 *
 * Functions return 0 (or a count) or a negative error code; those that return a pointer return
 * NULL and leave the code in aiort_last_error(). Out of memory is UV_ENOMEM, never an abort.
 */
#ifndef AIORT_H
#define AIORT_H

/* <uv.h> uses POSIX types, which strict modes (-std=c11) hide unless they are asked for. */
#if defined(__STRICT_ANSI__) && !defined(_GNU_SOURCE) && !defined(_DEFAULT_SOURCE) &&               \
    !defined(_POSIX_C_SOURCE) && !defined(_XOPEN_SOURCE)
#define _POSIX_C_SOURCE 200809L
#endif

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <uv.h>

#if defined(__GNUC__)
#define AIORT_EXTERN __attribute__((visibility("default")))
#define AIORT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#error "aiort.h needs gcc or clang (statement expressions)"
#endif

#ifdef __cplusplus
extern "C" {
#endif

#define AIORT_VERSION_MAJOR 0
#define AIORT_VERSION_MINOR 1
#define AIORT_VERSION_PATCH 0

/* The version of the library at run time, as "0.1.0". any thread. */
AIORT_EXTERN const char *aiort_version(void);

/* ---- 1. Errors -------------------------------------------------------------------------- */

/*
 * libuv's codes (UV_ECANCELED, UV_ETIMEDOUT, UV_EINVAL, ...) where libuv has one, and these where
 * it has none. The texts are asyncio's.
 */
#define AIORT_ERRNO_MAP(XX)                                                                        \
    XX(EINVALIDSTATE, -7001, "invalid state")                                                      \
    XX(ENOTSET, -7002, "Result is not set.")                                                       \
    XX(ELOOPCLOSED, -7003, "Event loop is closed")                                                 \
    XX(ELOOPRUNNING, -7004, "This event loop is already running")                                  \
    XX(EOTHERRUNNING, -7005, "Cannot run the event loop while another loop is running")            \
    XX(ECLOSERUNNING, -7006, "Cannot close a running event loop")                                  \
    XX(ENOLOOP, -7007, "no running event loop")                                                    \
    XX(ENOTASK, -7008, "not inside a task")                                                        \
    XX(ESELFAWAIT, -7009, "Task cannot await on itself")                                           \
    XX(EOTHERLOOP, -7010, "attached to a different loop")                                          \
    XX(EWRONGTHREAD, -7011,                                                                        \
       "Non-thread-safe operation invoked on an event loop other than the current one")            \
    XX(ESTOPPED, -7012, "Event loop stopped before Future completed.")                             \
    XX(EREUSED, -7013, "cannot reuse already awaited coroutine")                                   \
    XX(EAWAITED, -7014, "coroutine is being awaited already")                                      \
    XX(ECLOSED, -7015, "coroutine is being closed")                                                \
    XX(ETASKRESULT, -7016, "Task does not support set_result operation")                           \
    XX(EBADAWAIT, -7017, "An aiort_future_t, a coroutine or a task is required")                   \
    XX(EIGNOREDCLOSE, -7018, "coroutine ignored GeneratorExit")                                    \
    XX(ERUNNINGLOOP, -7019, "aiort_run() cannot be called from a running event loop")              \
    XX(EEMPTY, -7020, "Set of Tasks/Futures is empty.")                                            \
    XX(EGROUP, -7021, "unhandled errors in a TaskGroup")                                           \
    XX(ESHUTDOWN, -7022, "Executor shutdown has been called")                                      \
    XX(EMISUSE, -7023, "operation not allowed in this state")                                      \
    XX(EBROKEN, -7024, "Barrier is broken")                                                        \
    XX(EINCOMPLETE, -7025, "the end came before all that was to be read")                          \
    XX(ELIMIT, -7026, "more than the limit of the reader")                                         \
    XX(EQUEUEEMPTY, -7027, "Queue is empty")                                                       \
    XX(EQUEUEFULL, -7028, "Queue is full")                                                         \
    XX(EQUEUESHUTDOWN, -7029, "Queue has been shut down")                                          \
    XX(EINTERRUPTED, -7030, "KeyboardInterrupt")

enum {
#define AIORT_ERRNO_ENUM(name, code, text) AIORT_##name = (code),
    AIORT_ERRNO_MAP(AIORT_ERRNO_ENUM)
#undef AIORT_ERRNO_ENUM
        AIORT_ERRNO_LAST = -7031
};

/* The name of a code ("EINVAL", "ELOOPCLOSED"); "E12345" for a code that is nobody's. any thread. */
AIORT_EXTERN const char *aiort_err_name(int code);

/* The text of a code. any thread. */
AIORT_EXTERN const char *aiort_strerror(int code);

/* ---- 2. Objects -------------------------------------------------------------------------- */

typedef struct aiort_loop_s aiort_loop_t;           /* asyncio: AbstractEventLoop */
typedef struct aiort_handle_s aiort_handle_t;       /* asyncio: Handle, TimerHandle */
typedef struct aiort_future_s aiort_future_t;       /* asyncio: Future */
typedef struct aiort_task_s aiort_task_t;           /* asyncio: Task; it is a future too */
typedef struct aiort_coroutine_s aiort_coroutine_t; /* asyncio: coroutine object */
typedef struct aiort_error_s aiort_error_t;         /* asyncio: the exception object */
typedef struct aiort_awaitable_s aiort_awaitable_t; /* any of future, task, coroutine */
typedef struct aiort_context_s aiort_context_t;     /* asyncio: contextvars.Context */

typedef enum {
    AIORT_KIND_LOOP = 1,
    AIORT_KIND_HANDLE = 2,
    AIORT_KIND_FUTURE = 3,
    AIORT_KIND_TASK = 4,
    AIORT_KIND_COROUTINE = 5,
    AIORT_KIND_ERROR = 6,
    AIORT_KIND_CONCURRENT = 7,
    AIORT_KIND_TIMEOUT = 8,
    AIORT_KIND_TASK_GROUP = 9,
    AIORT_KIND_EVENT = 10,
    AIORT_KIND_LOCK = 11,
    AIORT_KIND_CONDITION = 12,
    AIORT_KIND_SEMAPHORE = 13,
    AIORT_KIND_BARRIER = 14,
    AIORT_KIND_EXECUTOR = 15,
    AIORT_KIND_CONTEXT_VAR = 16,
    AIORT_KIND_STREAM_READER = 17,
    AIORT_KIND_STREAM_WRITER = 18,
    AIORT_KIND_TRANSPORT = 19,
    AIORT_KIND_SERVER = 20,
    AIORT_KIND_PROCESS = 21,
    AIORT_KIND_DATAGRAM = 22,
    AIORT_KIND_WATCHER = 23,
    AIORT_KIND_QUEUE = 24,
    AIORT_KIND_CONTEXT = 25,
    AIORT_KIND_RUNNER = 26,
    AIORT_KIND_CALL_GRAPH = 27
} aiort_kind_t;

/*
 * Takes one more reference to any object above and returns it; NULL gives NULL.
 * never suspends. The creator of an object holds one reference.
 */
AIORT_EXTERN void *aiort_ref(void *object);

/*
 * Gives one reference back; the last one destroys the object, which may report what was wrong with
 * it (a pending task, an error nobody retrieved, a coroutine nobody awaited). NULL is ignored.
 * never suspends.
 */
AIORT_EXTERN void aiort_unref(void *object);

/* What kind of object this is. never suspends. */
AIORT_EXTERN aiort_kind_t aiort_kind(const void *object);

/*
 * Writes asyncio's repr of any object ("<Task pending name='Task-2' coro=<...>>") into buf, at most
 * size bytes including the NUL, and returns the length it would have had, as snprintf does.
 * Under libaiodebug it says "created at" too. never suspends. asyncio: repr()
 */
AIORT_EXTERN size_t aiort_repr(const void *object, char *buf, size_t size);

/*
 * Replaces malloc, calloc, realloc and free for everything the library allocates from now on (not
 * libuv: see uv_replace_allocator). To be called before anything else of the library. Returns
 * UV_EINVAL when one is NULL.
 */
AIORT_EXTERN int aiort_replace_allocator(uv_malloc_func malloc_func, uv_realloc_func realloc_func,
                                         uv_calloc_func calloc_func, uv_free_func free_func);

/* ---- 3. Sites ---------------------------------------------------------------------------- */

/*
 * Where in the program a call stands. The macros below record one for each call, at no cost, so
 * that even a stripped binary can say which coroutine a task runs and at which line it waits.
 */
typedef struct {
    const char *file;
    const char *function;
    const char *what; /* the text of the function that was named there, or NULL */
    int line;
} aiort_site_t;

#define AIORT_SITE(what_)                                                                          \
    (__extension__({                                                                               \
        static const aiort_site_t aiort_site_ = {__FILE__, __func__, what_, __LINE__};             \
        &aiort_site_;                                                                              \
    }))

/*
 * A call in a macro below. What follows the call keeps the compiler from making it a jump, so that
 * the calling function is still on the stack: a traceback names it.
 */
#define AIORT__CONCAT_(a, b) a##b
#define AIORT__CONCAT(a, b) AIORT__CONCAT_(a, b)
#define AIORT__CALL(type, ...) AIORT__CALL_(type, __COUNTER__, __VA_ARGS__)
#define AIORT__CALL_(type, n, ...)                                                                 \
    (__extension__({                                                                               \
        type AIORT__CONCAT(aiort_result_, n) = (__VA_ARGS__);                                      \
        __asm__ volatile("");                                                                      \
        AIORT__CONCAT(aiort_result_, n);                                                           \
    }))

/* ---- 1b. Raising ------------------------------------------------------------------------- */

/*
 * Makes an error with a message, remembers it as the current error of this task (or thread), and
 * returns its code, so that a coroutine or a callback says
 *
 *     return aiort_raise(UV_EINVAL, "bad header: %d", n);
 *
 * The code must be negative; anything else becomes UV_EINVAL. The future that ends up with the code
 * keeps message and origin. A coroutine may also just return a code. any thread, never suspends.
 * asyncio: raise
 */
#define aiort_raise(...)                                                                           \
    AIORT__CALL(int, aiort_raise_at(AIORT_SITE(NULL), __VA_ARGS__))
AIORT_EXTERN int aiort_raise_at(const aiort_site_t *site, int code, const char *format, ...)
    AIORT_PRINTF(3, 4);

/*
 * The same with a cause: the error that a failed await or call left as the current one
 * (aiort_current_error()), which reports print above it. asyncio: raise ... from ...
 */
#define aiort_raise_from(...)                                                                      \
    AIORT__CALL(int, aiort_raise_from_at(AIORT_SITE(NULL), __VA_ARGS__))
AIORT_EXTERN int aiort_raise_from_at(const aiort_site_t *site, aiort_error_t *cause, int code,
                                     const char *format, ...) AIORT_PRINTF(4, 5);

/*
 * The code of the last failure in this task (or thread, outside a task), 0 when there was none.
 * This is where functions that return NULL leave their code. any thread.
 */
AIORT_EXTERN int aiort_last_error(void);

/*
 * The last failure itself: message, origin, cause. Borrowed: valid until the next call into the
 * library by this task; aiort_ref() to keep it. NULL when there is none. any thread.
 */
AIORT_EXTERN aiort_error_t *aiort_current_error(void);

AIORT_EXTERN int aiort_error_code(const aiort_error_t *error);
AIORT_EXTERN const char *aiort_error_message(const aiort_error_t *error); /* never NULL */
AIORT_EXTERN aiort_error_t *aiort_error_cause(const aiort_error_t *error); /* borrowed, or NULL */
AIORT_EXTERN const aiort_site_t *aiort_error_site(const aiort_error_t *error); /* or NULL */

/* ---- 4. The loop ------------------------------------------------------------------------- */

typedef struct {
    uv_loop_t *uv_loop; /* run over this loop, which stays the caller's; NULL: an own one */
    size_t stack_size;  /* bytes of a task's stack, rounded up to pages; 0: 64 KiB */
    int debug;          /* 1: as aiort_loop_set_debug(loop, 1); 0: leave as it is */
} aiort_loop_options_t;

/*
 * Makes a loop; options may be NULL. NULL: UV_ENOMEM or libuv's error. never suspends.
 *
 * Over a given uv_loop_t, either aiort_loop_run_forever() or the program's own uv_run() drives it:
 * tasks and callbacks run in both. With uv_run(), timers and ready callbacks keep uv_run() going, a
 * pending task alone does not. asyncio: new_event_loop()
 */
AIORT_EXTERN aiort_loop_t *aiort_loop_new(const aiort_loop_options_t *options);

/*
 * Closes the loop. Every task still pending is destroyed, and reported: a suspended coroutine gets
 * AIORT_ECLOSED from its await, so that it can release what it holds. Callbacks still queued are
 * dropped. A second close does nothing. AIORT_ECLOSERUNNING while it runs; UV_EBUSY is never
 * returned: handles that the program opened itself in a given uv_loop_t are left alone.
 * never suspends. The memory goes with the last aiort_unref(). asyncio: loop.close()
 */
AIORT_EXTERN int aiort_loop_close(aiort_loop_t *loop);

/*
 * Runs until aiort_loop_stop(). Errors: AIORT_ELOOPCLOSED, AIORT_ELOOPRUNNING,
 * AIORT_EOTHERRUNNING. Not inside a task. asyncio: loop.run_forever()
 */
AIORT_EXTERN int aiort_loop_run_forever(aiort_loop_t *loop);

/*
 * Runs until the awaitable is done and returns its outcome: 0 with *result (result may be NULL), or
 * its error, which counts as retrieved. A coroutine is wrapped in a task, its reference is taken
 * over. Errors of its own: those of run_forever, AIORT_ESTOPPED, AIORT_EOTHERLOOP.
 * asyncio: loop.run_until_complete()
 */
#define aiort_loop_run_until_complete(loop, awaitable, result)                                     \
    AIORT__CALL(int, aiort_loop_run_until_complete_at(AIORT_SITE(NULL),                            \
                (loop), AIORT_AWAITABLE(awaitable), (result)))
AIORT_EXTERN int aiort_loop_run_until_complete_at(const aiort_site_t *site, aiort_loop_t *loop,
                                                  aiort_awaitable_t *awaitable, void **result);

/*
 * Lets the loop end after the current iteration; the callbacks of this iteration still run. On a
 * loop that does not run, the next run makes one iteration. asyncio: loop.stop()
 */
AIORT_EXTERN int aiort_loop_stop(aiort_loop_t *loop);

/* The loop's monotonic clock, in seconds. any thread. asyncio: loop.time() */
AIORT_EXTERN double aiort_loop_time(const aiort_loop_t *loop);
AIORT_EXTERN int aiort_loop_is_running(const aiort_loop_t *loop); /* any thread */
AIORT_EXTERN int aiort_loop_is_closed(const aiort_loop_t *loop);  /* any thread */

/* The uv_loop_t below, for the program's own handles. Borrowed. any thread. */
AIORT_EXTERN uv_loop_t *aiort_loop_uv(aiort_loop_t *loop);

/* The loop that runs in this thread, borrowed; NULL when none does (AIORT_ENOLOOP). any thread.
 * asyncio: get_running_loop() */
AIORT_EXTERN aiort_loop_t *aiort_get_running_loop(void);

/*
 * Makes a loop, runs the coroutine in it, cancels the tasks that are left, waits for them and for the
 * default executor's threads, closes the loop. Returns the coroutine's outcome. Takes the
 * coroutine's reference over, also when it fails. AIORT_ERUNNINGLOOP inside a running loop.
 *
 * Ctrl-C: in the process's main thread, and where SIGINT is not set to anything, the first SIGINT
 * cancels the coroutine, and this returns AIORT_EINTERRUPTED when it ends by that; the second one
 * ends the process. asyncio: asyncio.run()
 */
#define aiort_run(coroutine, result)                                                               \
    AIORT__CALL(int, aiort_run_at(AIORT_SITE(NULL), (coroutine), (result), NULL))
#define aiort_run_with(coroutine, result, options)                                                 \
    AIORT__CALL(int, aiort_run_at(AIORT_SITE(NULL), (coroutine), (result), (options)))
AIORT_EXTERN int aiort_run_at(const aiort_site_t *site, aiort_coroutine_t *coroutine, void **result,
                              const aiort_loop_options_t *options);

/*
 * Several main coroutines in one loop. They share one context, too: what one sets in its context
 * variables, the next one sees. One thread's.
 *
 *     aiort_runner_t *runner = aiort_runner_new(NULL);
 *     int err = aiort_runner_run(runner, AIORT_CORO(connect, x), NULL);
 *     if (!err) {
 *         err = aiort_runner_run(runner, AIORT_CORO(use, x), NULL);
 *     }
 *     aiort_runner_close(runner);
 *     aiort_unref(runner);
 */
typedef struct aiort_runner_s aiort_runner_t; /* asyncio: Runner */

/* A runner whose loop will be made with these options (NULL: none). NULL: UV_ENOMEM.
 * asyncio: Runner() */
AIORT_EXTERN aiort_runner_t *aiort_runner_new(const aiort_loop_options_t *options);
/* Runs a coroutine, or a future or task of its loop, and returns its outcome; SIGINT as in
 * aiort_run(). A coroutine is taken over, also on failure. AIORT_ERUNNINGLOOP inside a running loop,
 * AIORT_EMISUSE when the runner is closed, what aiort_loop_new() says. asyncio: Runner.run() */
#define aiort_runner_run(runner, awaitable, result)                                                \
    AIORT__CALL(int, aiort_runner_run_at(AIORT_SITE(NULL), (runner), AIORT_AWAITABLE(awaitable),   \
                (result)))
AIORT_EXTERN int aiort_runner_run_at(const aiort_site_t *site, aiort_runner_t *runner,
                                     aiort_awaitable_t *awaitable, void **result);
/* Its loop, borrowed; it is made when there is none yet. NULL: AIORT_EMISUSE, what aiort_loop_new()
 * says. asyncio: Runner.get_loop() */
AIORT_EXTERN aiort_loop_t *aiort_runner_get_loop(aiort_runner_t *runner);
/* Cancels the tasks that are left, waits for them and for the default executor's threads, closes the
 * loop. The last aiort_unref() does the same. AIORT_ECLOSERUNNING. asyncio: Runner.close() */
AIORT_EXTERN int aiort_runner_close(aiort_runner_t *runner);

/*
 * Debug mode is the preloaded libaiodebug.so; these switch it on and off for one loop. Without it,
 * switching on prints one line that says what to preload. asyncio: loop.set_debug()
 */
AIORT_EXTERN void aiort_loop_set_debug(aiort_loop_t *loop, int enabled);
AIORT_EXTERN int aiort_loop_get_debug(const aiort_loop_t *loop);

/* Seconds from which libaiodebug calls a callback slow in this loop; negative: its own default.
 * asyncio: loop.slow_callback_duration */
AIORT_EXTERN void aiort_loop_set_slow_callback_duration(aiort_loop_t *loop, double seconds);
AIORT_EXTERN double aiort_loop_get_slow_callback_duration(const aiort_loop_t *loop);

/* ---- 5. Callbacks ------------------------------------------------------------------------ */

/* A callback: 0, or a negative code, which is reported as "Exception in callback". */
typedef int (*aiort_callback_fn)(void *arg);

/*
 * Calls callback(arg) in the next iteration of the loop, in the order of the calls, never from
 * inside this call. handle may be NULL; else it gets a new reference, with which the call can be
 * cancelled. Errors: AIORT_ELOOPCLOSED, UV_EINVAL (callback NULL), UV_ENOMEM. never suspends.
 * asyncio: loop.call_soon()
 */
#define aiort_call_soon(loop, callback, arg, handle)                                               \
    AIORT__CALL(int, aiort_call_soon_at(AIORT_SITE(#callback), (loop), (callback), (arg), (handle)))
AIORT_EXTERN int aiort_call_soon_at(const aiort_site_t *site, aiort_loop_t *loop,
                                    aiort_callback_fn callback, void *arg, aiort_handle_t **handle);

/*
 * The same after delay seconds (negative: at once, in the order of their times).
 * UV_EINVAL for a NaN. asyncio: loop.call_later()
 */
#define aiort_call_later(loop, delay, callback, arg, handle)                                       \
    AIORT__CALL(int, aiort_call_later_at(AIORT_SITE(#callback),                                    \
                (loop), (delay), (callback), (arg), (handle)))
AIORT_EXTERN int aiort_call_later_at(const aiort_site_t *site, aiort_loop_t *loop, double delay,
                                     aiort_callback_fn callback, void *arg,
                                     aiort_handle_t **handle);

/* The same at a time of aiort_loop_time(). asyncio: loop.call_at() */
#define aiort_call_at(loop, when, callback, arg, handle)                                           \
    AIORT__CALL(int, aiort_call_at_at(AIORT_SITE(#callback),                                       \
                (loop), (when), (callback), (arg), (handle)))
AIORT_EXTERN int aiort_call_at_at(const aiort_site_t *site, aiort_loop_t *loop, double when,
                                  aiort_callback_fn callback, void *arg, aiort_handle_t **handle);

/*
 * As aiort_call_soon(), from any thread, and wakes the loop. The handle may be cancelled from any
 * thread. any thread, but not in a signal handler. asyncio: loop.call_soon_threadsafe()
 */
#define aiort_call_soon_threadsafe(loop, callback, arg, handle)                                    \
    AIORT__CALL(int, aiort_call_soon_threadsafe_at(AIORT_SITE(#callback),                          \
                (loop), (callback), (arg), (handle)))
AIORT_EXTERN int aiort_call_soon_threadsafe_at(const aiort_site_t *site, aiort_loop_t *loop,
                                               aiort_callback_fn callback, void *arg,
                                               aiort_handle_t **handle);

/* The callback will not be called; does nothing when it has been. never suspends.
 * asyncio: Handle.cancel() */
AIORT_EXTERN int aiort_handle_cancel(aiort_handle_t *handle);
AIORT_EXTERN int aiort_handle_cancelled(const aiort_handle_t *handle);
/* The time a timer's callback is due, in aiort_loop_time(); 0 for a handle without a timer. */
AIORT_EXTERN double aiort_handle_when(const aiort_handle_t *handle);

/* ---- 6. Futures -------------------------------------------------------------------------- */

typedef enum { AIORT_PENDING = 0, AIORT_FINISHED = 1, AIORT_CANCELLED = 2 } aiort_state_t;

/* Turns a future, a task or a coroutine into what the functions that accept any of them take. */
#ifdef __cplusplus
#define AIORT_AWAITABLE(x) aiort_as_awaitable(x)
#else
#define AIORT_AWAITABLE(x)                                                                         \
    ((aiort_awaitable_t *)(void *)_Generic((x),                                                    \
         aiort_future_t *: (x),                                                                    \
         aiort_task_t *: (x),                                                                      \
         aiort_coroutine_t *: (x),                                                                 \
         aiort_awaitable_t *: (x)))
#endif

/* A task seen as the future it is. The reference count is one and the same. */
#define AIORT_FUTURE(task) aiort_task_future(task)
AIORT_EXTERN aiort_future_t *aiort_task_future(aiort_task_t *task);

/* A pending future of the loop (NULL: the running one). NULL: UV_ENOMEM, AIORT_ENOLOOP.
 * never suspends. asyncio: loop.create_future() */
#define aiort_future_new(loop)                                                                     \
    AIORT__CALL(aiort_future_t *, aiort_future_new_at(AIORT_SITE(NULL), (loop)))
AIORT_EXTERN aiort_future_t *aiort_future_new_at(const aiort_site_t *site, aiort_loop_t *loop);

/*
 * Completes the future; its done callbacks are scheduled, its waiters wake up. The result is the
 * caller's pointer, never looked into. AIORT_EINVALIDSTATE when the future is done,
 * AIORT_ETASKRESULT for a task. never suspends. asyncio: Future.set_result()
 */
#define aiort_future_set_result(future, result)                                                    \
    AIORT__CALL(int, aiort_future_set_result_at(AIORT_SITE(NULL), (future), (result)))
AIORT_EXTERN int aiort_future_set_result_at(const aiort_site_t *site, aiort_future_t *future,
                                            void *result);

/* Completes the future with an error; the code must be negative (UV_EINVAL otherwise).
 * UV_ECANCELED cancels it. format may be NULL. asyncio: Future.set_exception() */
#define aiort_future_set_error(...)                                                                \
    AIORT__CALL(int, aiort_future_set_error_at(AIORT_SITE(NULL), __VA_ARGS__))
AIORT_EXTERN int aiort_future_set_error_at(const aiort_site_t *site, aiort_future_t *future,
                                           int code, const char *format, ...) AIORT_PRINTF(4, 5);

/* The same with an existing error, of which the future takes a reference of its own. */
AIORT_EXTERN int aiort_future_set_error_object(aiort_future_t *future, aiort_error_t *error);

/*
 * Cancels the future, and for a task asks it to be cancelled (see aiort_task_cancel). message may
 * be NULL; it is copied. 1: it will be (is) cancelled; 0: it was done already. asyncio:
 * Future.cancel(msg)
 */
AIORT_EXTERN int aiort_future_cancel(aiort_future_t *future, const char *message);

AIORT_EXTERN int aiort_future_done(const aiort_future_t *future);
AIORT_EXTERN int aiort_future_cancelled(const aiort_future_t *future);
AIORT_EXTERN aiort_state_t aiort_future_state(const aiort_future_t *future);
AIORT_EXTERN aiort_loop_t *aiort_future_loop(const aiort_future_t *future); /* borrowed */

/*
 * The outcome of a done future: 0 with *result, or its error's code, which counts as retrieved and
 * becomes the current error. AIORT_ENOTSET when it is pending. UV_ECANCELED when it was cancelled.
 * never suspends. asyncio: Future.result()
 */
AIORT_EXTERN int aiort_future_result(aiort_future_t *future, void **result);

/*
 * The error of a done future: 0 with *error (borrowed, NULL when it has a result), retrieved by
 * this. AIORT_ENOTSET when pending, UV_ECANCELED when cancelled. asyncio: Future.exception()
 */
AIORT_EXTERN int aiort_future_error(aiort_future_t *future, aiort_error_t **error);

/* A done callback: 0, or a negative code, which is reported. */
typedef int (*aiort_done_fn)(aiort_future_t *future, void *arg);

/*
 * Calls callback(future, arg) through the loop once the future is done, or soon when it is done
 * already. In the order they were added. AIORT_ELOOPCLOSED, UV_ENOMEM, UV_EINVAL. never suspends.
 * asyncio: Future.add_done_callback()
 */
#define aiort_future_add_done_callback(future, callback, arg)                                      \
    AIORT__CALL(int, aiort_future_add_done_callback_at(AIORT_SITE(#callback),                      \
                (future), (callback), (arg)))
AIORT_EXTERN int aiort_future_add_done_callback_at(const aiort_site_t *site, aiort_future_t *future,
                                                   aiort_done_fn callback, void *arg);

/* Removes every registration of callback with arg and returns how many there were.
 * asyncio: Future.remove_done_callback() */
AIORT_EXTERN int aiort_future_remove_done_callback(aiort_future_t *future, aiort_done_fn callback,
                                                   void *arg);

/* ---- 7. Coroutines and tasks ------------------------------------------------------------- */

/*
 * A coroutine function. It may await at any depth. Returns 0 with *result set (or left NULL), or a
 * negative code; UV_ECANCELED means it was cancelled.
 */
typedef int (*aiort_coroutine_fn)(void *arg, void **result);

/*
 * Makes a coroutine object, which has not started. Awaiting it runs it in place, on the awaiting
 * task's stack; aiort_create_task() makes it a task. Whoever runs it takes its reference over, so
 * that aiort_await(AIORT_CORO(f, x), &r) leaks nothing. Dropping it unstarted is reported: "was
 * never awaited". NULL: UV_ENOMEM. any thread. asyncio: calling an async def function
 */
#define AIORT_CORO(function, arg)                                                                  \
    AIORT__CALL(aiort_coroutine_t *, aiort_coroutine_new(AIORT_SITE(#function),                    \
                (function), (void *)(arg), 0))

/*
 * The same with the argument by value: the coroutine keeps a copy of the value of any type, and its
 * function gets a pointer to that copy. AIORT_CORO_BY_VALUE(f, ((struct range){1, 10})).
 */
#define AIORT_CORO_BY_VALUE(function, ...)                                                         \
    (__extension__({                                                                               \
        __typeof__(__VA_ARGS__) aiort_value_ = (__VA_ARGS__);                                      \
        aiort_coroutine_new(AIORT_SITE(#function), (function), &aiort_value_,                      \
                            sizeof(aiort_value_));                                                 \
    }))
/* size 0: the pointer itself is the argument; else size bytes at arg are copied. */
AIORT_EXTERN aiort_coroutine_t *aiort_coroutine_new(const aiort_site_t *site,
                                                    aiort_coroutine_fn function, void *arg,
                                                    size_t size);

/* A coroutine that will not be run after all: drops it without a report and takes the reference
 * over. AIORT_EAWAITED when it runs. asyncio: coroutine.close() */
AIORT_EXTERN int aiort_coroutine_close(aiort_coroutine_t *coroutine);

/*
 * Runs the coroutine as a task of the running loop. Takes the coroutine's reference over, also when
 * it fails. The task is the caller's to unref; unref only detaches: the loop keeps a task until it
 * is done. NULL: AIORT_ENOLOOP, AIORT_ELOOPCLOSED, UV_ENOMEM, AIORT_EREUSED. never suspends.
 * asyncio: create_task()
 */
#define aiort_create_task(coroutine)                                                               \
    AIORT__CALL(aiort_task_t *, aiort_create_task_at(AIORT_SITE(NULL), NULL, (coroutine), NULL))

typedef struct {
    const char *name;         /* copied; NULL: "Task-N" */
    size_t stack_size;        /* bytes; 0: the loop's */
    aiort_context_t *context; /* it runs in this one and not in a copy of the maker's; NULL: so */
    int eager_start;          /* 1: at once, see aiort_loop_set_eager_tasks(); -1: not; 0: as set */
} aiort_task_options_t;

/* The same in a loop (NULL: the running one) and with options (NULL: none).
 * asyncio: loop.create_task(coro, name=...) */
#define aiort_loop_create_task(loop, coroutine, options)                                           \
    AIORT__CALL(aiort_task_t *, aiort_create_task_at(AIORT_SITE(NULL),                             \
                (loop), (coroutine), (options)))
AIORT_EXTERN aiort_task_t *aiort_create_task_at(const aiort_site_t *site, aiort_loop_t *loop,
                                                aiort_coroutine_t *coroutine,
                                                const aiort_task_options_t *options);

/*
 * 1: from now on each new task makes its first step at once, inside the call that makes it, up to its
 * first await that has to wait; one that never has to is done when the call returns, and costs no
 * turn of the loop. Meanwhile aiort_current_task() is the new one. Only where the loop runs; a task
 * that is made otherwise is started by the loop. never suspends.
 * asyncio: loop.set_task_factory(eager_task_factory)
 */
AIORT_EXTERN int aiort_loop_set_eager_tasks(aiort_loop_t *loop, int eager);
AIORT_EXTERN int aiort_loop_get_eager_tasks(const aiort_loop_t *loop);

/*
 * Waits for a future, a task or a coroutine: 0 with *result (result may be NULL), or its error,
 * retrieved by this and now the current error. UV_ECANCELED when this task was cancelled while it
 * waited, or what it waited for was. AIORT_ECLOSED when this task is being destroyed: release what
 * you hold and return. SUSPENDS (not when a future is done already). Errors of its own:
 * AIORT_ENOTASK, AIORT_ESELFAWAIT, AIORT_EOTHERLOOP, AIORT_EREUSED. A future or task keeps its
 * references; a coroutine is taken over. asyncio: await
 */
#define aiort_await(awaitable, result)                                                             \
    AIORT__CALL(int, aiort_await_at(AIORT_SITE(NULL), AIORT_AWAITABLE(awaitable), (result)))
AIORT_EXTERN int aiort_await_at(const aiort_site_t *site, aiort_awaitable_t *awaitable,
                                void **result);

/* Waits that many seconds; 0 (or less) lets every other ready task run once. UV_ECANCELED,
 * AIORT_ECLOSED as aiort_await(); UV_EINVAL for a NaN. SUSPENDS. asyncio: sleep() */
#define aiort_sleep(seconds)                                                                       \
    AIORT__CALL(int, aiort_sleep_at(AIORT_SITE(NULL), (seconds)))
AIORT_EXTERN int aiort_sleep_at(const aiort_site_t *site, double seconds);

/*
 * Asks the task to be cancelled: its await, now or next, returns UV_ECANCELED. The task may refuse
 * by going on. message may be NULL; it is copied. 1, or 0 when the task was done. never suspends.
 * asyncio: Task.cancel(msg)
 */
AIORT_EXTERN int aiort_task_cancel(aiort_task_t *task, const char *message);
/* Takes one request back and returns how many are left. asyncio: Task.uncancel() */
AIORT_EXTERN int aiort_task_uncancel(aiort_task_t *task);
/* How many requests there are. asyncio: Task.cancelling() */
AIORT_EXTERN int aiort_task_cancelling(const aiort_task_t *task);

/* The task's name, borrowed until the next set_name or the task's end. asyncio: Task.get_name() */
AIORT_EXTERN const char *aiort_task_get_name(const aiort_task_t *task);
/* Copies the name; UV_ENOMEM. asyncio: Task.set_name() */
AIORT_EXTERN int aiort_task_set_name(aiort_task_t *task, const char *name);
/* The task's coroutine, borrowed; NULL once it is done. asyncio: Task.get_coro() */
AIORT_EXTERN aiort_coroutine_t *aiort_task_get_coro(const aiort_task_t *task);

/* The task that runs now in this thread, borrowed; NULL outside a task. any thread.
 * asyncio: current_task() */
AIORT_EXTERN aiort_task_t *aiort_current_task(void);

/*
 * The loop's tasks that are not done, oldest first, at most max of them, each a new reference;
 * returns how many there are (tasks may be NULL with max 0). asyncio: all_tasks()
 */
AIORT_EXTERN size_t aiort_all_tasks(aiort_loop_t *loop, aiort_task_t **tasks, size_t max);

/*
 * The return addresses of a suspended (or the current) task's stack, innermost first; returns how
 * many were stored. 0 for one that has not started or is done. never suspends.
 * asyncio: Task.get_stack()
 */
AIORT_EXTERN int aiort_task_get_stack(aiort_task_t *task, void **addresses, int max);

/* Prints where the task stands, as asyncio does: "Stack for <Task ...> (most recent call last):",
 * or for a failed one its error. asyncio: Task.print_stack() */
AIORT_EXTERN void aiort_task_print_stack(aiort_task_t *task, FILE *file);

/* ---- 7b. Several at once ----------------------------------------------------------------- */

/*
 * A future for any awaitable of the loop (NULL: the future's own, or the running one): a coroutine
 * becomes a task, and its reference is taken over, also on failure; a future or a task is given
 * back with one more reference. NULL: AIORT_ENOLOOP, AIORT_EOTHERLOOP, AIORT_EBADAWAIT, UV_ENOMEM.
 * never suspends. asyncio: ensure_future()
 */
#define aiort_ensure_future(loop, awaitable)                                                       \
    AIORT__CALL(aiort_future_t *, aiort_ensure_future_at(AIORT_SITE(NULL), (loop),                 \
                AIORT_AWAITABLE(awaitable)))
AIORT_EXTERN aiort_future_t *aiort_ensure_future_at(const aiort_site_t *site, aiort_loop_t *loop,
                                                    aiort_awaitable_t *awaitable);

/* How one of several ended. */
typedef struct {
    int code;             /* 0, or that of its error */
    void *result;         /* with code 0 */
    aiort_error_t *error; /* borrowed from the future that has the array; NULL with code 0 */
} aiort_outcome_t;

enum { AIORT_RETURN_ERRORS = 1 };

/*
 * A future for n awaitables together. Its result is an array of n aiort_outcome_t in their order,
 * which lives as long as the future. The first error becomes its own error at once, and the others
 * run on; what they fail with after that is not reported. With AIORT_RETURN_ERRORS errors are
 * outcomes as results are. Cancelling it cancels them all. A coroutine that occurs twice is run
 * once. Coroutines are taken over, also on failure. It lives until all are done, also when nobody
 * keeps it; an error that nobody has looked at is reported then. NULL: AIORT_ENOLOOP (none of them has a loop and none runs),
 * AIORT_EOTHERLOOP, AIORT_EBADAWAIT, UV_ENOMEM. never suspends. asyncio: gather()
 */
#define aiort_gather(awaitables, n, flags)                                                         \
    AIORT__CALL(aiort_future_t *, aiort_gather_at(AIORT_SITE(NULL), (awaitables), (n), (flags)))
AIORT_EXTERN aiort_future_t *aiort_gather_at(const aiort_site_t *site,
                                             aiort_awaitable_t *const *awaitables, size_t n,
                                             int flags);

typedef enum {
    AIORT_ALL_COMPLETED = 0,
    AIORT_FIRST_COMPLETED = 1,
    AIORT_FIRST_EXCEPTION = 2
} aiort_return_when_t;

/*
 * Waits until all of n futures are done, or one of them, or one has failed; or for timeout seconds
 * (negative: for ever). Returns how many are done, by aiort_future_done() of each; nothing is
 * cancelled and no error is looked at. One that occurs twice counts twice. UV_ECANCELED,
 * AIORT_ECLOSED as aiort_await(); AIORT_EEMPTY without futures, UV_EINVAL, AIORT_EOTHERLOOP.
 * SUSPENDS. asyncio: wait()
 */
#define aiort_wait(futures, n, timeout, return_when)                                               \
    AIORT__CALL(int, aiort_wait_at(AIORT_SITE(NULL), (futures), (n), (timeout), (return_when)))
AIORT_EXTERN int aiort_wait_at(const aiort_site_t *site, aiort_future_t *const *futures, size_t n,
                               double timeout, aiort_return_when_t return_when);

/*
 * A future that ends as the awaitable does, but whose cancelling does not reach it. When the
 * awaitable fails after that, the failure is reported ("... exception in shielded future"). One
 * that is done already is given back itself. A coroutine is taken over, also on failure.
 * NULL: AIORT_ENOLOOP, AIORT_EBADAWAIT, UV_ENOMEM. never suspends. asyncio: shield()
 */
#define aiort_shield(awaitable) aiort_shield_at(AIORT_SITE(NULL), AIORT_AWAITABLE(awaitable))
AIORT_EXTERN aiort_future_t *aiort_shield_at(const aiort_site_t *site,
                                             aiort_awaitable_t *awaitable);

/*
 * Awaitables in the order in which they end. Several tasks may ask for the next one at a time.
 * Coroutines are taken over, also on failure. timeout: seconds for all together, negative: none.
 * NULL: AIORT_ENOLOOP, AIORT_EOTHERLOOP, AIORT_EBADAWAIT, UV_ENOMEM. asyncio: as_completed()
 */
typedef struct aiort_as_completed_s aiort_as_completed_t;
#define aiort_as_completed(awaitables, n, timeout)                                                 \
    AIORT__CALL(aiort_as_completed_t *, aiort_as_completed_at(AIORT_SITE(NULL), (awaitables),      \
                (n), (timeout)))
AIORT_EXTERN aiort_as_completed_t *aiort_as_completed_at(const aiort_site_t *site,
                                                         aiort_awaitable_t *const *awaitables,
                                                         size_t n, double timeout);
/*
 * Waits for the next: 1 with *future, which is done (borrowed; futures and tasks are those that were
 * given), 0 when all have been given out, UV_ETIMEDOUT when the time is up. UV_ECANCELED and
 * AIORT_ECLOSED as aiort_await(). SUSPENDS.
 */
#define aiort_as_completed_next(iterator, future)                                                  \
    AIORT__CALL(int, aiort_as_completed_next_at(AIORT_SITE(NULL), (iterator), (future)))
AIORT_EXTERN int aiort_as_completed_next_at(const aiort_site_t *site,
                                            aiort_as_completed_t *iterator,
                                            aiort_future_t **future);
/* Ends it, at any time; those not done yet run on. Not while a task waits for the next. */
AIORT_EXTERN void aiort_as_completed_free(aiort_as_completed_t *iterator);

/* ---- 7c. Other threads ------------------------------------------------------------------- */

/*
 * A future between threads: all of its functions may be called from any thread, and its references
 * are counted atomically (aiort_ref(), aiort_unref()). asyncio: concurrent.futures.Future
 */
typedef struct aiort_concurrent_s aiort_concurrent_t;

/* A pending one. NULL: UV_ENOMEM. any thread. */
AIORT_EXTERN aiort_concurrent_t *aiort_concurrent_new(void);
/* AIORT_EINVALIDSTATE when it is done. any thread. */
AIORT_EXTERN int aiort_concurrent_set_result(aiort_concurrent_t *concurrent, void *result);
AIORT_EXTERN int aiort_concurrent_set_error_object(aiort_concurrent_t *concurrent,
                                                   aiort_error_t *error);
/* 1: it is cancelled now, and so will be the task behind it; 0: it was done. any thread. */
AIORT_EXTERN int aiort_concurrent_cancel(aiort_concurrent_t *concurrent);
AIORT_EXTERN int aiort_concurrent_done(aiort_concurrent_t *concurrent);
AIORT_EXTERN int aiort_concurrent_cancelled(aiort_concurrent_t *concurrent);
/*
 * Blocks the thread until it is done, or for timeout seconds (negative: for ever): 0 with *result
 * (which may be NULL), its error's code, UV_ECANCELED, UV_ETIMEDOUT. any thread, but not that of the
 * loop that is to complete it. asyncio: Future.result(timeout)
 */
AIORT_EXTERN int aiort_concurrent_result(aiort_concurrent_t *concurrent, double timeout,
                                         void **result);

/*
 * Runs the coroutine as a task of a loop of another thread. It is taken over, also on failure.
 * NULL: AIORT_ELOOPCLOSED, UV_ENOMEM. any thread. asyncio: run_coroutine_threadsafe()
 */
AIORT_EXTERN aiort_concurrent_t *aiort_run_coroutine_threadsafe(aiort_coroutine_t *coroutine,
                                                                aiort_loop_t *loop);

/*
 * A future of the loop (NULL: the running one) that ends as the other does, and cancels it when it
 * is cancelled. NULL: AIORT_ENOLOOP, UV_ENOMEM. never suspends. asyncio: wrap_future()
 */
#define aiort_wrap_future(concurrent, loop)                                                        \
    AIORT__CALL(aiort_future_t *, aiort_wrap_future_at(AIORT_SITE(NULL), (concurrent), (loop)))
AIORT_EXTERN aiort_future_t *aiort_wrap_future_at(const aiort_site_t *site,
                                                  aiort_concurrent_t *concurrent,
                                                  aiort_loop_t *loop);

/* Runs on a thread of an executor: 0 with *result, or a negative code. */
typedef int (*aiort_work_fn)(void *arg, void **result);
/*
 * Calls function(arg) on a thread of the loop's default executor (section 12), which is apart from
 * libuv's pool, and gives a future of its outcome. Cancelling it takes the call back when it has not
 * begun; else it runs on, and nobody hears of it. loop NULL: the running one. NULL:
 * AIORT_ELOOPCLOSED, AIORT_ENOLOOP, AIORT_ESHUTDOWN, UV_EINVAL, UV_ENOMEM, UV_EAGAIN.
 * never suspends. asyncio: loop.run_in_executor(None, ...)
 */
#define aiort_run_in_executor(loop, function, arg)                                                 \
    AIORT__CALL(aiort_future_t *, aiort_run_in_executor_at(AIORT_SITE(#function), (loop),          \
                (function), (arg)))
AIORT_EXTERN aiort_future_t *aiort_run_in_executor_at(const aiort_site_t *site, aiort_loop_t *loop,
                                                      aiort_work_fn function, void *arg);

/* ---- 7d. Descriptors and signals --------------------------------------------------------- */

/*
 * Calls callback(arg) through the loop whenever the descriptor can be read (written), until it is
 * removed; a second one replaces the first. Not for regular files (UV_EPERM). Close the descriptor
 * only after removing. AIORT_ELOOPCLOSED, UV_EBADF, UV_EINVAL, UV_ENOMEM. never suspends.
 * asyncio: loop.add_reader(), loop.add_writer()
 */
#define aiort_add_reader(loop, fd, callback, arg)                                                  \
    AIORT__CALL(int, aiort_add_reader_at(AIORT_SITE(#callback), (loop), (fd), (callback), (arg)))
#define aiort_add_writer(loop, fd, callback, arg)                                                  \
    AIORT__CALL(int, aiort_add_writer_at(AIORT_SITE(#callback), (loop), (fd), (callback), (arg)))
AIORT_EXTERN int aiort_add_reader_at(const aiort_site_t *site, aiort_loop_t *loop, int fd,
                                     aiort_callback_fn callback, void *arg);
AIORT_EXTERN int aiort_add_writer_at(const aiort_site_t *site, aiort_loop_t *loop, int fd,
                                     aiort_callback_fn callback, void *arg);
/* 1: removed, 0: there was none. asyncio: loop.remove_reader(), loop.remove_writer() */
AIORT_EXTERN int aiort_remove_reader(aiort_loop_t *loop, int fd);
AIORT_EXTERN int aiort_remove_writer(aiort_loop_t *loop, int fd);

/*
 * Calls callback(arg) through the loop when the signal arrives; a second one replaces the first.
 * UV_EINVAL for a signal that is none or cannot be caught, AIORT_ELOOPCLOSED, UV_ENOMEM.
 * never suspends. asyncio: loop.add_signal_handler()
 */
#define aiort_add_signal_handler(loop, signum, callback, arg)                                      \
    AIORT__CALL(int, aiort_add_signal_handler_at(AIORT_SITE(#callback), (loop), (signum),          \
                (callback), (arg)))
AIORT_EXTERN int aiort_add_signal_handler_at(const aiort_site_t *site, aiort_loop_t *loop,
                                             int signum, aiort_callback_fn callback, void *arg);
/* 1: removed, and the signal does again what it did before; 0: there was none; UV_EINVAL.
 * asyncio: loop.remove_signal_handler() */
AIORT_EXTERN int aiort_remove_signal_handler(aiort_loop_t *loop, int signum);

/* ---- 8. Reports -------------------------------------------------------------------------- */

/* One more line of a report, "key: value". */
typedef struct {
    const char *key;
    const char *value;
} aiort_report_item_t;

/*
 * What went wrong where nobody looked. Fields that do not apply are NULL; all are borrowed for the
 * time of the call. asyncio: the context dict of call_exception_handler()
 */
typedef struct {
    const char *message; /* NULL: "Unhandled exception in event loop" */
    const char *check;   /* the slug libaiodebug uses ("task-destroyed-pending"), or NULL */
    aiort_future_t *future;
    aiort_handle_t *handle;
    aiort_task_t *task;
    aiort_coroutine_t *coroutine;
    aiort_error_t *error;
    const aiort_report_item_t *items; /* the program's own keys */
    size_t nitems;
    /* Set by libaiodebug, 0 without it: where the object, and the running handle, were created. */
    uint32_t source_trace;
    uint32_t handle_trace;
} aiort_report_t;

/* 0, or a negative code, which is reported as "Unhandled error in exception handler". */
typedef int (*aiort_exception_handler_fn)(aiort_loop_t *loop, const aiort_report_t *report,
                                          void *arg);

/* Sets the loop's handler; NULL sets the default one back. asyncio: set_exception_handler() */
AIORT_EXTERN int aiort_loop_set_exception_handler(aiort_loop_t *loop,
                                                  aiort_exception_handler_fn handler, void *arg);
/* The handler that was set, NULL for the default one. */
AIORT_EXTERN aiort_exception_handler_fn aiort_loop_get_exception_handler(const aiort_loop_t *loop,
                                                                         void **arg);
/* Hands a report to the loop's handler. asyncio: call_exception_handler() */
AIORT_EXTERN void aiort_loop_call_exception_handler(aiort_loop_t *loop,
                                                    const aiort_report_t *report);
/*
 * What is done without a handler: prints the report to stderr in asyncio's short form, or, under
 * libaiodebug, logs it with tracebacks. A handler may call it. asyncio: default_exception_handler()
 */
AIORT_EXTERN void aiort_loop_default_exception_handler(aiort_loop_t *loop,
                                                       const aiort_report_t *report);

/* The keys a report has, in asyncio's order ("future", "handle", "source_traceback", ...), for
 * handlers that print what they get; returns how many, stores at most max. */
AIORT_EXTERN size_t aiort_report_keys(const aiort_report_t *report, const char **keys, size_t max);

/* ---- 9. Timeouts ------------------------------------------------------------------------- */

/* For every timeout below: wait for ever. asyncio: timeout=None */
#define AIORT_NO_TIMEOUT __builtin_inf()

/*
 * As aiort_await(), for at most timeout seconds: then what it waits for is cancelled, waited for,
 * and UV_ETIMEDOUT returned, unless it ended otherwise. With a timeout of 0 or less a coroutine is
 * not started. SUSPENDS. asyncio: wait_for()
 */
#define aiort_wait_for(awaitable, timeout, result)                                                 \
    AIORT__CALL(int, aiort_wait_for_at(AIORT_SITE(NULL), AIORT_AWAITABLE(awaitable), (timeout),    \
                (result)))
AIORT_EXTERN int aiort_wait_for_at(const aiort_site_t *site, aiort_awaitable_t *awaitable,
                                   double timeout, void **result);

/*
 * A block of code with a deadline: when it passes, the task is cancelled, and the block's end turns
 * that into UV_ETIMEDOUT.
 *
 *     aiort_timeout_t *timeout = aiort_timeout(0.5);
 *     int err = aiort_timeout_enter(timeout);
 *     if (!err) {
 *         err = work();
 *         err = aiort_timeout_exit(timeout, err);
 *     }
 *     aiort_unref(timeout);
 */
typedef struct aiort_timeout_s aiort_timeout_t;

/* A timeout so many seconds from now (AIORT_NO_TIMEOUT: none). NULL: AIORT_ENOLOOP, UV_EINVAL (a
 * NaN), UV_ENOMEM. never suspends. asyncio: timeout() */
AIORT_EXTERN aiort_timeout_t *aiort_timeout(double seconds);
/* The same at a time of aiort_loop_time(). asyncio: timeout_at() */
AIORT_EXTERN aiort_timeout_t *aiort_timeout_at(double when);

/* The block begins, in the current task. AIORT_EMISUSE when it began already, AIORT_ENOTASK; for
 * NULL what made it so. never suspends. asyncio: Timeout.__aenter__() */
AIORT_EXTERN int aiort_timeout_enter(aiort_timeout_t *timeout);

/*
 * The block ends; err is what it ended with. Returns err, or UV_ETIMEDOUT in place of UV_ECANCELED
 * when the deadline has passed and nobody else asked for the task to be cancelled; its cause is
 * that cancellation. AIORT_EMISUSE when the block has not begun or has ended. never suspends.
 * asyncio: Timeout.__aexit__()
 */
#define aiort_timeout_exit(timeout, err)                                                           \
    AIORT__CALL(int, aiort_timeout_exit_at(AIORT_SITE(NULL), (timeout), (err)))
AIORT_EXTERN int aiort_timeout_exit_at(const aiort_site_t *site, aiort_timeout_t *timeout, int err);

/* Moves the deadline to a time of aiort_loop_time(), AIORT_NO_TIMEOUT: none. AIORT_EMISUSE outside
 * of the block, or when the deadline has passed. never suspends. asyncio: Timeout.reschedule() */
AIORT_EXTERN int aiort_timeout_reschedule(aiort_timeout_t *timeout, double when);
/* The deadline; AIORT_NO_TIMEOUT for none. asyncio: Timeout.when() */
AIORT_EXTERN double aiort_timeout_when(const aiort_timeout_t *timeout);
/* Whether the deadline passed during the block. asyncio: Timeout.expired() */
AIORT_EXTERN int aiort_timeout_expired(const aiort_timeout_t *timeout);

/* ---- 10. Task groups --------------------------------------------------------------------- */

/*
 * Tasks that belong together: the block ends when all of them have. The first one that fails
 * cancels the others, and the block. What failed comes out of the block's end as one error,
 * AIORT_EGROUP: "unhandled errors in a TaskGroup (2 sub-exceptions)".
 *
 *     aiort_task_group_t *group = aiort_task_group_new();
 *     int err = aiort_task_group_enter(group);
 *     if (!err) {
 *         err = aiort_task_group_create_task(group, AIORT_CORO(f, x), NULL);
 *         err = aiort_task_group_exit(group, err);
 *     }
 *     aiort_unref(group);
 */
typedef struct aiort_task_group_s aiort_task_group_t;

/* NULL: UV_ENOMEM. never suspends. asyncio: TaskGroup() */
AIORT_EXTERN aiort_task_group_t *aiort_task_group_new(void);

/* The block begins, in the current task. AIORT_EMISUSE when it began already or outside of a task;
 * for NULL what made it so. never suspends. asyncio: TaskGroup.__aenter__() */
AIORT_EXTERN int aiort_task_group_enter(aiort_task_group_t *group);

/*
 * Runs the coroutine as a task of the group. Takes its reference over, also when it fails. task may
 * be NULL; else it gets a new reference. AIORT_EMISUSE when the block has not begun, has ended or
 * is being cancelled; what aiort_create_task() says. never suspends. asyncio:
 * TaskGroup.create_task()
 */
#define aiort_task_group_create_task(group, coroutine, task)                                       \
    AIORT__CALL(int, aiort_task_group_create_task_at(AIORT_SITE(NULL), (group), (coroutine), NULL, \
                (task)))
#define aiort_task_group_create_task_with(group, coroutine, options, task)                         \
    AIORT__CALL(int, aiort_task_group_create_task_at(AIORT_SITE(NULL), (group), (coroutine),       \
                (options), (task)))
AIORT_EXTERN int aiort_task_group_create_task_at(const aiort_site_t *site,
                                                 aiort_task_group_t *group,
                                                 aiort_coroutine_t *coroutine,
                                                 const aiort_task_options_t *options,
                                                 aiort_task_t **task);

/*
 * The block ends; err is what it ended with, and when that is a failure the tasks are cancelled.
 * Waits for them all. Returns 0; AIORT_EGROUP with the errors of tasks and block (an aiort_error_t:
 * aiort_error_count()); UV_ECANCELED when the task was cancelled and nothing failed. SUSPENDS.
 * AIORT_EMISUSE when the block has not begun or has ended. asyncio: TaskGroup.__aexit__()
 */
#define aiort_task_group_exit(group, err)                                                          \
    AIORT__CALL(int, aiort_task_group_exit_at(AIORT_SITE(NULL), (group), (err)))
AIORT_EXTERN int aiort_task_group_exit_at(const aiort_site_t *site, aiort_task_group_t *group,
                                          int err);

/* The errors in an error group: how many there are (0 for any other error), and one of them,
 * borrowed, NULL beyond the last. any thread. asyncio: ExceptionGroup.exceptions */
AIORT_EXTERN size_t aiort_error_count(const aiort_error_t *group);
AIORT_EXTERN aiort_error_t *aiort_error_at(const aiort_error_t *group, size_t i);

/* ---- 11. Synchronisation ----------------------------------------------------------------- */

/*
 * For tasks of one loop, not for threads. Who waits is served in the order of coming. Each object
 * belongs to the loop in which somebody first had to wait for it (AIORT_EOTHERLOOP in another one),
 * and may be made before there is one. The functions that wait return UV_ECANCELED and AIORT_ECLOSED
 * as aiort_await() does, and outside of a task AIORT_ENOTASK when they would have to wait.
 */
typedef struct aiort_event_s aiort_event_t;         /* asyncio: Event */
typedef struct aiort_lock_s aiort_lock_t;           /* asyncio: Lock */
typedef struct aiort_condition_s aiort_condition_t; /* asyncio: Condition */
typedef struct aiort_semaphore_s aiort_semaphore_t; /* asyncio: Semaphore, BoundedSemaphore */
typedef struct aiort_barrier_s aiort_barrier_t;     /* asyncio: Barrier */

/* An event that is not set. NULL: UV_ENOMEM. never suspends. */
AIORT_EXTERN aiort_event_t *aiort_event_new(void);
/* Sets it: everybody who waits goes on. never suspends. */
AIORT_EXTERN int aiort_event_set(aiort_event_t *event);
/* never suspends. */
AIORT_EXTERN int aiort_event_clear(aiort_event_t *event);
AIORT_EXTERN int aiort_event_is_set(const aiort_event_t *event);
/* Waits until it is set: 0. SUSPENDS (not when it is set). asyncio: Event.wait() */
#define aiort_event_wait(event)                                                                    \
    AIORT__CALL(int, aiort_event_wait_at(AIORT_SITE(NULL), (event)))
AIORT_EXTERN int aiort_event_wait_at(const aiort_site_t *site, aiort_event_t *event);

/* A lock that is not held. NULL: UV_ENOMEM. never suspends. */
AIORT_EXTERN aiort_lock_t *aiort_lock_new(void);
/* Takes the lock: 0. SUSPENDS (not when it is free and nobody waits). asyncio: Lock.acquire() */
#define aiort_lock_acquire(lock)                                                                   \
    AIORT__CALL(int, aiort_lock_acquire_at(AIORT_SITE(NULL), (lock)))
AIORT_EXTERN int aiort_lock_acquire_at(const aiort_site_t *site, aiort_lock_t *lock);
/* Gives it back; any task may. AIORT_EMISUSE when it is not held. never suspends.
 * asyncio: Lock.release() */
AIORT_EXTERN int aiort_lock_release(aiort_lock_t *lock);
AIORT_EXTERN int aiort_lock_locked(const aiort_lock_t *lock);

/* A condition with the lock, of which it takes a reference (NULL: one of its own). NULL: UV_ENOMEM.
 * never suspends. */
AIORT_EXTERN aiort_condition_t *aiort_condition_new(aiort_lock_t *lock);
/* Its lock, borrowed: take it before the functions below, and give it back. */
AIORT_EXTERN aiort_lock_t *aiort_condition_lock(const aiort_condition_t *condition);
/*
 * Gives the lock back, waits for a notification, and takes the lock again, which it does even when
 * it is cancelled (but not with AIORT_ECLOSED). May go on without a notification. AIORT_EMISUSE when
 * the lock is not held. SUSPENDS. asyncio: Condition.wait()
 */
#define aiort_condition_wait(condition)                                                            \
    AIORT__CALL(int, aiort_condition_wait_at(AIORT_SITE(NULL), (condition)))
AIORT_EXTERN int aiort_condition_wait_at(const aiort_site_t *site, aiort_condition_t *condition);
/* Waits until predicate(arg) is not 0, and returns that. SUSPENDS (not when it is so already).
 * asyncio: Condition.wait_for() */
#define aiort_condition_wait_for(condition, predicate, arg)                                        \
    AIORT__CALL(int, aiort_condition_wait_for_at(AIORT_SITE(NULL), (condition), (predicate), (arg)))
AIORT_EXTERN int aiort_condition_wait_for_at(const aiort_site_t *site, aiort_condition_t *condition,
                                             int (*predicate)(void *arg), void *arg);
/* Wakes n of those who wait, or all. AIORT_EMISUSE when the lock is not held. never suspends.
 * asyncio: Condition.notify(), Condition.notify_all() */
AIORT_EXTERN int aiort_condition_notify(aiort_condition_t *condition, size_t n);
AIORT_EXTERN int aiort_condition_notify_all(aiort_condition_t *condition);

/* A semaphore, and one that must not be given back more often than it was taken. NULL: UV_ENOMEM.
 * never suspends. */
AIORT_EXTERN aiort_semaphore_t *aiort_semaphore_new(size_t value);
AIORT_EXTERN aiort_semaphore_t *aiort_bounded_semaphore_new(size_t value);
/* SUSPENDS (not when there is one to take and nobody waits). asyncio: Semaphore.acquire() */
#define aiort_semaphore_acquire(semaphore)                                                         \
    AIORT__CALL(int, aiort_semaphore_acquire_at(AIORT_SITE(NULL), (semaphore)))
AIORT_EXTERN int aiort_semaphore_acquire_at(const aiort_site_t *site, aiort_semaphore_t *semaphore);
/* AIORT_EMISUSE for a bounded one that has all. never suspends. asyncio: Semaphore.release() */
AIORT_EXTERN int aiort_semaphore_release(aiort_semaphore_t *semaphore);
/* Whether aiort_semaphore_acquire() would have to wait. asyncio: Semaphore.locked() */
AIORT_EXTERN int aiort_semaphore_locked(const aiort_semaphore_t *semaphore);

/* A barrier for so many tasks, at least 1 (UV_EINVAL). NULL: UV_ENOMEM. never suspends. */
AIORT_EXTERN aiort_barrier_t *aiort_barrier_new(size_t parties);
/* Waits until that many wait: 0 to parties - 1, the order of coming. AIORT_EBROKEN when the barrier
 * is aborted or reset meanwhile, or is broken. SUSPENDS. asyncio: Barrier.wait() */
#define aiort_barrier_wait(barrier)                                                                \
    AIORT__CALL(int, aiort_barrier_wait_at(AIORT_SITE(NULL), (barrier)))
AIORT_EXTERN int aiort_barrier_wait_at(const aiort_site_t *site, aiort_barrier_t *barrier);
/* Empties it: who waits gets AIORT_EBROKEN. SUSPENDS. asyncio: Barrier.reset() */
#define aiort_barrier_reset(barrier)                                                               \
    AIORT__CALL(int, aiort_barrier_reset_at(AIORT_SITE(NULL), (barrier)))
AIORT_EXTERN int aiort_barrier_reset_at(const aiort_site_t *site, aiort_barrier_t *barrier);
/* Breaks it for everybody, until a reset. SUSPENDS. asyncio: Barrier.abort() */
#define aiort_barrier_abort(barrier)                                                               \
    AIORT__CALL(int, aiort_barrier_abort_at(AIORT_SITE(NULL), (barrier)))
AIORT_EXTERN int aiort_barrier_abort_at(const aiort_site_t *site, aiort_barrier_t *barrier);
AIORT_EXTERN size_t aiort_barrier_parties(const aiort_barrier_t *barrier);
AIORT_EXTERN size_t aiort_barrier_n_waiting(const aiort_barrier_t *barrier);
AIORT_EXTERN int aiort_barrier_broken(const aiort_barrier_t *barrier);

/* ---- 11b. Queues ------------------------------------------------------------------------- */

/*
 * Queues of pointers between tasks of one loop, bound to it as those above are. Who
 * waits is served in the order of coming. The items are the program's: a queue never looks into
 * them, and what is in it when it goes is not released.
 */
typedef struct aiort_queue_s aiort_queue_t; /* asyncio: Queue, LifoQueue, PriorityQueue */

/* Less than 0 when a comes before b, more when after it, 0 when they are equal. */
typedef int (*aiort_compare_fn)(const void *a, const void *b);

/* A queue of at most so many items (0: any number), which come out in the order in which they were
 * put in. NULL: UV_ENOMEM. never suspends. asyncio: Queue() */
AIORT_EXTERN aiort_queue_t *aiort_queue_new(size_t maxsize);
/* The latest item comes out first. asyncio: LifoQueue() */
AIORT_EXTERN aiort_queue_t *aiort_lifo_queue_new(size_t maxsize);
/* The least item comes out first, and of equal ones the earliest. NULL too: UV_EINVAL without a
 * function. asyncio: PriorityQueue() */
AIORT_EXTERN aiort_queue_t *aiort_priority_queue_new(size_t maxsize, aiort_compare_fn compare);

/*
 * Puts an item in, once there is room. AIORT_EQUEUESHUTDOWN, also when that comes while it waits;
 * UV_ENOMEM; with any code the item is not in the queue. SUSPENDS (not when there is room).
 * asyncio: Queue.put()
 */
#define aiort_queue_put(queue, item)                                                               \
    AIORT__CALL(int, aiort_queue_put_at(AIORT_SITE(NULL), (queue), (item)))
AIORT_EXTERN int aiort_queue_put_at(const aiort_site_t *site, aiort_queue_t *queue, void *item);
/* The same without waiting: AIORT_EQUEUEFULL. never suspends. asyncio: Queue.put_nowait() */
AIORT_EXTERN int aiort_queue_put_nowait(aiort_queue_t *queue, void *item);

/*
 * Takes the next item out, once there is one. AIORT_EQUEUESHUTDOWN when none is left and none will
 * come. item may be NULL. SUSPENDS (not when there is one). asyncio: Queue.get()
 */
#define aiort_queue_get(queue, item)                                                               \
    AIORT__CALL(int, aiort_queue_get_at(AIORT_SITE(NULL), (queue), (item)))
AIORT_EXTERN int aiort_queue_get_at(const aiort_site_t *site, aiort_queue_t *queue, void **item);
/* The same without waiting: AIORT_EQUEUEEMPTY. never suspends. asyncio: Queue.get_nowait() */
AIORT_EXTERN int aiort_queue_get_nowait(aiort_queue_t *queue, void **item);

/* An item that was taken out has been dealt with. AIORT_EMISUSE when all were. never suspends.
 * asyncio: Queue.task_done() */
AIORT_EXTERN int aiort_queue_task_done(aiort_queue_t *queue);
/* Waits until every item that was ever put in has been dealt with. SUSPENDS (not when all are).
 * asyncio: Queue.join() */
#define aiort_queue_join(queue)                                                                    \
    AIORT__CALL(int, aiort_queue_join_at(AIORT_SITE(NULL), (queue)))
AIORT_EXTERN int aiort_queue_join_at(const aiort_site_t *site, aiort_queue_t *queue);

/* Nothing goes in any more; what is there can still be taken out. never suspends.
 * asyncio: Queue.shutdown() */
AIORT_EXTERN int aiort_queue_shutdown(aiort_queue_t *queue);
/* The same, and what is there is thrown away, each item by drop(item) (NULL: nothing is done with
 * it), and counts as dealt with. never suspends. asyncio: Queue.shutdown(immediate=True) */
AIORT_EXTERN int aiort_queue_shutdown_immediate(aiort_queue_t *queue, void (*drop)(void *item));

/* How many items there are, and at most. never suspends. asyncio: Queue.qsize(), Queue.maxsize */
AIORT_EXTERN size_t aiort_queue_size(const aiort_queue_t *queue);
AIORT_EXTERN size_t aiort_queue_maxsize(const aiort_queue_t *queue);
AIORT_EXTERN int aiort_queue_empty(const aiort_queue_t *queue);
AIORT_EXTERN int aiort_queue_full(const aiort_queue_t *queue);

/* ---- 12. Executors ----------------------------------------------------------------------- */

/*
 * Threads that run ordinary, blocking functions, apart from libuv's pool: what blocks here delays
 * neither name resolution nor files. References are counted atomically.
 * asyncio: concurrent.futures.ThreadPoolExecutor
 */
typedef struct aiort_executor_s aiort_executor_t;

typedef struct {
    unsigned threads; /* at most; 0: the number of processors + 4, at most 32 */
    const char *name; /* of the threads, at most 10 bytes are used; NULL: "aiort" */
} aiort_executor_options_t;

/* An executor; options may be NULL. Threads are started when there is work for them. NULL:
 * UV_ENOMEM. any thread. */
AIORT_EXTERN aiort_executor_t *aiort_executor_new(const aiort_executor_options_t *options);

/*
 * No more work is taken on; what is queued still runs. Waits at most timeout seconds (0: not at all)
 * for the threads to end: UV_ETIMEDOUT when some still run. The last aiort_unref() does the same
 * without waiting. Blocks the thread. any thread, but not one of its own.
 * asyncio: Executor.shutdown()
 */
AIORT_EXTERN int aiort_executor_shutdown(aiort_executor_t *executor, double timeout);
/* The same; with AIORT_CANCEL_FUTURES what nobody has begun is not run, and its futures are
 * cancelled. asyncio: Executor.shutdown(cancel_futures=True) */
enum { AIORT_CANCEL_FUTURES = 1 };
AIORT_EXTERN int aiort_executor_shutdown_with(aiort_executor_t *executor, double timeout,
                                              int flags);

/*
 * A future for function(arg) run by the executor (NULL: the loop's default one). loop NULL: the
 * running one. Cancelling the future takes back what has not started; what runs goes on, and its
 * result is dropped, as when the loop is closed. NULL: AIORT_ENOLOOP, AIORT_ELOOPCLOSED,
 * AIORT_ESHUTDOWN, UV_EINVAL, UV_ENOMEM, UV_EAGAIN (no thread could be started). never suspends.
 * asyncio: loop.run_in_executor(executor, ...)
 */
#define aiort_executor_run(executor, loop, function, arg)                                          \
    AIORT__CALL(aiort_future_t *, aiort_executor_run_at(AIORT_SITE(#function), (executor), (loop), \
                (function), (arg)))
AIORT_EXTERN aiort_future_t *aiort_executor_run_at(const aiort_site_t *site,
                                                   aiort_executor_t *executor, aiort_loop_t *loop,
                                                   aiort_work_fn function, void *arg);

/* Runs function(arg) in a thread of the loop's default executor, with a copy of this task's context
 * variables, and waits for it. SUSPENDS. asyncio: to_thread() */
#define aiort_to_thread(function, arg, result)                                                     \
    AIORT__CALL(int, aiort_to_thread_at(AIORT_SITE(#function), (function), (arg), (result)))
AIORT_EXTERN int aiort_to_thread_at(const aiort_site_t *site, aiort_work_fn function, void *arg,
                                    void **result);

/* Makes it the loop's default executor; the loop takes a reference. NULL: a new one is made when
 * it is needed. never suspends. asyncio: loop.set_default_executor() */
AIORT_EXTERN int aiort_loop_set_default_executor(aiort_loop_t *loop, aiort_executor_t *executor);

/*
 * Shuts the loop's default executor down and waits for its threads, at most timeout seconds:
 * UV_ETIMEDOUT when some still run. From then on the loop has none (AIORT_ESHUTDOWN). aiort_run()
 * does it, with 300 seconds. SUSPENDS. asyncio: loop.shutdown_default_executor()
 */
#define aiort_loop_shutdown_default_executor(loop, timeout)                                        \
    AIORT__CALL(int, aiort_loop_shutdown_default_executor_at(AIORT_SITE(NULL), (loop), (timeout)))
AIORT_EXTERN int aiort_loop_shutdown_default_executor_at(const aiort_site_t *site,
                                                         aiort_loop_t *loop, double timeout);

/* ---- 13. Context variables --------------------------------------------------------------- */

/*
 * Variables with a value for each task. A new task begins with the values of the task that makes it,
 * and what it sets is seen by it and by the tasks it makes from then on, by nobody else. Coroutines
 * awaited in place share their task's values. Callbacks, and code outside of tasks, share those of
 * their thread. References are counted atomically.
 */
typedef struct aiort_context_var_s aiort_context_var_t; /* asyncio: contextvars.ContextVar */

/* A variable; the name is copied. NULL: UV_ENOMEM, UV_EINVAL (no name). any thread. */
AIORT_EXTERN aiort_context_var_t *aiort_context_var_new(const char *name, void *default_value);
/* Its value here, or its default one. any thread. asyncio: ContextVar.get() */
AIORT_EXTERN void *aiort_context_var_get(const aiort_context_var_t *var);
/* Sets its value here; the pointer is the caller's, who keeps the old one (get) to set it back.
 * UV_ENOMEM. any thread. asyncio: ContextVar.set() */
AIORT_EXTERN int aiort_context_var_set(aiort_context_var_t *var, void *value);

/* ---- 13b. Contexts ----------------------------------------------------------------------- */

/*
 * All values that are set, as one object. What runs in a context reads and sets the variables of that
 * object; others who run in it see that. References are counted atomically, but what is in it
 * belongs to one thread at a time.
 */

/* A context in which nothing is set. NULL: UV_ENOMEM. any thread. asyncio: Context() */
AIORT_EXTERN aiort_context_t *aiort_context_new(void);
/* A copy of the one that is current here. NULL: UV_ENOMEM. any thread. asyncio: copy_context() */
AIORT_EXTERN aiort_context_t *aiort_copy_context(void);
/* A copy of that one. NULL: UV_ENOMEM. any thread. asyncio: Context.copy() */
AIORT_EXTERN aiort_context_t *aiort_context_copy(const aiort_context_t *context);

/* The variable's value in it, or its default one; and how many are set. any thread.
 * asyncio: Context.get(), len(context) */
AIORT_EXTERN void *aiort_context_get(const aiort_context_t *context,
                                     const aiort_context_var_t *var);
AIORT_EXTERN size_t aiort_context_size(const aiort_context_t *context);

/* Calls function(arg, result) in it: 0 with *result (result may be NULL), or its code. Inside a task
 * it may await. any thread. SUSPENDS if the function does. asyncio: Context.run() */
AIORT_EXTERN int aiort_context_run(aiort_context_t *context, aiort_coroutine_fn function, void *arg,
                                   void **result);

/* The context that a task runs in, a new reference: what one of both sets, the other sees. NULL:
 * UV_ENOMEM. never suspends. asyncio: Task.get_context() */
AIORT_EXTERN aiort_context_t *aiort_task_get_context(aiort_task_t *task);

/* As aiort_call_soon() and aiort_future_add_done_callback(), but the callback is called in that
 * context; they take a reference. never suspends. asyncio: call_soon(context=...),
 * add_done_callback(context=...) */
#define aiort_call_soon_in_context(loop, context, callback, arg, handle)                           \
    AIORT__CALL(int, aiort_call_soon_in_context_at(AIORT_SITE(#callback), (loop), (context),       \
                (callback), (arg), (handle)))
AIORT_EXTERN int aiort_call_soon_in_context_at(const aiort_site_t *site, aiort_loop_t *loop,
                                               aiort_context_t *context,
                                               aiort_callback_fn callback, void *arg,
                                               aiort_handle_t **handle);
#define aiort_future_add_done_callback_in_context(future, context, callback, arg)                  \
    AIORT__CALL(int, aiort_future_add_done_callback_in_context_at(AIORT_SITE(#callback), (future), \
                (context), (callback), (arg)))
AIORT_EXTERN int aiort_future_add_done_callback_in_context_at(const aiort_site_t *site,
                                                              aiort_future_t *future,
                                                              aiort_context_t *context,
                                                              aiort_done_fn callback, void *arg);

/* ---- 13c. Call graphs -------------------------------------------------------------------- */

/*
 * Who waits for whom, and where: taken from what is there, so that it costs nothing before somebody
 * asks. A task that waits in a gather, a wait, a shield, a task group, an as_completed or a wait_for
 * waits for what is in it. All of these belong to the loop's thread.
 */

/* One function on the way to where a task stands. */
typedef struct {
    const char *function; /* its name, as the program wrote it */
    const char *file;     /* where it waits; NULL: not known */
    int line;             /* 0: not known */
    int coroutine;        /* 1: a coroutine's function, 0: one that a coroutine called */
} aiort_call_frame_t;

enum { AIORT_ALL_FRAMES = -1 };

/* A future, its functions, and those who wait for it. asyncio: FutureCallGraph */
typedef struct aiort_call_graph_s aiort_call_graph_t;

/*
 * The call graph of a future or a task (NULL: the current task), with at most limit functions of
 * each task, innermost first. It holds the futures; aiort_unref() gives it back. NULL:
 * AIORT_ENOTASK, UV_ENOMEM. never suspends. asyncio: capture_call_graph()
 */
#define aiort_capture_call_graph(future, limit)                                                    \
    AIORT__CALL(aiort_call_graph_t *, aiort_capture_call_graph_at(AIORT_SITE(NULL), (future),      \
                (limit)))
AIORT_EXTERN aiort_call_graph_t *aiort_capture_call_graph_at(const aiort_site_t *site,
                                                             aiort_future_t *future, int limit);

/* What it is of, borrowed. asyncio: FutureCallGraph.future */
AIORT_EXTERN aiort_future_t *aiort_call_graph_future(const aiort_call_graph_t *graph);
/* Its functions, innermost first; returns how many. They belong to the graph.
 * asyncio: FutureCallGraph.call_stack */
AIORT_EXTERN size_t aiort_call_graph_stack(const aiort_call_graph_t *graph,
                                           const aiort_call_frame_t **frames);
/*
 * The graphs of those who wait for it; returns how many. They go with the graph that was captured,
 * and a future has one of them only: where tasks wait for each other in a cycle, so does this.
 * asyncio: FutureCallGraph.awaited_by
 */
AIORT_EXTERN size_t aiort_call_graph_awaited_by(const aiort_call_graph_t *graph,
                                                aiort_call_graph_t *const **awaited_by);

enum { AIORT_GRAPH_TEXT = 0, AIORT_GRAPH_JSON = 1, AIORT_GRAPH_TABLE = 2 };

/* Writes a graph as text, or as JSON in one line, into buf, at most size bytes with the NUL, and
 * returns the length it would have had. never suspends. */
AIORT_EXTERN size_t aiort_call_graph_format(aiort_call_graph_t *graph, int form, char *buf,
                                            size_t size);
/* The same at once; 0: what aiort_capture_call_graph() says. asyncio: format_call_graph() */
#define aiort_format_call_graph(future, form, buf, size)                                           \
    AIORT__CALL(size_t, aiort_format_call_graph_at(AIORT_SITE(NULL), (future), (form), (buf),      \
                (size)))
AIORT_EXTERN size_t aiort_format_call_graph_at(const aiort_site_t *site, aiort_future_t *future,
                                               int form, char *buf, size_t size);
/* Prints it as text: 0, or a code. asyncio: print_call_graph() */
#define aiort_print_call_graph(future, file)                                                       \
    AIORT__CALL(int, aiort_print_call_graph_at(AIORT_SITE(NULL), (future), (file)))
AIORT_EXTERN int aiort_print_call_graph_at(const aiort_site_t *site, aiort_future_t *future,
                                           FILE *file);

/*
 * All tasks of a loop (NULL: the running one): as a tree, from those that nobody waits for down to
 * those that wait for no other, with the cycles at the end; as a table; or as JSON. The length, as
 * above; 0 or a code: AIORT_ENOLOOP, UV_ENOMEM. never suspends. asyncio: python -m asyncio pstree,
 * python -m asyncio ps
 */
#define aiort_format_await_tree(loop, form, buf, size)                                             \
    AIORT__CALL(size_t, aiort_format_await_tree_at(AIORT_SITE(NULL), (loop), (form), (buf),        \
                (size)))
AIORT_EXTERN size_t aiort_format_await_tree_at(const aiort_site_t *site, aiort_loop_t *loop,
                                               int form, char *buf, size_t size);
#define aiort_print_await_tree(loop, form, file)                                                   \
    AIORT__CALL(int, aiort_print_await_tree_at(AIORT_SITE(NULL), (loop), (form), (file)))
AIORT_EXTERN int aiort_print_await_tree_at(const aiort_site_t *site, aiort_loop_t *loop, int form,
                                           FILE *file);

/*
 * Tasks that wait for each other in a cycle, none of which will ever go on: how many there are in the
 * first one that is found, 0 when there is none; at most max of them are stored in tasks, each waiting
 * for the next one and the last for the first, each a new reference. AIORT_ENOLOOP, UV_ENOMEM.
 * never suspends.
 */
AIORT_EXTERN int aiort_find_await_cycle(aiort_loop_t *loop, aiort_task_t **tasks, size_t max);

/*
 * For programs that let a task wait in a way of their own: from now until the future is done, or this
 * is taken back, waiter counts as one who waits for it. It is not held: take it back before it goes.
 * UV_ENOMEM. never suspends. asyncio: future_add_to_awaited_by(), future_discard_from_awaited_by()
 */
AIORT_EXTERN int aiort_future_add_to_awaited_by(aiort_future_t *future, aiort_future_t *waiter);
AIORT_EXTERN int aiort_future_discard_from_awaited_by(aiort_future_t *future,
                                                      aiort_future_t *waiter);

/* ---- 14. Streams ------------------------------------------------------------------------- */

/*
 * A connection is a reader and a writer, over a transport. The first transport makes the process
 * ignore SIGPIPE, unless it does something else with it: who writes gets UV_EPIPE.
 *
 *     aiort_stream_reader_t *reader;
 *     aiort_stream_writer_t *writer;
 *     int err = aiort_open_connection("localhost", 8888, NULL, &reader, &writer);
 *     if (!err) {
 *         const char *line;
 *         aiort_stream_write(writer, "hello\n", 6);
 *         err = aiort_stream_drain(writer);
 *         ssize_t n = err ? err : aiort_stream_readline(reader, &line);
 *         aiort_stream_close(writer);
 *         aiort_stream_wait_closed(writer);
 *         aiort_unref(reader);
 *         aiort_unref(writer);
 *     }
 *
 * The last reference to a writer closes its connection when nobody did; AIODEBUG_RESOURCE=1 says so.
 * Being cancelled in any of the functions that wait takes nothing out of a reader.
 */
typedef struct aiort_stream_reader_s aiort_stream_reader_t; /* asyncio: StreamReader */
typedef struct aiort_stream_writer_s aiort_stream_writer_t; /* asyncio: StreamWriter */
typedef struct aiort_transport_s aiort_transport_t;         /* asyncio: Transport */
typedef struct aiort_server_s aiort_server_t;               /* asyncio: Server */

enum { AIORT_STREAM_LIMIT = 64 * 1024 }; /* bytes; the default limit of a reader */

typedef struct {
    size_t limit;           /* of the reader; 0: AIORT_STREAM_LIMIT */
    int family;             /* AF_INET, AF_INET6; 0: any */
    const char *local_host; /* address to connect from; NULL: any */
    int local_port;         /* 0: any */
    /* Seconds after which the next address is tried beside the one that does not answer (RFC 8305);
     * 0: one after another. asyncio: happy_eyeballs_delay, interleave */
    double happy_eyeballs_delay;
} aiort_connection_options_t;

/*
 * Connects to a host (a name, which libuv's pool resolves, or an address) and a port; options may be
 * NULL. 0 with a new reference each to *reader and *writer. Every address is tried; when all fail,
 * the code of the last one, and the message has them all. UV_EINVAL (no host, port outside of 0 to
 * 65535), UV_EAI_NONAME and its like, AIORT_ENOTASK, UV_ENOMEM. SUSPENDS.
 * asyncio: open_connection()
 */
#define aiort_open_connection(host, port, options, reader, writer)                                 \
    AIORT__CALL(int, aiort_open_connection_at(AIORT_SITE(NULL), (host), (port), (options),         \
                (reader), (writer)))
AIORT_EXTERN int aiort_open_connection_at(const aiort_site_t *site, const char *host, int port,
                                          const aiort_connection_options_t *options,
                                          aiort_stream_reader_t **reader,
                                          aiort_stream_writer_t **writer);

/* The same to a Unix socket; a path that begins with a NUL byte is an abstract one, and length says
 * how long it is (0: up to the NUL). SUSPENDS. asyncio: open_unix_connection() */
#define aiort_open_unix_connection(path, length, options, reader, writer)                          \
    AIORT__CALL(int, aiort_open_unix_connection_at(AIORT_SITE(NULL), (path), (length), (options),  \
                (reader), (writer)))
AIORT_EXTERN int aiort_open_unix_connection_at(const aiort_site_t *site, const char *path,
                                               size_t length,
                                               const aiort_connection_options_t *options,
                                               aiort_stream_reader_t **reader,
                                               aiort_stream_writer_t **writer);

/* A connection over a socket that is connected already, which it takes over, also on failure.
 * UV_EINVAL when it is no stream socket. never suspends. asyncio: open_connection(sock=...) */
#define aiort_open_socket(fd, options, reader, writer)                                             \
    AIORT__CALL(int, aiort_open_socket_at(AIORT_SITE(NULL), (fd), (options), (reader), (writer)))
AIORT_EXTERN int aiort_open_socket_at(const aiort_site_t *site, int fd,
                                      const aiort_connection_options_t *options,
                                      aiort_stream_reader_t **reader,
                                      aiort_stream_writer_t **writer);

/* -- The reader -- */

/*
 * Each of these waits until it has what it is asked for. One task at a time may wait
 * (AIORT_EMISUSE). UV_ECANCELED and AIORT_ECLOSED as aiort_await(); the error that ended the
 * connection (UV_ECONNRESET, ...), at every call. What *data gets is the reader's own memory, valid
 * until the next call with this reader, and followed by a NUL byte.
 */

/* At most n bytes, at least one; 0 at the end (and for n 0). SUSPENDS (not when there are any).
 * asyncio: StreamReader.read(n) */
#define aiort_stream_read(reader, buffer, n)                                                       \
    AIORT__CALL(ssize_t, aiort_stream_read_at(AIORT_SITE(NULL), (reader), (buffer), (n)))
AIORT_EXTERN ssize_t aiort_stream_read_at(const aiort_site_t *site, aiort_stream_reader_t *reader,
                                          void *buffer, size_t n);

/* All up to the end; returns how many bytes. SUSPENDS. asyncio: StreamReader.read(-1) */
#define aiort_stream_read_all(reader, data)                                                        \
    AIORT__CALL(ssize_t, aiort_stream_read_all_at(AIORT_SITE(NULL), (reader), (data)))
AIORT_EXTERN ssize_t aiort_stream_read_all_at(const aiort_site_t *site,
                                              aiort_stream_reader_t *reader, const char **data);

/* Exactly n bytes: n. AIORT_EINCOMPLETE when the end comes first: see aiort_stream_partial().
 * SUSPENDS (not when they are there). asyncio: StreamReader.readexactly() */
#define aiort_stream_readexactly(reader, buffer, n)                                                \
    AIORT__CALL(ssize_t, aiort_stream_readexactly_at(AIORT_SITE(NULL), (reader), (buffer), (n)))
AIORT_EXTERN ssize_t aiort_stream_readexactly_at(const aiort_site_t *site,
                                                 aiort_stream_reader_t *reader, void *buffer,
                                                 size_t n);

/* Up to and with the next newline; at the end what is left, without one, and then 0. AIORT_ELIMIT
 * when the line is longer than the limit; what was read of it is dropped. SUSPENDS (not when there
 * is one). asyncio: StreamReader.readline() */
#define aiort_stream_readline(reader, data)                                                        \
    AIORT__CALL(ssize_t, aiort_stream_readline_at(AIORT_SITE(NULL), (reader), (data)))
AIORT_EXTERN ssize_t aiort_stream_readline_at(const aiort_site_t *site,
                                              aiort_stream_reader_t *reader, const char **data);

/* Up to and with the separator of n bytes. AIORT_EINCOMPLETE at the end: see aiort_stream_partial().
 * AIORT_ELIMIT when it is further away than the limit: nothing is taken out, and
 * aiort_stream_consumed() says how many bytes can be read away. UV_EINVAL: n is 0. SUSPENDS (not
 * when there is one). asyncio: StreamReader.readuntil() */
#define aiort_stream_readuntil(reader, separator, n, data)                                         \
    AIORT__CALL(ssize_t, aiort_stream_readuntil_at(AIORT_SITE(NULL), (reader), (separator), (n),   \
                (data)))
AIORT_EXTERN ssize_t aiort_stream_readuntil_at(const aiort_site_t *site,
                                               aiort_stream_reader_t *reader, const void *separator,
                                               size_t n, const char **data);

/* What the call that returned AIORT_EINCOMPLETE did read, *n bytes, as *data above.
 * asyncio: IncompleteReadError.partial */
AIORT_EXTERN const char *aiort_stream_partial(const aiort_stream_reader_t *reader, size_t *n);
/* asyncio: LimitOverrunError.consumed */
AIORT_EXTERN size_t aiort_stream_consumed(const aiort_stream_reader_t *reader);
/* Whether the end has come and all was read. never suspends. asyncio: StreamReader.at_eof() */
AIORT_EXTERN int aiort_stream_at_eof(const aiort_stream_reader_t *reader);
/* The error that ended it, borrowed, or NULL. never suspends. asyncio: StreamReader.exception() */
AIORT_EXTERN aiort_error_t *aiort_stream_error(const aiort_stream_reader_t *reader);

/* A reader that the program feeds itself; limit 0: AIORT_STREAM_LIMIT. It may be made before there
 * is a loop. NULL: UV_ENOMEM. never suspends. asyncio: StreamReader() */
AIORT_EXTERN aiort_stream_reader_t *aiort_stream_reader_new(size_t limit);
/* Bytes arrive; they are copied. AIORT_EMISUSE after the end, UV_ENOMEM. never suspends.
 * asyncio: StreamReader.feed_data() */
AIORT_EXTERN int aiort_stream_feed_data(aiort_stream_reader_t *reader, const void *data, size_t n);
/* The end arrives. never suspends. asyncio: StreamReader.feed_eof() */
AIORT_EXTERN int aiort_stream_feed_eof(aiort_stream_reader_t *reader);
/* An error arrives, of which it takes a reference. never suspends.
 * asyncio: StreamReader.set_exception() */
AIORT_EXTERN int aiort_stream_set_error(aiort_stream_reader_t *reader, aiort_error_t *error);

/* -- The writer -- */

/*
 * Writes n bytes, or keeps a copy of what the kernel does not take now; it is sent later. After the
 * connection was lost they are dropped (and from the fifth call on that is reported: "socket.send()
 * raised exception."); aiort_stream_drain() tells. AIORT_EMISUSE after aiort_stream_write_eof();
 * UV_ENOMEM, which ends the connection if some of them were sent. never suspends.
 * asyncio: StreamWriter.write()
 */
AIORT_EXTERN int aiort_stream_write(aiort_stream_writer_t *writer, const void *data, size_t n);
/* The same for several pieces, with one system call. asyncio: StreamWriter.writelines() */
AIORT_EXTERN int aiort_stream_writelines(aiort_stream_writer_t *writer, const uv_buf_t *pieces,
                                         unsigned n);
/* Waits while more than the high-water mark is kept, until it is no more than the low one: 0, or the
 * error that ended the connection (UV_ECONNRESET: "Connection lost"). SUSPENDS (not below the mark).
 * asyncio: StreamWriter.drain() */
#define aiort_stream_drain(writer)                                                                 \
    AIORT__CALL(int, aiort_stream_drain_at(AIORT_SITE(NULL), (writer)))
AIORT_EXTERN int aiort_stream_drain_at(const aiort_site_t *site, aiort_stream_writer_t *writer);
/* Ends this direction once all is sent; the other side reads an end. AIORT_EMISUSE where
 * aiort_stream_can_write_eof() is 0. never suspends. asyncio: StreamWriter.write_eof() */
AIORT_EXTERN int aiort_stream_write_eof(aiort_stream_writer_t *writer);
AIORT_EXTERN int aiort_stream_can_write_eof(const aiort_stream_writer_t *writer);
/* Closes once all is sent; nothing more is read. never suspends. asyncio: StreamWriter.close() */
AIORT_EXTERN int aiort_stream_close(aiort_stream_writer_t *writer);
/* Whether it is closed or being closed. asyncio: StreamWriter.is_closing() */
AIORT_EXTERN int aiort_stream_is_closing(const aiort_stream_writer_t *writer);
/* Waits until it is closed: 0, or the error that ended it. SUSPENDS (not when it is).
 * asyncio: StreamWriter.wait_closed() */
#define aiort_stream_wait_closed(writer)                                                           \
    AIORT__CALL(int, aiort_stream_wait_closed_at(AIORT_SITE(NULL), (writer)))
AIORT_EXTERN int aiort_stream_wait_closed_at(const aiort_site_t *site,
                                             aiort_stream_writer_t *writer);

/* The transport, borrowed. asyncio: StreamWriter.transport */
AIORT_EXTERN aiort_transport_t *aiort_stream_transport(const aiort_stream_writer_t *writer);

/*
 * What is known of the connection, as text in asyncio's form: "peername", "sockname"
 * ("('127.0.0.1', 8888)"), "socket" (its descriptor); more with TLS. Writes at most size bytes with
 * the NUL and returns the length, as snprintf does; UV_ENOENT when there is none. never suspends.
 * asyncio: StreamWriter.get_extra_info()
 */
AIORT_EXTERN int aiort_stream_get_extra_info(const aiort_stream_writer_t *writer, const char *name,
                                             char *buf, size_t size);

/* -- The transport -- */

/* Closes once all is sent / drops what is not sent. never suspends. asyncio: Transport.close(),
 * Transport.abort() */
AIORT_EXTERN int aiort_transport_close(aiort_transport_t *transport);
AIORT_EXTERN int aiort_transport_abort(aiort_transport_t *transport);
AIORT_EXTERN int aiort_transport_is_closing(const aiort_transport_t *transport);
/* The program's own brake besides the reader's. asyncio: pause_reading(), resume_reading(),
 * is_reading() */
AIORT_EXTERN int aiort_transport_pause_reading(aiort_transport_t *transport);
AIORT_EXTERN int aiort_transport_resume_reading(aiort_transport_t *transport);
AIORT_EXTERN int aiort_transport_is_reading(const aiort_transport_t *transport);
/* Bytes kept for later from which drain() waits, and down to which. A negative high: 64 KiB, or four
 * times low; a negative low: a quarter of high. UV_EINVAL unless high >= low >= 0.
 * asyncio: set_write_buffer_limits(), get_write_buffer_limits(), get_write_buffer_size() */
AIORT_EXTERN int aiort_transport_set_write_buffer_limits(aiort_transport_t *transport, int64_t high,
                                                         int64_t low);
AIORT_EXTERN void aiort_transport_get_write_buffer_limits(const aiort_transport_t *transport,
                                                          size_t *high, size_t *low);
AIORT_EXTERN size_t aiort_transport_get_write_buffer_size(const aiort_transport_t *transport);
/* The addresses of both ends: 0, UV_ENOENT, libuv's error. asyncio: get_extra_info("peername"),
 * get_extra_info("sockname") */
AIORT_EXTERN int aiort_transport_peername(const aiort_transport_t *transport,
                                          struct sockaddr_storage *address);
AIORT_EXTERN int aiort_transport_sockname(const aiort_transport_t *transport,
                                          struct sockaddr_storage *address);
/* The descriptor, which stays the transport's; UV_EBADF when it is closed.
 * asyncio: get_extra_info("socket") */
AIORT_EXTERN int aiort_transport_fileno(const aiort_transport_t *transport);

/* ---- 15. Servers ------------------------------------------------------------------------- */

/* What the coroutine of a connection gets as its argument. Both are borrowed for as long as it
 * runs: take a reference to keep one longer. */
typedef struct {
    aiort_stream_reader_t *reader;
    aiort_stream_writer_t *writer;
    void *arg; /* what the server was given */
} aiort_connection_t;

typedef struct {
    size_t limit;         /* of the readers; 0: AIORT_STREAM_LIMIT */
    int family;           /* AF_INET, AF_INET6; 0: any */
    int backlog;          /* 0: 100 */
    int reuse_port;       /* 1: several processes may listen at the port */
    int no_reuse_address; /* 1: a port that was in use a moment ago is not free yet */
    int keep_path;        /* 1: a Unix socket's file stays when the server is closed */
    int start_later;      /* 1: only aiort_server_start_serving() starts it */
} aiort_server_options_t;

/*
 * Listens at every address of the host (NULL or "": all interfaces; several names may be separated
 * by commas) and the port (0: a free one). For each connection a task runs the coroutine function
 * with an aiort_connection_t *. An error that it returns is reported ("Unhandled exception in
 * client_connected_cb") and closes the connection; being cancelled closes it without a word. One it
 * leaves open is closed when the last reference to its writer goes, which AIODEBUG_RESOURCE=1
 * reports. When the process has no descriptor left, that is said once ("socket.accept() out of
 * system resource"), and accepting goes on after a second. 0 with a new reference to *server; the
 * loop keeps it as long as it listens. UV_EADDRINUSE and its like, UV_EINVAL, UV_EAI_NONAME,
 * AIORT_ENOTASK, UV_ENOMEM. SUSPENDS (not for addresses). asyncio: start_server()
 */
#define aiort_start_server(function, arg, host, port, options, server)                             \
    AIORT__CALL(int, aiort_start_server_at(AIORT_SITE(#function), (function), (arg), (host),       \
                (port), (options), (server)))
AIORT_EXTERN int aiort_start_server_at(const aiort_site_t *site, aiort_coroutine_fn function,
                                       void *arg, const char *host, int port,
                                       const aiort_server_options_t *options,
                                       aiort_server_t **server);

/* The same at a Unix socket; path and length as aiort_open_unix_connection(). The file of a server
 * that is gone is replaced; that of the server is removed when it is closed. never suspends.
 * asyncio: start_unix_server() */
#define aiort_start_unix_server(function, arg, path, length, options, server)                      \
    AIORT__CALL(int, aiort_start_unix_server_at(AIORT_SITE(#function), (function), (arg), (path),  \
                (length), (options), (server)))
AIORT_EXTERN int aiort_start_unix_server_at(const aiort_site_t *site, aiort_coroutine_fn function,
                                            void *arg, const char *path, size_t length,
                                            const aiort_server_options_t *options,
                                            aiort_server_t **server);

/* The same at n sockets that are bound already, which it takes over, also on failure.
 * never suspends. asyncio: start_server(sock=...) */
#define aiort_start_server_sockets(function, arg, fds, n, options, server)                         \
    AIORT__CALL(int, aiort_start_server_sockets_at(AIORT_SITE(#function), (function), (arg),       \
                (fds), (n), (options), (server)))
AIORT_EXTERN int aiort_start_server_sockets_at(const aiort_site_t *site,
                                               aiort_coroutine_fn function, void *arg,
                                               const int *fds, size_t n,
                                               const aiort_server_options_t *options,
                                               aiort_server_t **server);

/* Starts to accept; does nothing when it does. AIORT_EMISUSE when it is closed. never suspends.
 * asyncio: Server.start_serving() */
AIORT_EXTERN int aiort_server_start_serving(aiort_server_t *server);
AIORT_EXTERN int aiort_server_is_serving(const aiort_server_t *server);
/* Starts to accept, and waits until the server is closed or this task cancelled: UV_ECANCELED in
 * both cases, with the server closed and its connections ended. AIORT_EMISUSE when it is closed, or
 * another task does this. SUSPENDS. asyncio: Server.serve_forever() */
#define aiort_server_serve_forever(server)                                                         \
    AIORT__CALL(int, aiort_server_serve_forever_at(AIORT_SITE(NULL), (server)))
AIORT_EXTERN int aiort_server_serve_forever_at(const aiort_site_t *site, aiort_server_t *server);
/* Stops to listen; connections go on. never suspends. asyncio: Server.close() */
AIORT_EXTERN int aiort_server_close(aiort_server_t *server);
/* Closes, or aborts, every connection of the server. never suspends.
 * asyncio: Server.close_clients(), Server.abort_clients() */
AIORT_EXTERN int aiort_server_close_clients(aiort_server_t *server);
AIORT_EXTERN int aiort_server_abort_clients(aiort_server_t *server);
/* Waits until it is closed and its last connection has ended, as in Python 3.12. SUSPENDS (not when
 * that is so). asyncio: Server.wait_closed() */
#define aiort_server_wait_closed(server)                                                           \
    AIORT__CALL(int, aiort_server_wait_closed_at(AIORT_SITE(NULL), (server)))
AIORT_EXTERN int aiort_server_wait_closed_at(const aiort_site_t *site, aiort_server_t *server);
/* How many sockets it listens at, 0 once closed; stores at most max of their descriptors, which stay
 * the server's. asyncio: Server.sockets */
AIORT_EXTERN size_t aiort_server_sockets(const aiort_server_t *server, int *fds, size_t max);
/* The port of its first socket, 0 when there is none. */
AIORT_EXTERN int aiort_server_port(const aiort_server_t *server);

/* ---- 16. Pipes and standard streams ------------------------------------------------------ */

/*
 * A reader of a pipe's end, a socket, a terminal, which takes the descriptor over, also on failure.
 * The last reference to it closes it. UV_EINVAL for anything else ("Pipe transport is for
 * pipes/sockets only."). never suspends. asyncio: loop.connect_read_pipe()
 */
#define aiort_connect_read_pipe(fd, limit, reader)                                                 \
    AIORT__CALL(int, aiort_connect_read_pipe_at(AIORT_SITE(NULL), (fd), (limit), (reader)))
AIORT_EXTERN int aiort_connect_read_pipe_at(const aiort_site_t *site, int fd, size_t limit,
                                            aiort_stream_reader_t **reader);
/* A writer likewise. never suspends. asyncio: loop.connect_write_pipe() */
#define aiort_connect_write_pipe(fd, writer)                                                       \
    AIORT__CALL(int, aiort_connect_write_pipe_at(AIORT_SITE(NULL), (fd), (writer)))
AIORT_EXTERN int aiort_connect_write_pipe_at(const aiort_site_t *site, int fd,
                                             aiort_stream_writer_t **writer);
/* Stops to read and closes the pipe. For a reader that owns its transport; others are closed by
 * their writer (AIORT_EMISUSE). never suspends. asyncio: ReadTransport.close() */
AIORT_EXTERN int aiort_stream_reader_close(aiort_stream_reader_t *reader);
/* Its transport, borrowed; NULL when it has none. */
AIORT_EXTERN aiort_transport_t *aiort_stream_reader_transport(const aiort_stream_reader_t *reader);

/*
 * The process's own standard input as a reader, its standard output (1) or error output (2) as a
 * writer. Files and devices are read and written too, through libuv's pool. The descriptors
 * themselves stay open and blocking. never suspends.
 */
#define aiort_open_stdin(limit, reader)                                                            \
    AIORT__CALL(int, aiort_open_stdin_at(AIORT_SITE(NULL), (limit), (reader)))
AIORT_EXTERN int aiort_open_stdin_at(const aiort_site_t *site, size_t limit,
                                     aiort_stream_reader_t **reader);
#define aiort_open_stdout(fd, writer)                                                              \
    AIORT__CALL(int, aiort_open_stdout_at(AIORT_SITE(NULL), (fd), (writer)))
AIORT_EXTERN int aiort_open_stdout_at(const aiort_site_t *site, int fd,
                                      aiort_stream_writer_t **writer);

/* ---- 17. Subprocesses -------------------------------------------------------------------- */

/*
 * A child process with its standard streams.
 *
 *     aiort_process_options_t options = {.out = AIORT_PROCESS_PIPE};
 *     aiort_process_t *process;
 *     const char *text;
 *     size_t n;
 *     int status;
 *     char *argv[] = {"date", "-u", NULL};
 *     int err = aiort_create_subprocess_exec("date", argv, &options, &process);
 *     if (!err) {
 *         err = aiort_process_communicate(process, NULL, 0, &text, &n, NULL, NULL);
 *         err = err ? err : aiort_process_wait(process, &status);
 *         aiort_unref(process);
 *     }
 *
 * The loop keeps a process until it has ended, with or without references. One that still runs when
 * its loop is closed is killed, as Python's transport does; AIODEBUG_RESOURCE=1 says so.
 */
typedef struct aiort_process_s aiort_process_t; /* asyncio: subprocess.Process */

/* What a standard stream of the child is: one of these, or a descriptor, which stays the caller's. */
enum {
    AIORT_PROCESS_INHERIT = 0,  /* the parent's own */
    AIORT_PROCESS_PIPE = -1,    /* asyncio: PIPE */
    AIORT_PROCESS_STDOUT = -2,  /* of .err: where .out goes. asyncio: STDOUT */
    AIORT_PROCESS_DEVNULL = -3, /* asyncio: DEVNULL */
};

typedef struct {
    int in, out, err;
    size_t limit;       /* of the readers; 0: AIORT_STREAM_LIMIT */
    const char *cwd;    /* NULL: the parent's */
    char *const *env;   /* "NAME=value", the last NULL; NULL: the parent's */
    int new_session;    /* 1: as setsid() */
    unsigned uid, gid;  /* 0: the parent's */
} aiort_process_options_t;

/*
 * Starts a program, which is searched in PATH; argv as in execvp(). options may be NULL. 0 with a
 * new reference to *process; UV_ENOENT, UV_EACCES and their like when it cannot be started,
 * UV_EINVAL, UV_EMFILE, UV_ENOMEM, AIORT_ENOLOOP. never suspends.
 * asyncio: create_subprocess_exec()
 */
#define aiort_create_subprocess_exec(file, argv, options, process)                                 \
    AIORT__CALL(int, aiort_create_subprocess_exec_at(AIORT_SITE(NULL), (file), (argv), (options),  \
                (process)))
AIORT_EXTERN int aiort_create_subprocess_exec_at(const aiort_site_t *site, const char *file,
                                                 char *const *argv,
                                                 const aiort_process_options_t *options,
                                                 aiort_process_t **process);
/* The same by "/bin/sh -c". Whatever comes from elsewhere is quoted by the caller. never suspends.
 * asyncio: create_subprocess_shell() */
#define aiort_create_subprocess_shell(command, options, process)                                   \
    AIORT__CALL(int, aiort_create_subprocess_shell_at(AIORT_SITE(NULL), (command), (options),      \
                (process)))
AIORT_EXTERN int aiort_create_subprocess_shell_at(const aiort_site_t *site, const char *command,
                                                  const aiort_process_options_t *options,
                                                  aiort_process_t **process);

AIORT_EXTERN int aiort_process_pid(const aiort_process_t *process);
/* 1 and *status (may be NULL) when it has ended: its exit status, or the negative number of the
 * signal that ended it; 0 while it runs. asyncio: Process.returncode */
AIORT_EXTERN int aiort_process_returncode(const aiort_process_t *process, int *status);
/* Its streams that are pipes, borrowed from the process; NULL. asyncio: Process.stdin, .stdout,
 * .stderr */
AIORT_EXTERN aiort_stream_writer_t *aiort_process_stdin(const aiort_process_t *process);
AIORT_EXTERN aiort_stream_reader_t *aiort_process_stdout(const aiort_process_t *process);
AIORT_EXTERN aiort_stream_reader_t *aiort_process_stderr(const aiort_process_t *process);

/* Waits until it has ended: 0 and *status (may be NULL) as aiort_process_returncode(), or what
 * aiort_await() says. A child that fills a pipe nobody reads never ends: see
 * aiort_process_communicate(). SUSPENDS (not when it has ended). asyncio: Process.wait() */
#define aiort_process_wait(process, status)                                                        \
    AIORT__CALL(int, aiort_process_wait_at(AIORT_SITE(NULL), (process), (status)))
AIORT_EXTERN int aiort_process_wait_at(const aiort_site_t *site, aiort_process_t *process,
                                       int *status);
/*
 * Writes n bytes of input to its standard input and closes that, reads its standard output and error
 * output to the end, all at once, and waits until it has ended. *out and *err get what came (may be
 * NULL; NULL where there is no pipe), valid until the process is dropped or read from again. A child
 * that does not read all of the input is no error. AIORT_EMISUSE while another task does this.
 * SUSPENDS. asyncio: Process.communicate()
 */
#define aiort_process_communicate(process, input, n, out, out_size, err, err_size)                 \
    AIORT__CALL(int, aiort_process_communicate_at(AIORT_SITE(NULL), (process), (input), (n),       \
                (out), (out_size), (err), (err_size)))
AIORT_EXTERN int aiort_process_communicate_at(const aiort_site_t *site, aiort_process_t *process,
                                              const void *input, size_t n, const char **out,
                                              size_t *out_size, const char **err,
                                              size_t *err_size);
/* UV_ESRCH when it has ended. never suspends. asyncio: Process.send_signal(), .terminate(), .kill() */
AIORT_EXTERN int aiort_process_send_signal(aiort_process_t *process, int signum);
AIORT_EXTERN int aiort_process_terminate(aiort_process_t *process);
AIORT_EXTERN int aiort_process_kill(aiort_process_t *process);

/* ---- 18. Datagrams ----------------------------------------------------------------------- */

typedef struct aiort_datagram_s aiort_datagram_t; /* asyncio: DatagramTransport */

typedef struct {
    const char *local_host;  /* address or name to bind to; NULL: any */
    int local_port;          /* 0: a free one */
    const char *remote_host; /* the one peer: what others send is not received; NULL: all */
    int remote_port;
    int family;              /* AF_INET, AF_INET6; 0: as the hosts have it */
    int reuse_port;          /* 1: several processes may bind to the port */
    int broadcast;           /* 1: may send to broadcast addresses */
} aiort_datagram_options_t;

/*
 * A UDP endpoint. options may be NULL. 0 with a new reference to *endpoint; the last reference
 * closes it, which AIODEBUG_RESOURCE=1 reports. UV_EADDRINUSE and its like, UV_EAI_NONAME,
 * UV_EINVAL, AIORT_ENOTASK, UV_ENOMEM. SUSPENDS (not for addresses).
 * asyncio: loop.create_datagram_endpoint()
 */
#define aiort_create_datagram_endpoint(options, endpoint)                                          \
    AIORT__CALL(int, aiort_create_datagram_endpoint_at(AIORT_SITE(NULL), (options), (endpoint)))
AIORT_EXTERN int aiort_create_datagram_endpoint_at(const aiort_site_t *site,
                                                   const aiort_datagram_options_t *options,
                                                   aiort_datagram_t **endpoint);
/*
 * Waits for a datagram; at most n bytes of it are stored, the rest is dropped. Returns how many the
 * datagram had, and in *from (may be NULL) who sent it. Datagrams that came meanwhile are kept, 1 MiB
 * of them. UV_ECONNREFUSED and its like for what was sent to the one peer; UV_ECANCELED; UV_EBADF
 * once it is closed. Several tasks may wait. SUSPENDS (not when there is one).
 * asyncio: DatagramProtocol.datagram_received(), .error_received()
 */
#define aiort_datagram_recvfrom(endpoint, buffer, n, from)                                         \
    AIORT__CALL(ssize_t, aiort_datagram_recvfrom_at(AIORT_SITE(NULL), (endpoint), (buffer), (n),   \
                (from)))
AIORT_EXTERN ssize_t aiort_datagram_recvfrom_at(const aiort_site_t *site,
                                                aiort_datagram_t *endpoint, void *buffer, size_t n,
                                                struct sockaddr_storage *from);
/* Sends at once, or keeps a copy until the socket takes it. `to` NULL: the one peer. UV_EMSGSIZE,
 * UV_EINVAL (an address with a peer, none without), UV_EBADF once it is closed, UV_ENOMEM.
 * never suspends. asyncio: DatagramTransport.sendto() */
AIORT_EXTERN int aiort_datagram_sendto(aiort_datagram_t *endpoint, const void *data, size_t n,
                                       const struct sockaddr *to);
/* What was sent is still sent; who waits gets UV_EBADF. never suspends.
 * asyncio: DatagramTransport.close() */
AIORT_EXTERN int aiort_datagram_close(aiort_datagram_t *endpoint);
AIORT_EXTERN int aiort_datagram_is_closing(const aiort_datagram_t *endpoint);
/* The local address. 0, or libuv's error. */
AIORT_EXTERN int aiort_datagram_sockname(const aiort_datagram_t *endpoint,
                                         struct sockaddr_storage *address);
AIORT_EXTERN int aiort_datagram_port(const aiort_datagram_t *endpoint); /* 0: none */

/* ---- 19. Names --------------------------------------------------------------------------- */

/*
 * As getaddrinfo(), on a thread of libuv's pool; *found is freed with uv_freeaddrinfo(). A UV_EAI_
 * code, UV_ECANCELED, AIORT_ENOTASK, UV_ENOMEM. SUSPENDS. asyncio: loop.getaddrinfo()
 */
#define aiort_getaddrinfo(node, service, hints, found)                                             \
    AIORT__CALL(int, aiort_getaddrinfo_at(AIORT_SITE(NULL), (node), (service), (hints), (found)))
AIORT_EXTERN int aiort_getaddrinfo_at(const aiort_site_t *site, const char *node,
                                      const char *service, const struct addrinfo *hints,
                                      struct addrinfo **found);
/* As getnameinfo(); host or service may be NULL: not wanted. SUSPENDS. asyncio: loop.getnameinfo() */
#define aiort_getnameinfo(address, flags, host, host_size, service, service_size)                  \
    AIORT__CALL(int, aiort_getnameinfo_at(AIORT_SITE(NULL), (address), (flags), (host),            \
                (host_size), (service), (service_size)))
AIORT_EXTERN int aiort_getnameinfo_at(const aiort_site_t *site, const struct sockaddr *address,
                                      int flags, char *host, size_t host_size, char *service,
                                      size_t service_size);

/* ---- 20. Files --------------------------------------------------------------------------- */

/*
 * libuv's calls on files, each on a thread of its pool: the loop goes on meanwhile. They return what
 * the system call does, or libuv's error code. A task that is cancelled gets UV_ECANCELED at once;
 * the call may still happen then, on copies of what it was given (asyncio has no such functions: in
 * Python one calls them through to_thread()). All of them SUSPEND; AIORT_ENOTASK outside of a task.
 */
#define aiort_fs_open(path, flags, mode)                                                           \
    AIORT__CALL(int, aiort_fs_open_at(AIORT_SITE(NULL), (path), (flags), (mode)))
AIORT_EXTERN int aiort_fs_open_at(const aiort_site_t *site, const char *path, int flags, int mode);
#define aiort_fs_close(fd) AIORT__CALL(int, aiort_fs_close_at(AIORT_SITE(NULL), (fd)))
AIORT_EXTERN int aiort_fs_close_at(const aiort_site_t *site, int fd);
/* At most n bytes from the offset (-1: the descriptor's position, which then moves). */
#define aiort_fs_read(fd, buffer, n, offset)                                                       \
    AIORT__CALL(ssize_t, aiort_fs_read_at(AIORT_SITE(NULL), (fd), (buffer), (n), (offset)))
AIORT_EXTERN ssize_t aiort_fs_read_at(const aiort_site_t *site, int fd, void *buffer, size_t n,
                                      int64_t offset);
#define aiort_fs_write(fd, data, n, offset)                                                        \
    AIORT__CALL(ssize_t, aiort_fs_write_at(AIORT_SITE(NULL), (fd), (data), (n), (offset)))
AIORT_EXTERN ssize_t aiort_fs_write_at(const aiort_site_t *site, int fd, const void *data,
                                       size_t n, int64_t offset);
#define aiort_fs_fsync(fd) AIORT__CALL(int, aiort_fs_fsync_at(AIORT_SITE(NULL), (fd)))
AIORT_EXTERN int aiort_fs_fsync_at(const aiort_site_t *site, int fd);
#define aiort_fs_ftruncate(fd, size)                                                               \
    AIORT__CALL(int, aiort_fs_ftruncate_at(AIORT_SITE(NULL), (fd), (size)))
AIORT_EXTERN int aiort_fs_ftruncate_at(const aiort_site_t *site, int fd, int64_t size);
#define aiort_fs_stat(path, status)                                                                \
    AIORT__CALL(int, aiort_fs_stat_at(AIORT_SITE(NULL), (path), (status)))
AIORT_EXTERN int aiort_fs_stat_at(const aiort_site_t *site, const char *path, uv_stat_t *status);
#define aiort_fs_lstat(path, status)                                                               \
    AIORT__CALL(int, aiort_fs_lstat_at(AIORT_SITE(NULL), (path), (status)))
AIORT_EXTERN int aiort_fs_lstat_at(const aiort_site_t *site, const char *path, uv_stat_t *status);
#define aiort_fs_fstat(fd, status)                                                                 \
    AIORT__CALL(int, aiort_fs_fstat_at(AIORT_SITE(NULL), (fd), (status)))
AIORT_EXTERN int aiort_fs_fstat_at(const aiort_site_t *site, int fd, uv_stat_t *status);
#define aiort_fs_unlink(path) AIORT__CALL(int, aiort_fs_unlink_at(AIORT_SITE(NULL), (path)))
AIORT_EXTERN int aiort_fs_unlink_at(const aiort_site_t *site, const char *path);
#define aiort_fs_rename(path, to) AIORT__CALL(int, aiort_fs_rename_at(AIORT_SITE(NULL), (path), (to)))
AIORT_EXTERN int aiort_fs_rename_at(const aiort_site_t *site, const char *path, const char *to);
#define aiort_fs_mkdir(path, mode) AIORT__CALL(int, aiort_fs_mkdir_at(AIORT_SITE(NULL), (path), (mode)))
AIORT_EXTERN int aiort_fs_mkdir_at(const aiort_site_t *site, const char *path, int mode);
#define aiort_fs_rmdir(path) AIORT__CALL(int, aiort_fs_rmdir_at(AIORT_SITE(NULL), (path)))
AIORT_EXTERN int aiort_fs_rmdir_at(const aiort_site_t *site, const char *path);
#define aiort_fs_copyfile(path, to, flags)                                                         \
    AIORT__CALL(int, aiort_fs_copyfile_at(AIORT_SITE(NULL), (path), (to), (flags)))
AIORT_EXTERN int aiort_fs_copyfile_at(const aiort_site_t *site, const char *path, const char *to,
                                      int flags);
/* A path that is resolved, or where a link points: the NUL-terminated text, UV_ENOBUFS when it does
 * not fit. */
#define aiort_fs_realpath(path, buffer, size)                                                      \
    AIORT__CALL(int, aiort_fs_realpath_at(AIORT_SITE(NULL), (path), (buffer), (size)))
AIORT_EXTERN int aiort_fs_realpath_at(const aiort_site_t *site, const char *path, char *buffer,
                                      size_t size);
#define aiort_fs_readlink(path, buffer, size)                                                      \
    AIORT__CALL(int, aiort_fs_readlink_at(AIORT_SITE(NULL), (path), (buffer), (size)))
AIORT_EXTERN int aiort_fs_readlink_at(const aiort_site_t *site, const char *path, char *buffer,
                                      size_t size);
/* The names in a directory, sorted, without "." and "..": how many, and in *names a list that is
 * freed by one free() and ends with NULL. */
#define aiort_fs_listdir(path, names)                                                              \
    AIORT__CALL(int, aiort_fs_listdir_at(AIORT_SITE(NULL), (path), (names)))
AIORT_EXTERN int aiort_fs_listdir_at(const aiort_site_t *site, const char *path, char ***names);

/* Changes of a file or of a directory's entries. */
typedef struct aiort_watcher_s aiort_watcher_t;

/* 0 with a new reference; the last one ends it. UV_ENOENT and its like, UV_ENOMEM, AIORT_ENOLOOP.
 * never suspends. libuv: uv_fs_event_start() */
#define aiort_watcher_new(path, watcher)                                                           \
    AIORT__CALL(int, aiort_watcher_new_at(AIORT_SITE(NULL), (path), (watcher)))
AIORT_EXTERN int aiort_watcher_new_at(const aiort_site_t *site, const char *path,
                                      aiort_watcher_t **watcher);
/* Waits for the next change: UV_RENAME, UV_CHANGE or both, and in name (may be NULL) the entry that
 * changed, cut to its size. Changes that came meanwhile are kept, the last 1024. UV_EBADF once it is
 * closed. SUSPENDS (not when there is one). */
#define aiort_watcher_next(watcher, name, size)                                                    \
    AIORT__CALL(int, aiort_watcher_next_at(AIORT_SITE(NULL), (watcher), (name), (size)))
AIORT_EXTERN int aiort_watcher_next_at(const aiort_site_t *site, aiort_watcher_t *watcher,
                                       char *name, size_t size);
/* never suspends. */
AIORT_EXTERN int aiort_watcher_close(aiort_watcher_t *watcher);

/* ---- 21. Instrumentation ----------------------------------------------------------------- */

/*
 * The stable interface for tools. Each function below is exported, does nothing (returns 0), and is
 * called by the library through the dynamic linker, so that a preloaded library which defines a
 * function of the same name is called instead. Nothing here is for programs to call.
 *
 * The library looks once, when it is loaded, which of them somebody else defines, and skips the
 * calls of those nobody does, so that an uninstrumented program pays one predictable branch.
 */

/* Which ends of steps a loop need not tell its tool: so many as `left`, which is counted down, while
 * the word at `clock` (not looked at when left is 0) is `stood`. The tool's to fill in, on the loop's
 * thread. */
typedef struct {
    const volatile uint64_t *clock;
    uint64_t stood;
    uint32_t left; /* 0, as at first: every end is told */
} aiort_instrument_pace_t;

/* What a tool may ask the library; every function is safe on the loop's own thread. */
typedef struct {
    int version; /* 3; fields are added at the end */
    size_t (*repr)(const void *object, char *buf, size_t size);
    aiort_kind_t (*kind)(const void *object);
    uint32_t (*trace)(const void *object); /* what aiort_instrument_created() returned for it */
    void (*set_trace)(void *object, uint32_t trace);
    aiort_loop_t *(*loop_of)(const void *object); /* NULL when it has none */
    uint64_t (*id)(const void *object);           /* a number that no other object of its kind had */
    /* What the loop runs now: a handle or a task, NULL when nothing. Racy from other threads. */
    void *(*running)(const aiort_loop_t *loop);
    int (*running_tid)(const aiort_loop_t *loop); /* kernel thread id; 0 when it does not run */
    int (*debug)(const aiort_loop_t *loop);       /* aiort_loop_get_debug */
    double (*slow_callback_duration)(const aiort_loop_t *loop); /* negative: not set */
    uv_loop_t *(*uv_loop)(const aiort_loop_t *loop);
    /* The loop's tasks that are not done, one after another; first with NULL. */
    aiort_task_t *(*next_task)(const aiort_loop_t *loop, const aiort_task_t *after);
    /* Calls fn(arg) so that an unwinder inside it goes on through the suspended task's frames.
     * -1 when the task is not suspended. */
    int (*walk)(const aiort_task_t *task, void (*fn)(void *), void *arg);
    aiort_callback_fn (*handle_callback)(const aiort_handle_t *handle);
    const aiort_site_t *(*site)(const void *object);
    aiort_coroutine_fn (*coroutine_function)(const aiort_coroutine_t *coroutine);
    aiort_coroutine_t *(*task_coroutine)(const aiort_task_t *task);
    const aiort_site_t *(*coroutine_where)(const aiort_coroutine_t *coroutine);
    int (*error_code)(const aiort_error_t *error);
    const char *(*error_message)(const aiort_error_t *error);
    aiort_error_t *(*error_cause)(const aiort_error_t *error);
    /* Where a done future was completed: the trace of its completion, and the site. */
    const aiort_site_t *(*completed_site)(const aiort_future_t *future);
    const char *(*err_name)(int code);
    const char *(*strerror)(int code);
    /* From version 2: the errors in an error group, borrowed, and how many; 0 for any other error. */
    size_t (*error_members)(const aiort_error_t *error, aiort_error_t *const **members);
    /* From version 2: while a task runs on its own stack, the stack pointer that the loop's stack was
     * left with: nothing is in use below it. Else NULL. */
    void *(*idle_stack)(const aiort_loop_t *loop);
    /* From version 3. */
    aiort_instrument_pace_t *(*pace)(aiort_loop_t *loop);
} aiort_instrument_api_t;

/* Called once, before anything else, by the library's constructor. */
AIORT_EXTERN void aiort_instrument_attach(const aiort_instrument_api_t *api);

/* An object of this kind was made. What it returns is kept with the object: its trace. */
AIORT_EXTERN uint32_t aiort_instrument_created(aiort_kind_t kind, void *object);
/* A handle was put into the ready queue or the timers, or a task was woken. */
AIORT_EXTERN void aiort_instrument_scheduled(aiort_loop_t *loop, void *object);
/* A callback of the loop is about to run / has run; a task is about to run / has stopped running.
 * Only the end is announced: the end of one is the start of the next. next may be NULL. */
AIORT_EXTERN void aiort_instrument_step(aiort_loop_t *loop, void *ended);
/* A task starts to wait for a future. */
AIORT_EXTERN void aiort_instrument_awaited(aiort_task_t *task, aiort_future_t *future);
/* The object's memory is about to go. Only for objects whose trace is not 0. */
AIORT_EXTERN void aiort_instrument_destroyed(aiort_kind_t kind, void *object);
/* A transport or a server is open now (1), is closed (0), or is closed by the library because nobody
 * else will: its last reference has gone, or its loop is being closed (-1). */
AIORT_EXTERN void aiort_instrument_open(aiort_loop_t *loop, void *object, int open);
/* The loop starts (1) or ends (0) to run in this thread. */
AIORT_EXTERN void aiort_instrument_running(aiort_loop_t *loop, int running);
/* Before (events < 0) and after the selector. timeout in seconds, negative: none. */
AIORT_EXTERN void aiort_instrument_poll(aiort_loop_t *loop, double timeout, int events);
/* The loop is being closed, with that many tasks pending; closed 1: it now is. */
AIORT_EXTERN void aiort_instrument_close(aiort_loop_t *loop, size_t pending, int closed);
/*
 * A function that is not thread-safe is called on a loop that runs in another thread, or on an
 * object of it. Returns 0 to let the call through (what happens without a tool), or a negative code
 * to refuse it with.
 */
AIORT_EXTERN int aiort_instrument_wrong_thread(aiort_loop_t *loop, const void *object,
                                               const char *function);
/* A result or an error is set on a future that is done. */
AIORT_EXTERN void aiort_instrument_invalid_state(aiort_future_t *future, const char *function);
/* A report is about to be handed to the exception handler: fill in the traces. */
AIORT_EXTERN void aiort_instrument_enrich(aiort_loop_t *loop, aiort_report_t *report);
/* The default exception handler; 1: the tool has said it, the short form is not printed. loop may
 * be NULL for a coroutine that never had one. */
AIORT_EXTERN int aiort_instrument_report(aiort_loop_t *loop, const aiort_report_t *report);
/* Text that is written from now (1) to then (0) is for a report that nobody but the tool will print:
 * it may put references into it and look names up later. */
AIORT_EXTERN void aiort_instrument_building(aiort_loop_t *loop, int building);
/* For reprs: " created at FILE:LINE" of a trace; the name, and FILE:LINE, of a function. Each writes
 * at most size bytes with the NUL and returns the length, 0 when it does not know. */
AIORT_EXTERN size_t aiort_instrument_created_at(uint32_t trace, char *buf, size_t size);
AIORT_EXTERN size_t aiort_instrument_function_name(void (*function)(void), const char *fallback,
                                                   char *buf, size_t size);
AIORT_EXTERN size_t aiort_instrument_function_line(void (*function)(void), const char *fallback,
                                                   char *buf, size_t size);
/* For print_stack: one line " FILE:LINE, in FUNCTION" for a return address. */
AIORT_EXTERN size_t aiort_instrument_frame(const void *address, char *buf, size_t size);
/* aiort_loop_set_debug(), and for a new loop enabled -1, its default: returns whether it is on. */
AIORT_EXTERN int aiort_instrument_set_debug(aiort_loop_t *loop, int enabled);
/* A coroutine ran over its stack; in a signal handler, the process is about to die. */
AIORT_EXTERN void aiort_instrument_stack_overflow(const char *name, size_t size,
                                                  const void *ucontext);

/* For libaiort-tls, the library's own extension, alone. */
AIORT_EXTERN const void *aiort_extension(int version);

#ifdef __cplusplus
} /* extern "C" */

extern "C++" {
static inline aiort_awaitable_t *aiort_as_awaitable(aiort_future_t *future)
{
    return reinterpret_cast<aiort_awaitable_t *>(future);
}
static inline aiort_awaitable_t *aiort_as_awaitable(aiort_task_t *task)
{
    return reinterpret_cast<aiort_awaitable_t *>(task);
}
static inline aiort_awaitable_t *aiort_as_awaitable(aiort_coroutine_t *coroutine)
{
    return reinterpret_cast<aiort_awaitable_t *>(coroutine);
}
static inline aiort_awaitable_t *aiort_as_awaitable(aiort_awaitable_t *awaitable)
{
    return awaitable;
}
}
#endif

#endif /* AIORT_H */
