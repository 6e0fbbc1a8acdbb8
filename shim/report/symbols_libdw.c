/* SPDX-License-Identifier: MIT */
/* Loading libdw when the first frame is to be named, and keeping that out of the way of fork().
   libdw alone, not libdwfl: that one asks debuginfod by itself. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "symbols_libdw.h"

aiodebug_libdw_t aiodebug_libdw;

static _Atomic int state;
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;

static bool find_functions(void *handle)
{
    void *symbol;
#define FIND(name)                                                                                 \
    symbol = dlsym(handle, #name);                                                                 \
    if (!symbol)                                                                                   \
        return false;                                                                              \
    memcpy(&aiodebug_libdw.name, &symbol, sizeof symbol);
    LIBDW_FUNCTIONS(FIND)
#undef FIND
    return aiodebug_libdw.elf_version(EV_CURRENT) != EV_NONE;
}

enum { LOAD_WAIT_MS = 1000 };

/* While another thread loads: a name in a log is worth the wait, but not without end, since that
   thread may be waiting for us in a constructor that the loader runs. */
static int wait_for_load(void)
{
    const struct timespec tick = {.tv_nsec = 1000000};
    for (int i = 0; i < LOAD_WAIT_MS && aiodebug_dwarf_state() == DWARF_LOADING; i++)
        nanosleep(&tick, NULL);
    return aiodebug_dwarf_state();
}

/* Called without any lock: dlopen() takes the loader's, and a constructor that the loader runs may
   be waiting to name a frame. Whoever has waited in vain goes on without DWARF. */
int aiodebug_dwarf_load(const char *library, void (*say)(const char *))
{
    char line[256];
    int now = aiodebug_dwarf_state();
    if (now != DWARF_LOADING)
        return now;
    if (pthread_mutex_trylock(&load_lock) != 0)
        return wait_for_load();
    now = aiodebug_dwarf_state();
    if (now == DWARF_LOADING) {
        void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
        now = handle && find_functions(handle) ? DWARF_READY : DWARF_MISSING;
        atomic_store_explicit(&state, now, memory_order_release);
        if (now == DWARF_MISSING) {
            const char *why = handle ? NULL : dlerror();
            snprintf(line, sizeof line, "frames have no file and line: %s",
                     why ? why : "libdw is too old");
            say(line);
        }
    }
    pthread_mutex_unlock(&load_lock);
    return now;
}

int aiodebug_dwarf_state(void)
{
    return atomic_load_explicit(&state, memory_order_acquire);
}

/* fork() waits for a load to end, else the child would have the loader's lock for ever. True when
 * it has. */
bool aiodebug_dwarf_before_fork(void)
{
    return aiodebug_lock_soon(&load_lock);
}

void aiodebug_dwarf_after_fork_parent(void)
{
    pthread_mutex_unlock(&load_lock);
}

void aiodebug_dwarf_after_fork_child(bool complete)
{
    if (complete)
        pthread_mutex_unlock(&load_lock);
    if (aiodebug_lock_in_child(&load_lock) && aiodebug_dwarf_state() == DWARF_LOADING)
        atomic_store(&state, DWARF_MISSING);
}
