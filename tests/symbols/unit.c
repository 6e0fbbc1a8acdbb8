/* SPDX-License-Identifier: MIT */
/* The inner parts of shim/report/symbols*.c, and what programs cannot show: generated code, the
   vdso, fork(), damaged files, the time it takes. Argument: a shared library with debug
   information, to be damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "report/symbols_internal.h"

static const char *library;
static char scratch[64];

static char *scratch_file(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close(fd);
}

/* -------------------------------------------------------------------------------------------
 * addresses */

static void unknown_addresses_have_no_name(void **state)
{
    (void)state;
    aiodebug_frame_t frames[4];
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const uintptr_t addresses[] = {0, 1, 16, (uintptr_t)page + 8, (uintptr_t)&frames, UINTPTR_MAX};
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        memset(frames, 0x55, sizeof frames);
        assert_int_equal(aiodebug_symbols_resolve(addresses[i], frames, 4), 1);
        assert_null(frames[0].function);
        assert_null(frames[0].file);
        assert_null(frames[0].module);
        assert_int_equal(frames[0].offset, addresses[i]);
        assert_false(aiodebug_symbols_startup(&frames[0]));
        assert_false(aiodebug_symbols_function(addresses[i], frames));
        assert_false(aiodebug_symbols_internal(addresses[i]));
    }
    munmap(page, 4096);
}

static void vdso_is_named_from_memory(void **state)
{
    (void)state;
    aiodebug_frame_t frame;
    void *vdso = dlopen("linux-vdso.so.1", RTLD_NOW | RTLD_NOLOAD);
    void *function = vdso ? dlsym(vdso, "__vdso_clock_gettime") : NULL;
    if (!function)
        skip();
    assert_true(aiodebug_symbols_function((uintptr_t)function, &frame));
    assert_non_null(strstr(frame.function, "clock_gettime"));
    assert_string_equal(frame.module, "linux-vdso.so.1");
    assert_non_null(frame.build_id);
    assert_null(frame.file);
}

static void as_many_frames_as_asked_for(void **state)
{
    (void)state;
    aiodebug_frame_t frames[2];
    uintptr_t here = (uintptr_t)&as_many_frames_as_asked_for + 1;
    memset(frames, 0x55, sizeof frames);
    assert_int_equal(aiodebug_symbols_resolve(here, frames, 0), 0);
    assert_int_equal(frames[0].line, 0x55555555);
    assert_int_equal(aiodebug_symbols_resolve(here, frames, 1), 1);
    assert_string_equal(frames[0].function, "as_many_frames_as_asked_for");
    assert_int_equal(frames[1].line, 0x55555555);
}

static void start_up_frames_go_by_name_and_module(void **state)
{
    (void)state;
    aiodebug_frame_t frame = {.function = "__libc_start_call_main", .module = "/lib/libc.so.6"};
    assert_true(aiodebug_symbols_startup(&frame));
    frame = (aiodebug_frame_t){.function = "start_thread", .module = "/lib/libc.so.6"};
    assert_true(aiodebug_symbols_startup(&frame));
    frame = (aiodebug_frame_t){.function = "start_thread", .module = "/home/me/program"};
    assert_false(aiodebug_symbols_startup(&frame));
    frame = (aiodebug_frame_t){.function = "clone", .module = "/home/me/libclone.so"};
    assert_false(aiodebug_symbols_startup(&frame));
    frame = (aiodebug_frame_t){.function = "_start", .module = "/home/me/program"};
    assert_true(aiodebug_symbols_startup(&frame));
    frame = (aiodebug_frame_t){.function = "main", .module = "/home/me/program"};
    assert_false(aiodebug_symbols_startup(&frame));
}

/* ------------------------------------------------------------------------------------------
 * strings, files */

static void strings_are_kept_once(void **state)
{
    (void)state;
    char text[32], large[20000];
    const char *first = aiodebug_text("some text");
    for (int i = 0; i < 5000; i++) {
        snprintf(text, sizeof text, "text %d", i);
        assert_string_equal(aiodebug_text(text), text);
    }
    memset(large, 'x', sizeof large);
    assert_memory_equal(aiodebug_text_n(large, sizeof large), large, sizeof large);
    assert_ptr_equal(aiodebug_text_n("some text and more", 9), first);
    assert_string_equal(aiodebug_text_n("", 0), "");
}

static void files_are_relative_to_the_compilation_directory(void **state)
{
    (void)state;
    static const struct {
        const char *path, *directory, *shown;
    } cases[] = {
        {"/w/app/main.c", "/w/app", "main.c"},
        {"/w/app/main.c", "/w/app/", "main.c"},
        {"/w/app/./src/main.c", "/w/app", "src/main.c"},
        {"/w/app/../lib/x.c", "/w/app", "../lib/x.c"},
        {"/w/application/main.c", "/w/app", "/w/application/main.c"},
        {"/w/app/main.c", "/", "/w/app/main.c"},
        {"/w/app/main.c", "", "/w/app/main.c"},
        {"/w/app/main.c", NULL, "/w/app/main.c"},
        {"./src/main.c", ".", "src/main.c"},
        {"/w/app/", "/w/app", "/w/app/"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *whole;
        const char *shown = aiodebug_file_name(cases[i].path, cases[i].directory, 0, &whole);
        assert_string_equal(shown, cases[i].shown);
        assert_string_equal(whole, cases[i].path);
    }
}

static void lines_of_source(void **state)
{
    (void)state;
    static const char text[] = "first\n\t  second();\t\r\n\n   \nlast\x1b[31m without newline";
    char *path = scratch_file("source.c");
    write_file(path, text, sizeof text - 1);
    assert_string_equal(aiodebug_symbols_source(path, 1), "first");
    assert_string_equal(aiodebug_symbols_source(path, 2), "second();");
    assert_null(aiodebug_symbols_source(path, 3));
    assert_null(aiodebug_symbols_source(path, 4));
    assert_string_equal(aiodebug_symbols_source(path, 5), "last [31m without newline");
    assert_null(aiodebug_symbols_source(path, 6));
    assert_null(aiodebug_symbols_source(path, 0));
    assert_null(aiodebug_symbols_source(path, -1));
    assert_null(aiodebug_symbols_source(NULL, 1));
    assert_null(aiodebug_symbols_source("source.c", 1));
    assert_null(aiodebug_symbols_source("/no/such/file.c", 1));
    assert_null(aiodebug_symbols_source("/dev/zero", 1));
    assert_null(aiodebug_symbols_source("/proc/self/maps", 1));
    assert_null(aiodebug_symbols_source("/", 1));
}

static void no_line_of_large_or_binary_files(void **state)
{
    (void)state;
    char *large = malloc(1024 * 1024 + 1);
    memset(large, 'x', 1024 * 1024 + 1);
    write_file(scratch_file("large.c"), large, 1024 * 1024 + 1);
    assert_null(aiodebug_symbols_source(scratch_file("large.c"), 1));
    write_file(scratch_file("fits.c"), large, 1024 * 1024);
    assert_int_equal(strlen(aiodebug_symbols_source(scratch_file("fits.c"), 1)), 400);
    memset(large, 0, 100);
    write_file(scratch_file("binary.c"), large, 1000);
    assert_null(aiodebug_symbols_source(scratch_file("binary.c"), 1));
    assert_int_equal(mkfifo(scratch_file("fifo.c"), 0600), 0);
    assert_null(aiodebug_symbols_source(scratch_file("fifo.c"), 1));
    /* Not cut inside of a character of two bytes. */
    memcpy(large + 399, "\xc3\xa4", 2);
    memset(large, 'x', 399);
    write_file(scratch_file("umlaut.c"), large, 401);
    assert_int_equal(strlen(aiodebug_symbols_source(scratch_file("umlaut.c"), 1)), 399);
    free(large);
}

static void files_shown_alike_are_told_apart(void **state)
{
    (void)state;
    char one[128], two[128];
    const char *whole;
    mkdir(scratch_file("one"), 0700);
    mkdir(scratch_file("two"), 0700);
    strcpy(one, scratch_file("one/same.c"));
    strcpy(two, scratch_file("two/same.c"));
    write_file(one, "in one", 6);
    write_file(two, "in two", 6);
    const char *a = aiodebug_file_name(one, strcpy(two, scratch_file("one")), 0, &whole);
    strcpy(one, scratch_file("two"));
    const char *b = aiodebug_file_name(scratch_file("two/same.c"), one, 0, &whole);
    assert_string_equal(a, "same.c");
    assert_string_equal(b, "same.c");
    assert_string_equal(aiodebug_symbols_source(a, 1), "in one");
    assert_string_equal(aiodebug_symbols_source(b, 1), "in two");
    assert_null(aiodebug_symbols_source("same.c", 1));
}

/* ------------------------------------------------------------------------------------------ symbol
 * tables */

static void symbols_end_where_they_end(void **state)
{
    (void)state;
    aiodebug_symbol_t symbols[] = {
        {.start = 100, .end = 200, .reach = 200, .name = "outer"},
        {.start = 120, .end = 130, .reach = 200, .name = "inner"},
        {.start = 300, .end = 310, .reach = 310, .name = "alone"},
    };
    aiodebug_symtab_t table = {.symbols = symbols, .count = 3};
    assert_null(aiodebug_symtab_find(&table, 99));
    assert_string_equal(aiodebug_symtab_find(&table, 100)->name, "outer");
    assert_string_equal(aiodebug_symtab_find(&table, 125)->name, "inner");
    assert_string_equal(aiodebug_symtab_find(&table, 130)->name, "outer");
    assert_string_equal(aiodebug_symtab_find(&table, 199)->name, "outer");
    assert_null(aiodebug_symtab_find(&table, 200));
    assert_null(aiodebug_symtab_find(&table, 299));
    assert_string_equal(aiodebug_symtab_find(&table, 309)->name, "alone");
    assert_null(aiodebug_symtab_find(&table, 310));
}

static void compilers_suffixes_are_left_out(void **state)
{
    (void)state;
    assert_string_equal(aiodebug_symbol_display("f.part.0"), "f");
    assert_string_equal(aiodebug_symbol_display("f.constprop.0.isra.1"), "f");
    assert_string_equal(aiodebug_symbol_display("f.cold"), "f");
    assert_string_equal(aiodebug_symbol_display("write@@GLIBC_2.2.5"), "write");
    assert_string_equal(aiodebug_symbol_display("main.run"), "main.run");
    assert_string_equal(aiodebug_symbol_display("main.(*T).run"), "main.(*T).run");
}

static void of_aliases_the_plain_name(void **state)
{
    (void)state;
    aiodebug_frame_t frame;
    /* Each a function with two names that no sanitizer has its hands on. */
    void *function = dlsym(RTLD_DEFAULT, "__getpgid");
    assert_true(aiodebug_symbols_function((uintptr_t)function, &frame));
    assert_string_equal(frame.function, "getpgid");
    function = dlsym(RTLD_DEFAULT, "__sched_yield");
    assert_true(aiodebug_symbols_function((uintptr_t)function, &frame));
    assert_string_equal(frame.function, "sched_yield");
}

/* Files that lie about themselves, at random but the same each time, are survived. */
static void damaged_files_do_no_harm(void **state)
{
    (void)state;
    aiodebug_image_t image;
    unsigned seed = 1;
    assert_true(aiodebug_image_open(&image, library));
    unsigned char *copy = malloc(image.size);
    char path[128];
    strcpy(path, scratch_file("damaged.so"));
    for (int round = 0; round < 400; round++) {
        size_t size = round % 4 == 0 ? (size_t)rand_r(&seed) % image.size : image.size;
        memcpy(copy, image.data, image.size);
        const ElfW(Ehdr) *header = aiodebug_image_header(&image);
        for (int i = 0; i < 12; i++) {
            size_t headers = header->e_shnum * sizeof(ElfW(Shdr));
            size_t at = i < 2   ? (size_t)rand_r(&seed) % sizeof *header
                        : i < 8 ? header->e_shoff + (size_t)rand_r(&seed) % headers
                                : (size_t)rand_r(&seed) % image.size;
            copy[at] = (unsigned char)rand_r(&seed);
        }
        write_file(path, copy, size);
        aiodebug_module_t module = {.name = path, .low = 1};
        module.file.fd = module.debug.fd = -1;
        module.opened = aiodebug_image_open(&module.file, path);
        if (module.opened) {
            const aiodebug_symtab_t *table = aiodebug_module_table(&module);
            aiodebug_symtab_find(table, 0x1234);
            aiodebug_image_at(&module.file, 0x1234, 16);
            aiodebug_startup_code(&module, 0x1234);
            aiodebug_symtab_free(&module.table);
            aiodebug_image_close(&module.file);
        }
    }
    free(copy);
    aiodebug_image_close(&image);
}

static void damaged_notes_do_no_harm(void **state)
{
    (void)state;
    unsigned char id[BUILD_ID_MAX];
    uint32_t note[9] = {4, 20, 3, 0x554e47, 1, 2, 3, 4, 5};
    assert_int_equal(aiodebug_note_build_id(note, sizeof note, 4, id), 20);
    assert_memory_equal(id, note + 4, 20);
    for (size_t size = 0; size < sizeof note; size++)
        assert_int_equal(aiodebug_note_build_id(note, size, 4, id), 0);
    static const uint32_t bad[] = {0, 1, 65, 0x7fffffff, 0xffffffff, 0xfffffffd};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        note[1] = bad[i];
        assert_int_equal(aiodebug_note_build_id(note, sizeof note, 4, id), 0);
        note[1] = 20;
        note[0] = bad[i];
        assert_int_equal(aiodebug_note_build_id(note, sizeof note, 8, id), 0);
        note[0] = 4;
    }
}

/* ------------------------------------------------------------------------------------- threads and
 * fork() */

static _Atomic bool stop;

/* Names addresses never asked for before, so that the work lock is held most of the time. */
static void *busy(void *argument)
{
    uintptr_t at = (uintptr_t)argument;
    aiodebug_frame_t frames[8];
    while (!atomic_load(&stop)) {
        aiodebug_symbols_resolve(at += 3, frames, 8);
        aiodebug_symbols_internal(at);
    }
    return NULL;
}

static void child_can_name_frames(void)
{
    aiodebug_frame_t frame;
    alarm(20);
    aiodebug_symbols_after_fork_child();
    bool named = aiodebug_symbols_function((uintptr_t)&child_can_name_frames, &frame) &&
                 strcmp(frame.function, "child_can_name_frames") == 0 && frame.line > 0 &&
                 aiodebug_symbols_resolve((uintptr_t)&busy + 4, &frame, 1) == 1 &&
                 strcmp(frame.function, "busy") == 0;
    _exit(named ? 0 : 1);
}

static void forked_while_others_are_at_work(void **state)
{
    (void)state;
    pthread_t threads[2];
    atomic_store(&stop, false);
    pthread_create(&threads[0], NULL, busy, (void *)((uintptr_t)&aiodebug_symbols_resolve));
    pthread_create(&threads[1], NULL, busy, dlsym(RTLD_DEFAULT, "qsort"));
    for (int i = 0; i < 40; i++) {
        int status = -1;
        usleep(1000);
        pid_t child = fork();
        if (child == 0)
            child_can_name_frames();
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_int_equal(status, 0);
    }
    atomic_store(&stop, true);
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
}

static void libraries_come_and_go_meanwhile(void **state)
{
    (void)state;
    pthread_t thread;
    aiodebug_frame_t frame;
    atomic_store(&stop, false);
    pthread_create(&thread, NULL, busy, (void *)((uintptr_t)&aiodebug_symbols_source));
    for (int i = 0; i < 200; i++) {
        void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        assert_non_null(handle);
        void *function = dlsym(handle, "plugin_enter");
        assert_true(aiodebug_symbols_function((uintptr_t)function, &frame));
        assert_string_equal(frame.function, "plugin_enter");
        aiodebug_symbols_modules_changed();
        dlclose(handle);
    }
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
}

/* -------------------------------------------------------------------------------------------------
 * costs */

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Bounds far above what it takes, to notice a lost cache and not a busy machine. */
static void costs(void **state)
{
    double first = *(double *)*state;
    aiodebug_frame_t frames[8];
    enum { ROUNDS = 200000 };
    uintptr_t pc = (uintptr_t)&costs + 4;
    aiodebug_symbols_resolve(pc, frames, 8);
    double start = now();
    for (int i = 0; i < ROUNDS; i++)
        aiodebug_symbols_resolve(pc, frames, 8);
    double again = (now() - start) / ROUNDS;
    start = now();
    for (int i = 0; i < ROUNDS; i++)
        aiodebug_symbols_internal(pc);
    double internal = (now() - start) / ROUNDS;
    printf("first frame %.2f ms, cached %.0f ns, internal %.0f ns\n", first * 1e3, again * 1e9,
           internal * 1e9);
    assert_true(again < 20e-6);
    assert_true(internal < 20e-6);
}

int main(int argc, char **argv)
{
    aiodebug_frame_t frame;
    library = argc > 1 ? argv[1] : argv[0];
    strcpy(scratch, "/tmp/symbols.XXXXXX");
    if (!mkdtemp(scratch))
        return 1;
    double start = now();
    aiodebug_symbols_resolve((uintptr_t)&main + 1, &frame, 1);
    double first = now() - start;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown_addresses_have_no_name),
        cmocka_unit_test(vdso_is_named_from_memory),
        cmocka_unit_test(as_many_frames_as_asked_for),
        cmocka_unit_test(start_up_frames_go_by_name_and_module),
        cmocka_unit_test(strings_are_kept_once),
        cmocka_unit_test(files_are_relative_to_the_compilation_directory),
        cmocka_unit_test(lines_of_source),
        cmocka_unit_test(no_line_of_large_or_binary_files),
        cmocka_unit_test(files_shown_alike_are_told_apart),
        cmocka_unit_test(symbols_end_where_they_end),
        cmocka_unit_test(compilers_suffixes_are_left_out),
        cmocka_unit_test(of_aliases_the_plain_name),
        cmocka_unit_test(damaged_files_do_no_harm),
        cmocka_unit_test(damaged_notes_do_no_harm),
        cmocka_unit_test(libraries_come_and_go_meanwhile),
        cmocka_unit_test(forked_while_others_are_at_work),
        cmocka_unit_test_prestate(costs, &first),
    };
    int result = cmocka_run_group_tests(tests, NULL, NULL);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", scratch);
    return result || system(command) != 0;
}
