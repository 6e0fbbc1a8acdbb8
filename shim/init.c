/* SPDX-License-Identifier: MIT */
/*
 * The shim's life.
 *
 *   constructor   read the environment, remember what fd 2 is, ask to be called at exit: a few
 *                 microseconds and no file, thread or memory, because each child of each program
 *                 inherits the preload and most never use a loop
 *   start         at the first use of a library, by aiodebug_on(); may come before the constructor,
 *                 from a C++ static initialiser
 *   fork          the child begins anew: nothing of its parent's is written twice
 *   exit          last of all. on_exit() handlers are not bound to a library as atexit() ones are,
 *                 and this one is registered before the program's start-up registers the
 *                 destructors, so it runs after them all; uv_library_shutdown() comes before it
 *
 * There is no destructor: wrappers are called until the very end.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "check/uv.h"
#include "config.h"
#include "init.h"
#include "interpose/interpose.h"
#include "report/reporter.h"
#include "report/sink.h"
#include "report/symbols.h"
#include "say.h"
#include "track/clock.h"
#include "track/stacks.h"
#include "track/threads.h"
#include "track/uv.h"

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#else
#define RUNNING_ON_VALGRIND 0
#define VALGRIND_MAKE_MEM_DEFINED(memory, size) ((void)(memory), (void)(size))
#endif

enum { HOOKS_MAX = 8 };

_Atomic int aiodebug_state = AIODEBUG_NEW;
_Atomic pid_t aiodebug_pid;
char aiodebug_program[64];
bool aiodebug_on_valgrind;

typedef struct {
    void (*functions[HOOKS_MAX])(void);
    _Atomic int count;
} hooks_t;

static hooks_t exit_hooks, fork_hooks;
static _Atomic bool leaving;
static int quick_status = -1; /* -1: quick_exit() was not called through us */

bool aiodebug_in_own_process(void)
{
    return getpid() == atomic_load_explicit(&aiodebug_pid, memory_order_relaxed);
}


void aiodebug_may_read(const void *memory, size_t size)
{
    (void)VALGRIND_MAKE_MEM_DEFINED(memory, size);
}


/* ------------------------------------------------------------------------------------- hooks */

/* On the starting thread only, so plain stores; run_hooks() may be on another. */
static void add_hook(hooks_t *hooks, void (*function)(void))
{
    int i = atomic_load(&hooks->count);
    if (i < HOOKS_MAX) {
        hooks->functions[i] = function;
        atomic_store(&hooks->count, i + 1);
    }
}

static void run_hooks(const hooks_t *hooks)
{
    int n = atomic_load(&hooks->count);
    for (int i = 0; i < n; i++) {
        hooks->functions[i]();
    }
}

void aiodebug_at_exit(void (*function)(void))
{
    add_hook(&exit_hooks, function);
}

void aiodebug_at_fork_child(void (*function)(void))
{
    add_hook(&fork_hooks, function);
}


/* ----------------------------------------------------------------------------------- leaving */

void aiodebug_leave(void)
{
    aiodebug_report_finish();
}

int aiodebug_exit_status(int status)
{
    bool replace = status == 0 && aiodebug_config.exitcode > 0 && aiodebug_report_logged() &&
                   aiodebug_in_own_process();
    return replace ? aiodebug_config.exitcode : status;
}

/* What is left open is asked for now: nothing of the program can close it any more. */
static void last_of_all(int status, void *arg)
{
    (void)arg;
    aiodebug_epoll_at_exit();
    if (atomic_load(&aiodebug_state) != AIODEBUG_ON || !aiodebug_in_own_process() ||
        atomic_exchange(&leaving, true)) {
        return;
    }
    aiodebug_report_stay();
    run_hooks(&exit_hooks);
    aiodebug_report_finish();
    int wanted = aiodebug_exit_status(status);
    if (wanted != status) {
        /* glibc goes on with the handlers that are left, stdio's flush among them. */
        exit(wanted);
    }
}

void aiodebug_note_quick_exit(int status)
{
    quick_status = status;
}

static void last_of_quick_exit(void)
{
    aiodebug_report_finish();
    int wanted = quick_status < 0 ? quick_status : aiodebug_exit_status(quick_status);
    if (wanted != quick_status) {
        _exit(wanted);
    }
}


/* ---------------------------------------------------------------------------------- starting */

/* Async-signal-safe: it runs between the fork and the exec of every child. */
static void after_fork_in_child(void)
{
    int saved = errno;
    atomic_store(&aiodebug_pid, getpid());
    aiodebug_symbols_after_fork_child();
    aiodebug_stack_after_fork_child();
    aiodebug_threads_after_fork_child();
    aiodebug_report_after_fork_child();
    run_hooks(&fork_hooks);
    errno = saved;
}

static void say_line(const char *line)
{
    aiodebug_say("%s", line);
}

/* Before the environment is overwritten and descriptors are closed. Twice when the first use of a
 * library precedes the constructor; the second time nothing is done. */
static void load(void)
{
    static _Atomic bool loaded;
    if (atomic_exchange(&loaded, true)) {
        return;
    }
    atomic_store(&aiodebug_pid, getpid());
    aiodebug_on_valgrind = RUNNING_ON_VALGRIND != 0;
    snprintf(aiodebug_program, sizeof aiodebug_program, "%s",
             program_invocation_short_name ? program_invocation_short_name : "?");
    aiodebug_stderr_remember();
    aiodebug_config_load();
    if (!aiodebug_config.enabled) {
        atomic_store(&aiodebug_state, AIODEBUG_OFF);
        return;
    }
    aiodebug_sink_remember();
    on_exit(last_of_all, NULL);
    at_quick_exit(last_of_quick_exit);
}

__attribute__((constructor)) static void construct(void)
{
    int saved = errno;
    load();
    if (aiodebug_config.help) {
        aiodebug_config_print_markdown(STDERR_FILENO);
    }
    if (aiodebug_config.help_json) {
        aiodebug_config_print_json(STDERR_FILENO);
    }
    errno = saved;
}

/* Threads that begin at the same time each run a loop, and one whose uv_run() went by would not be
 * watched at all: so they wait for the one that starts the shim. Not for ever, since it may need
 * the loader's lock and this thread may hold it, or have stayed behind in fork()'s parent. */
static void wait_until_started(void)
{
    static _Atomic bool in_vain;
    const struct timespec step = {.tv_nsec = 200000};
    for (int i = 0; i < 500 && !atomic_load(&in_vain); i++) {
        if (atomic_load(&aiodebug_state) != AIODEBUG_STARTING) {
            return;
        }
        nanosleep(&step, NULL);
    }
    atomic_store(&in_vain, true);
}

bool aiodebug_start(void)
{
    static _Thread_local bool starting;
    int saved = errno;
    load();
    int expected = AIODEBUG_NEW;
    if (atomic_compare_exchange_strong(&aiodebug_state, &expected, AIODEBUG_STARTING)) {
        starting = true;
        aiodebug_config_complain();
        aiodebug_sink_complain();
        pthread_atfork(NULL, NULL, after_fork_in_child);
        aiodebug_clock_init();
        aiodebug_stack_set_depth(aiodebug_config.stack_depth);
        if (aiodebug_config.stack_depth > 0) {
            aiodebug_stack_init(say_line);
        }
        static const aiodebug_symbols_options_t options = {.say = say_line};
        aiodebug_symbols_init(&options);
        aiodebug_uv_start();
        aiodebug_at_exit(aiodebug_check_uv_left);
        atomic_store_explicit(&aiodebug_state, AIODEBUG_ON, memory_order_release);
    } else if (expected == AIODEBUG_STARTING && !starting) {
        wait_until_started();
    }
    errno = saved;
    return atomic_load(&aiodebug_state) == AIODEBUG_ON;
}
