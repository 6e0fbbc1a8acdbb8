/* SPDX-License-Identifier: MIT */
/*
 * The frames below main() and below a thread's function.
 *
 * With symbols they are known by name. A distribution's libc is stripped of just these
 * (start_thread,
 * __libc_start_call_main and clone3 are local), so without a name they are known by the code around
 * them, on x86-64: what __libc_start_main calls just before itself, what pthread_create passes on,
 * and a call after which the thread exits. Elsewhere they stay in the traceback as libc.so.6 +
 * offset.
 */
#include <string.h>

#include "symbols_internal.h"

bool aiodebug_in_libc(const char *path)
{
    return path &&
           (aiodebug_module_path_is(path, "libc.so") || aiodebug_module_path_is(path, "libc-2") ||
            aiodebug_module_path_is(path, "libpthread") ||
            aiodebug_module_path_is(path, "libc.musl") || aiodebug_module_path_is(path, "ld-"));
}

static bool named(const char *function, const char *const *names)
{
    for (; *names; names++) {
        if (strcmp(function, *names) == 0)
            return true;
    }
    return false;
}

bool aiodebug_symbols_startup(const aiodebug_frame_t *frame)
{
    static const char *const reserved[] = {"_start",
                                           "_start_c",
                                           "_dl_start_user",
                                           "__libc_start_main",
                                           "__clone3",
                                           "__libc_start_main_impl",
                                           "__clone",
                                           "__libc_start_call_main",
                                           "__clone_internal",
                                           "libc_start_main_stage2",
                                           "__tsan_thread_start_func",
                                           "asan_thread_start",
                                           NULL};
    /* Names a program may have for functions of its own. */
    static const char *const plain[] = {"start_thread", "clone",        "clone3",
                                        "start",        "thread_start", NULL};
    if (frame->startup || !frame->function)
        return frame->startup;
    return named(frame->function, reserved) ||
           (aiodebug_in_libc(frame->module) && named(frame->function, plain));
}

#ifdef __x86_64__

/* An indirect call, FF /2, that ends right before `pc`. */
static bool after_indirect_call(const unsigned char *end)
{
    return (end[-2] == 0xff && (end[-1] & 0xf8) == 0xd0) ||                       /* call *%reg */
           (end[-2] == 0xff && (end[-1] & 0xf8) == 0x10 && (end[-1] & 7) < 4) ||  /* (%reg) */
           (end[-3] == 0xff && (end[-2] & 0xf8) == 0x50 && (end[-2] & 7) != 4) || /* d8(%reg) */
           (end[-3] == 0xff && end[-2] == 0x14) ||                                /* (sib) */
           (end[-4] == 0xff && end[-3] == 0x54) ||                                /* d8(sib) */
           (end[-6] == 0xff && (end[-5] & 0xf8) == 0x90 && (end[-5] & 7) != 4) || /* d32(%reg) */
           (end[-6] == 0xff && end[-5] == 0x15) ||                                /* d32(%rip) */
           (end[-7] == 0xff && (end[-6] == 0x94 || end[-6] == 0x14));             /* d32(sib) */
}

/* Whether a call ends at `pc`; `known` is false when the code cannot be looked at. */
bool aiodebug_after_call(const aiodebug_module_t *module, uintptr_t pc, bool *known)
{
    const unsigned char *code = aiodebug_image_at(&module->file, pc - module->bias - 7, 7);
    *known = code != NULL;
    return code && (code[2] == 0xe8 || after_indirect_call(code + 7));
}

/* Looks in [from, to) for an instruction that begins with `opcode` (`length` bytes, under `mask` in
   the last of them) and refers, relative to its end, to an address in [low, high). */
static bool refers_into(const aiodebug_module_t *module, uint64_t from, uint64_t to,
                        const unsigned char *opcode, size_t length, unsigned mask, uint64_t low,
                        uint64_t high)
{
    const unsigned char *code = aiodebug_image_at(&module->file, from, (size_t)(to - from));
    for (uint64_t at = 0; code && at + length + 4 <= to - from; at++) {
        int32_t relative;
        if (memcmp(code + at, opcode, length - 1) != 0 ||
            (code[at + length - 1] & mask) != opcode[length - 1])
            continue;
        memcpy(&relative, code + at + length, 4);
        uint64_t target = from + at + length + 4 + (uint64_t)(int64_t)relative;
        if (target >= low && target < high)
            return true;
    }
    return false;
}

/* The end of the last symbol before `address`, at most `reach` bytes away. */
static uint64_t symbol_before(const aiodebug_symtab_t *table, uint64_t address, uint64_t reach)
{
    uint64_t end = address > reach ? address - reach : 0;
    for (size_t i = 0; i < table->count && table->symbols[i].start < address; i++)
        end = table->symbols[i].end > end ? table->symbols[i].end : end;
    return end;
}

/* __libc_start_call_main, which calls main(), lies before __libc_start_main, which calls it. */
static bool calls_main(aiodebug_module_t *module, const aiodebug_symtab_t *table, uint64_t pc)
{
    static const unsigned char call[] = {0xe8};
    const aiodebug_symbol_t *start = aiodebug_symtab_named(table, "__libc_start_main");
    return start && pc < start->start && start->start - pc < 512 &&
           refers_into(module, start->start, start->end, call, 1, 0xff,
                       symbol_before(table, pc, 512), pc);
}

/* start_thread lies before pthread_create, which (or a function just before it) takes its address.
 */
static bool calls_thread(aiodebug_module_t *module, const aiodebug_symtab_t *table, uint64_t pc)
{
    static const unsigned char lea[] = {0x48, 0x8d, 0x05};
    const aiodebug_symbol_t *create = aiodebug_symtab_named(table, "pthread_create");
    if (!create || pc >= create->start || create->start - pc > 4096)
        return false;
    uint64_t low = symbol_before(table, pc, 2048);
    return refers_into(module, low, create->end, lea, 3, 0xc7, low, pc);
}

/* mov %rax,%rdi (or %eax,%edi); mov $60,%eax; syscall: clone and clone3 exit with what was
 * returned. */
static bool exits_after(const aiodebug_module_t *module, uint64_t pc)
{
    static const unsigned char leave[] = {0x89, 0xc7, 0xb8, 0x3c, 0, 0, 0, 0x0f, 0x05};
    const unsigned char *code = aiodebug_image_at(&module->file, pc, sizeof leave + 1);
    return code && (memcmp(code, leave, sizeof leave) == 0 ||
                    (code[0] == 0x48 && memcmp(code + 1, leave, sizeof leave) == 0));
}

/* Whether a return address without a name, as the file counts addresses, is a start-up frame's. */
bool aiodebug_startup_code(aiodebug_module_t *module, uint64_t return_address)
{
    aiodebug_module_open(module);
    if (!module->file.data)
        return false;
    if (module->main) {
        /* _start ends in the call of __libc_start_main and a hlt. */
        uint64_t entry = aiodebug_image_header(&module->file)->e_entry;
        const unsigned char *after = aiodebug_image_at(&module->file, return_address, 1);
        return return_address > entry && return_address - entry <= 0x40 && after && *after == 0xf4;
    }
    const unsigned char *code = aiodebug_image_at(&module->file, return_address - 7, 7);
    if (!aiodebug_in_libc(module->name) || !code || !after_indirect_call(code + 7))
        return false;
    const aiodebug_symtab_t *table = aiodebug_module_table(module);
    return calls_main(module, table, return_address) ||
           calls_thread(module, table, return_address) || exits_after(module, return_address);
}

#else

bool aiodebug_after_call(const aiodebug_module_t *module, uintptr_t pc, bool *known)
{
    const unsigned char *code = aiodebug_image_at(&module->file, pc - module->bias - 4, 4);
    bool call = false;
    *known = false;
#ifdef __aarch64__
    uint32_t instruction;
    if (code) {
        memcpy(&instruction, code, 4);
        *known = true;
        call = (instruction & 0xfc000000U) == 0x94000000U ||               /* bl */
               (instruction & 0xfffffc1fU) == 0xd63f0000U ||               /* blr */
               (instruction & 0xfefff800U) == (0xd73f0800U & 0xfefff800U); /* blraa, blrab */
    }
#else
    (void)code;
#endif
    return call;
}

bool aiodebug_startup_code(aiodebug_module_t *module, uint64_t return_address)
{
    (void)module;
    (void)return_address;
    return false;
}

#endif
