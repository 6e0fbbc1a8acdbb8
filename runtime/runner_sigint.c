/* SPDX-License-Identifier: MIT */
/*
 * Ctrl-C while a main coroutine runs: the first one cancels it, so that everything is released in
 * order; the second one, for a program that does not listen, is what it would be without us.
 *
 * The signal handler posts a handle that was made before, which needs no lock and no memory, and
 * wakes the loop. There is one main thread, so one interrupt at a time. A child of fork() has the
 * handler still, but nothing to cancel: there, too, SIGINT is what it would be.
 */
#include "runner.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static _Atomic(aiort__interrupt_t *) current;

static void on_sigint(int signum)
{
    int saved = errno;
    aiort__interrupt_t *interrupt = atomic_load(&current);

    if (interrupt && interrupt->pid == getpid() && atomic_fetch_add(&interrupt->count, 1) == 0) {
        aiort_handle_t *handle = atomic_exchange(&interrupt->unposted, NULL);
        if (handle) {
            (void)aiort__threadsafe_post(handle);
        }
    } else {
        signal(signum, SIG_DFL);
        raise(signum); /* once this returns */
    }
    errno = saved;
}

/* In the loop. */
static int cancel_main(void *arg)
{
    aiort__interrupt_t *interrupt = arg;

    interrupt->cancelled = aiort__future_cancel(interrupt->main, NULL);
    return 0;
}

static bool is_default(void)
{
    struct sigaction action;

    return getpid() == (int)syscall(SYS_gettid) && sigaction(SIGINT, NULL, &action) == 0 &&
           !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_DFL;
}

int aiort__interrupt_begin(aiort__interrupt_t *interrupt, aiort_future_t *main)
{
    struct sigaction action;

    memset(interrupt, 0, sizeof(*interrupt));
    interrupt->main = main;
    interrupt->pid = getpid();
    if (!is_default()) {
        return 0;
    }
    interrupt->handle = aiort__threadsafe_handle(NULL, main->object.loop, cancel_main, interrupt);
    if (!interrupt->handle) {
        return UV_ENOMEM;
    }
    atomic_store(&interrupt->unposted, aiort_ref(interrupt->handle));
    atomic_store(&current, interrupt);
    memset(&action, 0, sizeof(action));
    action.sa_handler = on_sigint;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    (void)sigaction(SIGINT, &action, NULL);
    return 0;
}

bool aiort__interrupt_end(aiort__interrupt_t *interrupt)
{
    struct sigaction action;

    if (!interrupt->handle) {
        return false;
    }
    if (sigaction(SIGINT, NULL, &action) == 0 && !(action.sa_flags & SA_SIGINFO) &&
        action.sa_handler == on_sigint) {
        (void)signal(SIGINT, SIG_DFL);
    }
    atomic_store(&current, NULL);
    aiort_handle_t *unposted = atomic_exchange(&interrupt->unposted, NULL);
    if (unposted) {
        aiort__threadsafe_drop(unposted);
    } else {
        aiort__threadsafe_cancel(interrupt->handle); /* it may not have been called */
    }
    aiort_unref(interrupt->handle);
    return interrupt->cancelled;
}
