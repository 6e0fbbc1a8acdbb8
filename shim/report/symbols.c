/* SPDX-License-Identifier: MIT */
/*
 * Naming of frames: the interface, the work lock, and the cache of answers by address.
 *
 * Order of the locks: work, then the list of modules, then the loader's; strings innermost. libdw
 * is loaded before the work lock is taken. An answer is kept for good once given, except where a
 * library has come to lie at addresses that another one had: then all are dropped and found again.
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "symbols_internal.h"

static void say_on_stderr(const char *line)
{
    dprintf(STDERR_FILENO, "aiodebug: %s\n", line);
}

static const char *libdw = "libdw.so.1";
static void (*say)(const char *) = say_on_stderr;

void aiodebug_symbols_init(const aiodebug_symbols_options_t *options)
{
    if (options->debug_directory)
        aiodebug_elf_set_debug_directory(options->debug_directory);
    if (options->libdw)
        libdw = options->libdw;
    if (options->say)
        say = options->say;
}

/* ------------------------------------------------------------------------------------------- the
 * cache */

enum { KIND_CALL = 1, KIND_FUNCTION = 2 };

typedef struct {
    uintptr_t address;
    int kind; /* 0: free */
    int count;
    bool known;
    aiodebug_frame_t *frames;
} answer_t;

static pthread_mutex_t work_lock = PTHREAD_MUTEX_INITIALIZER;
static answer_t *answers; /* open addressing, a power of two, at most half full */
static size_t answer_count, answer_capacity;
static uint64_t answer_generation;

static answer_t *answer_slot(answer_t *table, size_t capacity, uintptr_t address, int kind)
{
    uint64_t hash = ((uint64_t)address + (uint64_t)kind) * 0x9e3779b97f4a7c15U;
    size_t i = (size_t)(hash >> 20) & (capacity - 1);
    while (table[i].kind && (table[i].address != address || table[i].kind != kind))
        i = (i + 1) & (capacity - 1);
    return &table[i];
}

static void drop_answers(void)
{
    for (size_t i = 0; i < answer_capacity; i++)
        free(answers[i].frames);
    free(answers);
    answers = NULL;
    answer_count = answer_capacity = 0;
}

static const answer_t *find_answer(uintptr_t address, int kind)
{
    if (answer_capacity == 0)
        return NULL;
    answer_t *answer = answer_slot(answers, answer_capacity, address, kind);
    return answer->kind ? answer : NULL;
}

static void keep_answer(const answer_t *answer)
{
    if (2 * answer_count >= answer_capacity) {
        size_t capacity = answer_capacity ? 2 * answer_capacity : 256;
        answer_t *grown = calloc(capacity, sizeof *grown);
        if (!grown)
            return;
        for (size_t i = 0; i < answer_capacity; i++) {
            if (answers[i].kind)
                *answer_slot(grown, capacity, answers[i].address, answers[i].kind) = answers[i];
        }
        free(answers);
        answers = grown;
        answer_capacity = capacity;
    }
    size_t size = (size_t)answer->count * sizeof *answer->frames;
    aiodebug_frame_t *frames = malloc(size);
    if (!frames)
        return;
    memcpy(frames, answer->frames, size);
    answer_t *slot = answer_slot(answers, answer_capacity, answer->address, answer->kind);
    *slot = *answer;
    slot->frames = frames;
    answer_count++;
}

/* ---------------------------------------------------------------------------------------------
 * naming */

typedef char *demangle_t(const char *, char *, size_t *, int *);

/* The program's own demangler. Not by dlsym(), which takes the loader's lock inside ours. */
static demangle_t *find_demangler(void)
{
    demangle_t *demangle = NULL;
    aiodebug_module_t *module;
    for (size_t i = 0; !demangle && (module = aiodebug_module_next(&i));) {
        if (!module->main && !aiodebug_module_path_is(module->name, "libstdc++.so") &&
            !aiodebug_module_path_is(module->name, "libc++abi.so"))
            continue;
        const aiodebug_symbol_t *symbol =
            aiodebug_symtab_named(aiodebug_module_table(module), "__cxa_demangle");
        uintptr_t address = symbol ? module->bias + (uintptr_t)symbol->start : 0;
        memcpy(&demangle, &address, sizeof address);
    }
    return demangle;
}

const char *aiodebug_demangle(const char *mangled, const char *plain)
{
    static demangle_t *demangle;
    static uint64_t looked_at_count;
    uint64_t now = aiodebug_modules_changes() + 1;
    if (looked_at_count != now) {
        looked_at_count = now;
        demangle = find_demangler();
    }
    int status = -1;
    char *name = demangle ? demangle(mangled, NULL, NULL, &status) : NULL;
    const char *text = aiodebug_text(name && status == 0 ? name : plain ? plain : mangled);
    free(name);
    return text;
}

static const char *symbol_name(aiodebug_module_t *module, uint64_t address)
{
    const aiodebug_symbol_t *symbol = aiodebug_symtab_find(aiodebug_module_table(module), address);
    const char *name = symbol ? aiodebug_symbol_display(symbol->name) : NULL;
    return name && strncmp(name, "_Z", 2) == 0 ? aiodebug_demangle(name, NULL) : name;
}

/* gcc's partial inlining: what is left of f() is "f.part.0", and has f()'s name in DWARF. */
static bool is_part(aiodebug_module_t *module, uint64_t address)
{
    const aiodebug_symbol_t *symbol = aiodebug_symtab_find(aiodebug_module_table(module), address);
    return symbol && symbol->name && strstr(symbol->name, ".part.");
}

/* The frames of a call in `module`, by the address of the call's last byte. */
static int frames_in(aiodebug_module_t *module, uint64_t address, aiodebug_frame_t *out, int max)
{
    int n = aiodebug_dwarf_frames(module, address, out, max);
    n = n > 0 ? n : 1;
    aiodebug_frame_t *outer = &out[n - 1];
    if (!outer->function && !outer->inlined)
        outer->function = symbol_name(module, address);
    outer->part = !outer->inlined && is_part(module, address);
    if (!outer->function)
        outer->startup = aiodebug_startup_code(module, address + 1);
    for (int i = 0; i < n; i++) {
        out[i].module = module->name;
        out[i].build_id = module->build_id;
        out[i].offset = address;
    }
    return n;
}

/* The address may be of a module that has gone or of the one that lies there now. The code before
   it decides: a return address follows a call. Where it does so in both, only a name that both give
   holds. */
static aiodebug_module_t *judge(aiodebug_module_t *loaded, aiodebug_module_t *gone, uintptr_t pc)
{
    bool known, gone_known;
    aiodebug_frame_t frames[2][INLINE_MAX];
    aiodebug_module_open(loaded);
    aiodebug_module_open(gone);
    bool call = aiodebug_after_call(loaded, pc, &known);
    bool gone_call = aiodebug_after_call(gone, pc, &gone_known);
    if (known && !call)
        return gone_known && gone_call ? gone : NULL;
    if (!known || !gone_call)
        return known ? loaded : NULL;
    memset(frames, 0, sizeof frames);
    int n = frames_in(loaded, pc - 1 - loaded->bias, frames[0], INLINE_MAX);
    int m = frames_in(gone, pc - 1 - gone->bias, frames[1], INLINE_MAX);
    const char *a = frames[0][n - 1].function, *b = frames[1][m - 1].function;
    return a && b && strcmp(a, b) == 0 ? loaded : NULL;
}

static void name_call(answer_t *answer)
{
    aiodebug_module_t *gone, *module = aiodebug_module_at(answer->address - 1, &gone);
    if (module && gone)
        module = judge(module, gone, answer->address);
    else if (!module)
        module = gone;
    answer->count = 1;
    answer->known = module != NULL;
    answer->frames[0].offset = answer->address;
    if (module)
        answer->count =
            frames_in(module, answer->address - 1 - module->bias, answer->frames, INLINE_MAX);
}

/* Where a function that a PLT entry stands for is defined: in the first other module that has it;
   in the shim's wrappers only when nowhere else. */
static aiodebug_module_t *find_definition(const char *name, uint64_t *address)
{
    aiodebug_module_t *module, *found = NULL;
    for (size_t i = 0; (module = aiodebug_module_next(&i));) {
        const aiodebug_symbol_t *symbol =
            aiodebug_symtab_named(aiodebug_module_table(module), name);
        if (!symbol)
            continue;
        bool internal = aiodebug_modules_internal(module->bias + (uintptr_t)symbol->start);
        if (!found || !internal) {
            found = module;
            *address = symbol->start;
        }
        if (!internal)
            break;
    }
    return found;
}

static bool function_in(aiodebug_module_t *module, uint64_t address, aiodebug_frame_t *out)
{
    aiodebug_dwarf_function(module, address, out);
    if (!out->function)
        out->function = symbol_name(module, address);
    out->module = module->name;
    out->build_id = module->build_id;
    out->offset = address;
    return out->function != NULL;
}

static void name_function(answer_t *answer)
{
    aiodebug_frame_t *out = &answer->frames[0];
    aiodebug_module_t *gone, *module = aiodebug_module_at(answer->address, &gone);
    answer->count = 1;
    out->offset = answer->address;
    module = module ? module : gone;
    if (!module)
        return;
    answer->known = true;
    uint64_t address = answer->address - module->bias;
    if (function_in(module, address, out))
        return;
    const char *stub = aiodebug_symtab_stub(aiodebug_module_table(module), address);
    aiodebug_module_t *definer = stub ? find_definition(stub, &address) : NULL;
    if (definer && function_in(definer, address, out))
        return;
    if (stub)
        out->function = aiodebug_symbol_display(stub);
}

static void watch_forks(void);

/* Copies the answer for `address` to `out`, finding it first when it is not yet known. */
static int ask(uintptr_t address, int kind, aiodebug_frame_t *out, int max)
{
    aiodebug_frame_t frames[INLINE_MAX];
    answer_t fresh = {.address = address, .kind = kind, .frames = frames};
    static pthread_once_t watched = PTHREAD_ONCE_INIT;
    pthread_once(&watched, watch_forks);
    int dwarf = aiodebug_dwarf_load(libdw, say);
    uint64_t generation = aiodebug_modules_refresh();
    pthread_mutex_lock(&work_lock);
    if (generation != answer_generation) {
        drop_answers();
        answer_generation = generation;
    }
    const answer_t *answer = find_answer(address, kind);
    if (!answer) {
        memset(frames, 0, sizeof frames);
        aiodebug_modules_trim();
        if (kind == KIND_CALL)
            name_call(&fresh);
        else
            name_function(&fresh);
        answer = &fresh;
        /* Code that was generated may be anything the next time. */
        if (fresh.known && dwarf != DWARF_LOADING)
            keep_answer(&fresh);
    }
    int n = answer->count < max ? answer->count : max;
    memcpy(out, answer->frames, (size_t)n * sizeof *out);
    pthread_mutex_unlock(&work_lock);
    return n;
}

int aiodebug_symbols_resolve(uintptr_t return_address, aiodebug_frame_t *out, int max)
{
    return max > 0 ? ask(return_address, KIND_CALL, out, max) : 0;
}

bool aiodebug_symbols_function(uintptr_t address, aiodebug_frame_t *out)
{
    ask(address, KIND_FUNCTION, out, 1);
    return out->function != NULL;
}

const char *aiodebug_symbols_source(const char *file, int line)
{
    pthread_mutex_lock(&work_lock);
    const char *text = aiodebug_source_line(file, line);
    pthread_mutex_unlock(&work_lock);
    return text;
}

bool aiodebug_symbols_internal(uintptr_t pc)
{
    return aiodebug_modules_internal(pc);
}

void aiodebug_symbols_modules_changed(void)
{
    aiodebug_modules_refresh();
}

/* Which locks this thread holds across fork(): see before_fork(). */
static _Thread_local bool fork_has_load, fork_has_list;

/* Not the work lock, which may be held for long; what it guards can be done without in the child.
 */
static void before_fork(void)
{
    fork_has_load = aiodebug_dwarf_before_fork();
    fork_has_list = aiodebug_modules_before_fork();
}

static void after_fork_parent(void)
{
    if (fork_has_list)
        aiodebug_modules_after_fork_parent();
    if (fork_has_load)
        aiodebug_dwarf_after_fork_parent();
    fork_has_list = fork_has_load = false;
}

void aiodebug_symbols_after_fork_child(void)
{
    bool at_work = aiodebug_lock_in_child(&work_lock);
    aiodebug_text_reset();
    aiodebug_modules_after_fork_child(fork_has_list, at_work);
    aiodebug_dwarf_after_fork_child(fork_has_load);
    fork_has_list = fork_has_load = false;
    if (at_work) {
        aiodebug_source_reset();
        answers = NULL;
        answer_count = answer_capacity = 0;
    }
}

static void watch_forks(void)
{
    pthread_atfork(before_fork, after_fork_parent, aiodebug_symbols_after_fork_child);
}
