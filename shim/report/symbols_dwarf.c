/* SPDX-License-Identifier: MIT */
/* Frames from DWARF: names, files and lines of the functions that symbols_units.c finds. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "symbols_libdw.h"

static const aiodebug_libdw_t *const dw = &aiodebug_libdw;

static const char *string_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    return dw->dwarf_formstring(dw->dwarf_attr_integrate(die, name, &attribute));
}

static int number_of(Dwarf_Die *die, unsigned name)
{
    Dwarf_Attribute attribute;
    Dwarf_Word value;
    bool known = dw->dwarf_formudata(dw->dwarf_attr_integrate(die, name, &attribute), &value) == 0;
    return known && value <= INT32_MAX ? (int)value : 0;
}

/* The linkage name, which symbols.c demangles, tells C++'s overloads and classes apart. */
static const char *function_name(Dwarf_Die *die)
{
    const char *linkage = string_of(die, DW_AT_linkage_name);
    if (!linkage)
        linkage = string_of(die, DW_AT_MIPS_linkage_name);
    const char *plain = dw->dwarf_diename(die);
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
    if (dw->dwarf_cu_info(unit->cu, &version, NULL, NULL, NULL, NULL, NULL, NULL) == 0 &&
        (number > 0 || version >= 5) && dw->dwarf_getsrcfiles(unit, &files, &count) == 0 &&
        number < count)
        set_path(frame, dw->dwarf_filesrc(files, number, NULL, NULL), unit, skeleton, built);
}

static void set_line(aiodebug_frame_t *frame, Dwarf_Die *unit, Dwarf_Addr address, time_t built)
{
    Dwarf_Line *line = dw->dwarf_getsrc_die(unit, address);
    if (!line)
        return;
    set_path(frame, dw->dwarf_linesrc(line, NULL, NULL), unit, unit, built);
    dw->dwarf_lineno(line, &frame->line);
    dw->dwarf_linecol(line, &frame->column);
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
    if (dw->dwarf_formudata(dw->dwarf_attr_integrate(die, names[0], &attribute), &file) == 0 &&
        dw->dwarf_cu_info(attribute.cu, NULL, NULL, &unit, NULL, NULL, NULL, NULL) == 0)
        set_file(frame, (size_t)file, &unit, skeleton, built);
    frame->line = number_of(die, names[1]);
    frame->column = number_of(die, names[2]);
}

/* libc is left out: where its debug information is installed, unpacking that takes a tenth of a
   second, and its symbols name it well enough. */
static Dwarf_Die *module_unit(aiodebug_module_t *module, Dwarf_Addr address)
{
    if (!module->has_dwarf && aiodebug_dwarf_state() != DWARF_LOADING) {
        module->has_dwarf = true;
        aiodebug_module_open(module);
        if (!aiodebug_in_libc(module->name))
            module->dwarf =
                aiodebug_dwarf_open(module->debug.data ? &module->debug : &module->file);
        aiodebug_image_release(&module->file);
        aiodebug_image_release(&module->debug);
    }
    return module->dwarf ? aiodebug_dwarf_unit(module->dwarf, address) : NULL;
}

/* Innermost first. 0 when there is no DWARF for the address; `out` may then still have file and
   line, of code without a function (assembler). */
int aiodebug_dwarf_frames(aiodebug_module_t *module, uint64_t address, aiodebug_frame_t *out,
                          int max)
{
    static const unsigned call_site[] = {DW_AT_call_file, DW_AT_call_line, DW_AT_call_column};
    aiodebug_chain_t chain;
    int n = 0;
    Dwarf_Die *unit = module_unit(module, address);
    if (!unit)
        return 0;
    aiodebug_dwarf_chain(module->dwarf, unit, address, &chain);
    set_line(&out[0], unit, address, module->file.modified);
    for (int i = chain.count - 1; i >= 0 && n < max; i--) {
        Dwarf_Die *die = &chain.dies[i];
        aiodebug_frame_t *frame = &out[n++];
        frame->function = function_name(die);
        frame->inlined = dw->dwarf_tag(die) == DW_TAG_inlined_subroutine;
        if (n < max && i > 0)
            set_coordinates(&out[n], die, unit, module->file.modified, call_site);
    }
    return n;
}

/* The function itself, not what is inlined at its first instruction, and where it is defined. */
bool aiodebug_dwarf_function(aiodebug_module_t *module, uint64_t address, aiodebug_frame_t *out)
{
    static const unsigned definition[] = {DW_AT_decl_file, DW_AT_decl_line, DW_AT_decl_column};
    aiodebug_chain_t chain;
    Dwarf_Die *unit = module_unit(module, address);
    if (!unit)
        return false;
    aiodebug_dwarf_chain(module->dwarf, unit, address, &chain);
    while (chain.count > 0 && dw->dwarf_tag(&chain.dies[chain.count - 1]) != DW_TAG_subprogram)
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
