/* SPDX-License-Identifier: MIT */
/*
 * The stack pool: what it hands out, how it shrinks, and what it does on kernels and in moments
 * that refuse it guards or memory. Overflows are in test_overflow.c.
 *
 * Linked with --wrap for syscall, madvise, mprotect, mmap, malloc and calloc, so that each can be
 * made to fail. AIORT_TEST_STACKS sets how many stacks are touched instead of a million (memory
 * permitting).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "check.h"
#include "stack.h"

/* --- failures --------------------------------------------------------------------------------- */

#define SELF (-10001)

typedef struct {
    int process_madvise; /* errno to fail with, 0: do not */
    int self;            /* the same, only for the descriptor that stands for the process */
    int interrupt;       /* fail so many process_madvise() and madvise() with EINTR */
    size_t at_most;      /* ranges of a process_madvise() to honour */
    int guard_install;   /* madvise(MADV_GUARD_INSTALL) */
    int dontneed;        /* madvise(MADV_DONTNEED) */
    int mprotect;
    size_t mmap_above; /* mappings larger than that: ENOMEM */
    bool no_heap;
} failures_t;

static failures_t fails = {.mmap_above = SIZE_MAX, .at_most = SIZE_MAX};
static struct {
    int batched, pidfd, single, mprotect, mmap, dontneed;
} calls;

long __real_syscall(long number, long a, long b, long c, long d, long e);
int __real_madvise(void *start, size_t size, int advice);
int __real_mprotect(void *start, size_t size, int protection);
void *__real_mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset);
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
long __wrap_syscall(long number, ...);
int __wrap_madvise(void *start, size_t size, int advice);
int __wrap_mprotect(void *start, size_t size, int protection);
void *__wrap_mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);

static int fail_with(int err)
{
    errno = err;
    return -1;
}

long __wrap_syscall(long number, ...)
{
    long a, b, c, d, e;
    va_list args;

    va_start(args, number);
    a = va_arg(args, long);
    b = va_arg(args, long);
    c = va_arg(args, long);
    d = va_arg(args, long);
    e = va_arg(args, long);
    va_end(args);
    if (number == SYS_pidfd_open) {
        calls.pidfd++;
    } else if (number == SYS_process_madvise) {
        calls.batched++;
        if (fails.interrupt > 0) {
            fails.interrupt--;
            return fail_with(EINTR);
        }
        if (fails.process_madvise || ((int)a == SELF && fails.self)) {
            return fail_with(fails.process_madvise ? fails.process_madvise : fails.self);
        }
        c = (size_t)c > fails.at_most ? (long)fails.at_most : c;
    }
    return __real_syscall(number, a, b, c, d, e);
}

int __wrap_madvise(void *start, size_t size, int advice)
{
    if (advice == 102) {
        calls.single++;
        if (fails.interrupt > 0) {
            fails.interrupt--;
            return fail_with(EINTR);
        }
        if (fails.guard_install) {
            return fail_with(fails.guard_install);
        }
    } else if (advice == MADV_DONTNEED) {
        calls.dontneed++;
        if (fails.dontneed) {
            return fail_with(fails.dontneed);
        }
    }
    return __real_madvise(start, size, advice);
}

int __wrap_mprotect(void *start, size_t size, int protection)
{
    calls.mprotect++;
    return fails.mprotect ? fail_with(fails.mprotect) : __real_mprotect(start, size, protection);
}

void *__wrap_mmap(void *start, size_t size, int protection, int flags, int fd, off_t offset)
{
    calls.mmap++;
    if (size > fails.mmap_above) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return __real_mmap(start, size, protection, flags, fd, offset);
}

void *__wrap_malloc(size_t size)
{
    return fails.no_heap ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails.no_heap ? NULL : __real_calloc(count, size);
}

/* --- looking ---------------------------------------------------------------------------------- */

static size_t page;
static aiort__stack_pool_t pool;

/* Whether the kernel can read the byte: without a fault, so that many can be asked about. */
static bool readable(const char *at)
{
    static int pipes[2] = {-1, -1};
    char byte;

    if (pipes[0] < 0) {
        CHECK(pipe(pipes) == 0);
    }
    if (write(pipes[1], at, 1) != 1) {
        CHECK(errno == EFAULT);
        return false;
    }
    CHECK(read(pipes[0], &byte, 1) == 1);
    return true;
}

/* Four pages below a stack, all of them. */
static bool is_guarded(const aiort__stack_t *stack)
{
    const char *base = aiort__stack_base(stack);
    size_t guard = stack->slab->class->guard;

    CHECK(guard >= page && readable(base) && readable(base + aiort__stack_size(stack) - 1));
    for (size_t below = page; below <= guard; below += page) {
        if (readable(base - below)) {
            return false;
        }
    }
    return !readable(base - 1);
}

static long memory_of(const char *field)
{
    char line[256];
    long value = -1;
    FILE *file = fopen(*field == 'M' ? "/proc/meminfo" : "/proc/self/status", "re");

    CHECK(file);
    while (value < 0 && fgets(line, sizeof(line), file)) {
        if (strncmp(line, field, strlen(field)) == 0) {
            value = atol(line + strlen(field));
        }
    }
    fclose(file);
    return value * 1024;
}

static int count_mappings(void)
{
    int count = 0, c;
    FILE *file = fopen("/proc/self/maps", "re");

    CHECK(file);
    while ((c = getc(file)) != EOF) {
        count += c == '\n';
    }
    fclose(file);
    return count;
}

static aiort__stack_t *acquire(size_t size)
{
    aiort__stack_t *stack = aiort__stack_acquire(&pool, size);

    CHECK(stack);
    return stack;
}

static aiort__stack_t **acquire_many(size_t count)
{
    aiort__stack_t **stacks = calloc(count, sizeof(*stacks));

    CHECK(stacks);
    for (size_t i = 0; i < count; i++) {
        stacks[i] = acquire(0);
    }
    return stacks;
}

static void release_many(aiort__stack_t **stacks, size_t count)
{
    while (count > 0) {
        aiort__stack_release(&pool, stacks[--count]);
    }
    free(stacks);
}

/* As a sleeping coroutine does: the page below the top, even when that is the lowest of all. */
static void touch(const aiort__stack_t *stack)
{
    stack->top[-2048] = 1;
}

/* --- what is handed out ----------------------------------------------------------------------- */

static void hands_out_what_it_says(void)
{
    enum { COUNT = 600 };
    aiort__stack_t **stacks;

    aiort__stack_pool_init(&pool, 0);
    stacks = acquire_many(COUNT);
    for (int i = 0; i < COUNT; i++) {
        char *base = aiort__stack_base(stacks[i]);
        size_t size = aiort__stack_size(stacks[i]);

        CHECK(size == 64 * 1024 && (uintptr_t)base % page == 0);
        CHECK((uintptr_t)stacks[i]->top % 16 == 0);
        CHECK(stacks[i]->top > base + size - 2048 && stacks[i]->top <= base + size);
        memset(base, i, size);
        CHECK(is_guarded(stacks[i]));
    }
    for (int i = 0; i < COUNT; i++) {
        const char *base = aiort__stack_base(stacks[i]);

        CHECK(base[0] == (char)i && memcmp(base, base + 1, aiort__stack_size(stacks[i]) - 1) == 0);
    }
    release_many(stacks, COUNT);
    CHECK(pool.common.used == 0);
    aiort__stack_pool_destroy(&pool);
}

/* Else a thousand sleeping coroutines share a few sets of the cache. */
static void spreads_tops_over_cache_lines(void)
{
    enum { COUNT = 64 };
    aiort__stack_t **stacks;
    bool lines[4096 / 64] = {false};
    int distinct = 0;

    aiort__stack_pool_init(&pool, 0);
    stacks = acquire_many(COUNT);
    for (int i = 0; i < COUNT; i++) {
        lines[(uintptr_t)stacks[i]->top % 4096 / 64] = true;
    }
    for (int i = 0; i < 4096 / 64; i++) {
        distinct += lines[i];
    }
    CHECK(distinct >= 32);
    release_many(stacks, COUNT);
    aiort__stack_pool_destroy(&pool);
}

static void reuses_the_last_one_first(void)
{
    aiort__stack_t *a, *b, *c;

    aiort__stack_pool_init(&pool, 0);
    a = acquire(0);
    b = acquire(0);
    c = acquire(0);
    CHECK(a != b && b != c && a != c);
    b->owner = &pool;
    aiort__stack_release(&pool, a);
    aiort__stack_release(&pool, c);
    aiort__stack_release(&pool, b);
    CHECK(!b->owner);
    CHECK(acquire(0) == b && acquire(0) == c && acquire(0) == a);
    CHECK(calls.dontneed == 0);
    aiort__stack_pool_destroy(&pool);
}

static void has_other_sizes(void)
{
    aiort__stack_t *small, *large, *common;

    aiort__stack_pool_init(&pool, 100 * 1024 + 1);
    common = acquire(0);
    CHECK(aiort__stack_size(common) == (100 * 1024 + page) / page * page);
    CHECK(acquire(aiort__stack_size(common))->slab == common->slab);
    small = acquire(1);
    CHECK(aiort__stack_size(small) == 16 * 1024 && is_guarded(small));
    large = acquire((size_t)8 << 20);
    CHECK(aiort__stack_size(large) == (size_t)8 << 20 && is_guarded(large));
    aiort__stack_release(&pool, large);
    aiort__stack_release(&pool, small);
    CHECK(acquire((size_t)8 << 20) == large);
    CHECK(acquire(16 * 1024) == small);
    CHECK(!aiort__stack_acquire(&pool, SIZE_MAX));
    CHECK(!aiort__stack_acquire(&pool, SIZE_MAX / 4));
    aiort__stack_pool_destroy(&pool);
    aiort__stack_pool_init(&pool, SIZE_MAX);
    CHECK(!aiort__stack_acquire(&pool, 0));
    aiort__stack_pool_destroy(&pool);
}

static void lets_two_pools_live(void)
{
    aiort__stack_pool_t other;
    aiort__stack_t *a, *b;

    aiort__stack_pool_init(&pool, 0);
    aiort__stack_pool_init(&other, 0);
    a = acquire(0);
    b = aiort__stack_acquire(&other, 0);
    CHECK(b && a->slab != b->slab);
    aiort__stack_release(&pool, a);
    aiort__stack_pool_destroy(&pool);
    memset(aiort__stack_base(b), 1, aiort__stack_size(b));
    CHECK(is_guarded(b));
    aiort__stack_release(&other, b);
    aiort__stack_pool_destroy(&other);
}

/* --- a million -------------------------------------------------------------------------------- */

static size_t how_many_to_touch(size_t count)
{
    const char *text = getenv("AIORT_TEST_STACKS");
    size_t wanted = text ? strtoul(text, NULL, 10) : count;
    size_t fit = (size_t)memory_of("MemAvailable:") / 2 / 4500;

    wanted = wanted < count ? wanted : count;
    return wanted < fit ? wanted : fit;
}

static void has_a_million(void)
{
    enum { COUNT = 1000000 };
    size_t touched = how_many_to_touch(COUNT);
    long before, resident, tables;
    aiort__stack_t **stacks;

    aiort__stack_pool_init(&pool, 0);
    before = memory_of("VmRSS:");
    tables = memory_of("VmPTE:");
    stacks = acquire_many(COUNT);
    printf("a million stacks: %d mappings, %.1f bytes of records each, ", count_mappings(),
           (double)(memory_of("VmRSS:") - before) / COUNT - sizeof(*stacks));
    CHECK(count_mappings() < 200);
    CHECK(pool.guard < AIORT__GUARD_MPROTECT);
    for (size_t i = 0; i < COUNT; i += 997) {
        CHECK(is_guarded(stacks[i]));
    }
    before = memory_of("VmRSS:");
    for (size_t i = 0; i < touched; i++) {
        touch(stacks[i]);
    }
    resident = memory_of("VmRSS:") - before;
    printf("%.1f of page tables; %zu touched: %.1f bytes each\n",
           (double)(memory_of("VmPTE:") - tables) / COUNT, touched,
           (double)resident / (double)touched);
    /* One page, and of 1003 of them both ends, which is_guarded() has had a look at. */
    CHECK((double)resident / (double)touched < (double)page * 1.02);
    release_many(stacks, COUNT);
    CHECK(memory_of("VmRSS:") - before < resident / 4 + (64 << 20));
    aiort__stack_pool_destroy(&pool);
}

/* --- giving memory back ----------------------------------------------------------------------- */

static void give_back(size_t count, int most_calls)
{
    long before, full;
    aiort__stack_t **stacks;
    size_t total;

    aiort__stack_pool_init(&pool, 0);
    stacks = acquire_many(count);
    total = pool.common.total;
    before = memory_of("VmRSS:");
    for (size_t i = 0; i < count; i++) {
        touch(stacks[i]);
    }
    full = memory_of("VmRSS:") - before;
    for (size_t i = 0; i < count; i++) {
        aiort__stack_release(&pool, stacks[i]);
        CHECK(stacks[i]->top[-2048] == 1); /* its holder may still stand on it */
    }
    free(stacks);
    CHECK(memory_of("VmRSS:") - before < full / 3);
    CHECK(calls.dontneed > 0 && calls.dontneed < most_calls);
    /* All are there again, guards and all, and none twice. */
    stacks = acquire_many(count);
    for (size_t i = 0; i < count; i++) {
        CHECK(!stacks[i]->owner);
        stacks[i]->owner = stacks[i];
        touch(stacks[i]);
        CHECK(i % 100 != 0 || is_guarded(stacks[i]));
    }
    CHECK(pool.common.total == total);
    release_many(stacks, count);
    aiort__stack_pool_destroy(&pool);
}

static void gives_memory_back(void)
{
    give_back(30000, 100);
}

static void gives_back_many_small_slabs(void)
{
    fails.mmap_above = (size_t)3 << 20;
    give_back(10000, 1000);
}

/* Swinging between few and some must not fault the same pages in again and again. */
static void keeps_what_a_swing_needs(void)
{
    enum { COUNT = 4000 };

    aiort__stack_pool_init(&pool, 0);
    for (int i = 0; i < 20; i++) {
        release_many(acquire_many(COUNT), COUNT);
    }
    CHECK(calls.dontneed == 0);
    aiort__stack_pool_destroy(&pool);
}

static void survives_a_refusal_to_give_back(void)
{
    enum { COUNT = 30000 };
    aiort__stack_t **stacks;

    fails.dontneed = EINVAL; /* memory is locked */
    aiort__stack_pool_init(&pool, 0);
    release_many(acquire_many(COUNT), COUNT);
    CHECK(calls.dontneed > 0);
    stacks = acquire_many(COUNT);
    for (int i = 0; i < COUNT; i++) {
        CHECK(!stacks[i]->owner);
        stacks[i]->owner = stacks[i];
    }
    aiort__stack_pool_destroy(&pool);
    free(stacks);
}

/* --- guards that cannot be had ---------------------------------------------------------------- */

static void check_guards(size_t count)
{
    aiort__stack_t **stacks = acquire_many(count);

    for (size_t i = 0; i < count; i++) {
        CHECK(is_guarded(stacks[i]));
    }
    release_many(stacks, count);
}

static void batches_guards(void)
{
    aiort__stack_pool_init(&pool, 0);
    check_guards(2000);
    CHECK(pool.guard == AIORT__GUARD_BATCHED && calls.batched < 30);
    CHECK(calls.single == 0 && calls.pidfd == 0);
    aiort__stack_pool_destroy(&pool);
}

static void opens_itself_where_the_kernel_must_be_told(void)
{
    fails.self = EBADF;
    aiort__stack_pool_init(&pool, 0);
    check_guards(600);
    CHECK(pool.guard == AIORT__GUARD_BATCHED && calls.pidfd > 0);
    aiort__stack_pool_destroy(&pool);
}

static void goes_on_after_half_a_batch(void)
{
    fails.at_most = 7;
    fails.interrupt = 3;
    aiort__stack_pool_init(&pool, 0);
    check_guards(600);
    CHECK(pool.guard == AIORT__GUARD_BATCHED && fails.interrupt == 0);
    aiort__stack_pool_destroy(&pool);
}

static void falls_back_to_single_guards(void)
{
    static const int errors[] = {EINVAL, ENOSYS, EPERM, ENOMEM};

    for (size_t i = 0; i < 4; i++) {
        fails.process_madvise = errors[i];
        fails.interrupt = 2;
        aiort__stack_pool_init(&pool, 0);
        check_guards(600);
        CHECK(pool.guard == AIORT__GUARD_SINGLE && calls.mprotect == 0);
        aiort__stack_pool_destroy(&pool);
    }
}

static void falls_back_to_mprotect(void)
{
    fails.process_madvise = fails.guard_install = EINVAL;
    aiort__stack_pool_init(&pool, 0);
    check_guards(600);
    CHECK(pool.guard == AIORT__GUARD_MPROTECT);
    aiort__stack_pool_destroy(&pool);
}

/* Redirects stderr into a pipe; what was written by then, from end_capture(). */
static int captured = -1;

static void begin_capture(void)
{
    int pipes[2];

    CHECK(pipe2(pipes, O_NONBLOCK) == 0 && dup2(pipes[1], STDERR_FILENO) == STDERR_FILENO);
    captured = pipes[0];
}

static const char *end_capture(void)
{
    static char text[4096];
    ssize_t length = read(captured, text, sizeof(text) - 1);

    text[length > 0 ? length : 0] = '\0';
    return text;
}

/* Half of vm.max_map_count is the program's; guards of a pool that is gone count no more. */
static void leaves_mappings_to_the_program(void)
{
    aiort__stack_t **stacks;
    long limit = 0;
    FILE *file = fopen("/proc/sys/vm/max_map_count", "re");
    size_t guards, count;

    CHECK(file && fscanf(file, "%ld", &limit) == 1 && fclose(file) == 0);
    guards = (size_t)limit / 4;
    if (guards > 50000) {
        printf("leaves_mappings_to_the_program: vm.max_map_count is too large to try\n");
        return;
    }
    fails.process_madvise = fails.guard_install = EINVAL;
    count = guards + 3000;
    begin_capture();
    for (int i = 0; i < 2; i++) {
        aiort__stack_pool_init(&pool, 0);
        stacks = acquire_many(count);
        CHECK(pool.guard == AIORT__GUARD_CANARY);
        CHECK(count_mappings() < limit / 2 + 200);
        CHECK(is_guarded(stacks[0]) && is_guarded(stacks[guards - 200]));
        CHECK(!is_guarded(stacks[guards + 200]) && !is_guarded(stacks[count - 1]));
        for (size_t j = 0; j < count; j++) {
            touch(stacks[j]);
        }
        release_many(stacks, count);
        aiort__stack_pool_destroy(&pool);
    }
    CHECK(strcmp(end_capture(),
                 "WARNING:aiort:No guard pages for further coroutine stacks (Cannot allocate "
                 "memory): an overflow will be noticed only when the coroutine ends\n") == 0);
}

static void goes_without_guards(void)
{
    enum { COUNT = 30000 };
    aiort__stack_t **stacks;

    fails.process_madvise = fails.guard_install = EINVAL;
    fails.mprotect = ENOMEM;
    begin_capture();
    aiort__stack_pool_init(&pool, 0);
    stacks = acquire_many(COUNT);
    CHECK(pool.guard == AIORT__GUARD_CANARY);
    for (size_t i = 0; i < COUNT; i++) {
        memset(aiort__stack_base(stacks[i]), 1, 16);
        touch(stacks[i]);
    }
    release_many(stacks, COUNT);
    CHECK(calls.dontneed > 0 && calls.dontneed < 100);
    stacks = acquire_many(COUNT);
    release_many(stacks, COUNT);
    CHECK(strstr(end_capture(), "WARNING:aiort:No guard pages") != NULL);
    CHECK(strlen(end_capture()) == 0);
    aiort__stack_pool_destroy(&pool);
}

/* --- memory that cannot be had ---------------------------------------------------------------- */

static void says_when_there_is_no_memory(void)
{
    aiort__stack_t *stack;

    aiort__stack_pool_init(&pool, 0);
    fails.mmap_above = 0;
    CHECK(!aiort__stack_acquire(&pool, 0));
    CHECK(!aiort__stack_acquire(&pool, 32 * 1024));
    fails.mmap_above = SIZE_MAX;
    fails.no_heap = true;
    CHECK(!aiort__stack_acquire(&pool, 0));
    CHECK(!aiort__stack_acquire(&pool, 128 * 1024));
    CHECK(pool.common.used == 0);
    fails.no_heap = false;
    stack = acquire(0);
    CHECK(is_guarded(stack));
    /* What there is already needs none. */
    fails.mmap_above = 0;
    fails.no_heap = true;
    for (int i = 0; i < 10; i++) {
        CHECK(aiort__stack_acquire(&pool, 0));
    }
    aiort__stack_pool_destroy(&pool);
}

static void maps_less_when_it_must(void)
{
    aiort__stack_t **stacks;

    fails.mmap_above = 400 * 1024;
    aiort__stack_pool_init(&pool, 0);
    stacks = acquire_many(100);
    for (int i = 0; i < 100; i++) {
        CHECK(is_guarded(stacks[i]));
    }
    CHECK(stacks[0]->slab->mapped <= 400 * 1024);
    release_many(stacks, 100);
    aiort__stack_pool_destroy(&pool);
}

static void stays_within_a_limit(void)
{
    struct rlimit limit = {.rlim_cur = (rlim_t)1 << 30, .rlim_max = (rlim_t)1 << 30};
    aiort__stack_t *stack;
    size_t count = 0;

    if (setrlimit(RLIMIT_AS, &limit) != 0) {
        return;
    }
    aiort__stack_pool_init(&pool, 0);
    while ((stack = aiort__stack_acquire(&pool, 0)) != NULL) {
        touch(stack);
        count++;
        CHECK(count < ((size_t)1 << 30) / (64 * 1024));
    }
    /* Most of the room was used. */
    CHECK(count > ((size_t)1 << 30) / (80 * 1024) / 2);
    aiort__stack_pool_destroy(&pool);
}

/* --- fork ------------------------------------------------------------------------------------- */

static void works_in_a_child(void)
{
    aiort__stack_t **stacks, *stack;
    int status;
    pid_t child;

    aiort__stack_pool_init(&pool, 0);
    stacks = acquire_many(1000);
    memset(aiort__stack_base(stacks[7]), 7, aiort__stack_size(stacks[7]));
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        CHECK(*aiort__stack_base(stacks[7]) == 7);
        for (int i = 0; i < 1000; i++) {
            CHECK(is_guarded(stacks[i]));
        }
        release_many(stacks, 1000);
        stacks = acquire_many(3000);
        for (int i = 0; i < 3000; i++) {
            CHECK(is_guarded(stacks[i]));
            touch(stacks[i]);
        }
        release_many(stacks, 3000);
        aiort__stack_pool_destroy(&pool);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    stack = acquire(0);
    CHECK(is_guarded(stack) && *aiort__stack_base(stacks[7]) == 7);
    release_many(stacks, 1000);
    aiort__stack_pool_destroy(&pool);
}

int main(void)
{
    page = (size_t)sysconf(_SC_PAGESIZE);
    CHECK_RUN(hands_out_what_it_says);
    CHECK_RUN(spreads_tops_over_cache_lines);
    CHECK_RUN(reuses_the_last_one_first);
    CHECK_RUN(has_other_sizes);
    CHECK_RUN(lets_two_pools_live);
    CHECK_RUN(gives_memory_back);
    CHECK_RUN(gives_back_many_small_slabs);
    CHECK_RUN(keeps_what_a_swing_needs);
    CHECK_RUN(survives_a_refusal_to_give_back);
    CHECK_RUN(batches_guards);
    CHECK_RUN(opens_itself_where_the_kernel_must_be_told);
    CHECK_RUN(goes_on_after_half_a_batch);
    CHECK_RUN(falls_back_to_single_guards);
    CHECK_RUN(falls_back_to_mprotect);
    CHECK_RUN(leaves_mappings_to_the_program);
    CHECK_RUN(goes_without_guards);
    CHECK_RUN(says_when_there_is_no_memory);
    CHECK_RUN(maps_less_when_it_must);
    CHECK_RUN(stays_within_a_limit);
    CHECK_RUN(works_in_a_child);
    CHECK_RUN(has_a_million);
    return check_done("test_stack");
}
