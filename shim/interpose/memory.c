/* SPDX-License-Identifier: MIT */
/*
 * libc's ways to give memory back: free, realloc, reallocarray, cfree, munmap, mremap. Each asks
 * the filter whether a watched object may lie there (track/memory_map.h), and nearly always the
 * answer is no. Until the first object is watched, free() is a load and a jump.
 *
 * free, realloc and reallocarray go through a pointer each:
 *   first_...      until the constructor, or a call before it, has found the real functions
 *   the real one   until an object is watched
 *   ..._slowly     if the allocator is not glibc's, and for the first blocks if it is
 *   ..._quickly    glibc's
 *
 * How large a block is. malloc_usable_size() tells, but takes longer than all the rest. glibc keeps
 * the size in the word before the block, which its free() reads anyway: that this is so is not
 * assumed but compared with malloc_usable_size(), for the first blocks. With another allocator
 * malloc_usable_size() is called, provided that it is the same library's as free().
 *
 * Bootstrap. A wrapper may be called before the constructor, and by dlsym() when that looks for the
 * real functions. What dlsym() frees is lost then, and it gets no memory from realloc().
 */
#include "interpose/memory.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "interpose/interpose.h"

enum { COMPARED_MAX = 64 };

typedef void free_t(void *);
typedef void *realloc_t(void *, size_t);
typedef void *reallocarray_t(void *, size_t, size_t);
typedef int munmap_t(void *, size_t);
typedef void *mremap_t(void *, size_t, size_t, int, ...);
typedef size_t usable_t(void *);

static free_t first_free, free_slowly, free_quickly;
static realloc_t first_realloc, realloc_slowly, realloc_quickly;
static reallocarray_t first_reallocarray, reallocarray_slowly, reallocarray_quickly;
static munmap_t first_munmap;
static mremap_t first_mremap;

static free_t *_Atomic real_free = first_free;
static realloc_t *_Atomic real_realloc = first_realloc;
static reallocarray_t *_Atomic real_reallocarray = first_reallocarray;
static munmap_t *_Atomic real_munmap = first_munmap;
static mremap_t *_Atomic real_mremap = first_mremap;

/* What free(), realloc() and reallocarray() do now. */
static free_t *_Atomic on_free = first_free;
static realloc_t *_Atomic on_realloc = first_realloc;
static reallocarray_t *_Atomic on_reallocarray = first_reallocarray;

static usable_t *_Atomic usable;
static _Atomic(void *) allocator; /* where its library is loaded */
static _Atomic unsigned compared;
_Atomic int aiodebug_sizes;

static __thread bool looking;

#define REAL(function) atomic_load_explicit(&real_##function, memory_order_relaxed)
#define NOW(function) atomic_load_explicit(&on_##function, memory_order_relaxed)
#define BECOME(function, that) atomic_store(&on_##function, that)


/* ------------------------------------------------------------------------- the real functions */

static void *library_of(const void *function)
{
    Dl_info info;
    return function && dladdr(function, &info) ? info.dli_fbase : NULL;
}

bool aiodebug_is_of_allocator(const void *function)
{
    return library_of(function) == atomic_load(&allocator);
}

static bool under_valgrind(void)
{
    const char *preloaded = getenv("LD_PRELOAD");
    return preloaded && strstr(preloaded, "/vgpreload_");
}

/* Whose free() the process uses: perhaps the program's own, or another preloaded library's that
 * stands before us; then only C++'s delete and the like come through here. */
static void find_allocator(void)
{
    void *function = dlsym(RTLD_DEFAULT, "free"), *where = RTLD_DEFAULT;
    if (library_of(function) == library_of((void *)&aiodebug_sizes)) {
        where = RTLD_NEXT;
        function = dlsym(where, "free");
    }
    void *library = library_of(function), *size = dlsym(where, "malloc_usable_size");
    aiodebug_sizes_t sizes = AIODEBUG_SIZES_NONE;
    if (library && library_of(size) == library) {
        usable_t *call;
        *(void **)&call = size;
        atomic_store(&usable, call);
        sizes = AIODEBUG_SIZES_ASKED;
#if defined(__x86_64__) /* Elsewhere the word may carry another memory tag than the block. */
        if (library == library_of(dlsym(RTLD_DEFAULT, "gnu_get_libc_version")) &&
            !under_valgrind()) {
            sizes = AIODEBUG_SIZES_TRIAL;
        }
#endif
    }
    atomic_store(&allocator, library);
    atomic_store(&aiodebug_sizes, sizes);
}

/* How the wrappers that are called most behave from now on. */
static void become(void)
{
    int sizes = atomic_load(&aiodebug_sizes);
    if (sizes == AIODEBUG_SIZES_UNKNOWN) {
        return;
    }
    if (!aiodebug_watched_memory()) {
        BECOME(free, REAL(free));
        BECOME(realloc, REAL(realloc));
        BECOME(reallocarray, REAL(reallocarray));
    } else if (sizes != AIODEBUG_SIZES_BEFORE) {
        BECOME(free, free_slowly);
        BECOME(realloc, realloc_slowly);
        BECOME(reallocarray, reallocarray_slowly);
    } else {
        BECOME(free, free_quickly);
        BECOME(realloc, realloc_quickly);
        BECOME(reallocarray, reallocarray_quickly);
    }
}

void aiodebug_memory_watched(void)
{
    become();
}

#define FIND(function)                                                                             \
    do {                                                                                           \
        function##_t *found_;                                                                      \
        *(void **)&found_ = dlsym(RTLD_NEXT, #function);                                           \
        if (found_) {                                                                              \
            atomic_store_explicit(&real_##function, found_, memory_order_release);                 \
        }                                                                                          \
    } while (0)

/* False: a call from inside. */
static bool look(void)
{
    if (looking) {
        return false;
    }
    int saved = errno;
    looking = true;
    FIND(free);
    FIND(realloc);
    FIND(reallocarray);
    FIND(munmap);
    FIND(mremap);
    if (atomic_load(&aiodebug_sizes) == AIODEBUG_SIZES_UNKNOWN) {
        find_allocator();
    }
    become();
    looking = false;
    errno = saved;
    return true;
}

/* Signal handlers must not be the first. */
__attribute__((constructor)) static void look_early(void)
{
    look();
}

static void first_free(void *block)
{
    if (look() && REAL(free) != first_free) {
        REAL(free)(block);
    }
}

static void *first_realloc(void *block, size_t size)
{
    if (look() && REAL(realloc) != first_realloc) {
        return REAL(realloc)(block, size);
    }
    errno = ENOMEM;
    return NULL;
}

static void *first_reallocarray(void *block, size_t count, size_t size)
{
    size_t bytes;
    if (look() && REAL(reallocarray) != first_reallocarray) {
        return REAL(reallocarray)(block, count, size);
    }
    if (!__builtin_mul_overflow(count, size, &bytes)) {
        return realloc(block, bytes);
    }
    errno = ENOMEM;
    return NULL;
}

static int first_munmap(void *pages, size_t size)
{
    if (look() && REAL(munmap) != first_munmap) {
        return REAL(munmap)(pages, size);
    }
    return (int)syscall(SYS_munmap, pages, size);
}

static void *first_mremap(void *pages, size_t size, size_t new_size, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    void *at = va_arg(args, void *);
    va_end(args);
    if (look() && REAL(mremap) != first_mremap) {
        return REAL(mremap)(pages, size, new_size, flags, at);
    }
    return (void *)syscall(SYS_mremap, pages, size, new_size, flags, at);
}


/* -------------------------------------------------------------------------------------- sizes */

/* glibc's: so far as can be seen, it keeps them where it always did. */
static size_t compare(void *block, size_t asked)
{
    if (aiodebug_size_before(block) != asked) {
        atomic_store(&aiodebug_sizes, AIODEBUG_SIZES_ASKED);
    } else if (atomic_fetch_add(&compared, 1) == COMPARED_MAX) {
        int trial = AIODEBUG_SIZES_TRIAL;
        atomic_compare_exchange_strong(&aiodebug_sizes, &trial, AIODEBUG_SIZES_BEFORE);
        become();
    }
    return asked;
}

size_t aiodebug_block_size(void *block)
{
    switch (atomic_load_explicit(&aiodebug_sizes, memory_order_acquire)) {
    case AIODEBUG_SIZES_UNKNOWN:
        return look() ? aiodebug_block_size(block) : 0;
    case AIODEBUG_SIZES_BEFORE:
        return aiodebug_size_before(block);
    case AIODEBUG_SIZES_TRIAL:
        return compare(block, atomic_load(&usable)(block));
    case AIODEBUG_SIZES_ASKED:
        return atomic_load_explicit(&usable, memory_order_relaxed)(block);
    default:
        return 0;
    }
}


/* ------------------------------------------------------------------------------------- blocks */

static inline bool surely_empty(const void *block)
{
    return !block || aiodebug_block_surely_empty(aiodebug_watched_memory(), block);
}

static void free_slowly(void *block)
{
    size_t size;
    if (block && aiodebug_block_may_hold(block, &size)) {
        aiodebug_memory_give_back(block, size, AIODEBUG_FREED_FREE, aiodebug_uv_memory_freed);
    }
    REAL(free)(block);
}

static void free_quickly(void *block)
{
    if (surely_empty(block)) {
        REAL(free)(block);
        return;
    }
    free_slowly(block);
}

AIODEBUG_INTERPOSE void free(void *block)
{
    NOW(free)(block);
}

AIODEBUG_INTERPOSE void cfree(void *block);
AIODEBUG_INTERPOSE void cfree(void *block)
{
    NOW(free)(block);
}

/* Of the memory that held `old` bytes. `bytes` > 0. */
static void moved_to(void *moved, void *block, size_t old, size_t bytes)
{
    size_t kept = !moved ? SIZE_MAX : moved == block ? bytes : 0;
    aiodebug_memory_settle(block, old, false, kept, AIODEBUG_FREED_REALLOC,
                           aiodebug_uv_memory_freed);
}

/* What comes before a realloc; true: moved_to() is to follow. */
static bool may_move(void *block, size_t *old, size_t bytes)
{
    if (!block || !aiodebug_block_may_hold(block, old)) {
        return false;
    }
    if (bytes > 0) {
        return aiodebug_memory_lift(block, *old, false);
    }
    aiodebug_memory_give_back(block, *old, AIODEBUG_FREED_REALLOC, aiodebug_uv_memory_freed);
    return false;
}

static void *realloc_slowly(void *block, size_t size)
{
    size_t old;
    bool follows = may_move(block, &old, size);
    void *moved = REAL(realloc)(block, size);
    if (follows) {
        moved_to(moved, block, old, size);
    }
    return moved;
}

static void *realloc_quickly(void *block, size_t size)
{
    return surely_empty(block) ? REAL(realloc)(block, size) : realloc_slowly(block, size);
}

AIODEBUG_INTERPOSE void *realloc(void *block, size_t size)
{
    return NOW(realloc)(block, size);
}

/* glibc's comes down to realloc() above, which leaves nothing to be said here; others do not. */
static void *reallocarray_slowly(void *block, size_t count, size_t size)
{
    size_t old, bytes;
    bool follows = !__builtin_mul_overflow(count, size, &bytes) && may_move(block, &old, bytes);
    void *moved = REAL(reallocarray)(block, count, size);
    if (follows) {
        moved_to(moved, block, old, bytes);
    }
    return moved;
}

static void *reallocarray_quickly(void *block, size_t count, size_t size)
{
    return surely_empty(block) ? REAL(reallocarray)(block, count, size)
                               : reallocarray_slowly(block, count, size);
}

AIODEBUG_INTERPOSE void *reallocarray(void *block, size_t count, size_t size)
{
    return NOW(reallocarray)(block, count, size);
}


/* -------------------------------------------------------------------------------------- pages */

/* Whole pages from a page's beginning, as the kernel wants it; else 0: it will refuse. */
static size_t whole_pages(const void *pages, size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), whole = (size + page - 1) & ~(page - 1);
    return (uintptr_t)pages & (page - 1) ? 0 : whole;
}

AIODEBUG_INTERPOSE int munmap(void *pages, size_t size)
{
    if (__builtin_expect(aiodebug_watched_memory() != NULL, 0)) {
        size_t whole = whole_pages(pages, size);
        if (whole) {
            aiodebug_memory_give_back_pages(pages, whole, AIODEBUG_FREED_MUNMAP,
                                            aiodebug_uv_memory_freed);
        }
    }
    return REAL(munmap)(pages, size);
}

static __attribute__((noinline)) void *mremap_watched(void *pages, size_t size, size_t new_size,
                                                      int flags, void *at)
{
    size_t whole = whole_pages(pages, size), covered = 0;
    if (flags & MREMAP_FIXED) {
        covered = whole_pages(at, new_size);
    }
    bool lifted = whole && aiodebug_memory_lift(pages, whole, true);
    bool lifted_there = covered && aiodebug_memory_lift(at, covered, true);
    void *moved = REAL(mremap)(pages, size, new_size, flags, at);
    if (lifted) {
        size_t kept = moved == MAP_FAILED ? SIZE_MAX : moved == pages ? new_size : 0;
        aiodebug_memory_settle(pages, whole, true, kept, AIODEBUG_FREED_MREMAP,
                               aiodebug_uv_memory_freed);
    }
    if (lifted_there) {
        aiodebug_memory_settle(at, covered, true, moved == MAP_FAILED ? SIZE_MAX : 0,
                               AIODEBUG_FREED_MREMAP, aiodebug_uv_memory_freed);
    }
    return moved;
}

/* The last argument is there only with some flags; what is in its place otherwise goes nowhere. */
AIODEBUG_INTERPOSE void *mremap(void *pages, size_t size, size_t new_size, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    void *at = va_arg(args, void *);
    va_end(args);
    if (__builtin_expect(aiodebug_watched_memory() != NULL, 0)) {
        return mremap_watched(pages, size, new_size, flags, at);
    }
    return REAL(mremap)(pages, size, new_size, flags, at);
}
