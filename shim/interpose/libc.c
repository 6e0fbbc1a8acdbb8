/* SPDX-License-Identifier: MIT */
/*
 * libc's ways out of a process that no exit handler sees: _exit, quick_exit, abort, a failed
 * assertion, exec, and the main thread's pthread_exit. Each writes out what was reported, then
 * calls the real function; without anything reported that is a load and a jump. exit() and a
 * return from main() need no wrapper (init.c), fork() has its handlers.
 *
 * All of these may be called in a child of vfork(), whose memory is its parent's, and _exit, abort
 * and exec in a signal handler. So aiodebug_leave() touches nothing when the process is not the
 * one it knows, and the real functions that handlers may call are looked up beforehand. dlsym()
 * for the others is made at their first call.
 */
#include <assert.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include "../init.h"
#include "../report/reporter.h"
#include "interpose.h"

/* A function pointer, from dlsym()'s object pointer, kept in `slot`. */
typedef void (*function_t)(void);
typedef _Atomic(function_t) slot_t;

static function_t real(slot_t *slot, const char *name)
{
    function_t function = atomic_load_explicit(slot, memory_order_acquire);
    if (!function) {
        *(void **)&function = dlsym(RTLD_NEXT, name);
        atomic_store_explicit(slot, function, memory_order_release);
    }
    return function;
}

static slot_t real_exit_now, real_exit_c99, real_abort, real_execve, real_execv;
static slot_t real_execvp, real_execvpe, real_fexecve, real_execveat;
static slot_t real_quick_exit, real_pthread_exit, real_thrd_exit;
static slot_t real_assert_fail, real_assert_perror_fail, real_assert;

/* What signal handlers may call must not come to dlsym() there. */
__attribute__((constructor)) static void find_signal_safe(void)
{
    real(&real_exit_now, "_exit");
    real(&real_exit_c99, "_Exit");
    real(&real_abort, "abort");
    real(&real_execve, "execve");
    real(&real_execv, "execv");
}


/* ----------------------------------------------------------------------- the end of the process */

/* With a real function that cannot be found there is only the kernel. */
static void __attribute__((noreturn)) leave_with(function_t function, int status)
{
    aiodebug_leave();
    status = aiodebug_exit_status(status);
    if (function) {
        ((void (*)(int))function)(status);
    }
    for (;;) {
        syscall(SYS_exit_group, status);
    }
}

AIODEBUG_INTERPOSE void _exit(int status)
{
    leave_with(real(&real_exit_now, "_exit"), status);
}

AIODEBUG_INTERPOSE void _Exit(int status)
{
    leave_with(real(&real_exit_c99, "_Exit"), status);
}

/* Its handlers run first; the last of them, ours, does the work and may change the status. */
AIODEBUG_INTERPOSE void quick_exit(int status)
{
    aiodebug_note_quick_exit(status);
    ((void (*)(int))real(&real_quick_exit, "quick_exit"))(status);
    __builtin_unreachable();
}

AIODEBUG_INTERPOSE void abort(void)
{
    aiodebug_leave();
    real(&real_abort, "abort")();
    __builtin_unreachable();
}

AIODEBUG_INTERPOSE void __assert_fail(const char *assertion, const char *file, unsigned line,
                                      const char *function)
{
    aiodebug_leave();
    ((void (*)(const char *, const char *, unsigned, const char *))real(
        &real_assert_fail, "__assert_fail"))(assertion, file, line, function);
    __builtin_unreachable();
}

AIODEBUG_INTERPOSE void __assert_perror_fail(int err, const char *file, unsigned line,
                                             const char *function)
{
    aiodebug_leave();
    ((void (*)(int, const char *, unsigned, const char *))real(
        &real_assert_perror_fail, "__assert_perror_fail"))(err, file, line, function);
    __builtin_unreachable();
}

AIODEBUG_INTERPOSE void __assert(const char *assertion, const char *file, int line)
{
    aiodebug_leave();
    ((void (*)(const char *, const char *, int))real(&real_assert, "__assert"))(assertion, file,
                                                                                line);
    __builtin_unreachable();
}


/* -------------------------------------------------------------------------- the main thread's end
 */

static void note_thread_exit(void)
{
    if (!aiodebug_report_is_reporter() && aiodebug_in_own_process() && gettid() == getpid()) {
        aiodebug_report_main_exits();
    }
}

AIODEBUG_INTERPOSE void pthread_exit(void *result)
{
    note_thread_exit();
    ((void (*)(void *))real(&real_pthread_exit, "pthread_exit"))(result);
    __builtin_unreachable();
}

AIODEBUG_INTERPOSE void thrd_exit(int result)
{
    note_thread_exit();
    ((void (*)(int))real(&real_thrd_exit, "thrd_exit"))(result);
    __builtin_unreachable();
}


/* -------------------------------------------------------------------- another program in its place
 */

/* When the exec fails the program goes on, and so does reporting. */
typedef int exec_t(const char *, char *const[]);
typedef int exec_env_t(const char *, char *const[], char *const[]);

AIODEBUG_INTERPOSE int execve(const char *path, char *const argv[], char *const envp[])
{
    aiodebug_leave();
    return ((exec_env_t *)real(&real_execve, "execve"))(path, argv, envp);
}

AIODEBUG_INTERPOSE int execv(const char *path, char *const argv[])
{
    aiodebug_leave();
    return ((exec_t *)real(&real_execv, "execv"))(path, argv);
}

AIODEBUG_INTERPOSE int execvp(const char *file, char *const argv[])
{
    aiodebug_leave();
    return ((exec_t *)real(&real_execvp, "execvp"))(file, argv);
}

AIODEBUG_INTERPOSE int execvpe(const char *file, char *const argv[], char *const envp[])
{
    aiodebug_leave();
    return ((exec_env_t *)real(&real_execvpe, "execvpe"))(file, argv, envp);
}

AIODEBUG_INTERPOSE int fexecve(int fd, char *const argv[], char *const envp[])
{
    aiodebug_leave();
    return ((int (*)(int, char *const[], char *const[]))real(&real_fexecve, "fexecve"))(fd, argv,
                                                                                        envp);
}

AIODEBUG_INTERPOSE int execveat(int fd, const char *path, char *const argv[], char *const envp[],
                                int flags)
{
    aiodebug_leave();
    function_t function = real(&real_execveat, "execveat"); /* glibc 2.34 */
    if (!function) {
        return (int)syscall(SYS_execveat, fd, path, argv, envp, flags);
    }
    return ((int (*)(int, const char *, char *const[], char *const[], int))function)(fd, path, argv,
                                                                                     envp, flags);
}

/* The variadic ones: the arguments as a vector on the stack, as libc itself does it (they may be
 * called after vfork(), where malloc() would be the parent's). */
static size_t vector_size(const char *first, va_list *args)
{
    size_t count = 1;
    for (const char *a = first; a; a = va_arg(*args, const char *)) {
        count++;
    }
    return count * sizeof(char *);
}

/* Leaves `args` behind the NULL, where execle() has its environment. */
static void fill_vector(char **argv, const char *first, va_list *args)
{
    size_t n = 0;
    for (const char *a = first; a; a = va_arg(*args, const char *)) {
        argv[n++] = (char *)(uintptr_t)a;
    }
    argv[n] = NULL;
}

AIODEBUG_INTERPOSE int execl(const char *path, const char *arg, ...)
{
    va_list args;
    va_start(args, arg);
    char **argv = __builtin_alloca(vector_size(arg, &args));
    va_end(args);
    va_start(args, arg);
    fill_vector(argv, arg, &args);
    va_end(args);
    return execv(path, argv);
}

AIODEBUG_INTERPOSE int execlp(const char *file, const char *arg, ...)
{
    va_list args;
    va_start(args, arg);
    char **argv = __builtin_alloca(vector_size(arg, &args));
    va_end(args);
    va_start(args, arg);
    fill_vector(argv, arg, &args);
    va_end(args);
    return execvp(file, argv);
}

AIODEBUG_INTERPOSE int execle(const char *path, const char *arg, ...)
{
    va_list args;
    va_start(args, arg);
    char **argv = __builtin_alloca(vector_size(arg, &args));
    va_end(args);
    va_start(args, arg);
    fill_vector(argv, arg, &args);
    char *const *envp = va_arg(args, char *const *);
    va_end(args);
    return execve(path, argv, envp);
}
