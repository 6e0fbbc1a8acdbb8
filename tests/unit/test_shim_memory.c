/* SPDX-License-Identifier: MIT */
/* The table of live handles by address (shim/track/memory*.c): found, forgotten, given back, moved;
 * held against a plain list, by many threads, in signal handlers and across fork(). No address here
 * is looked at, so all of them are made up, far from the heap. */
#include "harness.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "track/memory_map.h"

/* shim/init.h: the process that the table is of. */
_Atomic pid_t aiodebug_pid;

#define BASE ((uintptr_t)0x100000000000)
#define WINDOW                                                                                     \
    ((uintptr_t)512 << 20) /* the filter's: an address and its alias are so far apart              \
                            */

static const void *at(uintptr_t address)
{
    return (const void *)address;
}

static void watch(uintptr_t address, size_t size, uint32_t record)
{
    aiodebug_memory_watch(at(address), size, record);
}

static void forget(uintptr_t address)
{
    aiodebug_memory_unwatch(at(address));
}

static uint32_t find(uintptr_t address)
{
    return aiodebug_memory_find(at(address));
}

/* What was reported since the last call of expect_reports(). */
enum { REPORTS = 4096 };
static struct {
    uint32_t record;
    uintptr_t object, block;
    size_t size;
    aiodebug_freed_t how;
} reports[REPORTS];
static size_t reported;

static void report(uint32_t record, const void *object, const void *block, size_t size,
                   aiodebug_freed_t how)
{
    assert_true(reported < REPORTS);
    reports[reported].record = record;
    reports[reported].object = (uintptr_t)object;
    reports[reported].block = (uintptr_t)block;
    reports[reported].size = size;
    reports[reported++].how = how;
}

static void give_back(uintptr_t block, size_t size)
{
    aiodebug_memory_give_back(at(block), size, AIODEBUG_FREED_FREE, report);
}

static void give_back_pages(uintptr_t block, size_t size)
{
    aiodebug_memory_give_back_pages(at(block), size, AIODEBUG_FREED_MUNMAP, report);
}

static void settle(uintptr_t block, size_t size, size_t kept)
{
    aiodebug_memory_settle(at(block), size, false, kept, AIODEBUG_FREED_REALLOC, report);
}

#define expect_reports(...) expect_these((const uint32_t[]){__VA_ARGS__, 0})
static void expect_these(const uint32_t *records)
{
    size_t n = 0;
    for (; records[n] != 0; n++) {
        assert_true(n < reported);
        assert_int_equal(reports[n].record, records[n]);
    }
    assert_int_equal(reported, n);
    reported = 0;
}

static bool surely_none(uintptr_t block, size_t size)
{
    const aiodebug_memory_map_t *map = atomic_load(&aiodebug_memory_map);
    uintptr_t first = block >> AIODEBUG_GRANULE_BITS;
    return aiodebug_memory_surely_none(map, first,
                                       ((block + size - 1) >> AIODEBUG_GRANULE_BITS) - first + 1);
}


/* -------------------------------------------------------------------------------- one by one */

TEST(before_anything_is_watched_nothing_is_found)
{
    assert_null(atomic_load(&aiodebug_memory_map));
    assert_int_equal(find(BASE), 0);
    forget(BASE);
    give_back(BASE, 4096);
    give_back_pages(BASE, 4096);
    assert_false(aiodebug_memory_lift(at(BASE), 100, false));
    settle(BASE, 100, 0);
    expect_reports(0);
    assert_null(atomic_load(&aiodebug_memory_map));
}

TEST(found_by_its_exact_start)
{
    watch(BASE + 64, 152, 7);
    assert_int_equal(find(BASE + 64), 7);
    assert_int_equal(find(BASE + 63), 0);
    assert_int_equal(find(BASE + 65), 0);
    assert_int_equal(find(BASE + 64 + WINDOW), 0);
    forget(BASE + 64 + WINDOW);
    assert_int_equal(find(BASE + 64), 7);
    forget(BASE + 64);
    assert_int_equal(find(BASE + 64), 0);
    forget(BASE + 64);
}

TEST(replaced_at_the_same_start)
{
    watch(BASE, 152, 7);
    watch(BASE, 200, 8);
    assert_int_equal(find(BASE), 8);
    forget(BASE);
    assert_int_equal(find(BASE), 0);
}

TEST(null_and_record_0_are_nothing)
{
    watch(0, 152, 7);
    watch(BASE, 152, 0);
    assert_int_equal(find(0), 0);
    assert_int_equal(find(BASE), 0);
    forget(0);
}

TEST(given_back_once_and_found_until_forgotten)
{
    watch(BASE + 32, 152, 7);
    give_back(BASE, 200);
    assert_int_equal(reports[0].object, BASE + 32);
    assert_int_equal(reports[0].block, BASE);
    assert_int_equal(reports[0].size, 200);
    assert_int_equal(reports[0].how, AIODEBUG_FREED_FREE);
    expect_reports(7);
    give_back(BASE, 200);
    expect_reports(0);
    assert_int_equal(find(BASE + 32), 7);
    watch(BASE + 32, 152, 9); /* the memory's next use */
    give_back(BASE, 200);
    expect_reports(9);
    forget(BASE + 32);
    give_back(BASE, 200);
    expect_reports(0);
}

TEST(neighbours_of_the_block_are_left_alone)
{
    watch(BASE - 160, 152, 1);
    watch(BASE + 208, 152, 2);
    watch(BASE + WINDOW, 152, 3);
    assert_true(surely_none(BASE + 16, 184));
    give_back(BASE, 200);
    expect_reports(0);
    give_back(BASE, 209); /* by a byte */
    expect_reports(2);
}

TEST(of_a_size_that_is_not_known)
{
    watch(BASE, 152, 1);
    watch(BASE + 152, 152, 2);
    give_back(BASE, 0);
    assert_int_equal(reports[0].size, 0);
    expect_reports(1);
}

TEST(many_in_one_block_each_once_in_order)
{
    enum { MANY = 3000 };
    for (uint32_t i = MANY; i > 0; i--) {
        watch(BASE + 1000 + (uintptr_t)i * 1040, 152, i);
    }
    give_back(BASE, (size_t)2 << 20);
    assert_int_equal(reported, ((2 << 20) - 1000 - 1) / 1040);
    for (uint32_t i = 0; i < reported; i++) {
        assert_int_equal(reports[i].record, i + 1);
    }
    size_t before = reported;
    give_back(BASE, (size_t)4 << 20);
    assert_int_equal(reported, MANY);
    assert_int_equal(reports[before].record, before + 1);
}

TEST(pages_that_cut_an_object)
{
    watch(BASE + 4000, 152, 1); /* reaches 56 bytes into the second page */
    watch(BASE + 8100, 152, 2); /* begins in it */
    watch(BASE + 8192, 152, 3);
    watch(BASE + 3944, 152, 4); /* ends where it begins */
    give_back_pages(BASE + 4096, 4096);
    expect_reports(1, 2);
}

TEST(a_stretch_that_is_larger_than_the_filter)
{
    for (uint32_t i = 1; i <= 100; i++) {
        watch(BASE + i * (WINDOW / 16), 152, i);
    }
    give_back_pages(BASE + 1, 50 * (WINDOW / 16));
    assert_int_equal(reported, 50);
    reported = 0;
    give_back_pages(BASE, (size_t)1 << 40);
    assert_int_equal(reported, 50);
}

TEST(moved_or_not)
{
    watch(BASE + 16, 152, 1);
    watch(BASE + 168, 152, 2);
    assert_true(aiodebug_memory_lift(at(BASE), 400, false));
    settle(BASE, 400, 600); /* has grown where it was */
    expect_reports(0);
    assert_true(aiodebug_memory_lift(at(BASE), 400, false));
    settle(BASE, 400, SIZE_MAX); /* could not be moved */
    expect_reports(0);
    assert_true(aiodebug_memory_lift(at(BASE), 400, false));
    settle(BASE, 400, 319); /* one byte of the second object is gone */
    expect_reports(2);
    assert_true(aiodebug_memory_lift(at(BASE), 400, false));
    settle(BASE, 400, 0);
    expect_reports(1);
    assert_false(aiodebug_memory_lift(at(BASE), 400, false) && reported);
    settle(BASE, 400, 0);
    expect_reports(0);
}

TEST(what_took_the_old_memory_meanwhile_is_not_reported)
{
    watch(BASE + 16, 152, 1);
    watch(BASE + 216, 152, 2);
    assert_true(aiodebug_memory_lift(at(BASE), 400, false));
    watch(BASE + 216, 152, 3);
    watch(BASE + 32, 152, 4);
    settle(BASE, 400, 0);
    expect_reports(1);
    assert_int_equal(find(BASE + 216), 3);
}


/* ------------------------------------------------------------------------- against a plain list */

static uint32_t random_state = 12345;

static uint32_t any(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return random_state % below;
}

enum { MODEL = 3000 };
static struct {
    uintptr_t start;
    uint32_t record, size;
    bool given_back;
} model[MODEL];
static int in_model;

/* Clustered, with aliases of each other in the filter, at odd places, at borders of everything. */
static uintptr_t any_address(void)
{
    static const uintptr_t places[] = {0,      1000,      4096, 65536 - 512, WINDOW - 300,
                                       WINDOW, 3 * WINDOW};
    return BASE + places[any(7)] + any(120) * 8;
}

static int in_model_at(uintptr_t start)
{
    int i = 0;
    while (i < in_model && model[i].start != start) {
        i++;
    }
    return i;
}

static void check_give_back(void)
{
    uintptr_t block = any_address();
    size_t size = any(2) ? 1 + any(500) : 1 + any(200000), expected = 0;
    bool may = aiodebug_memory_may_begin(atomic_load(&aiodebug_memory_map), at(block), size);
    bool none = surely_none(block, size);
    give_back(block, size);
    for (int i = 0; i < in_model; i++) {
        bool inside = model[i].start >= block && model[i].start < block + size;
        assert_true(!inside || (may && !none));
        if (inside && !model[i].given_back) {
            model[i].given_back = true;
            bool seen = false;
            for (size_t j = 0; j < reported; j++) {
                seen |= reports[j].object == model[i].start && reports[j].record == model[i].record;
            }
            assert_true(seen);
            expected++;
        }
    }
    assert_int_equal(reported, expected);
    for (size_t j = 1; j < reported; j++) {
        assert_true(reports[j - 1].object / 16 <= reports[j].object / 16);
    }
    reported = 0;
}

TEST_WITHIN(60, as_a_plain_list_does_it)
{
    watch(BASE, 16, 1);
    forget(BASE);
    for (uint32_t round = 1; round < 60000; round++) {
        uintptr_t start = any_address();
        int i = in_model_at(start);
        uint32_t what = any(100);
        if (what < 45 && i < MODEL) {
            in_model += i == in_model;
            model[i].start = start;
            model[i].record = round;
            model[i].size = 8 + any(300);
            model[i].given_back = false;
            watch(start, model[i].size, round);
        } else if (what < 85) {
            forget(start);
            if (i < in_model) {
                model[i] = model[--in_model];
            }
        } else if (what < 98) {
            assert_int_equal(find(start), i < in_model ? model[i].record : 0);
        } else {
            check_give_back();
        }
    }
    for (int i = 0; i < in_model; i++) {
        assert_int_equal(find(model[i].start), model[i].record);
        forget(model[i].start);
    }
    const aiodebug_memory_map_t *map = atomic_load(&aiodebug_memory_map);
    for (int i = 0; i <= AIODEBUG_WORDS; i++) {
        assert_true(atomic_load_explicit(&map->bits[i], memory_order_relaxed) == 0);
    }
    for (int i = 0; i < AIODEBUG_REGIONS; i++) {
        assert_true(atomic_load_explicit(&map->words[i], memory_order_relaxed) == 0);
    }
}

/* 40 bytes for each of a million is the promise, whatever the number at which tables grow. */
TEST_WITHIN(60, a_million_in_40_bytes_each)
{
    double worst = 0;
    for (uint32_t i = 1; i <= 1000000; i++) {
        watch(BASE + (uintptr_t)i * 272, 248, i);
        if (i >= 100000 && i % 1000 == 0) {
            double each = (double)aiodebug_memory_table_bytes() / i + 272.0 / 128;
            worst = each > worst ? each : worst;
        }
    }
    for (uint32_t i = 1; i <= 1000000; i++) {
        assert_int_equal(find(BASE + (uintptr_t)i * 272), i);
    }
    printf("%.1f bytes at most\n", worst);
    assert_true(worst <= 40);
    for (uint32_t i = 1; i <= 1000000; i++) {
        forget(BASE + (uintptr_t)i * 272);
    }
    assert_int_equal(find(BASE + 272), 0);
}


/* ---------------------------------------------------------------- threads, signals and children */

enum { THREADS = 4, OWN = 500, ROUNDS = 60 };
static atomic_bool stop;

/* Each has addresses of its own, all in the same shards. */
static void *churn(void *arg)
{
    uintptr_t mine = BASE + (uintptr_t)arg * 16;
    for (int round = 0; round < ROUNDS && !atomic_load(&stop); round++) {
        for (uint32_t i = 1; i <= OWN; i++) {
            watch(mine + i * 64, 16, i);
        }
        for (uint32_t i = 1; i <= OWN; i++) {
            assert_int_equal(find(mine + i * 64), i);
            uint32_t others = find(BASE + (i & 3) * 16 + i * 64);
            assert_true(others == 0 || others == i);
        }
        for (uint32_t i = 1; i <= OWN; i++) {
            forget(mine + i * 64);
            assert_int_equal(find(mine + i * 64), 0);
        }
    }
    return NULL;
}

TEST_WITHIN(60, many_threads)
{
    pthread_t threads[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)i), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
}

static void *churn_on(void *arg)
{
    while (!atomic_load(&stop)) {
        churn(arg);
    }
    return NULL;
}

/* The other threads' locks stay behind in the child, which has another process id. */
TEST_WITHIN(60, children_of_fork)
{
    atomic_store(&aiodebug_pid, getpid());
    pthread_t threads[2];
    for (uintptr_t i = 0; i < 2; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, churn_on, (void *)(i + 1)), 0);
    }
    for (int i = 0; i < (harness_on_valgrind() ? 20 : 200); i++) { /* each takes seconds there */
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            atomic_store(&aiodebug_pid, getpid());
            double started = harness_now();
            stop = false;
            churn((void *)0);
            for (uintptr_t other = 1; other <= 2; other++) {
                churn((void *)other); /* also those that the dead threads were busy with */
            }
            _exit(harness_now() - started > 10 * harness_slow());
        }
        int status;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    atomic_store(&stop, true);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

static volatile sig_atomic_t interruptions;

static void drop_report(uint32_t record, const void *object, const void *block, size_t size,
                        aiodebug_freed_t how)
{
    (void)record, (void)object, (void)block, (void)size, (void)how;
}

static void interrupt(int sig)
{
    (void)sig;
    uintptr_t mine = BASE + 8;
    for (uintptr_t i = 0; i < 20; i++) {
        watch(mine + i * 64, 8, 99);
        find(mine + i * 64);
        aiodebug_memory_give_back(at(mine + i * 64), 8, AIODEBUG_FREED_FREE, drop_report);
        forget(mine + i * 64);
    }
    interruptions = interruptions + 1;
}

/* In a handler that interrupts the table itself nothing is done; nobody waits for himself. */
TEST_WITHIN(60, signal_handlers)
{
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
    /* The handler must be done before its next signal is due. */
    suseconds_t pause = (suseconds_t)(200 * harness_slow());
    struct itimerval often = {{0, pause}, {0, pause}}, never = {{0, 0}, {0, 0}};
    sigaction(SIGALRM, &action, NULL);
    setitimer(ITIMER_REAL, &often, NULL);
    double end = harness_now() + 60;
    while (interruptions < 500 && harness_now() < end) {
        churn((void *)0);
    }
    setitimer(ITIMER_REAL, &never, NULL);
    assert_true(interruptions >= 500);
}
