/* SPDX-License-Identifier: MIT */
/*
 * unwind.c - loads libunwind and walks the caller's stack with it.
 *
 * unw_backtrace() keeps, per thread, what it learned of each return address (a table of 400 KB
 * from a thread's first capture on); an address seen before costs it 6 to 8 ns and takes no lock.
 * An address seen for the first time ("cold") is looked up through dl_iterate_phdr(), that is under
 * the loader's lock. Hence the one rule of this directory: never unwind in a signal handler. The
 * interrupted code may hold malloc's lock while the holder of the loader's lock waits for that one.
 * threads.c copies the stack in its handler and walks the copy elsewhere.
 *
 * Bad stacks: a cold step checks each address before it reads it, and so does every read after a
 * frame without unwind information (jitted code). A warm step trusts what it learned at that
 * address, as every fast unwinder does. Known limit: a library that is unloaded, and replaced at
 * the same address by another one with the same return address in a frame of another size, is
 * walked as if it were the first.
 */
#include "track/unwind.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "track/unwind_ops.h"

#define NAME_OF_(symbol) #symbol
#define NAME_OF(symbol) NAME_OF_(symbol) /* the name behind libunwind's macro */

aiodebug_unwind_ops_t aiodebug_unwind_ops;
_Thread_local volatile bool aiodebug_unwind_mark __attribute__((tls_model("initial-exec")));

static enum { UNTRIED, MISSING, LOADED } state;

static const char *library(void)
{
    /* Tests name a file that is not there. */
    const char *name = secure_getenv("AIORT_TEST_LIBUNWIND");
    return name != NULL ? name : "libunwind.so.8";
}

/* RTLD_NOW: binding later would take the loader's lock at the first call of each function.
 * RTLD_LOCAL: see the header. RTLD_NODELETE: the program may dlclose() what it opened itself. */
static void *load(void)
{
    void *handle = dlopen(library(), RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD | RTLD_NODELETE);
    if (handle != NULL)
        return handle; /* the program's own: it may have unwound already, so it stays as it is */
    handle = dlopen(library(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle != NULL)
        aiodebug_unwind_quiet(handle);
    return handle;
}

/*
 * Its own cache of parsed unwind information has one lock, which it holds while it waits for the
 * loader's: a walk that is made under the loader's lock (stackcopy.c) would wait for it in turn,
 * and the child of a fork() for ever. What unw_backtrace() remembers per thread is another cache
 * and does not need this one, so it is switched off.
 */
static void switch_cache_off(void *handle)
{
    int (*set)(unw_addr_space_t, unw_caching_policy_t);
    unw_addr_space_t *own;
    *(void **)&set = dlsym(handle, NAME_OF(unw_set_caching_policy));
    own = dlsym(handle, NAME_OF(unw_local_addr_space));
    if (set == NULL || own == NULL || set(*own, UNW_CACHE_NONE) != 0)
        aiodebug_unwind_ops.init_local2 = NULL; /* no walks over copies then */
}

static void find_cursor(void *handle, aiodebug_unwind_ops_t *ops)
{
    *(void **)&ops->init_local2 = dlsym(handle, NAME_OF(unw_init_local2));
    *(void **)&ops->step = dlsym(handle, NAME_OF(unw_step));
    *(void **)&ops->get_reg = dlsym(handle, NAME_OF(unw_get_reg));
    *(void **)&ops->get_proc_info = dlsym(handle, NAME_OF(unw_get_proc_info));
    *(void **)&ops->is_signal_frame = dlsym(handle, NAME_OF(unw_is_signal_frame));
    *(void **)&ops->get_save_loc = dlsym(handle, NAME_OF(unw_get_save_loc));
    if (!ops->init_local2 || !ops->step || !ops->get_reg || !ops->get_proc_info ||
        !ops->is_signal_frame) {
        ops->init_local2 = NULL;
    }
}

bool aiodebug_unwind_init(void (*warn)(const char *line))
{
    if (state != UNTRIED)
        return state == LOADED;
    state = MISSING;
    int saved = errno;
    void *handle = load();
    aiodebug_unwind_ops_t ops = {0};
    if (handle != NULL)
        *(void **)&ops.backtrace = dlsym(handle, NAME_OF(unw_backtrace));
    if (ops.backtrace == NULL) {
        if (warn != NULL) {
            warn("libunwind.so.8 is not to be found: reports will have no stacks "
                 "(on Debian: apt install libunwind8)");
        }
        errno = saved;
        return false;
    }
    find_cursor(handle, &ops);
    aiodebug_unwind_ops = ops;
    switch_cache_off(handle);
    state = LOADED;
    /* The first unwind initialises libunwind (0.2 ms): not in somebody's callback, and not while
     * somebody holds a lock. */
    void *pcs[8];
    aiodebug_unwind_here(pcs, 8);
    errno = saved;
    return true;
}

bool aiodebug_unwind_available(void)
{
    return aiodebug_unwind_ops.backtrace != NULL;
}

bool aiodebug_unwind_busy(void)
{
    return aiodebug_unwind_mark;
}

/* Not inlined and no tail call: exactly one frame, the first, is this function's. */
__attribute__((noinline)) int aiodebug_unwind_here(void **pcs, int max)
{
    if (max <= 0 || aiodebug_unwind_ops.backtrace == NULL || !aiodebug_unwind_enter())
        return 0;
    int saved = errno;
    void *own[1 + 128];
    if (max > 128)
        max = 128;
    int n = aiodebug_unwind_ops.backtrace(own, max + 1) - 1;
    if (n > 0)
        memcpy(pcs, own + 1, (size_t)n * sizeof(own[0]));
    errno = saved;
    aiodebug_unwind_leave();
    return n > 0 ? n : 0;
}
