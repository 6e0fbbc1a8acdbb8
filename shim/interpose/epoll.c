/* SPDX-License-Identifier: MIT */
/*
 * epoll_wait(), epoll_pwait(), epoll_pwait2(): where a loop waits.
 *
 * A poll of a libuv whose uv_run() was seen ends one turn and begins the next (uv_calls.c). A libuv
 * that is linked into the program statically, or reached past the shim, shows nothing but its
 * polls: the time from one to the next is then all that can be said. Other libraries poll in
 * threads that do much else meanwhile, so a long turn is reported only for a caller in whose module
 * a libuv is found, and that is looked for when there is a long turn, or at exit when somebody
 * asked for INFO.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/epoll.h>

#include "../config.h"
#include "uv_wrap.h"

typedef int epoll_wait_t(int, struct epoll_event *, int, int);
typedef int epoll_pwait_t(int, struct epoll_event *, int, int, const sigset_t *);
typedef int epoll_pwait2_t(int, struct epoll_event *, int, const struct timespec *,
                           const sigset_t *);

static epoll_wait_t *real_epoll_wait;
static epoll_pwait_t *real_epoll_pwait;
static epoll_pwait2_t *real_epoll_pwait2;

__attribute__((constructor)) static void find_epoll(void)
{
    *(void **)&real_epoll_wait = dlsym(RTLD_NEXT, "epoll_wait");
    *(void **)&real_epoll_pwait = dlsym(RTLD_NEXT, "epoll_pwait");
    *(void **)&real_epoll_pwait2 = dlsym(RTLD_NEXT, "epoll_pwait2"); /* glibc 2.35 */
}


/* ------------------------------------------------------------------------------ a hidden libuv */

/* What every libuv has in its read-only data, and hardly anything else: the name of the variable
 * that its pool reads. */
static const char mark[] = "UV_THREADPOOL_SIZE";

typedef struct {
    uintptr_t address; /* of code */
    char name[256];
    bool libuv;
} module_t;

static bool segment_has_mark(uintptr_t start, size_t size)
{
    return memmem((const void *)start, size, mark, sizeof mark) != NULL;
}

static int look_into(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    module_t *module = arg;
    /* The library that the shim does watch: some polls of it are of runs that it did not see. */
    uintptr_t watched = (uintptr_t)aiodebug_uv_real[AIODEBUG_REAL_uv_run];
    bool here = false, known = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *s = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + s->p_vaddr;
        here |= s->p_type == PT_LOAD && module->address - start < s->p_memsz;
        known |= s->p_type == PT_LOAD && watched - start < s->p_memsz;
    }
    for (int i = 0; here && !known && !module->libuv && i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *s = &info->dlpi_phdr[i];
        module->libuv = s->p_type == PT_LOAD && s->p_flags & PF_R && !(s->p_flags & PF_W) &&
                        segment_has_mark(info->dlpi_addr + s->p_vaddr, s->p_filesz);
    }
    if (here) {
        const char *slash = strrchr(info->dlpi_name, '/');
        const char *name = slash ? slash + 1 : info->dlpi_name;
        snprintf(module->name, sizeof module->name, "%s", *name ? name : aiodebug_program);
    }
    return here;
}

/* Whether the code at this address belongs to a module with a libuv in it. */
static bool has_libuv(const void *address, module_t *module)
{
    *module = (module_t){.address = (uintptr_t)address};
    return dl_iterate_phdr(look_into, module) && module->libuv;
}

/* One that polled; kept for the line at exit. */
static const void *_Atomic some_caller;

typedef struct {
    uint64_t returned; /* CLOCK_MONOTONIC in ns; 0: failed */
    const void *caller;
    int events;
} hidden_t;

static _Thread_local hidden_t hidden;

static __attribute__((noinline)) void was_long(const void *caller, uint64_t ns, int events)
{
    static _Thread_local const void *innocent;
    module_t module;
    int saved = errno;
    if (caller != innocent) {
        if (!has_libuv(caller, &module)) {
            innocent = caller;
        } else if (aiodebug_on()) {
            aiodebug_check_uv_hidden_turn(module.name, ns, events);
        }
    }
    errno = saved;
}

static void hidden_poll_begins(const void *caller)
{
    hidden_t *h = &hidden;
    if (!h->returned) {
        return;
    }
    /* Not in ticks: their length is learned when the shim starts, which it need never do here. */
    uint64_t took = aiodebug_monotonic_ns() - h->returned;
    if (__builtin_expect((double)took / 1e9 >= aiodebug_config.slow_iteration, 0) &&
        h->caller == caller &&
        aiodebug_config_wants(AIODEBUG_CHECK_SLOW_ITERATION, AIODEBUG_LEVEL_WARNING)) {
        was_long(caller, took, h->events);
    }
    h->returned = 0;
}

static void hidden_poll_ended(const void *caller, int events)
{
    if (events >= 0) {
        hidden = (hidden_t){aiodebug_monotonic_ns(), caller, events};
        if (!atomic_load_explicit(&some_caller, memory_order_relaxed)) {
            atomic_store_explicit(&some_caller, caller, memory_order_relaxed);
        }
    }
}

void aiodebug_epoll_at_exit(void)
{
    module_t module;
    const void *caller = some_caller;
    if (caller && aiodebug_config.enabled && aiodebug_config.level <= AIODEBUG_LEVEL_INFO &&
        aiodebug_in_own_process() && has_libuv(caller, &module) && aiodebug_on()) {
        aiodebug_check_uv_hidden(module.name);
    }
}


/* ------------------------------------------------------------------------------------ wrappers */

/* Whether a poll of somebody else is worth a look. */
static bool watching(void)
{
    int state = atomic_load_explicit(&aiodebug_state, memory_order_relaxed);
    return state != AIODEBUG_OFF && aiodebug_config.enabled;
}

/* The body of each: CALL is the real call, MS its timeout in milliseconds. */
#define POLL(call, ms)                                                                             \
    const void *caller = __builtin_return_address(0);                                              \
    aiodebug_uv_run_t *run = aiodebug_uv_polling(caller);                                          \
    bool look = !run && watching();                                                                \
    if (run) {                                                                                     \
        aiodebug_uv_poll_begins(run, ms);                                                          \
    } else if (look) {                                                                             \
        hidden_poll_begins(caller);                                                                \
    }                                                                                              \
    int n = call;                                                                                  \
    if (run) {                                                                                     \
        aiodebug_uv_poll_ended(run, ms, n);                                                        \
    } else if (look) {                                                                             \
        hidden_poll_ended(caller, n);                                                              \
    }                                                                                              \
    return n

AIODEBUG_INTERPOSE int epoll_wait(int epfd, struct epoll_event *events, int max, int timeout)
{
    if (!real_epoll_wait) {
        find_epoll();
    }
    POLL(real_epoll_wait(epfd, events, max, timeout), timeout);
}

AIODEBUG_INTERPOSE int epoll_pwait(int epfd, struct epoll_event *events, int max, int timeout,
                                   const sigset_t *mask)
{
    if (!real_epoll_pwait) {
        find_epoll();
    }
    POLL(real_epoll_pwait(epfd, events, max, timeout, mask), timeout);
}

/* libc's that has no such function has no program that was linked to it either. */
static int poll2(int epfd, struct epoll_event *events, int max, const struct timespec *timeout,
                 const sigset_t *mask)
{
    if (!real_epoll_pwait2) {
        find_epoll();
    }
    if (!real_epoll_pwait2) {
        errno = ENOSYS;
        return -1;
    }
    return real_epoll_pwait2(epfd, events, max, timeout, mask);
}

AIODEBUG_INTERPOSE int epoll_pwait2(int epfd, struct epoll_event *events, int max,
                                    const struct timespec *timeout, const sigset_t *mask)
{
    POLL(poll2(epfd, events, max, timeout, mask),
         !timeout ? -1 : (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000));
}
