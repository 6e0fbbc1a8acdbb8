/* SPDX-License-Identifier: MIT */
/*
 * threads.c - the stack of another thread.
 *
 * A thread that sleeps in the kernel is never signalled: a signal would cut its nanosleep or poll
 * short, in spite of SA_RESTART. /proc tells its pc and sp; its stack is copied from outside, and
 * the copy is good if the thread has not run meanwhile (same place, same number of time slices).
 *
 * A thread that runs gets a queued real-time signal, whose handler copies registers and stack (some
 * ten microseconds) and goes. It does not unwind: see unwind.c for why. The copy is walked here.
 *
 * The signal is one whose action is the default when it is first needed, and stays ours; if the
 * program takes it afterwards, another is chosen. A thread that blocks it is left alone: the
 * signal would stay pending and interrupt whatever the thread does when it unblocks. Between the
 * look and the signal (microseconds) a running thread may still fall asleep, and its sleep is cut
 * short then; /proc is therefore read last of all.
 *
 * One request at a time (`busy`). The request and its handler meet in `request`, one word:
 *   IDLE                 nothing asked; a handler that still comes finds this and leaves
 *   ASKED | number << 2  set by the requester, who then sends the signal with that number
 *   TAKEN | number << 2  the handler has begun to copy (from ASKED of its own number only)
 *   DONE  | number << 2  the copy is there
 * The requester withdraws what was not taken in time (ASKED to IDLE). If it was taken but is not
 * done in time (the thread was put aside in its handler), the copy belongs to the handler until it
 * says DONE, and requests are refused until then.
 */
#include "track/threads.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "track/clock.h"
#include "track/stackcopy.h"
#include "track/stacks.h"
#include "track/unwind.h"

enum { IDLE, ASKED, TAKEN, DONE, STATES = 3 };

enum {
    PATIENCE_NS = 50 * 1000 * 1000, /* for the handler to begin, and again for it to end */
    ATTEMPTS = 3,
    PAUSE_NS = 1000 * 1000,
};

static pthread_mutex_t busy = PTHREAD_MUTEX_INITIALIZER;
static int our_signal; /* 0: none chosen yet */

static _Atomic uint32_t request;
static uint32_t last_number;
static aiodebug_stackcopy_t copy;
static aiodebug_stackcopy_scratch_t scratch;
static aiodebug_stackcopy_registers_t registers;

/* ---------------------------------------------------------------------------------------- /proc */

/* Through syscall(), since the shim or the program may have put something before open and read. */
static bool read_task_file(pid_t tid, const char *name, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/self/task/%d/%s", (int)tid, name);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t length = 0;
    long got = 1;
    while (length < size - 1 && got > 0) {
        got = syscall(SYS_read, fd, text + length, size - 1 - length);
        if (got > 0)
            length += (size_t)got;
    }
    syscall(SYS_close, fd);
    text[length] = '\0';
    return length > 0;
}

/* "running", or "NUMBER ARGUMENT1 ... ARGUMENT6 SP PC", or "-1 SP PC". */
static void parse_look(const char *text, aiodebug_thread_look_t *look)
{
    unsigned long *a = look->arguments, sp = 0, pc = 0;
    memset(look, 0, sizeof(*look));
    look->syscall = -1;
    if (strncmp(text, "running", 7) == 0) {
        look->state = AIODEBUG_THREAD_RUNNING;
        return;
    }
    if (sscanf(text, "-1 %lx %lx", &sp, &pc) != 2 &&
        sscanf(text, "%ld %lx %lx %lx %lx %lx %lx %lx %lx", &look->syscall, &a[0], &a[1], &a[2],
               &a[3], &a[4], &a[5], &sp, &pc) != 9)
        return;
    look->state = AIODEBUG_THREAD_ASLEEP;
    look->sp = sp;
    look->pc = pc;
}

void aiodebug_thread_look(pid_t tid, aiodebug_thread_look_t *look)
{
    char text[256];
    int saved = errno;
    if (!read_task_file(tid, "syscall", text, sizeof(text)))
        text[0] = '\0';
    parse_look(text, look);
    errno = saved;
}

/* Whether the thread lets `sig` through now. */
static bool accepts(pid_t tid, int sig)
{
    char text[4096];
    if (!read_task_file(tid, "status", text, sizeof(text)))
        return false;
    const char *blocked = strstr(text, "\nSigBlk:"), *state = strstr(text, "\nState:");
    if (blocked == NULL || state == NULL || strchr("RSDTt", state[8]) == NULL)
        return false;
    return !(strtoull(blocked + 8, NULL, 16) >> (sig - 1) & 1);
}

/* ------------------------------------------------------------------------------- asleep threads */

/* Copies the stack of a thread found asleep. False: it has moved. */
static bool copy_asleep(pid_t tid, const aiodebug_thread_look_t *look)
{
    char slices[2][128] = {"", ""};
    aiodebug_thread_look_t after;
    read_task_file(tid, "schedstat", slices[0], sizeof(slices[0]));
    aiodebug_stackcopy_take(&copy, look->sp, &scratch);
    read_task_file(tid, "schedstat", slices[1], sizeof(slices[1]));
    aiodebug_thread_look(tid, &after);
    if (memcmp(look, &after, sizeof(after)) != 0 || strcmp(slices[0], slices[1]) != 0)
        return false;
    memset(&registers, 0, sizeof(registers));
    registers.pc = look->pc;
    registers.sp = look->sp;
    registers.returns = look->syscall >= 0;
    return true;
}

/* ------------------------------------------------------------------------------ running threads */

static void futex(int operation, uint32_t value, const struct timespec *timeout)
{
    syscall(SYS_futex, &request, operation, value, timeout, NULL, 0);
}

#if defined(__x86_64__)
static void note_registers(const ucontext_t *context)
{
    registers.all = context->uc_mcontext;
    registers.pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    registers.sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
    registers.complete = true;
    registers.returns = false;
}
#else
static void note_registers(const ucontext_t *context)
{
    (void)context;
    registers.sp = registers.pc = 0;
}
#endif

static void on_signal(int sig, siginfo_t *info, void *context)
{
    (void)sig;
    int saved = errno;
    uint32_t number = (uint32_t)info->si_value.sival_int;
    uint32_t asked = number << 2 | ASKED;
    if (info->si_code == SI_QUEUE && info->si_pid == getpid() &&
        atomic_compare_exchange_strong(&request, &asked, number << 2 | TAKEN)) {
        note_registers(context);
        aiodebug_stackcopy_take(&copy, registers.sp, &scratch);
        atomic_store(&request, number << 2 | DONE);
        futex(FUTEX_WAKE_PRIVATE, 1, NULL);
    }
    errno = saved;
}

static bool is_ours(int sig)
{
    struct sigaction action;
    return sigaction(sig, NULL, &action) == 0 && (action.sa_flags & SA_SIGINFO) &&
           action.sa_sigaction == on_signal;
}

/* A signal that nobody uses, with our handler; 0: there is none. The topmost few are left to
 * debuggers and valgrind, the lowest to programs, which count from SIGRTMIN. */
static int choose_signal(void)
{
    struct sigaction ours = {.sa_sigaction = on_signal,
                             .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};
    struct sigaction theirs;
    if (our_signal != 0 && is_ours(our_signal))
        return our_signal;
    sigfillset(&ours.sa_mask);
    our_signal = 0;
    for (int sig = SIGRTMAX - 4; sig > SIGRTMIN && our_signal == 0; sig--) {
        if (sigaction(sig, NULL, &theirs) == 0 && !(theirs.sa_flags & SA_SIGINFO) &&
            theirs.sa_handler == SIG_DFL && sigaction(sig, &ours, NULL) == 0)
            our_signal = sig;
    }
    return our_signal;
}

static bool send_request(pid_t tid, int sig, uint32_t number)
{
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_int = (int)number;
    return syscall(SYS_rt_tgsigqueueinfo, getpid(), tid, sig, &info) == 0;
}

/* Waits while `request` is `state`; false: until the time was over. */
static bool wait_while(uint32_t state)
{
    uint64_t end = aiodebug_monotonic_ns() + PATIENCE_NS;
    while (atomic_load(&request) == state) {
        uint64_t now = aiodebug_monotonic_ns();
        if (now >= end)
            return false;
        struct timespec left = {.tv_sec = 0, .tv_nsec = (long)(end - now)};
        futex(FUTEX_WAIT_PRIVATE, state, &left);
    }
    return true;
}

/* Has a running thread copy its own stack. */
static bool copy_running(pid_t tid)
{
    aiodebug_thread_look_t look;
    int sig = choose_signal();
    if (sig == 0 || !accepts(tid, sig))
        return false;
    uint32_t number = ++last_number & 0x3fffffff, base = number << 2;
    aiodebug_thread_look(tid, &look);
    if (look.state != AIODEBUG_THREAD_RUNNING)
        return false;
    atomic_store(&request, base | ASKED);
    if (!send_request(tid, sig, number) || !wait_while(base | ASKED)) {
        uint32_t asked = base | ASKED;
        if (atomic_compare_exchange_strong(&request, &asked, IDLE))
            return false;
    }
    return wait_while(base | TAKEN);
}

/* ------------------------------------------------------------------------------------- together */

static bool copy_thread(pid_t tid, aiodebug_thread_look_t *look)
{
    for (int i = 0; i < ATTEMPTS; i++) {
        /* It may have moved between two looks, or be on its way out of the handler still, where
         * the signal is blocked: let it. */
        if (i > 0)
            nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
        aiodebug_thread_look(tid, look);
        if (look->state == AIODEBUG_THREAD_UNKNOWN)
            return false;
        if (look->state == AIODEBUG_THREAD_RUNNING ? copy_running(tid) : copy_asleep(tid, look))
            return true;
        if ((atomic_load(&request) & STATES) == TAKEN)
            return false;
    }
    return false;
}

int aiodebug_thread_walk(pid_t tid, void **pcs, int max, aiodebug_thread_look_t *look)
{
    aiodebug_thread_look_t unseen;
    if (look == NULL)
        look = &unseen;
    memset(look, 0, sizeof(*look));
    if (tid == (pid_t)syscall(SYS_gettid)) {
        look->state = AIODEBUG_THREAD_RUNNING;
        look->syscall = -1;
        return aiodebug_unwind_here(pcs, max);
    }
    if (tid <= 0 || !aiodebug_stackcopy_supported())
        return 0;
    int saved = errno, n = 0;
    pthread_mutex_lock(&busy);
    if ((atomic_load(&request) & STATES) != TAKEN && aiodebug_stackcopy_prepare(&copy) &&
        copy_thread(tid, look)) {
        n = aiodebug_stackcopy_walk(&copy, &registers, pcs, max);
        look->sp = registers.sp;
        look->reached = n > 0 ? copy.reached : 0;
    }
    pthread_mutex_unlock(&busy);
    errno = saved;
    return n;
}

aiodebug_stack_t aiodebug_stack_of_thread(pid_t tid)
{
    void *pcs[2 * AIODEBUG_STACK_DEPTH_MAX];
    int keep = aiodebug_stack_depth();
    if (keep == 0)
        return 0;
    int n = aiodebug_thread_walk(tid, pcs, 2 * AIODEBUG_STACK_DEPTH_MAX, NULL);
    int skip = aiodebug_stack_internal_prefix(pcs, n);
    n -= skip;
    return aiodebug_stack_intern(pcs + skip, n < keep ? n : keep);
}

void aiodebug_threads_after_fork_child(void)
{
    pthread_mutex_init(&busy, NULL);
    atomic_store(&request, IDLE);
}
