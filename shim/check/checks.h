/* SPDX-License-Identifier: MIT */
/*
 * Every mistake the shim can name, in one table. The slug is what people type into
 * AIODEBUG_CHECKS and suppression files and what a log line ends in, so a slug is never
 * renamed and never reused. The enum, the configuration's lists, the documentation and the
 * hints in the log all come from these lines.
 *
 *     XX(ID, slug, default level, meaning, cause, hint)
 *
 * meaning: what was noticed. cause: what programs usually did. hint: what to change; it ends
 * each text record and is JSON's `hint`, unless the record carries a better one of its own.
 */
#ifndef AIODEBUG_CHECK_CHECKS_H
#define AIODEBUG_CHECK_CHECKS_H

#include <stdint.h>

/* Python's numbers, so that a level between two names still compares rightly. */
typedef enum {
    AIODEBUG_LEVEL_UNSET = 0, /* as an argument: the check's default level */
    AIODEBUG_LEVEL_DEBUG = 10,
    AIODEBUG_LEVEL_INFO = 20,
    AIODEBUG_LEVEL_WARNING = 30,
    AIODEBUG_LEVEL_ERROR = 40,
    AIODEBUG_LEVEL_CRITICAL = 50
} aiodebug_level_t;

/* clang-format off */
#define AIODEBUG_CHECK_MAP(XX)                                                                     \
    XX(TASK_DESTROYED_PENDING, "task-destroyed-pending", ERROR,                                    \
       "a task was destroyed before it was done",                                                  \
       "the loop was closed while the task was still waiting for something",                       \
       "await the task, or cancel it and await it, before the loop is closed")                     \
    XX(TASK_EXCEPTION_NEVER_RETRIEVED, "task-exception-never-retrieved", ERROR,                    \
       "a task failed and nobody ever asked for its error",                                        \
       "the task was started and forgotten",                                                       \
       "await the task, read its error, or add a done callback that does")                         \
    XX(FUTURE_EXCEPTION_NEVER_RETRIEVED, "future-exception-never-retrieved", ERROR,                \
       "an error was set on a future and nobody ever asked for it",                                \
       "the future was dropped without being awaited",                                             \
       "await the future, read its error, or add a done callback that does")                       \
    XX(CALLBACK_EXCEPTION, "callback-exception", ERROR,                                            \
       "a callback returned an error that nobody can receive",                                     \
       "a callback called by the loop has no caller to return an error to",                        \
       "handle the error inside the callback, or install a handler with "                          \
       "aiort_loop_set_exception_handler()")                                                       \
    XX(COROUTINE_NEVER_AWAITED, "coroutine-never-awaited", WARNING,                                \
       "a coroutine object was dropped without ever having run",                                   \
       "the coroutine was created, but neither awaited nor made a task",                           \
       "await the coroutine, or give it to aiort_create_task()")                                   \
    XX(AWAIT_CYCLE, "await-cycle", ERROR,                                                          \
       "tasks wait for each other, so that none of them will ever go on",                          \
       "a task awaits one that was waiting for it already, if by way of others",                   \
       "let one of them go on without the other, or give its wait a timeout")                      \
    XX(COROUTINE_IGNORED_CLOSE, "coroutine-ignored-close", ERROR,                                  \
       "a coroutine that was being destroyed awaited again",                                       \
       "AIORT_ECLOSED from an await was treated like an error to retry",                           \
       "after AIORT_ECLOSED only clean up and return; await nothing more")                         \
    XX(SLOW_CALLBACK, "slow-callback", WARNING,                                                    \
       "a callback or one step of a task kept the loop for AIODEBUG_SLOW_CALLBACK or longer",      \
       "a long computation or a blocking call ran on the loop's thread",                           \
       "move the work to a thread (an executor, uv_queue_work) or split it into shorter steps")    \
    XX(SLOW_POLL, "slow-poll", WARNING,                                                            \
       "the selector took AIODEBUG_SLOW_POLL longer than it was asked to",                         \
       "the process was stopped or starved of CPU, or the machine slept",                          \
       "look at the load of the machine and at limits on the process's CPU time")                  \
    XX(NON_THREAD_SAFE_CALL, "non-thread-safe-call", ERROR,                                        \
       "a function that is not thread-safe was called from another thread than the loop's",        \
       "a worker thread touched the loop or one of its objects directly",                          \
       "from other threads use aiort_call_soon_threadsafe() or uv_async_send() and do the "   \
       "work in the callback")                                                                     \
    XX(INVALID_STATE, "invalid-state", ERROR,                                                      \
       "a result or an error was set on a future that was already done",                           \
       "two places complete the same future, or it was cancelled meanwhile",                       \
       "check aiort_future_done() before completing a future that others may cancel")              \
    XX(UNCLOSED_LOOP, "unclosed-loop", WARNING,                                                    \
       "an event loop was freed, or left at exit, without having been closed",                     \
       "the path that ends the program skips the loop's close",                                    \
       "close the loop when it is no longer needed")                                               \
    XX(UNCLOSED_TRANSPORT, "unclosed-transport", WARNING,                                          \
       "a stream, server, pipe, process or datagram endpoint was left open",                       \
       "the last reference was dropped, or the program ended, without a close",                    \
       "close the transport on every path, errors included")                                       \
    XX(WRITE_AFTER_LOSS, "write-after-loss", WARNING,                                              \
       "a program went on writing to a connection that was lost or closed",                        \
       "nobody looks whether the connection is still there while writing",                         \
       "await aiort_stream_drain() after writing, and end when it returns an error")               \
    XX(ACCEPT_FAILED, "accept-failed", ERROR,                                                      \
       "a server could not take on a connection",                                                  \
       "the process has no descriptor, or the machine no memory, left",                            \
       "raise the limit (ulimit -n), close connections that are done with, or take fewer at once") \
    XX(PENDING_AT_CLOSE, "pending-at-close", INFO,                                                 \
       "tasks were still pending when their loop was closed",                                      \
       "the main coroutine returned before the tasks it had started",                              \
       "await or cancel the tasks before closing the loop")                                        \
    XX(HANDLE_DESTROYED_ACTIVE, "handle-destroyed-active", ERROR,                                  \
       "memory that holds an open or closing handle was freed",                                    \
       "the structure around the handle was freed without, or right after, uv_close()",            \
       "call uv_close() and free the memory in its close callback")                                \
    XX(HANDLE_REINITIALIZED, "handle-reinitialized", ERROR,                                        \
       "a handle that is still open was initialised again",                                        \
       "the structure was reused before the close callback of its handle ran",                     \
       "call uv_close() and initialise it again only in or after the close callback")              \
    XX(HANDLE_CLOSED_TWICE, "handle-closed-twice", ERROR,                                          \
       "uv_close() was called on a handle that is closing or closed",                              \
       "two paths (an error and the end of the work, say) both close the handle",                  \
       "ask uv_is_closing() first, or close in one place only")                                    \
    XX(HANDLE_USED_AFTER_CLOSE, "handle-used-after-close", ERROR,                                  \
       "a handle was started, read, written or bound after uv_close()",                            \
       "a callback that was still to come kept using the handle",                                  \
       "ask uv_is_closing() in callbacks, and drop your pointer when you close")                   \
    XX(REQUEST_REUSED, "request-reused", ERROR,                                                    \
       "a request was submitted again before its callback ran",                                    \
       "one request structure serves several operations at a time",                                \
       "give each operation a request of its own; free it in the operation's callback")            \
    XX(LOOP_BUSY_AT_CLOSE, "loop-busy-at-close", WARNING,                                          \
       "uv_loop_close() returned UV_EBUSY because handles are still open",                         \
       "handles were not closed, or the loop did not run until their close callbacks",             \
       "call uv_close() on each handle listed, run the loop once more, then close it")             \
    XX(LOOP_REENTERED, "loop-reentered", WARNING,                                                  \
       "a loop that is running was run again",                                                     \
       "uv_run() was called from one of the loop's own callbacks or from a second thread",         \
       "return from the callback and let the running loop go on; give each thread its own loop")   \
    XX(UNCLOSED_HANDLE, "unclosed-handle", WARNING,                                                \
       "a handle was still open at exit",                                                          \
       "the program ends without closing what it opened",                                          \
       "call uv_close() on the handle and run the loop until its close callback")                  \
    XX(REQUEST_PENDING_AT_EXIT, "request-pending-at-exit", WARNING,                                \
       "a request's callback had not run at exit",                                                 \
       "the loop was stopped, or the program ended, before the operation was over",                \
       "run the loop until the operation's callback, or uv_cancel() it first")                     \
    XX(LOOP_HANG, "loop-hang", ERROR,                                                              \
       "a callback has been running for AIODEBUG_HANG or longer and still runs",                   \
       "an endless loop, a deadlock, or a blocking call without a timeout",                        \
       "the stack shows where the thread is now; nothing else of this loop runs until it returns") \
    XX(BLOCKING_CALL, "blocking-call", WARNING,                                                    \
       "a blocking libc call inside a callback took AIODEBUG_BLOCKING or longer",                  \
       "the call waits in the kernel while every other callback of the loop waits with it",        \
       "use the loop's own asynchronous operation, or make the call on another thread")            \
    XX(THREADPOOL_SATURATED, "threadpool-saturated", WARNING,                                      \
       "a job waited AIODEBUG_SLOW_QUEUE or longer for a free thread of the pool",                 \
       "long or blocking jobs occupy every thread of the pool",                                    \
       "raise UV_THREADPOOL_SIZE, or move the long jobs to threads of their own")                  \
    XX(SLOW_ITERATION, "slow-iteration", WARNING,                                                  \
       "one turn of the loop took AIODEBUG_SLOW_ITERATION although no callback was slow",          \
       "many callbacks, each short enough by itself, came due at once",                            \
       "do less a turn: limit how much one event may queue, or spread the work over turns")        \
    XX(STACK_OVERFLOW, "stack-overflow", CRITICAL,                                                 \
       "a coroutine ran into the guard at the end of its stack",                                   \
       "deep recursion or large local arrays in a coroutine",                                      \
       "raise the stack size of the task or of the loop, or keep large buffers on the heap")
/* clang-format on */

typedef enum {
#define XX(id, slug, level, meaning, cause, hint) AIODEBUG_CHECK_##id,
    AIODEBUG_CHECK_MAP(XX)
#undef XX
        AIODEBUG_CHECK_COUNT
} aiodebug_check_t;

_Static_assert(AIODEBUG_CHECK_COUNT <= 64, "sets of checks are kept in 64 bits");

typedef struct {
    const char *slug;
    aiodebug_level_t level;
    const char *meaning, *cause, *hint;
} aiodebug_check_info_t;

/* Indexed by aiodebug_check_t; defined in config.c. */
extern const aiodebug_check_info_t aiodebug_checks[AIODEBUG_CHECK_COUNT];

/* "WARNING" and so on. */
const char *aiodebug_level_name(aiodebug_level_t level);

#endif
