/* SPDX-License-Identifier: MIT */
/*
 * libdw, loaded when the first frame is to be named: which functions an address is in, inlined ones
 * included, and which line. libdw alone, not libdwfl: that one asks debuginfod by itself.
 *
 * The units of a module are indexed by their own address ranges, as not every compiler writes
 * .debug_aranges. What a linker has thrown away is left in DWARF at address 0 and is passed over.
 */
#include <dlfcn.h>
#include <dwarf.h>
#include <elfutils/libdw.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbols_internal.h"

#define LIBDW_FUNCTIONS(X)                                                                         \
    X(elf_version)                                                                                 \
    X(elf_begin)                                                                                   \
    X(elf_cntl)                                                                                    \
    X(elf_end)                                                                                     \
    X(dwarf_begin_elf)                                                                             \
    X(dwarf_end)                                                                                   \
    X(dwarf_get_units)                                                                             \
    X(dwarf_cu_info)                                                                               \
    X(dwarf_ranges)                                                                                \
    X(dwarf_lowpc)                                                                                 \
    X(dwarf_haspc)                                                                                 \
    X(dwarf_tag)                                                                                   \
    X(dwarf_child)                                                                                 \
    X(dwarf_siblingof)                                                                             \
    X(dwarf_attr_integrate)                                                                        \
    X(dwarf_formstring)                                                                            \
    X(dwarf_formudata)                                                                             \
    X(dwarf_diename)                                                                               \
    X(dwarf_getsrc_die)                                                                            \
    X(dwarf_getsrcfiles)                                                                           \
    X(dwarf_filesrc)                                                                               \
    X(dwarf_linesrc)                                                                               \
    X(dwarf_lineno)                                                                                \
    X(dwarf_linecol)

#define DECLARE(name) __typeof__(&name) name;
static struct {
    LIBDW_FUNCTIONS(DECLARE)
} dw;
#undef DECLARE

/* A range of addresses and the unit that has it. */
typedef struct {
    Dwarf_Addr start, end, reach;
    Dwarf_Die unit;
} span_t;

struct aiodebug_dwarf {
    Elf *elf;
    Dwarf *dwarf;
    span_t *spans;
    size_t count, capacity;
};

static _Atomic int state;
static pthread_mutex_t load_lock = PTHREAD_MUTEX_INITIALIZER;

static bool find_functions(void *handle)
{
    void *symbol;
#define FIND(name)                                                                                 \
    symbol = dlsym(handle, #name);                                                                 \
    if (!symbol)                                                                                   \
        return false;                                                                              \
    memcpy(&dw.name, &symbol, sizeof symbol);
    LIBDW_FUNCTIONS(FIND)
#undef FIND
    return dw.elf_version(EV_CURRENT) != EV_NONE;
}

/* Called without any lock: dlopen() takes the loader's, and a constructor that the loader runs may
   be waiting to name a frame. Whoever comes while another thread loads goes on without DWARF. */
int aiodebug_dwarf_load(const char *library, void (*say)(const char *))
{
    char line[256];
    int now = aiodebug_dwarf_state();
    if (now != DWARF_LOADING || pthread_mutex_trylock(&load_lock) != 0)
        return now;
    now = aiodebug_dwarf_state();
    if (now == DWARF_LOADING) {
        void *handle = dlopen(library, RTLD_LAZY | RTLD_LOCAL);
        now = handle && find_functions(handle) ? DWARF_READY : DWARF_MISSING;
        atomic_store_explicit(&state, now, memory_order_release);
        if (now == DWARF_MISSING) {
            const char *why = handle ? NULL : dlerror();
            snprintf(line, sizeof line, "frames have no file and line: %s",
                     why ? why : "libdw is too old");
            say(line);
        }
    }
    pthread_mutex_unlock(&load_lock);
    return now;
}

int aiodebug_dwarf_state(void)
{
    return atomic_load_explicit(&state, memory_order_acquire);
}

/* fork() waits for a load to end, else the child would have the loader's lock for ever. True when
 * it has. */
bool aiodebug_dwarf_before_fork(void)
{
    return aiodebug_lock_soon(&load_lock);
}

void aiodebug_dwarf_after_fork_parent(void)
{
    pthread_mutex_unlock(&load_lock);
}

void aiodebug_dwarf_after_fork_child(bool complete)
{
    if (pthread_mutex_trylock(&load_lock) != 0 && !complete &&
        aiodebug_dwarf_state() == DWARF_LOADING)
        atomic_store(&state, DWARF_MISSING);
    load_lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
}

static void add_span(aiodebug_dwarf_t *d, Dwarf_Addr start, Dwarf_Addr end, const Dwarf_Die *unit)
{
    if (start == 0 || start >= end)
        return;
    if (d->count == d->capacity) {
        size_t capacity = d->capacity ? 2 * d->capacity : 64;
        span_t *grown = realloc(d->spans, capacity * sizeof *grown);
        if (!grown)
            return;
        d->spans = grown;
        d->capacity = capacity;
    }
    d->spans[d->count++] = (span_t){.start = start, .end = end, .unit = *unit};
}

static int by_start(const void *left, const void *right)
{
    const span_t *a = left, *b = right;
    return a->start < b->start ? -1 : a->start > b->start;
}

static void index_units(aiodebug_dwarf_t *d)
{
    Dwarf_CU *unit = NULL;
    uint8_t type;
    Dwarf_Die die;
    while (dw.dwarf_get_units(d->dwarf, unit, &unit, NULL, &type, &die, NULL) == 0) {
        Dwarf_Addr base, start, end;
        ptrdiff_t at = 0;
        if (type == DW_UT_type || type == DW_UT_partial || type == DW_UT_split_type)
            continue;
        while ((at = dw.dwarf_ranges(&die, at, &base, &start, &end)) > 0)
            add_span(d, start, end, &die);
    }
    if (d->count)
        qsort(d->spans, d->count, sizeof *d->spans, by_start);
    Dwarf_Addr reach = 0;
    for (size_t i = 0; i < d->count; i++) {
        reach = d->spans[i].end > reach ? d->spans[i].end : reach;
        d->spans[i].reach = reach;
    }
}

/* By descriptor and not by memory: libdw finds what dwz and split DWARF keep elsewhere relative to
 * it. */
aiodebug_dwarf_t *aiodebug_dwarf_open(const aiodebug_image_t *image)
{
    aiodebug_dwarf_t *d;
    if (!image->data || image->fd < 0 || aiodebug_dwarf_state() != DWARF_READY)
        return NULL;
    d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->elf = dw.elf_begin(image->fd, ELF_C_READ_MMAP, NULL);
    d->dwarf = d->elf ? dw.dwarf_begin_elf(d->elf, DWARF_C_READ, NULL) : NULL;
    if (!d->dwarf) {
        aiodebug_dwarf_close(d);
        return NULL;
    }
    dw.elf_cntl(d->elf, ELF_C_FDREAD); /* the descriptor is not needed any more */
    index_units(d);
    return d;
}

void aiodebug_dwarf_close(aiodebug_dwarf_t *d)
{
    if (!d)
        return;
    if (d->dwarf)
        dw.dwarf_end(d->dwarf);
    if (d->elf)
        dw.elf_end(d->elf);
    free(d->spans);
    free(d);
}

static Dwarf_Die *unit_at(aiodebug_dwarf_t *d, Dwarf_Addr address)
{
    size_t low = 0, high = d->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (d->spans[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low > 0 && d->spans[low - 1].reach > address; low--) {
        if (d->spans[low - 1].end > address)
            return &d->spans[low - 1].unit;
    }
    return NULL;
}

/* The functions around an address, outermost first: a subprogram and what is inlined into it. */
typedef struct {
    Dwarf_Die dies[INLINE_MAX];
    int count;
} chain_t;

/* Descends to the function at `address`. At first only where compilers put functions; `everywhere`
   also into types, and into functions elsewhere for those nested in them. */
static bool descend(Dwarf_Die *parent, Dwarf_Addr address, chain_t *chain, int depth,
                    bool everywhere)
{
    Dwarf_Die die;
    Dwarf_Addr low;
    if (depth > 64 || dw.dwarf_child(parent, &die) != 0)
        return false;
    do {
        int tag = dw.dwarf_tag(&die);
        bool function = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
        bool block = tag == DW_TAG_lexical_block || tag == DW_TAG_try_block ||
                     tag == DW_TAG_catch_block || tag == DW_TAG_GNU_call_site;
        bool scope = tag == DW_TAG_namespace || tag == DW_TAG_module;
        bool here = (function || block) && dw.dwarf_haspc(&die, address) > 0 &&
                    !(dw.dwarf_lowpc(&die, &low) == 0 && low == 0);
        if (here && function && chain->count < INLINE_MAX)
            chain->dies[chain->count++] = die;
        if (here || scope || everywhere) {
            if (descend(&die, address, chain, depth + 1, everywhere) || here)
                return true;
        }
    } while (dw.dwarf_siblingof(&die, &die) == 0);
    return false;
}

/* The tree of a unit: with split DWARF in a file of its own. */
static void find_chain(Dwarf_Die *unit, Dwarf_Addr address, chain_t *chain)
{
    Dwarf_Die split, root = *unit;
    uint8_t type;
    chain->count = 0;
    if (dw.dwarf_cu_info(unit->cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 &&
        type == DW_UT_skeleton && split.addr)
        root = split;
    if (!descend(&root, address, chain, 0, false))
        descend(&root, address, chain, 0, true);
}

static const char *string_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    return dw.dwarf_formstring(dw.dwarf_attr_integrate(die, name, &attribute));
}

static int number_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value;
    bool known = dw.dwarf_formudata(dw.dwarf_attr_integrate(die, name, &attribute), &value) == 0;
    return known && value <= INT32_MAX ? (int)value : 0;
}

/* The linkage name, which symbols.c demangles, tells C++'s overloads and classes apart. */
static const char *function_name(Dwarf_Die *die)
{
    const char *linkage = string_of(die, DW_AT_linkage_name);
    if (!linkage)
        linkage = string_of(die, DW_AT_MIPS_linkage_name);
    const char *plain = dw.dwarf_diename(die);
    if (linkage && strncmp(linkage, "_Z", 2) == 0)
        return aiodebug_demangle(linkage, plain);
    return plain ? aiodebug_text(plain) : NULL;
}

/* Names the file `path` of `unit`, relative to the directory the unit was compiled in (a split
   unit's skeleton knows it). libdw joins the two in most cases. */
static void set_path(aiodebug_frame_t *frame, const char *path, Dwarf_Die *unit,
                     Dwarf_Die *skeleton, time_t built)
{
    char joined[PATH_MAX];
    const char *directory = string_of(unit, DW_AT_comp_dir);
    if (!directory)
        directory = string_of(skeleton, DW_AT_comp_dir);
    if (!path || strcmp(path, "???") == 0)
        return;
    if (path[0] != '/' && directory && directory[0] == '/') {
        int n = snprintf(joined, sizeof joined, "%s/%s", directory, path);
        if (n > 0 && (size_t)n < sizeof joined)
            path = joined;
    }
    frame->file = aiodebug_file_name(path, directory, built, &frame->path);
}

/* The file with this number in the unit's table; 0 means none before DWARF 5. */
static void set_file(aiodebug_frame_t *frame, size_t number, Dwarf_Die *unit, Dwarf_Die *skeleton,
                     time_t built)
{
    Dwarf_Files *files;
    size_t count;
    Dwarf_Half version;
    if (dw.dwarf_cu_info(unit->cu, &version, NULL, NULL, NULL, NULL, NULL, NULL) == 0 &&
        (number > 0 || version >= 5) && dw.dwarf_getsrcfiles(unit, &files, &count) == 0 &&
        number < count)
        set_path(frame, dw.dwarf_filesrc(files, number, NULL, NULL), unit, skeleton, built);
}

static void set_line(aiodebug_frame_t *frame, Dwarf_Die *unit, Dwarf_Addr address, time_t built)
{
    Dwarf_Line *line = dw.dwarf_getsrc_die(unit, address);
    if (!line)
        return;
    set_path(frame, dw.dwarf_linesrc(line, NULL, NULL), unit, unit, built);
    dw.dwarf_lineno(line, &frame->line);
    dw.dwarf_linecol(line, &frame->column);
}

/* What the attributes `file`, `line` and `column` of a function say, in the unit that they are
   written in: dwz and link-time optimisation put the description of a function elsewhere than its
   code. dwarf_decl_file() is no help: it aborts on split DWARF and takes the first file of DWARF 5
   for none. */
static void set_coordinates(aiodebug_frame_t *frame, Dwarf_Die *die, Dwarf_Die *skeleton,
                            time_t built, const unsigned names[3])
{
    Dwarf_Attribute attribute;
    Dwarf_Word file;
    Dwarf_Die unit;
    if (dw.dwarf_formudata(dw.dwarf_attr_integrate(die, names[0], &attribute), &file) == 0 &&
        dw.dwarf_cu_info(attribute.cu, NULL, NULL, &unit, NULL, NULL, NULL, NULL) == 0)
        set_file(frame, (size_t)file, &unit, skeleton, built);
    frame->line = number_of(die, names[1]);
    frame->column = number_of(die, names[2]);
}

static Dwarf_Die *module_unit(aiodebug_module_t *module, Dwarf_Addr address)
{
    if (!module->has_dwarf && aiodebug_dwarf_state() != DWARF_LOADING) {
        module->has_dwarf = true;
        aiodebug_module_open(module);
        module->dwarf = aiodebug_dwarf_open(module->debug.data ? &module->debug : &module->file);
        aiodebug_image_release(&module->file);
        aiodebug_image_release(&module->debug);
    }
    return module->dwarf ? unit_at(module->dwarf, address) : NULL;
}

/* Innermost first. 0 when there is no DWARF for the address; `out` may then still have file and
   line, of code without a function (assembler). */
int aiodebug_dwarf_frames(aiodebug_module_t *module, uint64_t address, aiodebug_frame_t *out,
                          int max)
{
    static const unsigned call_site[] = {DW_AT_call_file, DW_AT_call_line, DW_AT_call_column};
    chain_t chain;
    int n = 0;
    Dwarf_Die *unit = module_unit(module, address);
    if (!unit)
        return 0;
    find_chain(unit, address, &chain);
    set_line(&out[0], unit, address, module->file.modified);
    for (int i = chain.count - 1; i >= 0 && n < max; i--) {
        Dwarf_Die *die = &chain.dies[i];
        aiodebug_frame_t *frame = &out[n++];
        frame->function = function_name(die);
        frame->inlined = dw.dwarf_tag(die) == DW_TAG_inlined_subroutine;
        if (n < max && i > 0)
            set_coordinates(&out[n], die, unit, module->file.modified, call_site);
    }
    return n;
}

/* The function itself, not what is inlined at its first instruction, and where it is defined. */
bool aiodebug_dwarf_function(aiodebug_module_t *module, uint64_t address, aiodebug_frame_t *out)
{
    static const unsigned definition[] = {DW_AT_decl_file, DW_AT_decl_line, DW_AT_decl_column};
    chain_t chain;
    Dwarf_Die *unit = module_unit(module, address);
    if (!unit)
        return false;
    find_chain(unit, address, &chain);
    while (chain.count > 0 && dw.dwarf_tag(&chain.dies[chain.count - 1]) != DW_TAG_subprogram)
        chain.count--;
    if (chain.count == 0)
        return false;
    Dwarf_Die *die = &chain.dies[chain.count - 1];
    out->function = function_name(die);
    set_coordinates(out, die, unit, module->file.modified, definition);
    if (!out->file || out->line == 0)
        set_line(out, unit, address, module->file.modified);
    out->column = 0;
    return out->function != NULL;
}
