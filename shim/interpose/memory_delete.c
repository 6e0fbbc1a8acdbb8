/* SPDX-License-Identifier: MIT */
/*
 * C++'s operator delete and operator delete[], in all their forms. libstdc++'s come down to free(),
 * which would do; but those of other allocators do not, and it is better told as what it was. Each
 * forwards to the very form that was called.
 *
 * Which function that is. Nearly always the next definition after ours, in the scope that all
 * libraries share. A C program that loads a C++ library for itself alone has none there: then ours
 * stands before the one in the scope of that library, and which one that is depends on the caller,
 * so it is looked up from there and kept for the caller's library. When the caller has none in its
 * scope, the call was the last thing that a function did, a jump, and what we see is who called
 * that function: then it is the one that some other library has in its scope.
 *
 * The block need not be malloc()'s: a program may have a pool of its own behind its operators. Only
 * behind those of the allocator itself and those of the C++ runtimes is it asked for its size.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "interpose/interpose.h"
#include "interpose/memory.h"

#if __SIZEOF_SIZE_T__ == __SIZEOF_LONG__
#define M(before, after) before##m##after /* size_t, as it is mangled */
#else
#define M(before, after) before##j##after
#endif

#define FORMS(X)                                                                                   \
    X(PLAIN, _ZdlPv)                                                                               \
    X(SIZED, M(_ZdlPv, ))                                                                          \
    X(ALIGNED, _ZdlPvSt11align_val_t)                                                              \
    X(SIZED_ALIGNED, M(_ZdlPv, St11align_val_t))                                                   \
    X(NOTHROW, _ZdlPvRKSt9nothrow_t)                                                               \
    X(ALIGNED_NOTHROW, _ZdlPvSt11align_val_tRKSt9nothrow_t)                                        \
    X(ARRAY_PLAIN, _ZdaPv)                                                                         \
    X(ARRAY_SIZED, M(_ZdaPv, ))                                                                    \
    X(ARRAY_ALIGNED, _ZdaPvSt11align_val_t)                                                        \
    X(ARRAY_SIZED_ALIGNED, M(_ZdaPv, St11align_val_t))                                             \
    X(ARRAY_NOTHROW, _ZdaPvRKSt9nothrow_t)                                                         \
    X(ARRAY_ALIGNED_NOTHROW, _ZdaPvSt11align_val_tRKSt9nothrow_t)

#define FORM_ENUM(form, name) form,
typedef enum { FORMS(FORM_ENUM) FORM_COUNT } form_t;

enum { LIBRARIES = 512 }; /* as many are asked, when it comes to that */

#define TEXT_OF(name) #name
#define FORM_NAME(form, name) TEXT_OF(name),
static const char *const names[] = {FORMS(FORM_NAME)};

typedef void (*function_t)(void);

static _Atomic(function_t) shared[FORM_COUNT]; /* from the scope of all */
static _Atomic bool known[FORM_COUNT];         /* it gives back a block of malloc()'s */

/* What the last caller of a form needs, by its library. */
typedef struct {
    const struct link_map *library;
    const void *start, *unwind_data;
    function_t function;
} from_caller_t;

static __thread from_caller_t from_caller[FORM_COUNT];


/* -------------------------------------------------------------------------- the real function */

static bool is_runtime(const char *path)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    return strncmp(name, "libstdc++.so", 12) == 0 || strncmp(name, "libc++.so", 9) == 0 ||
           strncmp(name, "libc++abi.so", 12) == 0;
}

static bool gives_to_allocator(const void *function)
{
    Dl_info info;
    if (!dladdr(function, &info)) {
        return false;
    }
    return (info.dli_fname && is_runtime(info.dli_fname)) || aiodebug_is_of_allocator(function);
}

static function_t as_function(void *symbol)
{
    function_t function;
    *(void **)&function = symbol;
    return function;
}

/* What a library of that name would have found, were we not here. */
static void *look_in(form_t form, const char *path)
{
    void *handle = path && path[0] ? dlopen(path, RTLD_LAZY | RTLD_NOLOAD) : NULL;
    void *symbol = handle ? dlsym(handle, names[form]) : NULL;
    Dl_info ours, its;
    if (handle) {
        dlclose(handle);
    }
    bool own =
        symbol && dladdr(names, &ours) && dladdr(symbol, &its) && ours.dli_fbase == its.dli_fbase;
    return own ? NULL : symbol;
}

typedef struct {
    const char *paths[LIBRARIES];
    int n;
} libraries_t;

static int note_library(struct dl_phdr_info *info, size_t size, void *arg)
{
    libraries_t *libraries = arg;
    (void)size;
    if (libraries->n < LIBRARIES) {
        libraries->paths[libraries->n++] = info->dlpi_name;
    }
    return 0;
}

/* The libraries that use the runtimes are asked before these. */
static void *look_everywhere(form_t form)
{
    libraries_t libraries = {.n = 0};
    void *symbol = NULL;
    dl_iterate_phdr(note_library, &libraries);
    for (int runtimes = 0; runtimes < 2 && !symbol; runtimes++) {
        for (int i = 0; i < libraries.n && !symbol; i++) {
            if (is_runtime(libraries.paths[i]) == (runtimes == 1)) {
                symbol = look_in(form, libraries.paths[i]);
            }
        }
    }
    return symbol;
}

static function_t look_from(form_t form, const void *caller)
{
    Dl_info info;
    void *symbol = dladdr(caller, &info) ? look_in(form, info.dli_fname) : NULL;
    return as_function(symbol ? symbol : look_everywhere(form));
}

/* glibc 2.35. Does not wait and takes some nanoseconds. */
extern int _dl_find_object(void *, struct dl_find_object *) __attribute__((weak));

static __attribute__((noinline)) function_t look(form_t form, void *caller)
{
    struct dl_find_object object = {.dlfo_link_map = NULL};
    from_caller_t *kept = &from_caller[form];
    bool found = _dl_find_object && _dl_find_object(caller, &object) == 0;
    if (found && kept->function && kept->library == object.dlfo_link_map &&
        kept->start == object.dlfo_map_start && kept->unwind_data == object.dlfo_eh_frame) {
        return kept->function;
    }
    int saved = errno;
    void *symbol = dlsym(RTLD_NEXT, names[form]);
    function_t function = as_function(symbol);
    if (function) {
        atomic_store(&known[form], gives_to_allocator(symbol));
        atomic_store_explicit(&shared[form], function, memory_order_release);
    } else {
        function = look_from(form, caller);
        if (found && function) {
            *kept = (from_caller_t){object.dlfo_link_map, object.dlfo_map_start,
                                    object.dlfo_eh_frame, function};
        }
    }
    errno = saved;
    return function;
}


/* --------------------------------------------------------------------------------- the wrappers */

static __attribute__((noinline)) void before_slowly(form_t form, void *block, size_t size)
{
    bool may = atomic_load(&known[form])
                   ? aiodebug_block_may_hold(block, &size)
                   : aiodebug_memory_may_begin(aiodebug_watched_memory(), block, size ? size : 1);
    if (may) {
        aiodebug_memory_give_back(
            block, size, form < ARRAY_PLAIN ? AIODEBUG_FREED_DELETE : AIODEBUG_FREED_DELETE_ARRAY,
            aiodebug_uv_memory_freed);
    }
}

/* `size`: what the caller says, 0: nothing. */
static inline __attribute__((always_inline)) bool surely_empty(form_t form, const void *block,
                                                               size_t size)
{
    const aiodebug_memory_map_t *map = aiodebug_watched_memory();
    if (__builtin_expect(map == NULL, 1) || !block) {
        return true;
    }
    if (atomic_load_explicit(&known[form], memory_order_relaxed)) {
        return atomic_load_explicit(&aiodebug_sizes, memory_order_relaxed) ==
                   AIODEBUG_SIZES_BEFORE &&
               aiodebug_block_surely_empty(map, block);
    }
    uintptr_t first = (uintptr_t)block >> AIODEBUG_GRANULE_BITS;
    uintptr_t last = ((uintptr_t)block + (size ? size - 1 : 0)) >> AIODEBUG_GRANULE_BITS;
    return aiodebug_memory_surely_none(map, first, last - first + 1);
}

static function_t before(form_t form, void *block, size_t size, void *caller)
{
    function_t function = atomic_load_explicit(&shared[form], memory_order_acquire);
    function = function ? function : look(form, caller);
    if (block && aiodebug_watched_memory()) {
        before_slowly(form, block, size);
    }
    return function;
}

#define THESE(...) __VA_ARGS__

/* The short way calls nothing but the real function, so that it needs no stack. A form that cannot
 * be found at all has no program that could have called its operator new. */
#define DELETE(form, name, size, arguments, ...)                                                   \
    static __attribute__((noinline)) void slowly_##form(void *caller, __VA_ARGS__)                 \
    {                                                                                              \
        function_t function = before(form, block, size, caller);                                   \
        if (function) {                                                                            \
            ((void (*)(__VA_ARGS__))function) arguments;                                           \
        } else {                                                                                   \
            free(block);                                                                           \
        }                                                                                          \
    }                                                                                              \
    AIODEBUG_INTERPOSE void name(__VA_ARGS__);                                                     \
    AIODEBUG_INTERPOSE void name(__VA_ARGS__)                                                      \
    {                                                                                              \
        function_t function = atomic_load_explicit(&shared[form], memory_order_acquire);           \
        if (__builtin_expect(function && surely_empty(form, block, size), 1)) {                    \
            ((void (*)(__VA_ARGS__))function) arguments;                                           \
        } else {                                                                                   \
            slowly_##form(__builtin_return_address(0), THESE arguments);                           \
        }                                                                                          \
    }

#define BOTH(form, plain, array, size, arguments, ...)                                             \
    DELETE(form, plain, size, arguments, __VA_ARGS__)                                              \
    DELETE(ARRAY_##form, array, size, arguments, __VA_ARGS__)

BOTH(PLAIN, _ZdlPv, _ZdaPv, 0, (block), void *block)
BOTH(SIZED, M(_ZdlPv, ), M(_ZdaPv, ), size, (block, size), void *block, size_t size)
BOTH(ALIGNED, _ZdlPvSt11align_val_t, _ZdaPvSt11align_val_t, 0, (block, alignment), void *block,
     size_t alignment)
BOTH(SIZED_ALIGNED, M(_ZdlPv, St11align_val_t), M(_ZdaPv, St11align_val_t), size,
     (block, size, alignment), void *block, size_t size, size_t alignment)
BOTH(NOTHROW, _ZdlPvRKSt9nothrow_t, _ZdaPvRKSt9nothrow_t, 0, (block, tag), void *block,
     const void *tag)
BOTH(ALIGNED_NOTHROW, _ZdlPvSt11align_val_tRKSt9nothrow_t, _ZdaPvSt11align_val_tRKSt9nothrow_t, 0,
     (block, alignment, tag), void *block, size_t alignment, const void *tag)
