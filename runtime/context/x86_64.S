/* SPDX-License-Identifier: MIT */
/*
 * The switch for x86-64, System V ABI. See context.h.
 *
 * A suspended context, upwards from its saved sp:
 *
 *     [ mxcsr, x87 control word ]   only with -DAIORT_CONTEXT_FPU (2 ns more a switch)
 *     r15 r14 r13 r12 rbx rbp
 *     return address
 *
 * All contexts that ever ran have this one layout, so the CFI stays true when rsp moves from one to
 * the other. One that has not started is the address of its return address (that of the start) with
 * the lowest bit set, as stacks are even; what it begins with lies below:
 *
 *     [ mxcsr, x87 control word ]
 *     entry, its argument
 *     return address
 *
 * Only indirect-branch tracking is claimed in the note below. Shadow stacks are not: the `ret` goes
 * to another stack than the `call` came from.
 */
#if defined(__x86_64__) && defined(__LP64__) && !defined(AIORT_CONTEXT_UCONTEXT)

#if defined(AIORT_CONTEXT_FPU)
#define FPU_SIZE 8
#else
#define FPU_SIZE 0
#endif
#define FRAME_SIZE (FPU_SIZE + 56) /* return address included */

        .text

        .macro save reg
        pushq   %\reg
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %\reg, 0
        .endm

        .macro load reg
        popq    %\reg
        .cfi_adjust_cfa_offset -8
        .cfi_restore %\reg
        .endm

/* All of a suspended context but its return address, which rsp points to afterwards. */
        .macro load_all
#if FPU_SIZE
        ldmxcsr (%rsp)
        fldcw   4(%rsp)
        addq    $FPU_SIZE, %rsp
        .cfi_adjust_cfa_offset -FPU_SIZE
#endif
        load    r15
        load    r14
        load    r13
        load    r12
        load    rbx
        load    rbp
        .endm

/* void aiort__context_switch(void **save_sp: rdi, void *to_sp: rsi) */
        .globl  aiort__context_switch
        .hidden aiort__context_switch
        .type   aiort__context_switch, @function
        .p2align 4
aiort__context_switch:
        .cfi_startproc
        endbr64
        save    rbp
        save    rbx
        save    r12
        save    r13
        save    r14
        save    r15
#if FPU_SIZE
        subq    $FPU_SIZE, %rsp
        .cfi_adjust_cfa_offset FPU_SIZE
        stmxcsr (%rsp)
        fnstcw  4(%rsp)
#endif
        movq    %rsp, (%rdi)
        testb   $1, %sil
        jnz     .Lfresh
        movq    %rsi, %rsp
        .cfi_remember_state
        load_all
        ret
/* A jump to code known to the processor, and not a `ret` to where it never returned to before. */
.Lfresh:
        .cfi_restore_state
        leaq    -1(%rsi), %rsp
        .cfi_def_cfa %rsp, 8
        .cfi_restore %rbp
        .cfi_restore %rbx
        .cfi_restore %r12
        .cfi_restore %r13
        .cfi_restore %r14
        .cfi_restore %r15
        jmp     .Lstart
        .cfi_endproc
        .size   aiort__context_switch, . - aiort__context_switch

/*
 * Where the first switch to a context goes on, with rsp at the return address that names this place.
 * The stack pointer is aligned at the call. No return address: backtraces end here.
 *
 * What entry returns is the saved sp of the context to go on with. The last step there is a jump and
 * not a `ret`: nobody called what it goes on with from here, so the processor would foresee the
 * return of the frame further out, and so on for all of them.
 */
        .type   aiort__context_start, @function
        .p2align 4
aiort__context_start:
        .cfi_startproc
        .cfi_undefined %rip
        .cfi_undefined %rbp
        nop                     /* for unwinders that look up the return address minus one */
.Lstart:
        movq    -8(%rsp), %rdi
        movq    -16(%rsp), %rax
#if FPU_SIZE
        ldmxcsr -24(%rsp)
        fldcw   -20(%rsp)
#endif
        xorl    %ebp, %ebp      /* ends the walk of who follows frame pointers */
        addq    $8, %rsp
        call    *%rax
        movq    %rax, %rsp
        .cfi_def_cfa %rsp, FRAME_SIZE
        .cfi_offset %rip, -8
        .cfi_offset %rbp, -16
        .cfi_offset %rbx, -24
        .cfi_offset %r12, -32
        .cfi_offset %r13, -40
        .cfi_offset %r14, -48
        .cfi_offset %r15, -56
        load_all
        addq    $8, %rsp
        .cfi_adjust_cfa_offset -8
        notrack jmp *-8(%rsp)
        .cfi_endproc
        .size   aiort__context_start, . - aiort__context_start

/*
 * void *aiort__context_init(void *stack_top: rdi, void *(*entry)(void *): rsi, void *arg: rdx)
 * The 16 bytes of zeros at the very top end the walk of an unwinder that knows no CFI, as rbp = 0
 * (see the start) ends one that follows frame pointers.
 */
        .globl  aiort__context_init
        .hidden aiort__context_init
        .type   aiort__context_init, @function
        .p2align 4
aiort__context_init:
        .cfi_startproc
        endbr64
        leaq    -(24 - 1)(%rdi), %rax
        leaq    .Lstart(%rip), %rcx
#if FPU_SIZE
        stmxcsr -48(%rdi)
        fnstcw  -44(%rdi)
#endif
        movq    %rsi, -40(%rdi)
        movq    %rdx, -32(%rdi)
        movq    %rcx, -24(%rdi)
        xorl    %ecx, %ecx
        movq    %rcx, -16(%rdi)
        movq    %rcx, -8(%rdi)
        ret
        .cfi_endproc
        .size   aiort__context_init, . - aiort__context_init

/*
 * void aiort__context_walk(void *saved_sp: rdi, void (*fn)(void *): rsi, void *arg: rdx)
 * While fn runs, rbp holds saved_sp and the CFI describes the suspended frame there. Because that is
 * a CFA by rbp with rbp itself saved at a fixed place, libunwind's fast trace follows it too.
 *
 * The nop: libunwind 1.6 remembers what it found for a return address, where the call counts, and
 * answers with it when it is later asked for that very instruction. So both have the same CFI.
 */
        .globl  aiort__context_walk
        .hidden aiort__context_walk
        .type   aiort__context_walk, @function
        .p2align 4
aiort__context_walk:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_adjust_cfa_offset 8
        .cfi_rel_offset %rbp, 0
        /* Of one that has not started the return address must be found where others have theirs. */
        movl    %edi, %eax
        andl    $1, %eax
        imulq   $(8 - FRAME_SIZE - 1), %rax, %rax
        leaq    (%rdi, %rax), %rbp
        .cfi_remember_state
        .cfi_def_cfa %rbp, FRAME_SIZE
        .cfi_offset %rbp, -16
        .cfi_offset %rbx, -24
        .cfi_offset %r12, -32
        .cfi_offset %r13, -40
        .cfi_offset %r14, -48
        .cfi_offset %r15, -56
        movq    %rdx, %rdi
        call    *%rsi
        nop                     /* see above */
        .cfi_restore_state
        popq    %rbp
        .cfi_def_cfa_offset 8   /* adjusted, clang 14 would reckon from the state left */
        .cfi_restore %rbp
        ret
        .cfi_endproc
        .size   aiort__context_walk, . - aiort__context_walk

        .section .note.gnu.property, "a", %note
        .p2align 3
        .long   4               /* name size */
        .long   16              /* descriptor size */
        .long   5               /* NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .long   0xc0000002      /* GNU_PROPERTY_X86_FEATURE_1_AND */
        .long   4
        .long   1               /* IBT, and not 2, SHSTK */
        .long   0

#endif

#if defined(__linux__)
        .section .note.GNU-stack, "", %progbits
#endif
