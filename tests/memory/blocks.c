/* SPDX-License-Identifier: MIT */
/*
 * Every way of C to give memory back in which a live handle lies, and near misses. usage: blocks
 * CASE, or blocks -l for the list. Prints what the shim is to say of it: "nothing", or the end of
 * its line "memory: ...". What happened is often the allocator's decision, so the case looks.
 */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

static uv_loop_t *loop;

/* Through pointers that the compiler does not see through: it must not drop pairs of calls. */
static void *(*volatile allocate)(size_t) = malloc;
static void (*volatile release)(void *) = free;
static void *(*volatile change)(void *, size_t) = realloc;

static uv_timer_t *timer_at(void *block, size_t offset)
{
    uv_timer_t *timer = (uv_timer_t *)((char *)block + offset);
    uv_timer_init(loop, timer);
    return timer;
}

static const char *into(size_t offset, const char *how)
{
    static char text[100];
    snprintf(text, sizeof text, "the handle %zu bytes into it, given to %s()", offset, how);
    return text;
}

static const char *case_free(void)
{
    void *block = allocate(sizeof(uv_timer_t));
    timer_at(block, 0);
    release(block);
    return "given to free()";
}

static const char *case_free_in_a_struct(void)
{
    void *block = allocate(2000);
    timer_at(block, 1000);
    release(block);
    return into(1000, "free");
}

static const char *case_free_last_bytes(void)
{
    void *block = allocate(5000);
    timer_at(block, 5000 - sizeof(uv_timer_t));
    release(block);
    return into(5000 - sizeof(uv_timer_t), "free");
}

static const char *case_free_page_further(void)
{
    void *block = allocate(100000);
    timer_at(block, 70000);
    release(block);
    return into(70000, "free");
}

/* One closed, one forgotten. */
static const char *case_free_second_of_an_arena(void)
{
    char *arena = allocate((size_t)3 << 20);
    uv_timer_t *first = timer_at(arena, 1 << 20);
    timer_at(arena, 2 << 20);
    uv_close((uv_handle_t *)first, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    release(arena);
    return into(2 << 20, "free");
}

/* After the first such block glibc takes the next from its heap. */
static const char *case_free_large_from_the_heap(void)
{
    release(allocate(1 << 20));
    void *block = allocate(1 << 20), *behind = allocate(100);
    timer_at(block, 900000);
    release(block);
    release(behind);
    return into(900000, "free");
}

static const char *case_free_aligned(void)
{
    void *block = NULL;
    if (posix_memalign(&block, 4096, 10000) == 0) {
        timer_at(block, 5008);
        release(block);
    }
    return into(5008, "free");
}

static void *free_it(void *block)
{
    release(block);
    return NULL;
}

static const char *case_free_by_another_thread(void)
{
    void *block = allocate(500);
    pthread_t thread;
    timer_at(block, 48);
    pthread_create(&thread, NULL, free_it, block);
    pthread_join(thread, NULL);
    return into(48, "free");
}

static void *volatile of_the_handler;
static void on_signal(int sig)
{
    (void)sig;
    release(of_the_handler);
}

static const char *case_free_in_a_signal_handler(void)
{
    of_the_handler = allocate(500);
    timer_at(of_the_handler, 48);
    signal(SIGUSR1, on_signal);
    raise(SIGUSR1);
    return into(48, "free");
}

static const char *case_free_in_a_child(void)
{
    void *block = allocate(500);
    timer_at(block, 48);
    if (fork() == 0) {
        release(block);
        exit(0);
    }
    wait(NULL);
    return into(48, "free");
}

/* Memory that held a handle which was freed, and then another. */
static const char *case_free_again(void)
{
    void *block = allocate(500);
    uv_timer_t *timer = timer_at(block, 48);
    uv_close((uv_handle_t *)timer, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    timer_at(block, 48);
    release(block);
    return into(48, "free");
}

static void free_handle(uv_handle_t *handle)
{
    release(handle);
}

static const char *case_silent_closed(void)
{
    uv_timer_t *timer = timer_at(allocate(sizeof *timer), 0);
    uv_close((uv_handle_t *)timer, free_handle);
    uv_run(loop, UV_RUN_DEFAULT);
    release(NULL);
    return "nothing";
}

/* The blocks before and after, which end and begin where the handle's does. */
static const char *case_silent_neighbours(void)
{
    enum { BLOCKS = 1000 };
    static void *blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        blocks[i] = allocate(i % 3 == 1 ? sizeof(uv_timer_t) : (size_t)(i % 7) * 24 + 24);
        if (i % 3 == 1) {
            timer_at(blocks[i], 0);
        }
    }
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < BLOCKS; i++) {
            if (i % 3 != 1) {
                release(blocks[i]);
            }
        }
        for (int i = 0; i < BLOCKS; i++) {
            if (i % 3 != 1) {
                blocks[i] = change(allocate(8), (size_t)(i % 5) * 40 + 40);
            }
        }
    }
    return "nothing";
}

static const char *moved(void *now, void *before, const char *otherwise)
{
    return now == before ? otherwise : into(48, "realloc");
}

static const char *case_realloc_grows(void)
{
    void *block = allocate(500), *behind = allocate(500);
    timer_at(block, 48);
    void *now = change(block, 300000);
    memset(behind, 0, 500);
    return moved(now, block, "nothing");
}

/* glibc leaves it where it is; who does not, has moved it. */
static const char *case_realloc_stays(void)
{
    void *block = allocate(500);
    timer_at(block, 48);
    return moved(change(block, 480), block, "nothing");
}

static const char *case_realloc_cuts_the_handle(void)
{
    void *block = allocate(500);
    timer_at(block, 48);
    change(block, 48 + sizeof(uv_timer_t) - 1);
    return into(48, "realloc");
}

static const char *case_realloc_to_nothing(void)
{
    void *block = allocate(500);
    timer_at(block, 48);
    change(block, 0);
    return into(48, "realloc");
}

static const char *case_realloc_cannot(void)
{
    void *block = allocate(500);
    timer_at(block, 48);
    return change(block, (size_t)1 << 60) ? "a block of 2^60 bytes?" : "nothing";
}

static const char *case_reallocarray_moves(void)
{
    void *(*volatile call)(void *, size_t, size_t) = reallocarray;
    void *block = allocate(500), *behind = allocate(500);
    timer_at(block, 48);
    void *now = call(block, 1000, 300);
    memset(behind, 0, 500);
    return moved(now, block, "nothing");
}

static const char *case_reallocarray_overflows(void)
{
    void *(*volatile call)(void *, size_t, size_t) = reallocarray;
    void *block = allocate(500);
    timer_at(block, 48);
    return call(block, (size_t)1 << 40, (size_t)1 << 40) ? "an array of 2^80 bytes?" : "nothing";
}

static char *map(size_t pages)
{
    return mmap(NULL, pages * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static const char *case_munmap(void)
{
    char *pages = map(10);
    timer_at(pages, 20000);
    munmap(pages, 40960);
    return into(20000, "munmap");
}

static const char *case_munmap_of_its_end(void)
{
    char *pages = map(2);
    timer_at(pages, 4000);
    munmap(pages + 4096, 4096);
    return "inside the handle, given to munmap()";
}

static const char *case_silent_munmap_of_others(void)
{
    char *pages = map(3);
    timer_at(pages, 4096 - sizeof(uv_timer_t));
    timer_at(pages, 8192);
    munmap(pages + 4096, 4096);
    munmap(pages + 1, 4096);
    munmap(pages, 0);
    return "nothing";
}

static const char *case_mremap_moves(void)
{
    char *pages = map(2), *there = map(2);
    timer_at(pages, 48);
    return mremap(pages, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, there) == there
               ? into(48, "mremap")
               : "no mremap?";
}

static const char *case_mremap_covers(void)
{
    char *pages = map(2), *there = map(2);
    timer_at(there, 48);
    return mremap(pages, 8192, 8192, MREMAP_MAYMOVE | MREMAP_FIXED, there) == there
               ? into(48, "mremap")
               : "no mremap?";
}

static const char *case_mremap_shrinks(void)
{
    char *pages = map(3);
    timer_at(pages, 48);
    timer_at(pages, 5000);
    mremap(pages, 12288, 4096, 0);
    return into(5000, "mremap");
}

static const char *case_silent_mremap_stays(void)
{
    char *pages = map(3);
    timer_at(pages, 48);
    mremap(pages, 12288, 4096, 0);
    mremap(pages, 4096, (size_t)1 << 50, 0);
    return "nothing";
}

static const struct {
    const char *name;
    const char *(*run)(void);
} cases[] = {
#define CASE(name)                                                                                 \
    {                                                                                              \
#name, case_##name                                                                         \
    }
    CASE(free),
    CASE(free_in_a_struct),
    CASE(free_last_bytes),
    CASE(free_page_further),
    CASE(free_second_of_an_arena),
    CASE(free_large_from_the_heap),
    CASE(free_aligned),
    CASE(free_by_another_thread),
    CASE(free_in_a_signal_handler),
    CASE(free_in_a_child),
    CASE(free_again),
    CASE(silent_closed),
    CASE(silent_neighbours),
    CASE(realloc_grows),
    CASE(realloc_stays),
    CASE(realloc_cuts_the_handle),
    CASE(realloc_to_nothing),
    CASE(realloc_cannot),
    CASE(reallocarray_moves),
    CASE(reallocarray_overflows),
    CASE(munmap),
    CASE(munmap_of_its_end),
    CASE(silent_munmap_of_others),
    CASE(mremap_moves),
    CASE(mremap_covers),
    CASE(mremap_shrinks),
    CASE(silent_mremap_stays),
};

int main(int argc, char **argv)
{
    loop = uv_default_loop();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (argc > 1 && strcmp(argv[1], "-l") == 0) {
            puts(cases[i].name);
        } else if (argc > 1 && strcmp(argv[1], cases[i].name) == 0) {
            puts(cases[i].run());
            fflush(stdout);
        }
    }
    return 0;
}
