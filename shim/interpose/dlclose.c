/* SPDX-License-Identifier: MIT */
/*
 * dlclose(): the modules that are loaded are noted before one of them goes. Plugins are closed when a
 * script's interpreter ends (Lua's closes luv's, for one), while what was reported of them is still
 * to be named, and the next library to be loaded takes their place.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdatomic.h>

#include "../init.h"
#include "../report/symbols.h"
#include "interpose.h"

typedef int dlclose_t(void *);

AIODEBUG_INTERPOSE int dlclose(void *handle)
{
    static _Atomic(dlclose_t *) real;
    dlclose_t *function = atomic_load_explicit(&real, memory_order_acquire);
    if (!function) {
        *(void **)&function = dlsym(RTLD_NEXT, "dlclose");
        atomic_store_explicit(&real, function, memory_order_release);
    }
    /* Not what starts the shim: a program that uses neither library closes what it likes. */
    if (atomic_load_explicit(&aiodebug_state, memory_order_acquire) == AIODEBUG_ON &&
        aiodebug_in_own_process()) {
        int saved = errno;
        aiodebug_symbols_modules_changed();
        errno = saved;
    }
    return function(handle);
}
