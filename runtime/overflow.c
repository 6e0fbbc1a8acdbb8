/* SPDX-License-Identifier: MIT */
/*
 * What happens when a coroutine runs over its stack.
 *
 * The touch of a guard is a SIGSEGV, taken on an alternate stack, since there is no room on the
 * coroutine's own. The handler finds the guard in a table of all slabs, says whose stack it is, and
 * then does what would have been done without it: the handler that was there before, or death. Any
 * other fault goes there at once.
 *
 * The handler is installed once and stays. A program that installs another one later gets what it
 * asked for; if that one calls its predecessor, ours is reached again.
 *
 * The table is a list that only grows; a forgotten slab leaves an empty node for the next one.
 * Pools of several threads write it and a handler reads it at any time, so:
 *
 *     writer: claims a node (taken: 0 -> 1), fills it, then stores start
 *     reader: loads start, reads the rest, and believes it if start is still the same
 *     writer: stores start = 0 before it unmaps the slab, and gives the node back (taken = 0)
 *
 * The reader looks into the slab itself only after it knows that the address lies in one of its
 * guards: then somebody stands on a stack in it, and nobody may be unmapping it.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "stack.h"

#define ALTERNATE_SIZE ((size_t)64 * 1024) /* room for a crash reporter that was there before */
#define RED_ZONE ((uintptr_t)128)          /* a leaf function may use so much below its sp */

typedef struct watch {
    struct watch *next;
    atomic_int taken;
    _Atomic(uintptr_t) start; /* of the first slot; 0: empty */
    _Atomic(uintptr_t) end;
    _Atomic(size_t) stride;
    _Atomic(size_t) guard;
    _Atomic(aiort__slab_t *) slab;
} watch_t;

const char *(*aiort__stack_owner_name)(const void *stack);
bool (*aiort__stack_is_current)(const void *stack);
void (*aiort__stack_overflow_hook)(const char *name, size_t size, const void *ucontext);

static _Atomic(watch_t *) watches;
static struct sigaction previous;

/* The calling thread's alternate stack, when it is ours, and how many asked for one. */
static _Thread_local void *alternate;
static _Thread_local unsigned alternate_users;

static watch_t *claim_watch(void)
{
    watch_t *watch, *head;

    for (watch = atomic_load(&watches); watch; watch = watch->next) {
        int empty = 0;
        if (atomic_compare_exchange_strong(&watch->taken, &empty, 1)) {
            return watch;
        }
    }
    watch = calloc(1, sizeof(*watch));
    if (!watch) {
        return NULL;
    }
    atomic_store(&watch->taken, 1);
    head = atomic_load(&watches);
    do {
        watch->next = head;
    } while (!atomic_compare_exchange_weak(&watches, &head, watch));
    return watch;
}

void *aiort__overflow_watch(aiort__slab_t *slab)
{
    size_t stride = slab->class->guard + slab->class->size;
    watch_t *watch = claim_watch();

    if (!watch) {
        return NULL;
    }
    watch->slab = slab;
    watch->guard = slab->class->guard;
    watch->stride = stride;
    watch->end = (uintptr_t)slab->slots + slab->count * stride;
    watch->start = (uintptr_t)slab->slots;
    return watch;
}

void aiort__overflow_forget(void *watch)
{
    watch_t *forgotten = watch;

    forgotten->start = 0;
    forgotten->taken = 0;
}

/* The stack whose guard the address lies in, or NULL. */
static const aiort__stack_t *find_guarded(uintptr_t address)
{
    watch_t *watch;

    for (watch = atomic_load(&watches); watch; watch = watch->next) {
        uintptr_t start = watch->start, end = watch->end;
        size_t stride = watch->stride, guard = watch->guard;
        const aiort__slab_t *slab = watch->slab;
        size_t index;

        if (start != watch->start || start == 0 || address < start || address >= end ||
            (address - start) % stride >= guard) {
            continue;
        }
        index = (address - start) / stride;
        return index < slab->guarded ? &slab->stacks[index] : NULL;
    }
    return NULL;
}

static uintptr_t stack_pointer_of(const ucontext_t *context)
{
#if defined(__x86_64__)
    return (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
#elif defined(__aarch64__)
    return (uintptr_t)context->uc_mcontext.sp;
#else
    (void)context;
    return 0;
#endif
}

/*
 * A stray pointer may hit a guard as well. In an overflow the stack pointer is in the guard or just
 * above it; then there is no doubt. It may also be on the stack beneath, below a frame larger than
 * the guard, or because the coroutine there runs over an array at its own top: so ask who runs.
 */
static bool is_overflow(const aiort__stack_t *stack, const ucontext_t *context)
{
    uintptr_t base = (uintptr_t)aiort__stack_base(stack);
    uintptr_t sp = stack_pointer_of(context);

    if (sp == 0 || (sp < base + RED_ZONE && sp >= base - stack->slab->class->guard)) {
        return true;
    }
    return sp < base && sp >= base - aiort__stack_size(stack) &&
           (!aiort__stack_is_current || aiort__stack_is_current(stack));
}

/* Appends as much of the text as fits before the end; returns where it stopped. */
static char *append(char *at, const char *end, const char *text)
{
    while (at < end && *text) {
        *at++ = *text++;
    }
    return at;
}

static char *append_number(char *at, const char *end, size_t number)
{
    char digits[24];
    char *digit = digits + sizeof(digits) - 1;

    *digit = '\0';
    do {
        *--digit = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return append(at, end, digit);
}

/* The last line of many a log: one write(), so that it comes out whole. */
void aiort__overflow_report(const aiort__stack_t *stack, const void *ucontext)
{
    const char *name = aiort__stack_owner_name ? aiort__stack_owner_name(stack) : NULL;
    size_t size = aiort__stack_size(stack);
    char line[512];
    const char *end = line + sizeof(line) - 32; /* room for the size, whatever the name */
    char *at = line;

    at = append(at, end, "CRITICAL:aiort:Stack overflow in coroutine '");
    at = append(at, end, name ? name : "?");
    at = append(at, line + sizeof(line), "' (");
    at = append_number(at, line + sizeof(line), size / 1024);
    at = append(at, line + sizeof(line), " KiB)\n");
    if (write(STDERR_FILENO, line, (size_t)(at - line)) < 0) {
        at = line; /* nowhere to say it; the hook may have a way */
    }
    if (aiort__stack_overflow_hook) {
        aiort__stack_overflow_hook(name, size, ucontext);
    }
}

/*
 * Does what the signal would have done without us. Death must come from the fault itself, so that
 * the core and the exit status tell of it: with the default action restored, the instruction is run
 * again. A signal that somebody sent does not repeat itself and is sent again.
 */
static void go_on(int signal, siginfo_t *info, void *context)
{
    struct sigaction before = previous;

    if (before.sa_handler == SIG_IGN && info->si_code <= 0) {
        return;
    }
    if (before.sa_handler == SIG_DFL || before.sa_handler == SIG_IGN) {
        struct sigaction by_default = {.sa_handler = SIG_DFL};

        sigaction(signal, &by_default, NULL);
        if (info->si_code <= 0) {
            syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), signal);
        }
        return;
    }
    if (before.sa_flags & (int)SA_RESETHAND) {
        previous.sa_handler = SIG_DFL;
        previous.sa_flags = 0;
    }
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(signal, info, context);
    } else {
        before.sa_handler(signal);
    }
}

static void on_fault(int signal, siginfo_t *info, void *context)
{
    static atomic_bool reported; /* the report itself may fault */
    int err = errno;

    if (info->si_code > 0) {
        const aiort__stack_t *stack = find_guarded((uintptr_t)info->si_addr);

        if (stack && is_overflow(stack, context) && !atomic_exchange(&reported, true)) {
            aiort__overflow_report(stack, context);
        }
    }
    errno = err;
    go_on(signal, info, context);
}

/* With the mask and the flags of the handler before, which then finds all as it asked for. */
void aiort__overflow_init(void)
{
    static atomic_bool installed;
    struct sigaction action;

    if (atomic_exchange(&installed, true) || sigaction(SIGSEGV, NULL, &previous) != 0) {
        return;
    }
    action.sa_mask = previous.sa_mask;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | (previous.sa_flags & (SA_NODEFER | SA_RESTART));
    action.sa_sigaction = on_fault;
    sigaction(SIGSEGV, &action, NULL);
}

int aiort__stack_thread_init(void)
{
    stack_t now, ours = {0};
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory;

    if (alternate_users++ > 0) {
        return 0;
    }
    if (sigaltstack(NULL, &now) != 0 || !(now.ss_flags & SS_DISABLE)) {
        return 0;
    }
    memory = mmap(NULL, page + ALTERNATE_SIZE, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return -errno;
    }
    ours.ss_sp = memory + page;
    ours.ss_size = ALTERNATE_SIZE;
    if (mprotect(memory, page, PROT_NONE) != 0 || sigaltstack(&ours, NULL) != 0) {
        int err = errno;

        munmap(memory, page + ALTERNATE_SIZE);
        return -err;
    }
    alternate = memory;
    return 0;
}

void aiort__stack_thread_fini(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    stack_t now;

    if (--alternate_users > 0 || !alternate) {
        return;
    }
    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == (char *)alternate + page) {
        stack_t none = {.ss_flags = SS_DISABLE};

        sigaltstack(&none, NULL);
    }
    munmap(alternate, page + ALTERNATE_SIZE);
    alternate = NULL;
}
