/* SPDX-License-Identifier: MIT */
/*
 * A module's function symbols, sorted by address, for code without DWARF.
 *
 * They come from .symtab and .dynsym of the module's file and of its debug file; when there is no
 * file to believe, from the dynamic symbols in memory, copied while the loader is kept from
 * unloading the module. An address has the name of a symbol only when it lies inside it, [value,
 * value + size): in a stripped file most functions have no symbol, and the nearest one before is
 * not theirs.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "symbols_internal.h"

/* Which of several names of one function a reader expects: `write`, not `__write` or
 * `__libc_write`. */
static int better_name(const char *a, const char *b)
{
    size_t ua = strspn(a, "_"), ub = strspn(b, "_");
    if (ua != ub)
        return ua < ub ? -1 : 1;
    size_t la = strcspn(a, "@"), lb = strcspn(b, "@");
    if (la != lb)
        return la < lb ? -1 : 1;
    return strcmp(a, b);
}

static int by_address(const void *left, const void *right)
{
    const aiodebug_symbol_t *a = left, *b = right;
    if (a->start != b->start)
        return a->start < b->start ? -1 : 1;
    if (a->end != b->end)
        return a->end > b->end ? -1 : 1;
    return better_name(a->name, b->name);
}

/* Room for `more` symbols in both lists. */
static bool reserve(aiodebug_symtab_t *table, size_t more)
{
    aiodebug_symbol_t *grown;
    if (more > SIZE_MAX / sizeof *grown / 2 - table->count)
        return false;
    grown = realloc(table->symbols, (table->count + more + 1) * sizeof *grown);
    if (!grown)
        return false;
    table->symbols = grown;
    grown = realloc(table->stubs, (table->stub_count + more + 1) * sizeof *grown);
    if (!grown)
        return false;
    table->stubs = grown;
    return true;
}

/* An undefined function with a value is the PLT entry that a program built without -fPIC compares
   and passes as the function's address. */
static void add(aiodebug_symtab_t *table, const ElfW(Sym) * symbol, const char *strings,
                size_t size)
{
    unsigned type = symbol->st_info & 15;
    if ((type != STT_FUNC && type != STT_GNU_IFUNC) || symbol->st_value == 0 ||
        symbol->st_name == 0 || symbol->st_name >= size ||
        !memchr(strings + symbol->st_name, 0, size - symbol->st_name))
        return;
    const char *name = strings + symbol->st_name;
    uint64_t start = symbol->st_value;
    if (symbol->st_shndx == SHN_UNDEF) {
        table->stubs[table->stub_count++] = (aiodebug_symbol_t){.start = start, .name = name};
    } else if (symbol->st_size > 0 && symbol->st_size <= UINT64_MAX - start && *name) {
        table->symbols[table->count++] =
            (aiodebug_symbol_t){.start = start, .end = start + symbol->st_size, .name = name};
    }
}

static void add_image(aiodebug_symtab_t *table, const aiodebug_image_t *image)
{
    size_t count, bytes, string_size;
    const ElfW(Shdr) *sections = aiodebug_image_sections(image, &count);
    for (size_t i = 0; i < count; i++) {
        const ElfW(Shdr) *s = &sections[i];
        if ((s->sh_type != SHT_SYMTAB && s->sh_type != SHT_DYNSYM) || s->sh_link >= count ||
            s->sh_offset % sizeof(ElfW(Addr)) != 0)
            continue;
        const ElfW(Sym) *symbols = aiodebug_image_content(image, s, &bytes);
        const char *strings = aiodebug_image_content(image, &sections[s->sh_link], &string_size);
        size_t number = bytes / sizeof *symbols;
        if (!symbols || !strings || !reserve(table, number))
            continue;
        for (size_t j = 0; j < number; j++)
            add(table, &symbols[j], strings, string_size);
    }
}

/* The dynamic symbols of a loaded module, looked at and copied inside dl_iterate_phdr(). */
typedef struct {
    const aiodebug_module_t *module;
    const struct dl_phdr_info *info;
    ElfW(Sym) * symbols; /* where to copy to; NULL: only find out how much there is */
    char *strings;
    size_t count, string_size;
    bool found;
} memory_t;

static const void *readable(const memory_t *memory, uint64_t value, size_t length)
{
    const struct dl_phdr_info *info = memory->info;
    /* The loader has added the bias to the pointers of most modules, but not of the vdso. */
    uint64_t address = value >= memory->module->low ? value : value + info->dlpi_addr;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + h->p_vaddr;
        if (h->p_type == PT_LOAD && (h->p_flags & PF_R) && address >= start &&
            address - start <= h->p_memsz && length <= h->p_memsz - (address - start))
            return (const void *)(uintptr_t)address;
    }
    return NULL;
}

/* DT_GNU_HASH does not say how many symbols there are: the end of the last chain does. */
static size_t gnu_hash_count(const memory_t *memory, uint64_t value)
{
    const uint32_t *head = readable(memory, value, 16);
    if (!head)
        return 0;
    uint32_t buckets = head[0], first = head[1];
    uint64_t chains_at = value + 16 + (uint64_t)head[2] * sizeof(ElfW(Addr));
    const uint32_t *bucket = readable(memory, chains_at, (size_t)buckets * 4);
    uint32_t last = 0;
    if (!bucket)
        return 0;
    for (uint32_t i = 0; i < buckets; i++)
        last = bucket[i] > last ? bucket[i] : last;
    if (last < first)
        return first;
    chains_at += (uint64_t)buckets * 4;
    for (;; last++) {
        const uint32_t *chain = readable(memory, chains_at + (uint64_t)(last - first) * 4, 4);
        if (!chain)
            return 0;
        if (*chain & 1)
            return (size_t)last + 1;
    }
}

static void look_at_dynamic(memory_t *memory, const ElfW(Dyn) * dynamic, size_t entries)
{
    uint64_t symbols = 0, strings = 0, string_size = 0, hash = 0, gnu_hash = 0;
    for (size_t i = 0; i < entries && dynamic[i].d_tag != DT_NULL; i++) {
        switch (dynamic[i].d_tag) {
        case DT_SYMTAB:
            symbols = dynamic[i].d_un.d_ptr;
            break;
        case DT_STRTAB:
            strings = dynamic[i].d_un.d_ptr;
            break;
        case DT_STRSZ:
            string_size = dynamic[i].d_un.d_val;
            break;
        case DT_HASH:
            hash = dynamic[i].d_un.d_ptr;
            break;
        case DT_GNU_HASH:
            gnu_hash = dynamic[i].d_un.d_ptr;
            break;
        default:
            break;
        }
    }
    const uint32_t *classic = hash ? readable(memory, hash, 8) : NULL;
    size_t count = classic ? classic[1] : gnu_hash ? gnu_hash_count(memory, gnu_hash) : 0;
    const void *from = symbols ? readable(memory, symbols, count * sizeof(ElfW(Sym))) : NULL;
    const void *text = strings ? readable(memory, strings, string_size) : NULL;
    if (!from || !text)
        return;
    if (memory->symbols && count == memory->count && string_size == memory->string_size) {
        memcpy(memory->symbols, from, count * sizeof(ElfW(Sym)));
        memcpy(memory->strings, text, string_size);
        memory->found = true;
    }
    memory->count = count;
    memory->string_size = string_size;
}

static int look_at_module(struct dl_phdr_info *info, size_t size, void *argument)
{
    memory_t *memory = argument;
    const aiodebug_module_t *module = memory->module;
    (void)size;
    if (info->dlpi_addr != module->bias ||
        aiodebug_phdr_hash(info->dlpi_phdr, info->dlpi_phnum) != module->phdr_hash)
        return 0;
    memory->info = info;
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *dynamic = readable(memory, info->dlpi_addr + h->p_vaddr, h->p_memsz);
        if (dynamic)
            look_at_dynamic(memory, dynamic, h->p_memsz / sizeof *dynamic);
    }
    return 1;
}

static void add_memory(aiodebug_symtab_t *table, const aiodebug_module_t *module)
{
    memory_t memory = {.module = module};
    aiodebug_modules_iterate(look_at_module, &memory);
    if (memory.count == 0 || memory.string_size == 0 || !reserve(table, memory.count))
        return;
    memory.symbols = malloc(memory.count * sizeof *memory.symbols);
    memory.strings = malloc(memory.string_size);
    if (memory.symbols && memory.strings)
        aiodebug_modules_iterate(look_at_module, &memory);
    if (memory.found) {
        for (size_t i = 0; i < memory.count; i++)
            add(table, &memory.symbols[i], memory.strings, memory.string_size);
        table->strings = memory.strings;
        memory.strings = NULL;
    }
    free(memory.strings);
    free(memory.symbols);
}

const aiodebug_symtab_t *aiodebug_module_table(aiodebug_module_t *module)
{
    aiodebug_symtab_t *table = &module->table;
    uint64_t reach = 0;
    if (module->has_table)
        return table;
    module->has_table = true;
    aiodebug_module_open(module);
    add_image(table, &module->debug);
    add_image(table, &module->file);
    if (!module->file.data && !module->gone)
        add_memory(table, module);
    if (table->count)
        qsort(table->symbols, table->count, sizeof *table->symbols, by_address);
    for (size_t i = 0; i < table->count; i++) {
        reach = table->symbols[i].end > reach ? table->symbols[i].end : reach;
        table->symbols[i].reach = reach;
    }
    return table;
}

void aiodebug_symtab_free(aiodebug_symtab_t *table)
{
    free(table->symbols);
    free(table->stubs);
    free(table->strings);
    memset(table, 0, sizeof *table);
}

/* The innermost symbol around `address`; of several names of one function the best, which sorts
 * first. */
const aiodebug_symbol_t *aiodebug_symtab_find(const aiodebug_symtab_t *table, uint64_t address)
{
    const aiodebug_symbol_t *found = NULL, *symbols = table->symbols;
    size_t low = 0, high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (symbols[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    while (low > 0 && symbols[low - 1].reach > address) {
        const aiodebug_symbol_t *s = &symbols[--low];
        if (found && s->start != found->start)
            break;
        if (s->end > address)
            found = s;
    }
    return found;
}

/* Symbols of shared libraries may carry their version: `name@@VERSION`. */
const aiodebug_symbol_t *aiodebug_symtab_named(const aiodebug_symtab_t *table, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; i < table->count; i++) {
        const char *other = table->symbols[i].name;
        if (strncmp(other, name, length) == 0 && (other[length] == 0 || other[length] == '@'))
            return &table->symbols[i];
    }
    return NULL;
}

const char *aiodebug_symtab_stub(const aiodebug_symtab_t *table, uint64_t address)
{
    for (size_t i = 0; i < table->stub_count; i++) {
        if (table->stubs[i].start == address)
            return table->stubs[i].name;
    }
    return NULL;
}

/* The name in the source: without version, and without what compilers append to parts and copies of
   a function. Other dots stay: in some languages they belong to the name. */
const char *aiodebug_symbol_display(const char *name)
{
    static const char *const suffixes[] = {"part.",     "constprop.", "isra.", "cold",
                                           "lto_priv.", "localalias", "llvm.", "clone."};
    size_t length = strcspn(name, "@");
    for (size_t i = 1; i < length; i++) {
        for (size_t j = 0; name[i] == '.' && j < sizeof suffixes / sizeof suffixes[0]; j++) {
            if (strncmp(name + i + 1, suffixes[j], strlen(suffixes[j])) == 0)
                return aiodebug_text_n(name, i);
        }
    }
    return aiodebug_text_n(name, length);
}
