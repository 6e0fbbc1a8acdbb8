/* SPDX-License-Identifier: MIT */
/*
 * What the files of symbols*.c share, and nobody else includes.
 *
 *   symbols.c          the interface, the lock, the cache of answers
 *   symbols_modules.c  which modules are loaded, which have gone, which one an address belongs to
 *   symbols_elf.c      one ELF file: is it the one that was loaded, where is its debug information
 *   symbols_table.c    a module's symbols, sorted by address
 *   symbols_libdw.c    loading libdw
 *   symbols_units.c    which functions of its DWARF an address is in
 *   symbols_dwarf.c    their names, files and lines
 *   symbols_startup.c  libc's start-up frames, also in a stripped libc
 *   symbols_source.c   interned strings, file names, lines of source
 *
 * Two locks. The work lock (symbols.c) is held by whoever names a frame and guards everything here
 * that is not said to be guarded otherwise. The list lock (symbols_modules.c) guards the list of
 * modules and is taken inside the work lock or alone, for a moment; inside it dl_iterate_phdr()
 * takes the loader's.
 */
#ifndef AIODEBUG_REPORT_SYMBOLS_INTERNAL_H
#define AIODEBUG_REPORT_SYMBOLS_INTERNAL_H

#include <link.h>
#include <pthread.h>
#include <stddef.h>
#include <time.h>

#include "symbols.h"

enum { BUILD_ID_MAX = 64, INLINE_MAX = 32 };

/* An ELF file, mapped. Everything read from it is checked against its size. */
typedef struct {
    const unsigned char *data; /* NULL: none */
    size_t size;
    int fd; /* kept for libdw until the module's DWARF is open, else -1 */
    time_t modified;
} aiodebug_image_t;

typedef struct {
    uint64_t start, end;
    uint64_t reach; /* the highest end of this and all symbols before it */
    const char *name;
} aiodebug_symbol_t;

typedef struct {
    aiodebug_symbol_t *symbols; /* functions, by address */
    size_t count;
    aiodebug_symbol_t *stubs; /* PLT entries that stand for a function elsewhere: start and name */
    size_t stub_count;
    char *strings; /* where the names are, when they were copied from memory */
} aiodebug_symtab_t;

typedef struct aiodebug_dwarf aiodebug_dwarf_t;

typedef struct {
    /* What was loaded. Written once, under the list lock. */
    uintptr_t bias, low,
        high; /* address = bias + the file's address; [low, high) is what it spans */
    uint64_t phdr_hash;
    unsigned char id[BUILD_ID_MAX];
    size_t id_length;
    uint64_t inode;       /* only where there is no build-id */
    const char *name;     /* interned path */
    const char *build_id; /* interned hexadecimal, or NULL */
    bool main, in_memory; /* the program itself; a module without a file (vdso) */
    /* Changed under the list lock. */
    bool seen;
    uint64_t gone; /* 0: loaded; else when it was unloaded, in an order of our own */
    /* Found out when a frame in it is first named; under the work lock. */
    bool opened, has_table, has_dwarf;
    aiodebug_image_t file, debug;
    aiodebug_symtab_t table;
    aiodebug_dwarf_t *dwarf;
} aiodebug_module_t;

/* symbols.c: the C++ name when the program has a demangler, else `plain`, else the mangled name. */
const char *aiodebug_demangle(const char *mangled, const char *plain);

/* symbols_source.c. The strings have a lock of their own. */
const char *aiodebug_text(const char *string);
const char *aiodebug_text_n(const char *bytes, size_t length);
const char *aiodebug_file_name(const char *path, const char *directory, time_t built,
                               const char **whole);
const char *aiodebug_source_line(const char *file, int line);
void aiodebug_source_reset(void);
void aiodebug_text_reset(void);

/* symbols_elf.c */
bool aiodebug_image_open(aiodebug_image_t *image, const char *path);
void aiodebug_image_close(aiodebug_image_t *image);
void aiodebug_image_release(aiodebug_image_t *image);
const ElfW(Ehdr) * aiodebug_image_header(const aiodebug_image_t *image);
const ElfW(Shdr) * aiodebug_image_section(const aiodebug_image_t *image, const char *name);
const ElfW(Shdr) * aiodebug_image_sections(const aiodebug_image_t *image, size_t *count);
const void *aiodebug_image_content(const aiodebug_image_t *image, const ElfW(Shdr) * section,
                                   size_t *size);
const unsigned char *aiodebug_image_at(const aiodebug_image_t *image, uint64_t address,
                                       size_t length);
uint64_t aiodebug_phdr_hash(const ElfW(Phdr) * headers, size_t count);
size_t aiodebug_note_build_id(const void *notes, size_t size, size_t align, unsigned char *id);
void aiodebug_module_open(aiodebug_module_t *module);
void aiodebug_elf_set_debug_directory(const char *directory);

/* symbols_table.c */
const aiodebug_symtab_t *aiodebug_module_table(aiodebug_module_t *module);
const aiodebug_symbol_t *aiodebug_symtab_find(const aiodebug_symtab_t *table, uint64_t address);
const aiodebug_symbol_t *aiodebug_symtab_named(const aiodebug_symtab_t *table, const char *name);
const char *aiodebug_symtab_stub(const aiodebug_symtab_t *table, uint64_t address);
const char *aiodebug_symbol_display(const char *name);
void aiodebug_symtab_free(aiodebug_symtab_t *table);

/* symbols_modules.c */
uint64_t aiodebug_modules_refresh(void);
uint64_t aiodebug_modules_changes(void);
aiodebug_module_t *aiodebug_module_at(uintptr_t address, aiodebug_module_t **gone);
aiodebug_module_t *aiodebug_module_next(size_t *index);
bool aiodebug_modules_internal(uintptr_t pc);
bool aiodebug_module_path_is(const char *path, const char *prefix);
void aiodebug_modules_trim(void);
void aiodebug_modules_iterate(int (*look)(struct dl_phdr_info *, size_t, void *), void *argument);
bool aiodebug_lock_soon(pthread_mutex_t *lock);
/* In a child of fork(): true when a thread that is gone held it. It is free afterwards. */
bool aiodebug_lock_in_child(pthread_mutex_t *lock);
bool aiodebug_modules_before_fork(void);
void aiodebug_modules_after_fork_parent(void);
void aiodebug_modules_after_fork_child(bool complete, bool drop);

/* symbols_libdw.c */
enum { DWARF_MISSING = -1, DWARF_LOADING = 0, DWARF_READY = 1 };
int aiodebug_dwarf_load(const char *library, void (*say)(const char *));
int aiodebug_dwarf_state(void);
bool aiodebug_dwarf_before_fork(void);
void aiodebug_dwarf_after_fork_parent(void);
void aiodebug_dwarf_after_fork_child(bool complete);

/* symbols_units.c */
aiodebug_dwarf_t *aiodebug_dwarf_open(const aiodebug_image_t *image);
void aiodebug_dwarf_close(aiodebug_dwarf_t *dwarf);

/* symbols_dwarf.c */
int aiodebug_dwarf_frames(aiodebug_module_t *module, uint64_t address, aiodebug_frame_t *out,
                          int max);
bool aiodebug_dwarf_function(aiodebug_module_t *module, uint64_t address, aiodebug_frame_t *out);

/* symbols_startup.c */
bool aiodebug_in_libc(const char *path);
bool aiodebug_startup_code(aiodebug_module_t *module, uint64_t return_address);
bool aiodebug_after_call(const aiodebug_module_t *module, uintptr_t pc, bool *known);

#endif
