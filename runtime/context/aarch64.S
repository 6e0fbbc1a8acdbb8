/* SPDX-License-Identifier: MIT */
/*
 * The switch for 64-bit ARM (AAPCS64). See context.h.
 *
 * A suspended context, upwards from its saved sp:
 *
 *     x29 x30                       a frame record, as every function keeps one
 *     x19 ... x28, d8 ... d15
 *     [ fpcr, unused ]              only with -DAIORT_CONTEXT_FPU
 *
 * When the compiler signs return addresses (-mbranch-protection, A key), so does the switch: x30 is
 * signed with the sp its caller had, which is the same again when the context is resumed. Landing
 * pads likewise. The guarded control stack is not claimed: the `ret` goes to another stack than the
 * call came from.
 */
#if defined(__aarch64__) && !defined(AIORT_CONTEXT_UCONTEXT)

#if defined(AIORT_CONTEXT_FPU)
#define FRAME_SIZE 176
#else
#define FRAME_SIZE 160
#endif

#if defined(__ARM_FEATURE_BTI_DEFAULT)
#define HAS_BTI 1
#else
#define HAS_BTI 0
#endif

#if defined(__ARM_FEATURE_PAC_DEFAULT) && (__ARM_FEATURE_PAC_DEFAULT & 1)
#define HAS_PAC 1
#else
#define HAS_PAC 0
#endif

        .text

/* In the hint space: nothing on processors that do not know them. */
        .macro landing_pad
#if HAS_BTI
        hint    #34             /* bti c */
#endif
        .endm

        .macro sign
#if HAS_PAC
        hint    #25             /* paciasp */
        .cfi_negate_ra_state
#endif
        .endm

        .macro authenticate
#if HAS_PAC
        hint    #29             /* autiasp */
        .cfi_negate_ra_state
#endif
        .endm

        .macro save a, b, at
        stp     \a, \b, [sp, #\at]
        .cfi_rel_offset \a, \at
        .cfi_rel_offset \b, \at + 8
        .endm

        .macro load a, b, at
        ldp     \a, \b, [sp, #\at]
        .cfi_restore \a
        .cfi_restore \b
        .endm

/* Where a suspended context's registers are, its CFA being the end of its frame. */
        .macro saved_at_cfa
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        .cfi_rel_offset x19, 16
        .cfi_rel_offset x20, 24
        .cfi_rel_offset x21, 32
        .cfi_rel_offset x22, 40
        .cfi_rel_offset x23, 48
        .cfi_rel_offset x24, 56
        .cfi_rel_offset x25, 64
        .cfi_rel_offset x26, 72
        .cfi_rel_offset x27, 80
        .cfi_rel_offset x28, 88
        .cfi_rel_offset d8, 96
        .cfi_rel_offset d9, 104
        .cfi_rel_offset d10, 112
        .cfi_rel_offset d11, 120
        .cfi_rel_offset d12, 128
        .cfi_rel_offset d13, 136
        .cfi_rel_offset d14, 144
        .cfi_rel_offset d15, 152
        .endm

/* Takes up the context whose frame sp points to. */
        .macro resume
#if defined(AIORT_CONTEXT_FPU)
        ldr     x9, [sp, #160]
        msr     fpcr, x9
#endif
        load    d14, d15, 144
        load    d12, d13, 128
        load    d10, d11, 112
        load    d8, d9, 96
        load    x27, x28, 80
        load    x25, x26, 64
        load    x23, x24, 48
        load    x21, x22, 32
        load    x19, x20, 16
        ldp     x29, x30, [sp], #FRAME_SIZE
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        authenticate
        ret
        .endm

/* void aiort__context_switch(void **save_sp: x0, void *to_sp: x1) */
        .globl  aiort__context_switch
        .hidden aiort__context_switch
        .type   aiort__context_switch, %function
        .p2align 4
aiort__context_switch:
        .cfi_startproc
        landing_pad
        sign
        stp     x29, x30, [sp, #-FRAME_SIZE]!
        .cfi_def_cfa_offset FRAME_SIZE
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        save    x19, x20, 16
        save    x21, x22, 32
        save    x23, x24, 48
        save    x25, x26, 64
        save    x27, x28, 80
        save    d8, d9, 96
        save    d10, d11, 112
        save    d12, d13, 128
        save    d14, d15, 144
#if defined(AIORT_CONTEXT_FPU)
        mrs     x9, fpcr
        str     x9, [sp, #160]
#endif
        mov     x9, sp
        str     x9, [x0]
        mov     sp, x1
        resume
        .cfi_endproc
        .size   aiort__context_switch, . - aiort__context_switch

/*
 * Where the first switch to a context returns to, with entry in x19 and its argument in x20. No
 * return address: backtraces end here. What entry returns is the saved sp of the context to go on
 * with.
 */
        .type   aiort__context_start, %function
        .p2align 4
aiort__context_start:
        .cfi_startproc
        .cfi_undefined x30
        .cfi_undefined x29
        nop                     /* for unwinders that look up the return address minus one */
.Lstart:
        mov     x0, x20
        blr     x19
        mov     sp, x0
        .cfi_def_cfa sp, FRAME_SIZE
#if HAS_PAC
        .cfi_negate_ra_state
#endif
        saved_at_cfa
        resume
        .cfi_endproc
        .size   aiort__context_start, . - aiort__context_start

/*
 * void *aiort__context_init(void *stack_top: x0, void *(*entry)(void *): x1, void *arg: x2)
 * The zeros at the very top end the walk of an unwinder that knows no CFI, as x29 = 0 ends one that
 * follows frame records. What else a new context finds in its registers means nothing.
 */
        .globl  aiort__context_init
        .hidden aiort__context_init
        .type   aiort__context_init, %function
        .p2align 4
aiort__context_init:
        .cfi_startproc
        landing_pad
        stp     xzr, xzr, [x0, #-16]
        sub     x16, x0, #16            /* sp at the start, which also signs the address */
        adr     x17, .Lstart
#if HAS_PAC
        hint    #8                      /* pacia1716 */
#endif
        sub     x9, x16, #FRAME_SIZE
        stp     xzr, x17, [x9]
        stp     x1, x2, [x9, #16]
#if defined(AIORT_CONTEXT_FPU)
        mrs     x10, fpcr
        str     x10, [x9, #160]
#endif
        mov     x0, x9
        ret
        .cfi_endproc
        .size   aiort__context_init, . - aiort__context_init

/*
 * void aiort__context_walk(void *saved_sp: x0, void (*fn)(void *): x1, void *arg: x2)
 * While fn runs, x29 holds saved_sp and the CFI describes the suspended frame there. As saved_sp
 * points to a frame record, an unwinder that follows these goes the same way.
 *
 * The nop: libunwind 1.6 remembers what it found for a return address, where the call counts, and
 * answers with it when it is later asked for that very instruction. So both have the same CFI.
 */
        .globl  aiort__context_walk
        .hidden aiort__context_walk
        .type   aiort__context_walk, %function
        .p2align 4
aiort__context_walk:
        .cfi_startproc
        landing_pad
        sign
        stp     x29, x30, [sp, #-16]!
        .cfi_def_cfa_offset 16
        .cfi_rel_offset x29, 0
        .cfi_rel_offset x30, 8
        mov     x29, x0
        .cfi_remember_state
        .cfi_def_cfa x29, FRAME_SIZE
        saved_at_cfa
        mov     x0, x2
        blr     x1
        nop                     /* see above */
        .cfi_restore_state
        ldp     x29, x30, [sp], #16
        .cfi_def_cfa_offset 0
        .cfi_restore x29
        .cfi_restore x30
        authenticate
        ret
        .cfi_endproc
        .size   aiort__context_walk, . - aiort__context_walk

#if HAS_BTI || HAS_PAC
        .section .note.gnu.property, "a", %note
        .p2align 3
        .long   4                       /* name size */
        .long   16                      /* descriptor size */
        .long   5                       /* NT_GNU_PROPERTY_TYPE_0 */
        .asciz  "GNU"
        .long   0xc0000000              /* GNU_PROPERTY_AARCH64_FEATURE_1_AND */
        .long   4
        .long   HAS_BTI + 2 * HAS_PAC
        .long   0
#endif

#endif

#if defined(__linux__)
        .section .note.GNU-stack, "", %progbits
#endif
