/* SPDX-License-Identifier: MIT */
/*
 * The stack pool's slow paths: slabs, preparing stacks, giving memory back. See stack.h.
 *
 * Address space is cheap and pages are not. A slab is mapped without reserving memory, twice as
 * large as all before it together, so that a million stacks are some thirty mappings; its guards
 * are made for a batch of stacks when the first of them is wanted. A stack costs its pages from its
 * first use until the pool finds, at some release, that it keeps far more free ones than are in
 * use.
 *
 * A stack's top is lowered by i * 192 bytes modulo 2 KiB: stacks lie a multiple of 4 KiB apart, and
 * the hot ends of many would otherwise share a few sets of the first-level cache (9.6 ns a switch
 * at 1000 tasks, 6.3 coloured). It stays small enough for a sleeping coroutine to fit in one page.
 */
#include <stdlib.h>
#include <string.h>
#include <signal.h>
#include <unistd.h>
#include <sys/mman.h>

#include "stack.h"

#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#define HAS_VALGRIND 1
#endif
#endif

/* Four pages, as frames of some thousand bytes are common and must not step over a guard. */
#define GUARD_BYTES ((size_t)16 * 1024)

#define SLAB_BYTES_MAX (sizeof(void *) > 4 ? (size_t)1 << 32 : (size_t)1 << 26)
#define SLAB_COUNT_MIN ((size_t)64)

#define PREPARE_MIN ((size_t)16) /* guards made at a time, growing with the class */
#define PREPARE_MAX ((size_t)256)

#define COLOUR_STEP ((size_t)192)
#define COLOUR_RANGE ((size_t)2048)

/* Free stacks kept with their pages, at least; as many as are in use are kept in any case. */
#define KEEP_COUNT ((size_t)4096)
#define KEEP_BYTES ((size_t)256 << 20) /* if each were touched from end to end */

/* Given back in one go, to bound what a single release can cost; so many releases later, the next.
 */
#define SLICE_COUNT ((size_t)8192)
#define SLICE_INTERVAL ((size_t)256)

static size_t page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static size_t round_up(size_t size, size_t unit)
{
    return (size + unit - 1) / unit * unit;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Whole pages; 0 for what no machine can give. */
static size_t usable_size(size_t size)
{
    if (size > SIZE_MAX / 4) {
        return 0;
    }
    return round_up(larger(size, AIORT__STACK_MIN_SIZE), page_size());
}

static void class_init(aiort__stack_class_t *class, size_t size)
{
    memset(class, 0, sizeof(*class));
    class->size = size;
    class->guard = round_up(GUARD_BYTES, page_size());
}

void aiort__stack_pool_init(aiort__stack_pool_t *pool, size_t stack_size)
{
    size_t size = usable_size(stack_size ? stack_size : AIORT__STACK_DEFAULT_SIZE);

    /* A size that cannot be had is kept, for each acquire to fail. */
    class_init(&pool->common, size ? size : SIZE_MAX / 4 / page_size() * page_size());
    pool->guard = AIORT__GUARD_BATCHED;
#if defined(HAS_VALGRIND)
    if (RUNNING_ON_VALGRIND) {
        pool->guard =
            AIORT__GUARD_SINGLE; /* it knows no process_madvise(), and says so at length */
    }
#endif
    aiort__overflow_init();
}

/* --- slabs ------------------------------------------------------------------------------------ */

static size_t header_size(size_t count)
{
    size_t size = sizeof(aiort__slab_t) + count * sizeof(aiort__stack_t) +
                  (count + 63) / 64 * sizeof(uint64_t);

    return round_up(size, page_size());
}

/* As many as there are stacks already; fewer when there is no room for so many. */
static aiort__slab_t *map_slab(const aiort__stack_class_t *class)
{
    size_t stride = class->guard + class->size;
    size_t most = larger(SLAB_BYTES_MAX / stride, 1);
    size_t count = smaller(larger(class->total, SLAB_COUNT_MIN), most);

    for (; count > 0; count /= 2) {
        size_t size = header_size(count) + count * stride;
        char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
        aiort__slab_t *slab;

        if (memory == MAP_FAILED) {
            continue;
        }
        /* MAP_STACK alone keeps huge pages away only since Linux 6.7. Without them, no matter. */
        madvise(memory, size, MADV_NOHUGEPAGE);
        slab = (aiort__slab_t *)memory;
        slab->mapped = size;
        slab->slots = memory + header_size(count);
        slab->count = (uint32_t)count;
        slab->marks = (uint64_t *)(slab->stacks + count);
        return slab;
    }
    return NULL;
}

static aiort__slab_t *add_slab(aiort__stack_class_t *class)
{
    aiort__slab_t *slab = map_slab(class);

    if (!slab) {
        return NULL;
    }
    slab->class = class;
    slab->watch = aiort__overflow_watch(slab);
    if (!slab->watch) {
        munmap(slab, slab->mapped);
        return NULL;
    }
#if defined(HAS_VALGRIND)
    if (RUNNING_ON_VALGRIND) {
        slab->valgrind = calloc(slab->count, sizeof(*slab->valgrind));
    }
#endif
    slab->next = class->slabs;
    class->slabs = slab;
    return slab;
}

static void destroy_slab(aiort__slab_t *slab)
{
#if defined(HAS_VALGRIND)
    if (slab->valgrind) {
        for (uint32_t i = 0; i < slab->ready; i++) {
            VALGRIND_STACK_DEREGISTER(slab->valgrind[i]);
        }
        free(slab->valgrind);
    }
#endif
    aiort__overflow_forget(slab->watch);
    aiort__guard_forget(slab->mprotected);
    munmap(slab, slab->mapped);
}

void aiort__stack_pool_destroy(aiort__stack_pool_t *pool)
{
    aiort__stack_class_t *class = &pool->common, *next_class;
    aiort__slab_t *slab, *next;

    for (; class; class = next_class) {
        for (slab = class->slabs; slab; slab = next) {
            next = slab->next;
            destroy_slab(slab);
        }
        next_class = class->next;
        if (class != &pool->common) {
            free(class);
        }
    }
    class_init(&pool->common, pool->common.size);
}

/* --- preparing stacks ------------------------------------------------------------------------- */

static void push_cold(aiort__stack_class_t *class, aiort__stack_t *stack)
{
    stack->next = class->cold;
    class->cold = stack;
}

static void describe_stack(aiort__slab_t *slab, uint32_t index)
{
    aiort__stack_t *stack = &slab->stacks[index];
    char *base;

    stack->slab = slab;
    base = aiort__stack_base(stack);
    stack->top = base + slab->class->size - index * COLOUR_STEP % COLOUR_RANGE;
#if defined(HAS_VALGRIND)
    if (slab->valgrind) {
        slab->valgrind[index] =
            (unsigned)VALGRIND_STACK_REGISTER(base, base + slab->class->size - 1);
    }
#endif
}

/* Guards for so many more slots; those that get none are past slab->guarded. */
static void guard_stacks(aiort__stack_pool_t *pool, aiort__slab_t *slab, uint32_t count)
{
    size_t stride = slab->class->guard + slab->class->size;
    uint32_t done = 0, made;
    aiort__guard_t how;

    while (done < count && pool->guard != AIORT__GUARD_CANARY) {
        how = pool->guard;
        made = aiort__guard_install(&pool->guard, slab->slots + (slab->ready + done) * stride,
                                    stride, slab->class->guard, count - done);
        done += made;
        if (how == AIORT__GUARD_MPROTECT) {
            slab->mprotected += made;
        }
    }
    slab->guarded += done;
}

/* Puts some stacks that never were used on the cold list, the lowest first. */
static bool prepare_stacks(aiort__stack_pool_t *pool, aiort__stack_class_t *class)
{
    aiort__slab_t *slab = class->slabs;
    size_t count = smaller(larger(class->total, PREPARE_MIN), PREPARE_MAX);
    uint32_t index;

    if (!slab || slab->ready == slab->count) {
        slab = add_slab(class);
        if (!slab) {
            return false;
        }
    }
    count = smaller(count, slab->count - slab->ready);
    guard_stacks(pool, slab, (uint32_t)count);
    for (index = slab->ready + (uint32_t)count; index-- > slab->ready;) {
        describe_stack(slab, index);
        push_cold(class, &slab->stacks[index]);
    }
    slab->ready += (uint32_t)count;
    class->total += count;
    return true;
}

static aiort__stack_class_t *find_class(aiort__stack_pool_t *pool, size_t size)
{
    aiort__stack_class_t *class = &pool->common;

    if (size == 0) {
        return class;
    }
    size = usable_size(size);
    if (size == 0) {
        return NULL;
    }
    for (; class; class = class->next) {
        if (class->size == size) {
            return class;
        }
    }
    class = malloc(sizeof(*class));
    if (class) {
        class_init(class, size);
        class->next = pool->common.next;
        pool->common.next = class;
    }
    return class;
}

/* --- giving memory back ----------------------------------------------------------------------- */

/*
 * Memory is given back when fewer than this many are in use: when the free ones with pages
 * outnumber them two to one, and are enough of them to bother.
 */
static size_t few_used(const aiort__stack_class_t *class)
{
    size_t keep = larger(smaller(KEEP_COUNT, KEEP_BYTES / class->size), 16);

    return class->resident > keep ? smaller(class->resident - keep, class->resident / 3) : 0;
}

/* Every release is looked at when that is where an overflow is noticed. */
static void set_look_below(const aiort__stack_pool_t *pool, aiort__stack_class_t *class,
                           size_t below)
{
    class->look_below = pool->guard == AIORT__GUARD_CANARY ? SIZE_MAX : below;
}

/* Marks the free stacks after the first `keep`, at most a slice, and takes them off the list. */
static size_t mark_slice(aiort__stack_class_t *class, size_t keep)
{
    aiort__stack_t **link = &class->free, *stack;
    size_t marked = 0;

    while (*link && keep-- > 0) {
        link = &(*link)->next;
    }
    for (stack = *link; stack && marked < SLICE_COUNT; stack = stack->next) {
        size_t index = (size_t)(stack - stack->slab->stacks);

        stack->slab->marks[index / 64] |= (uint64_t)1 << index % 64;
        marked++;
    }
    *link = stack;
    return marked;
}

static void drop_run(aiort__slab_t *slab, size_t first, size_t count)
{
    char *start = aiort__stack_base(&slab->stacks[first]);
    char *end = aiort__stack_base(&slab->stacks[first + count - 1]) + slab->class->size;

    /* Guards outlive it. Refused (for locked memory), it only gives nothing back. */
    madvise(start, (size_t)(end - start), MADV_DONTNEED);
    while (count-- > 0) {
        push_cold(slab->class, &slab->stacks[first + count]);
    }
}

/* One madvise() for each run of neighbours. */
static void drop_marked(aiort__slab_t *slab)
{
    size_t words = ((size_t)slab->ready + 63) / 64;
    size_t word, bit, run = 0;

    for (word = 0; word < words; word++) {
        uint64_t marks = slab->marks[word];

        if (marks == 0 && run == 0) {
            continue;
        }
        slab->marks[word] = 0;
        for (bit = 0; bit < 64; bit++) {
            if (marks >> bit & 1) {
                run++;
            } else if (run > 0) {
                drop_run(slab, word * 64 + bit - run, run);
                run = 0;
            }
        }
    }
    if (run > 0) {
        drop_run(slab, words * 64 - run, run);
    }
}

static void give_back(const aiort__stack_pool_t *pool, aiort__stack_class_t *class)
{
    size_t least = larger(smaller(KEEP_COUNT, KEEP_BYTES / class->size) / 2, 8);
    size_t dropped = mark_slice(class, larger(class->used, least));
    aiort__slab_t *slab;
    size_t below;

    for (slab = class->slabs; slab && dropped > 0; slab = slab->next) {
        drop_marked(slab);
    }
    class->resident -= dropped;
    below = few_used(class);
    if (dropped == SLICE_COUNT && class->used > SLICE_INTERVAL) {
        below = smaller(below, class->used - SLICE_INTERVAL);
    }
    set_look_below(pool, class, below);
}

/* --- the slow paths --------------------------------------------------------------------------- */

aiort__stack_t *aiort__stack_acquire_slow(aiort__stack_pool_t *pool, size_t size)
{
    aiort__stack_class_t *class = find_class(pool, size);
    aiort__stack_t *stack;

    if (!class) {
        return NULL;
    }
    stack = class->free;
    if (stack) {
        class->free = stack->next;
    } else {
        if (!class->cold && !prepare_stacks(pool, class)) {
            return NULL;
        }
        stack = class->cold;
        class->cold = stack->next;
        class->resident++;
        set_look_below(pool, class, few_used(class));
    }
    class->used++;
    return stack;
}

/*
 * The page below a stack without a guard was never written, unless by an overflow: then who knows
 * what else was, and it is too late for anything but the death that a guard would have brought.
 */
static void check_unguarded(const aiort__stack_t *stack)
{
    const char *page = aiort__stack_base(stack) - page_size();

    if (page[0] == 0 && memcmp(page, page + 1, page_size() - 1) == 0) {
        return;
    }
    aiort__overflow_report(stack, NULL);
    raise(SIGSEGV);
    abort();
}

void aiort__stack_release_slow(aiort__stack_pool_t *pool, aiort__stack_t *stack)
{
    aiort__slab_t *slab = stack->slab;
    aiort__stack_class_t *class = slab->class;

    if ((size_t)(stack - slab->stacks) >= slab->guarded) {
        check_unguarded(stack);
    }
    stack->owner = NULL;
    /* On top, and so never among those given back: the caller may stand on it. */
    stack->next = class->free;
    class->free = stack;
    if (class->used < few_used(class)) {
        give_back(pool, class);
    }
}
