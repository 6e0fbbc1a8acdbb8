/* SPDX-License-Identifier: MIT */
/*
 * Unwinds at every instruction of the switch and the walk stub on 64-bit ARM, where a program
 * cannot step itself: one instruction at a time is replaced by a breakpoint, the SIGTRAP handler
 * asks libgcc's _Unwind_Backtrace where it stands, and puts the instruction back. Runs under
 * qemu-aarch64.
 *
 * Each instruction is met twice: going from main() to the coroutine, and going back.
 */
#include <signal.h>
#include <ucontext.h>
#include <unwind.h>
#include <sys/mman.h>

#include "coroutine.h"

#define BREAKPOINT 0xd4200000u
#define RET 0xd65f03c0u

enum { MAX_DEPTH = 32 };

static co_t co;
static bool inside_fn, fn_returned;

NOINLINE static void leaf(co_t *self)
{
    co_suspend(self);
    __asm__ volatile("");
}

NOINLINE static void middle(co_t *self)
{
    leaf(self);
    __asm__ volatile("");
}

static void body(co_t *self)
{
    for (;;) {
        middle(self);
        __asm__ volatile("");
    }
}

NOINLINE static void call_switch(void)
{
    co_resume(&co);
    __asm__ volatile("");
}

NOINLINE static void walked(void *arg)
{
    (void)arg;
    inside_fn = true;
    __asm__ volatile("" ::: "memory");
    inside_fn = false;
    fn_returned = true;
}

NOINLINE static void call_walk(void)
{
    fn_returned = false;
    aiort__context_walk(co.sp, walked, NULL);
    __asm__ volatile("");
}

/* --- the breakpoint --------------------------------------------------------------------------- */

typedef struct {
    uintptr_t functions[MAX_DEPTH]; /* from the interrupted one on */
    int count;
    uintptr_t pc; /* of the interrupted instruction; until it is met, nothing counts */
    bool met;
} chain_t;

static volatile uint32_t *patched;
static uint32_t original;
static void (*check)(uintptr_t pc, uintptr_t sp, const chain_t *chain);
static unsigned checked;

static void set_instruction(volatile uint32_t *at, uint32_t instruction)
{
    *at = instruction;
    __builtin___clear_cache((char *)at, (char *)(at + 1));
}

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
    chain_t *chain = arg;
    int before = 0;
    uintptr_t address = _Unwind_GetIPInfo(context, &before);

    if (before && address == chain->pc) {
        chain->met = true;
    }
    /* Which looks up the byte before the address it is given. */
    if (chain->met && address != 0 && chain->count < MAX_DEPTH) {
        chain->functions[chain->count++] =
            (uintptr_t)_Unwind_FindEnclosingFunction((void *)(before ? address + 1 : address));
    }
    return _URC_NO_REASON;
}

static void on_trap(int signal, siginfo_t *info, void *arg)
{
    ucontext_t *context = arg;
    chain_t chain = {.pc = (uintptr_t)context->uc_mcontext.pc};

    (void)signal;
    (void)info;
    CHECK(chain.pc == (uintptr_t)patched);
    CHECK(_Unwind_Backtrace(on_frame, &chain) == _URC_END_OF_STACK);
    CHECK(chain.met && chain.count > 2);
    check(chain.pc, (uintptr_t)context->uc_mcontext.sp, &chain);
    checked++;
    set_instruction(patched, original);
    patched = NULL;
}

static void set_breakpoint(volatile uint32_t *at)
{
    patched = at;
    original = *at;
    set_instruction(at, BREAKPOINT);
}

static void fail(const char *what, uintptr_t pc, const chain_t *chain)
{
    printf("%s at %#lx\n", what, (unsigned long)pc);
    for (int i = 0; i < chain->count; i++) {
        printf("  frame %d starts at %#lx\n", i, (unsigned long)chain->functions[i]);
    }
    fflush(stdout);
    _exit(1);
}

static bool is_suspended(const chain_t *chain, int at)
{
    const uintptr_t *functions = chain->functions + at;

    return chain->count == at + 6 && functions[0] == (uintptr_t)co_switch &&
           functions[1] == (uintptr_t)leaf && functions[2] == (uintptr_t)middle &&
           functions[3] == (uintptr_t)body && functions[4] == (uintptr_t)co_entry;
}


/* --- the cases -------------------------------------------------------------------------------- */

static void check_switch(uintptr_t pc, uintptr_t sp, const chain_t *chain)
{
    if (chain->functions[0] != (uintptr_t)aiort__context_switch) {
        fail("not in the switch", pc, chain);
    }
    if (sp > (uintptr_t)co.stack && sp <= (uintptr_t)co.stack + STACK_SIZE) {
        if (!is_suspended(chain, 1)) {
            fail("not the coroutine", pc, chain);
        }
    } else if (chain->functions[1] != (uintptr_t)co_switch ||
               chain->functions[2] != (uintptr_t)call_switch) {
        fail("not main()", pc, chain);
    }
}

static void check_walk(uintptr_t pc, uintptr_t sp, const chain_t *chain)
{
    (void)sp;
    if (chain->functions[0] != (uintptr_t)aiort__context_walk) {
        fail("not in the stub", pc, chain);
    }
    if (!is_suspended(chain, 1) && chain->functions[1] != (uintptr_t)call_walk) {
        fail("neither the callers nor the suspended context", pc, chain);
    }
}

static void check_walked(uintptr_t pc, uintptr_t sp, const chain_t *chain)
{
    (void)sp;
    if (chain->functions[0] != (uintptr_t)walked ||
        chain->functions[1] != (uintptr_t)aiort__context_walk || !is_suspended(chain, 2)) {
        fail("in fn: not the suspended context", pc, chain);
    }
}

/* Up to and with its return. */
static int length_of(const volatile uint32_t *code)
{
    int length = 1;

    while (*code++ != RET) {
        length++;
    }
    return length;
}

static volatile uint32_t *writable(uintptr_t function)
{
    uintptr_t page = function & ~(uintptr_t)0xffff;

    CHECK(mprotect((void *)page, 0x20000, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
    return (volatile uint32_t *)function;
}

static void start(void)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};

    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    co_init(&co, body, NULL);
    co_resume(&co);
}

static void arm_and_suspend(volatile uint32_t *at)
{
    set_breakpoint(at);
    call_switch();
    CHECK(!patched);
}

static volatile uint32_t *arm_in_coroutine;

static void body_that_arms(co_t *self)
{
    for (;;) {
        if (arm_in_coroutine) {
            set_breakpoint(arm_in_coroutine);
            arm_in_coroutine = NULL;
        }
        middle(self);
        __asm__ volatile("");
    }
}

static void unwinds_in_the_switch_to_a_coroutine(void)
{
    volatile uint32_t *code = writable((uintptr_t)aiort__context_switch);
    int length = length_of(code);

    start();
    check = check_switch;
    for (int i = 0; i < length; i++) {
        arm_and_suspend(code + i);
    }
    CHECK(checked == (unsigned)length);
    printf("patched aiort__context_switch %d\n", length);
}

static void check_switch_back(uintptr_t pc, uintptr_t sp, const chain_t *chain)
{
    bool inside = sp > (uintptr_t)co.stack && sp <= (uintptr_t)co.stack + STACK_SIZE;
    const uintptr_t *functions = chain->functions;

    if (functions[0] != (uintptr_t)aiort__context_switch || functions[1] != (uintptr_t)co_switch) {
        fail("not in the switch", pc, chain);
    }
    if (inside ? functions[2] != (uintptr_t)leaf || functions[3] != (uintptr_t)middle ||
                     functions[4] != (uintptr_t)body_that_arms ||
                     functions[5] != (uintptr_t)co_entry || chain->count != 7
               : functions[2] != (uintptr_t)call_switch) {
        fail(inside ? "not the coroutine" : "not main()", pc, chain);
    }
}

static void unwinds_in_the_switch_back(void)
{
    volatile uint32_t *code = writable((uintptr_t)aiort__context_switch);
    int length = length_of(code);

    start();
    co_init(&co, body_that_arms, NULL);
    co_resume(&co);
    check = check_switch_back;
    for (int i = 0; i < length; i++) {
        arm_in_coroutine = code + i;
        call_switch();
        CHECK(!patched && !arm_in_coroutine);
    }
    CHECK(checked == (unsigned)length);
}

static void unwinds_in_the_walk_stub(void)
{
    volatile uint32_t *code = writable((uintptr_t)aiort__context_walk);
    int length = length_of(code);

    start();
    check = check_walk;
    for (int i = 0; i < length; i++) {
        set_breakpoint(code + i);
        call_walk();
        CHECK(!patched);
    }
    CHECK(checked == (unsigned)length);
    printf("patched aiort__context_walk %d\n", length);
    code = writable((uintptr_t)walked);
    check = check_walked;
    set_breakpoint(code + 1);
    call_walk();
    CHECK(!patched && fn_returned && checked == (unsigned)length + 1);
}

int main(void)
{
    aiort__fiber_adopt(&co_main.fiber);
    CHECK_RUN(unwinds_in_the_switch_to_a_coroutine);
    CHECK_RUN(unwinds_in_the_switch_back);
    CHECK_RUN(unwinds_in_the_walk_stub);
    return check_done("test_patch");
}
