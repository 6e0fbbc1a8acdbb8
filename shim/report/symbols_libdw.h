/* SPDX-License-Identifier: MIT */
/* libdw's functions, found at run time; for symbols_libdw.c, symbols_units.c and symbols_dwarf.c
 * only. */
#ifndef AIODEBUG_REPORT_SYMBOLS_LIBDW_H
#define AIODEBUG_REPORT_SYMBOLS_LIBDW_H

#include <dwarf.h>
#include <elfutils/libdw.h>

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
/* Filled in before aiodebug_dwarf_state() is DWARF_READY, not changed after. */
typedef struct {
    LIBDW_FUNCTIONS(DECLARE)
} aiodebug_libdw_t;
#undef DECLARE

extern aiodebug_libdw_t aiodebug_libdw;

/* The functions around an address, outermost first: a subprogram and what is inlined into it. */
typedef struct {
    Dwarf_Die dies[INLINE_MAX];
    int count;
} aiodebug_chain_t;

/* symbols_units.c */
Dwarf_Die *aiodebug_dwarf_unit(aiodebug_dwarf_t *dwarf, Dwarf_Addr address);
void aiodebug_dwarf_chain(aiodebug_dwarf_t *dwarf, Dwarf_Die *unit, Dwarf_Addr address,
                          aiodebug_chain_t *chain);

#endif
