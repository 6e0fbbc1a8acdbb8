/* SPDX-License-Identifier: MIT */
/*
 * The reporter: takes records from the queue, names, groups, formats and writes them.
 *
 * Its thread is started by the first record, with all signals blocked, and ends after a second
 * without work, so that a process whose other threads are gone can end; not any more once exit
 * handlers run, since glibc calls exit() again when what it takes for the last thread ends. Whoever
 * does the work holds `lock`; normally that is the thread, and where none can be started the one
 * that waits for the log (aiodebug_report_flush). All state of report/, the queue apart, belongs to
 * the holder.
 *
 * Starting and ending, each with the other's loads after its own stores (seq_cst):
 *   submit:  push a record,      then look at `thread`: NONE -> make it RUNNING and start one
 *   the end: thread = NONE,      then look at the queue: not empty -> make it RUNNING and go on
 * so that a record never stays behind without a thread.
 *
 * fork(): the child has the queue emptied, the lock free, the thread gone and half-changed tables
 * dropped (not freed). The parent goes on as if nothing had happened; nobody waits.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "../config.h"
#include "../init.h"
#include "format.h"
#include "futex.h"
#include "group.h"
#include "queue.h"
#include "reporter.h"
#include "sink.h"
#include "suppress.h"

enum { NONE, RUNNING };
/* libdw reads a line table through arrays of up to 4096 lines on the stack, which takes 430 KiB. */
enum { STACK_SIZE = 2 << 20 };

static const int64_t second = 1000000000, for_ever = INT64_MAX / 2;
static const double flush_seconds = 2;

static aiodebug_futex_t thread;             /* NONE, RUNNING */
static _Atomic int64_t linger = 1000000000; /* how long the thread waits for more work */
static _Atomic bool logged;                 /* anything at WARNING or above */
static aiodebug_futex_t lock;
static aiodebug_buffer_t out;
static __thread bool is_reporter;

/* The order to print the counts of repeats; queued at most once at a time. */
static aiodebug_record_t summary = {.summary = true};
static atomic_flag summary_queued = ATOMIC_FLAG_INIT;


/* -------------------------------------------------------------------------- the work itself */

static bool lock_until(int64_t deadline)
{
    uint32_t free_lock = 0;
    while (!atomic_compare_exchange_strong(&lock, &free_lock, 1)) {
        free_lock = 0;
        if (!aiodebug_futex_wait(&lock, 1, deadline)) {
            return false;
        }
    }
    return true;
}

static void unlock(void)
{
    atomic_store(&lock, 0);
    aiodebug_futex_wake(&lock);
}

/* The name of a thread other than the one that built the record. */
static void find_thread_name(aiodebug_record_t *r)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)r->tid);
    FILE *file = *r->thread ? NULL : fopen(path, "re");
    if (file) {
        if (!fgets(r->thread, sizeof r->thread, file)) {
            r->thread[0] = '\0';
        }
        r->thread[strcspn(r->thread, "\n")] = '\0';
        fclose(file);
    }
}

static void print(aiodebug_record_t *r)
{
    aiodebug_buffer_clear(&out);
    if (aiodebug_config.format == AIODEBUG_FORMAT_JSON) {
        find_thread_name(r);
        aiodebug_json_record(&out, r);
    } else {
        aiodebug_text_record(&out, r);
    }
    if (out.failed) {
        aiodebug_queue_count_lost(AIODEBUG_LOST_MEMORY);
    } else {
        aiodebug_sink_write(out.data, out.length);
    }
}

static void print_lost(aiodebug_lost_t why)
{
    static const char *const reasons[] = {
        [AIODEBUG_LOST_FULL] = "queue full",
        [AIODEBUG_LOST_MEMORY] = "out of memory",
        [AIODEBUG_LOST_WRITE] = "the log could not be written",
    };
    uint64_t lost = aiodebug_queue_take_lost(why);
    aiodebug_record_t *r =
        lost ? aiodebug_record_make(AIODEBUG_CHECK_COUNT, AIODEBUG_LEVEL_WARNING) : NULL;
    if (!r) {
        return;
    }
    aiodebug_record_message(r, "%llu record%s dropped (%s)", (unsigned long long)lost,
                            lost == 1 ? "" : "s", reasons[why]);
    aiodebug_record_count(r, lost);
    r->brief = true;
    print(r);
    aiodebug_record_free(r);
}

static void report(aiodebug_record_t *r)
{
    if (r->summary) {
        for (unsigned why = 0; why < AIODEBUG_LOST_KINDS; why++) {
            print_lost((aiodebug_lost_t)why);
        }
        aiodebug_group_summary(print);
        aiodebug_sink_finish();
        return;
    }
    if (aiodebug_suppressed(r)) {
        aiodebug_group_leave(r);
        return;
    }
    if (r->level >= AIODEBUG_LEVEL_WARNING) {
        atomic_store(&logged, true);
    }
    print(r);
    aiodebug_group_printed(r);
    if (r->fatal || r->written) {
        aiodebug_sink_finish();
    }
    if (r->written) {
        atomic_store(r->written, true);
    }
}

/* Everything there is. The lock is held. True: all of it is written. */
static bool drain(void)
{
    aiodebug_record_t *next;
    for (aiodebug_record_t *r = aiodebug_queue_take(); r; r = next) {
        next = r->next;
        report(r);
        if (r->summary) {
            atomic_flag_clear(&summary_queued);
        }
        aiodebug_record_free(r);
        aiodebug_queue_done();
    }
    print_lost(AIODEBUG_LOST_FULL);
    return aiodebug_sink_retry();
}


/* --------------------------------------------------------------------------------- the thread */

/* True: end; a later record starts a new thread. */
static bool retire(void)
{
    atomic_store(&thread, NONE);
    uint32_t none = NONE;
    if (!aiodebug_queue_is_done(aiodebug_queue_mark()) &&
        atomic_compare_exchange_strong(&thread, &none, RUNNING)) {
        return false;
    }
    aiodebug_futex_wake(&thread);
    return true;
}

/* What could not be written, for want of a descriptor, is tried again each second. */
static void *run(void *arg)
{
    (void)arg;
    is_reporter = true;
    prctl(PR_SET_NAME, "aiodebug");
    for (bool idle = false;;) {
        bool all_written = true;
        if (lock_until(INT64_MAX)) {
            all_written = drain();
            unlock();
        }
        int64_t patience = atomic_load(&linger);
        if (idle && patience <= second && retire()) {
            return NULL;
        }
        if (!all_written && patience > second) {
            patience = second;
        }
        idle = !aiodebug_queue_wait(aiodebug_now_ns() + patience);
    }
}

/* With every signal blocked, so that none of the program's is ever handled there. */
static bool start_thread(void)
{
    pthread_attr_t attributes;
    pthread_t id;
    sigset_t all, before;
    sigfillset(&all);
    bool ok = pthread_attr_init(&attributes) == 0;
    if (!ok) {
        return false;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    /* Static thread-local storage of the program's libraries comes out of it, too; when it does not
     * fit, the default size surely does. */
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    ok = pthread_create(&id, &attributes, run, NULL) == 0 ||
         (pthread_attr_setstacksize(&attributes, 8 << 20) == 0 &&
          pthread_create(&id, &attributes, run, NULL) == 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return ok;
}

/* Whether there is a thread, started now if need be. */
static bool ensure_thread(void)
{
    uint32_t none = NONE;
    if (!atomic_compare_exchange_strong(&thread, &none, RUNNING)) {
        return true;
    }
    int saved = errno;
    bool ok = start_thread();
    if (!ok) {
        atomic_store(&thread, NONE);
    }
    errno = saved;
    return ok;
}

bool aiodebug_report_start(void)
{
    aiodebug_report_stay();
    return ensure_thread();
}

void aiodebug_report_stay(void)
{
    atomic_store(&linger, for_ever);
}


/* --------------------------------------------------------------------------- what others call */

/* Whether naming frames can be done on this stack: not on a coroutine's, which libdw overruns. */
static bool stack_is_roomy(void)
{
    pthread_attr_t attributes;
    void *lowest;
    size_t size;
    if (pthread_getattr_np(pthread_self(), &attributes) != 0) {
        return false;
    }
    bool known = pthread_attr_getstack(&attributes, &lowest, &size) == 0;
    pthread_attr_destroy(&attributes);
    uintptr_t here = (uintptr_t)__builtin_frame_address(0), low = (uintptr_t)lowest;
    return known && here > low && here < low + size && here - low > STACK_SIZE / 2;
}

/* On the caller's thread, for want of one of our own. */
static void drain_here(int64_t deadline)
{
    if (!stack_is_roomy()) {
        return;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    is_reporter = true;
    if (lock_until(deadline)) {
        drain();
        unlock();
    }
    is_reporter = false;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

bool aiodebug_report_flush(double seconds)
{
    if (is_reporter || aiodebug_queue_untouched() || !aiodebug_in_own_process()) {
        return true;
    }
    int saved = errno;
    uint32_t mark = aiodebug_queue_mark();
    int64_t deadline = aiodebug_now_ns() + (int64_t)(seconds * 1e9);
    if (!aiodebug_queue_is_done(mark)) {
        if (ensure_thread()) {
            aiodebug_queue_nudge();
            aiodebug_queue_wait_done(mark, deadline);
        } else {
            drain_here(deadline);
        }
    }
    errno = saved;
    return aiodebug_queue_is_done(mark);
}

void aiodebug_report_finish(void)
{
    if (is_reporter || aiodebug_queue_untouched() || !aiodebug_in_own_process()) {
        return;
    }
    if (!atomic_flag_test_and_set(&summary_queued)) {
        aiodebug_queue_push(&summary);
    }
    aiodebug_report_flush(flush_seconds);
}

/* AIODEBUG_ABORT: gone when the record has been written or its fate cannot be learnt, back when it
 * was suppressed. */
static void submit_and_abort(aiodebug_record_t *r)
{
    _Atomic bool written = false;
    r->written = &written;
    if (!aiodebug_queue_push(r)) {
        aiodebug_report_flush(flush_seconds);
        if (!aiodebug_queue_push(r)) {
            abort();
        }
    }
    if (!aiodebug_report_flush(flush_seconds) || atomic_load(&written)) {
        abort();
    }
}

void aiodebug_record_submit(aiodebug_record_t *r)
{
    if (!r) {
        return;
    }
    int saved = errno;
    if (r->failed) {
        aiodebug_queue_count_lost(AIODEBUG_LOST_MEMORY);
        aiodebug_record_free(r);
    } else if (!aiodebug_in_own_process()) {
        aiodebug_record_free(r);
    } else if (aiodebug_config.abort_checks >> r->check & 1) {
        submit_and_abort(r);
    } else if (!aiodebug_group_enter(r)) {
        aiodebug_record_free(r);
    } else if (aiodebug_queue_push(r)) {
        ensure_thread();
    } else {
        aiodebug_group_leave(r);
        aiodebug_queue_count_lost(AIODEBUG_LOST_FULL);
        aiodebug_record_free(r);
    }
    errno = saved;
}

bool aiodebug_report_logged(void)
{
    return atomic_load(&logged);
}

bool aiodebug_report_is_reporter(void)
{
    return is_reporter;
}

void aiodebug_report_main_exits(void)
{
    if (!aiodebug_queue_untouched() && aiodebug_report_flush(flush_seconds)) {
        /* When the main thread is the last of the program's, let it be the last of all: exit
         * handlers then run on it and not on ours. */
        int64_t deadline = aiodebug_now_ns() + second;
        atomic_store(&linger, 0);
        aiodebug_queue_nudge();
        while (atomic_load(&thread) == RUNNING && aiodebug_futex_wait(&thread, RUNNING, deadline)) {
        }
    }
    atomic_store(&linger, second / 20);
}

void aiodebug_report_after_fork_child(void)
{
    aiodebug_queue_after_fork_child();
    atomic_flag_clear(&summary_queued);
    atomic_store(&lock, 0);
    atomic_store(&thread, NONE);
    atomic_store(&logged, false);
    atomic_store(&linger, second);
    out = (aiodebug_buffer_t){0};
    is_reporter = false;
    aiodebug_text_after_fork_child();
    aiodebug_json_after_fork_child();
    aiodebug_group_after_fork_child();
    aiodebug_suppress_after_fork_child();
    aiodebug_sink_after_fork_child();
}
