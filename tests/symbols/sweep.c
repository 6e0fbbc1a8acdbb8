/* SPDX-License-Identifier: MIT */
/* Names addresses all over the code of a library, for comparison with another program that does:
   lines of "ADDRESS FUNCTION FILE FUNCTION FILE...", FILE being NAME:LINE without directory,
   innermost first. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/symbols.h"

typedef struct {
    const char *name;
    uintptr_t bias, low, high;
} code_t;

static int find_code(struct dl_phdr_info *info, size_t size, void *argument)
{
    code_t *code = argument;
    (void)size;
    if (strcmp(info->dlpi_name, code->name) != 0)
        return 0;
    code->bias = info->dlpi_addr;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type == PT_LOAD && (h->p_flags & PF_X)) {
            code->low = code->bias + h->p_vaddr;
            code->high = code->low + h->p_filesz;
        }
    }
    return 1;
}

static void print_frame(const aiodebug_frame_t *frame)
{
    const char *slash = frame->file ? strrchr(frame->file, '/') : NULL;
    printf(" %s", frame->function ? frame->function : "??");
    if (frame->file)
        printf(" %s:%d", slash ? slash + 1 : frame->file, frame->line);
    else
        printf(" ??:0");
}

int main(int argc, char **argv)
{
    code_t code = {.name = argc > 2 ? argv[1] : ""};
    unsigned count = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    if (!dlopen(code.name, RTLD_LAZY) || !dl_iterate_phdr(find_code, &code))
        return 1;
    for (unsigned i = 0; i < count; i++) {
        aiodebug_frame_t frames[32];
        uintptr_t pc = code.low + (code.high - code.low) / count * i;
        int n = aiodebug_symbols_resolve(pc + 1, frames, 32);
        printf("0x%lx", (unsigned long)(pc - code.bias));
        for (int j = 0; j < n; j++)
            print_frame(&frames[j]);
        printf("\n");
    }
    return 0;
}
