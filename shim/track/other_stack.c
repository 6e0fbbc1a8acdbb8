/* SPDX-License-Identifier: MIT */
/*
 * See other_stack.h. The frame is one that libunwind's fast trace knows: found by the frame pointer,
 * with that saved in it.
 */
#include "other_stack.h"

#if defined(__x86_64__) && defined(__LP64__) && !defined(__SANITIZE_ADDRESS__)
#define IN_ASSEMBLY 1
__asm__(".text\n"
        ".globl aiodebug_on_other_stack\n"
        ".hidden aiodebug_on_other_stack\n"
        ".type aiodebug_on_other_stack, @function\n"
        ".p2align 4\n"
        "aiodebug_on_other_stack:\n"
        ".cfi_startproc\n"
        "endbr64\n"
        "pushq %rbp\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset %rbp, -16\n"
        "movq %rsp, %rbp\n"
        ".cfi_def_cfa_register %rbp\n"
        "movq %rdi, %rax\n"
        "movq %rsi, %rdi\n"
        "movl %edx, %esi\n"
        "movq %rcx, %rsp\n"
        "call *%rax\n"
        "movq %rbp, %rsp\n"
        "popq %rbp\n"
        ".cfi_def_cfa %rsp, 8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size aiodebug_on_other_stack, . - aiodebug_on_other_stack\n");
#elif defined(__aarch64__) && !defined(__SANITIZE_ADDRESS__)
#define IN_ASSEMBLY 1
__asm__(".text\n"
        ".globl aiodebug_on_other_stack\n"
        ".hidden aiodebug_on_other_stack\n"
        ".type aiodebug_on_other_stack, %function\n"
        ".p2align 4\n"
        "aiodebug_on_other_stack:\n"
        ".cfi_startproc\n"
        "hint 34\n" /* bti c */
        "stp x29, x30, [sp, #-16]!\n"
        ".cfi_def_cfa_offset 16\n"
        ".cfi_offset x29, -16\n"
        ".cfi_offset x30, -8\n"
        "mov x29, sp\n"
        ".cfi_def_cfa_register x29\n"
        "mov x9, x0\n"
        "mov x0, x1\n"
        "mov w1, w2\n"
        "mov sp, x3\n"
        "blr x9\n"
        "mov sp, x29\n"
        "ldp x29, x30, [sp], #16\n"
        ".cfi_def_cfa sp, 0\n"
        ".cfi_restore x29\n"
        ".cfi_restore x30\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size aiodebug_on_other_stack, . - aiodebug_on_other_stack\n");
#endif

#if !defined(IN_ASSEMBLY)
int aiodebug_on_other_stack(int (*fn)(void **where, int n), void **where, int n, void *top)
{
    (void)top;
    int result = fn(where, n);
    __asm__ volatile("");
    return result;
}
#endif
