/* SPDX-License-Identifier: MIT */
/*
 * From an address to the functions around it: which unit of the module's DWARF, and where in its
 * tree.
 *
 * The units are indexed by their own address ranges, as not every compiler writes .debug_aranges.
 * In a unit the first few functions are looked for where compilers put them. For more, and when one
 * is not found there (a nested function, a method inside its type), the whole tree is walked, once,
 * and its functions indexed: that takes some times longer than one look where the DWARF has links
 * between siblings (gcc), and hardly longer where it has none (LLVM).
 *
 * What a linker has thrown away is left in DWARF at address 0 and is passed over.
 */
#include <stdlib.h>
#include <string.h>

#include "symbols_libdw.h"

enum { DEPTH_MAX = 64, LOOKS = 4 };

/* A range of addresses and the unit or function that has it. */
typedef struct {
    Dwarf_Addr start, end;
    Dwarf_Addr reach; /* the highest end of this and all ranges before it */
    Dwarf_Die die;
} span_t;

typedef struct {
    span_t *spans;
    size_t count, capacity;
} spans_t;

typedef struct {
    Dwarf_CU *unit;
    unsigned lookups;
    bool walked;
    spans_t functions;
} unit_index_t;

struct aiodebug_dwarf {
    Elf *elf;
    Dwarf *dwarf;
    spans_t units;
    unit_index_t *indexes; /* of the units that were looked into */
    size_t index_count;
};

static const aiodebug_libdw_t *const dw = &aiodebug_libdw;

static void add_span(spans_t *list, Dwarf_Addr start, Dwarf_Addr end, const Dwarf_Die *die)
{
    if (start == 0 || start >= end)
        return;
    if (list->count == list->capacity) {
        size_t capacity = list->capacity ? 2 * list->capacity : 64;
        span_t *grown = realloc(list->spans, capacity * sizeof *grown);
        if (!grown)
            return;
        list->spans = grown;
        list->capacity = capacity;
    }
    list->spans[list->count++] = (span_t){.start = start, .end = end, .die = *die};
}

static void add_ranges(spans_t *list, Dwarf_Die *die)
{
    Dwarf_Addr base, start, end;
    ptrdiff_t at = 0;
    while ((at = dw->dwarf_ranges(die, at, &base, &start, &end)) > 0)
        add_span(list, start, end, die);
}

static int by_start(const void *left, const void *right)
{
    const span_t *a = left, *b = right;
    return a->start < b->start ? -1 : a->start > b->start;
}

static void sort_spans(spans_t *list)
{
    Dwarf_Addr reach = 0;
    if (list->count)
        qsort(list->spans, list->count, sizeof *list->spans, by_start);
    for (size_t i = 0; i < list->count; i++) {
        reach = list->spans[i].end > reach ? list->spans[i].end : reach;
        list->spans[i].reach = reach;
    }
}

/* Of the ranges around `address` the one that begins last. */
static Dwarf_Die *find_span(const spans_t *list, Dwarf_Addr address)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->spans[middle].start <= address)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low > 0 && list->spans[low - 1].reach > address; low--) {
        if (list->spans[low - 1].end > address)
            return &list->spans[low - 1].die;
    }
    return NULL;
}

static void index_units(aiodebug_dwarf_t *d)
{
    Dwarf_CU *unit = NULL;
    uint8_t type;
    Dwarf_Die die;
    while (dw->dwarf_get_units(d->dwarf, unit, &unit, NULL, &type, &die, NULL) == 0) {
        if (type != DW_UT_type && type != DW_UT_partial && type != DW_UT_split_type)
            add_ranges(&d->units, &die);
    }
    sort_spans(&d->units);
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
    d->elf = dw->elf_begin(image->fd, ELF_C_READ_MMAP, NULL);
    d->dwarf = d->elf ? dw->dwarf_begin_elf(d->elf, DWARF_C_READ, NULL) : NULL;
    if (!d->dwarf) {
        aiodebug_dwarf_close(d);
        return NULL;
    }
    dw->elf_cntl(d->elf, ELF_C_FDREAD); /* the descriptor is not needed any more */
    index_units(d);
    return d;
}

void aiodebug_dwarf_close(aiodebug_dwarf_t *d)
{
    if (!d)
        return;
    if (d->dwarf)
        dw->dwarf_end(d->dwarf);
    if (d->elf)
        dw->elf_end(d->elf);
    for (size_t i = 0; i < d->index_count; i++)
        free(d->indexes[i].functions.spans);
    free(d->indexes);
    free(d->units.spans);
    free(d);
}

Dwarf_Die *aiodebug_dwarf_unit(aiodebug_dwarf_t *d, Dwarf_Addr address)
{
    return find_span(&d->units, address);
}

static bool covers(Dwarf_Die *die, Dwarf_Addr address)
{
    Dwarf_Addr low;
    return dw->dwarf_haspc(die, address) > 0 && !(dw->dwarf_lowpc(die, &low) == 0 && low == 0);
}

/* Adds the functions below `parent` that are around `address`; true when there is one. */
static bool descend(Dwarf_Die *parent, Dwarf_Addr address, aiodebug_chain_t *chain, int depth)
{
    Dwarf_Die die;
    if (depth > DEPTH_MAX || dw->dwarf_child(parent, &die) != 0)
        return false;
    do {
        int tag = dw->dwarf_tag(&die);
        bool function = tag == DW_TAG_subprogram || tag == DW_TAG_inlined_subroutine;
        bool block =
            tag == DW_TAG_lexical_block || tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
        bool scope = tag == DW_TAG_namespace || tag == DW_TAG_module;
        bool here = (function || block) && covers(&die, address);
        if (here && function && chain->count < INLINE_MAX)
            chain->dies[chain->count++] = die;
        if ((here || scope) && (descend(&die, address, chain, depth + 1) || here))
            return true;
    } while (dw->dwarf_siblingof(&die, &die) == 0);
    return false;
}

static void index_functions(Dwarf_Die *parent, spans_t *functions, int depth)
{
    Dwarf_Die die;
    if (depth > DEPTH_MAX || dw->dwarf_child(parent, &die) != 0)
        return;
    do {
        int tag = dw->dwarf_tag(&die);
        if (tag == DW_TAG_subprogram)
            add_ranges(functions, &die);
        if (tag != DW_TAG_inlined_subroutine)
            index_functions(&die, functions, depth + 1);
    } while (dw->dwarf_siblingof(&die, &die) == 0);
}

static unit_index_t *index_of(aiodebug_dwarf_t *d, Dwarf_CU *unit)
{
    for (size_t i = 0; i < d->index_count; i++) {
        if (d->indexes[i].unit == unit)
            return &d->indexes[i];
    }
    unit_index_t *grown = realloc(d->indexes, (d->index_count + 1) * sizeof *grown);
    if (!grown)
        return NULL;
    d->indexes = grown;
    d->indexes[d->index_count] = (unit_index_t){.unit = unit};
    return &d->indexes[d->index_count++];
}

/* `chain` is empty when the unit has no function there. The tree of a split unit is in another
 * file. */
void aiodebug_dwarf_chain(aiodebug_dwarf_t *d, Dwarf_Die *unit, Dwarf_Addr address,
                          aiodebug_chain_t *chain)
{
    Dwarf_Die split, root = *unit;
    uint8_t type;
    chain->count = 0;
    if (dw->dwarf_cu_info(unit->cu, NULL, &type, NULL, &split, NULL, NULL, NULL) == 0 &&
        type == DW_UT_skeleton && split.addr)
        root = split;
    unit_index_t *index = index_of(d, root.cu);
    if (!index || (index->lookups++ < LOOKS && descend(&root, address, chain, 0)))
        return;
    if (!index->walked) {
        index->walked = true;
        index_functions(&root, &index->functions, 0);
        sort_spans(&index->functions);
    }
    Dwarf_Die *function = find_span(&index->functions, address);
    if (function) {
        chain->dies[chain->count++] = *function;
        descend(function, address, chain, 0);
    }
}
