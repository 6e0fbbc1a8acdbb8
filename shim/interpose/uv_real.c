/* SPDX-License-Identifier: MIT */
/*
 * Where libuv's own functions are.
 *
 * The shim does not link libuv. Usually the library is further down in the lookup order
 * (RTLD_NEXT). One that a plugin brought in by dlopen(RTLD_LOCAL) (python3-uvloop, lua-luv) is in
 * no order at all and is asked for by its name, then by that of any loaded object that is called
 * libuv. dlsym(RTLD_DEFAULT) would find the shim itself.
 */
#include <dlfcn.h>
#include <link.h>
#include <stdatomic.h>
#include <string.h>

#include "uv_wrap.h"

aiodebug_uv_function_t aiodebug_uv_real[AIODEBUG_REAL_COUNT];
bool aiodebug_uv_is_known;

static const char *const names[AIODEBUG_REAL_COUNT] = {
#define XX_NAME(name) #name,
#define XX_INIT(name, params, args, handle) #name,
#define XX_OP(result, name, use, params, args, handle) #name,
#define XX_FS(name, params, args) #name,
    AIODEBUG_UV_INITS(XX_INIT) AIODEBUG_UV_OPS(XX_OP) AIODEBUG_UV_FS(XX_FS) AIODEBUG_UV_OWN(XX_NAME)
#undef XX_NAME
#undef XX_INIT
#undef XX_OP
#undef XX_FS
};

/* Called where the library has no such function: somebody asked dlsym() for a newer one. */
static int missing(void)
{
    return UV_ENOSYS;
}

typedef struct {
    char path[1024];
} found_t;

enum { LAST_FUNCTION = 1024 }; /* its size, at the most */

static bool named_libuv(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    return strncmp(base, "libuv.so", 8) == 0 || strncmp(base, "libuv-", 6) == 0;
}

static int is_libuv(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    found_t *found = arg;
    if (named_libuv(info->dlpi_name)) {
        strncpy(found->path, info->dlpi_name, sizeof found->path - 1);
        return 1;
    }
    return 0;
}

static void *libuv_by_name(void)
{
    void *library = dlopen("libuv.so.1", RTLD_LAZY | RTLD_NOLOAD);
    if (!library) {
        found_t found = {{0}};
        if (dl_iterate_phdr(is_libuv, &found)) {
            library = dlopen(found.path, RTLD_LAZY | RTLD_NOLOAD);
        }
    }
    return library;
}

typedef struct {
    aiodebug_uv_function_t functions[AIODEBUG_REAL_COUNT];
    aiodebug_uv_code_t code, own_code;
    bool is_known;
} library_t;

/* Finds libuv's code and ours. A libuv that is part of a larger library lies there in one piece:
 * from the first of its functions to the last. */
static void find_code(library_t *found)
{
    const void *run = (const void *)(uintptr_t)found->functions[AIODEBUG_REAL_uv_run];
    uintptr_t low = UINTPTR_MAX, high = 0;
    Dl_info info;
    if (!dladdr(run, &info)) {
        return;
    }
    found->code = aiodebug_uv_code_at(run);
    if (!named_libuv(info.dli_fname)) {
        for (int i = 0; i < AIODEBUG_REAL_COUNT; i++) {
            uintptr_t at = (uintptr_t)found->functions[i];
            if (at - found->code.low < found->code.size) {
                low = at < low ? at : low;
                high = at > high ? at : high;
            }
        }
        found->code = (aiodebug_uv_code_t){low, high - low + LAST_FUNCTION};
    }
    found->own_code = aiodebug_uv_code_at((const void *)(uintptr_t)find_code);
}

/* 1.44 to 1.51. */
static bool is_known(void *library)
{
    enum { FIRST = 1 << 8 | 44, LAST = 1 << 8 | 51 };
    unsigned (*version)(void);
    *(void **)&version = dlsym(library, "uv_version");
    unsigned minor = version ? version() >> 8 : 0;
    return minor >= FIRST && minor <= LAST && !aiodebug_on_valgrind;
}

/* Threads that come here at the same time find the same; one of them writes it down, and nobody
 * waits for it. The functions come last: who has one has the code. */
static void publish(const library_t *found)
{
    static atomic_flag begun = ATOMIC_FLAG_INIT;
    if (atomic_flag_test_and_set(&begun)) {
        return;
    }
    aiodebug_uv_set_code(&aiodebug_uv_code, found->code);
    aiodebug_uv_set_code(&aiodebug_uv_own_code, found->own_code);
    __atomic_store_n(&aiodebug_uv_is_known, found->is_known, __ATOMIC_RELAXED);
    for (int i = 0; i < AIODEBUG_REAL_COUNT; i++) {
        __atomic_store_n(&aiodebug_uv_real[i], found->functions[i], __ATOMIC_RELEASE);
    }
}

/* Not kept while there is no library: it may come later. */
aiodebug_uv_function_t aiodebug_uv_find_real(int index)
{
    int saved = errno;
    void *library = dlsym(RTLD_NEXT, "uv_run") ? RTLD_NEXT : libuv_by_name();
    library_t found = {.is_known = library && is_known(library)};
    for (int i = 0; library && i < AIODEBUG_REAL_COUNT; i++) {
        *(void **)&found.functions[i] = dlsym(library, names[i]);
        if (!found.functions[i]) {
            found.functions[i] = (aiodebug_uv_function_t)missing;
        }
    }
    if (library) {
        find_code(&found);
        publish(&found);
    }
    errno = saved;
    return library ? found.functions[index] : (aiodebug_uv_function_t)missing;
}
