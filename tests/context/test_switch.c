/* SPDX-License-Identifier: MIT */
/*
 * The switch: what it keeps, where it may happen, and what an unwinder sees of it. Portable: also
 * built with ucontext, under the sanitizers, and for 64-bit ARM.
 */
#include <fenv.h>
#include <unwind.h>

#include "coroutine.h"

/* --- order and state -------------------------------------------------------------------------- */

static char trace[64];
static size_t traced;

static void note(char c)
{
    CHECK(traced < sizeof(trace) - 1);
    trace[traced++] = c;
}

static void say_three(co_t *self)
{
    const char *text = self->arg;

    for (int i = 0; i < 3; i++) {
        note(text[i]);
        co_suspend(self);
    }
}

static void takes_turns(void)
{
    co_t a, b;

    co_init(&a, say_three, "abc");
    co_init(&b, say_three, "xyz");
    for (int i = 0; i < 4; i++) {
        co_resume(&a);
        co_resume(&b);
        note('.');
    }
    CHECK(strcmp(trace, "ax.by.cz..") == 0);
    CHECK(a.finished && b.finished);
}

static void resume_inner(co_t *self)
{
    co_t *inner = self->arg;

    while (!inner->finished) {
        co_resume(inner);
        note('-');
        co_suspend(self);
    }
}

static void nests(void)
{
    co_t inner, outer;

    co_init(&inner, say_three, "abc");
    co_init(&outer, resume_inner, &inner);
    while (!outer.finished) {
        co_resume(&outer);
    }
    CHECK(strcmp(trace, "a-b-c--") == 0);
}

enum { MANY = 1000, ROUNDS = 50 };

/* Each has values of its own, more of both kinds than there are registers to keep them in. */
static void keep_values(co_t *self)
{
    uint64_t seed = (uint64_t)(uintptr_t)self->arg * 0x9e3779b97f4a7c15u;
    uint64_t n[14];
    double x[12];
    double sum = 0;

    for (int i = 0; i < 14; i++) {
        n[i] = seed ^ (uint64_t)i << 56;
    }
    for (int i = 0; i < 12; i++) {
        x[i] = (double)(uintptr_t)self->arg + i / 16.0;
    }
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t n0 = n[0], n1 = n[1], n2 = n[2], n3 = n[3], n4 = n[4], n5 = n[5], n6 = n[6];
        uint64_t n7 = n[7], n8 = n[8], n9 = n[9], n10 = n[10], n11 = n[11];
        double x0 = x[0], x1 = x[1], x2 = x[2], x3 = x[3], x4 = x[4], x5 = x[5], x6 = x[6];
        double x7 = x[7], x8 = x[8], x9 = x[9];

        co_suspend(self);
        CHECK(n0 == n[0] && n1 == n[1] && n2 == n[2] && n3 == n[3] && n4 == n[4] && n5 == n[5]);
        CHECK(n6 == n[6] && n7 == n[7] && n8 == n[8] && n9 == n[9] && n10 == n[10]);
        CHECK(n11 == n[11] && n[12] == (seed ^ (uint64_t)12 << 56));
        sum += x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7 + x8 + x9;
        sum -= x[0] + x[1] + x[2] + x[3] + x[4] + x[5] + x[6] + x[7] + x[8] + x[9];
    }
    CHECK(sum == 0);
}

static void keeps_the_values_of_many(void)
{
    static co_t many[MANY];

    for (int i = 0; i < MANY; i++) {
        co_init(&many[i], keep_values, (void *)(uintptr_t)(i + 1));
    }
    for (int round = 0; round <= ROUNDS; round++) {
        for (int i = 0; i < MANY; i++) {
            co_resume(&many[i]);
        }
    }
    for (int i = 0; i < MANY; i++) {
        CHECK(many[i].finished);
    }
}

#if defined(__x86_64__) || defined(__aarch64__)
/*
 * Every register that the ABI makes a callee keep, by name, around a call of co_switch: what the
 * compiler does with variables may leave some of them unused.
 */
static co_t *registers_peer;

NOINLINE static void yield_for_registers(void)
{
    co_switch(registers_peer, false);
}

NOINLINE static int registers_survive(uint64_t seed)
{
    int wrong;

#if defined(__x86_64__)
    void (*yield)(void) = yield_for_registers;

    __asm__ volatile("subq $128, %%rsp\n\t" /* a leaf function's own */
                     "pushq %%rbp\n\t"
                     "leaq 1(%[seed]), %%rbx\n\t"
                     "leaq 2(%[seed]), %%r12\n\t"
                     "leaq 3(%[seed]), %%r13\n\t"
                     "leaq 4(%[seed]), %%r14\n\t"
                     "leaq 5(%[seed]), %%r15\n\t"
                     "leaq 6(%[seed]), %%rbp\n\t"
                     "pushq %[seed]\n\t"
                     "movq %%rsp, %%rax\n\t"
                     "subq $8, %%rsp\n\t"
                     "andq $-16, %%rsp\n\t"
                     "movq %%rax, (%%rsp)\n\t"
                     "call *%[yield]\n\t"
                     "movq (%%rsp), %%rsp\n\t"
                     "popq %%rax\n\t"
                     "xorl %%ecx, %%ecx\n\t"
                     "incq %%rax\n\t subq %%rax, %%rbx\n\t orq %%rbx, %%rcx\n\t"
                     "incq %%rax\n\t subq %%rax, %%r12\n\t orq %%r12, %%rcx\n\t"
                     "incq %%rax\n\t subq %%rax, %%r13\n\t orq %%r13, %%rcx\n\t"
                     "incq %%rax\n\t subq %%rax, %%r14\n\t orq %%r14, %%rcx\n\t"
                     "incq %%rax\n\t subq %%rax, %%r15\n\t orq %%r15, %%rcx\n\t"
                     "incq %%rax\n\t subq %%rax, %%rbp\n\t orq %%rbp, %%rcx\n\t"
                     "popq %%rbp\n\t"
                     "testq %%rcx, %%rcx\n\t"
                     "setnz %%al\n\t"
                     "movzbl %%al, %[wrong]\n\t"
                     "addq $128, %%rsp\n\t"
                     : [wrong] "=&a"(wrong), [seed] "+D"(seed), [yield] "+S"(yield)
                     :
                     : "rbx", "rcx", "rdx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "memory",
                       "cc");
#else
    register uint64_t in __asm__("x0") = seed;
    register void (*yield)(void) __asm__("x1") = yield_for_registers;

    __asm__ volatile("stp x29, x0, [sp, #-16]!\n\t"
                     "add x19, x0, #19\n\t add x20, x0, #20\n\t add x21, x0, #21\n\t"
                     "add x22, x0, #22\n\t add x23, x0, #23\n\t add x24, x0, #24\n\t"
                     "add x25, x0, #25\n\t add x26, x0, #26\n\t add x27, x0, #27\n\t"
                     "add x28, x0, #28\n\t add x29, x0, #29\n\t"
                     "fmov d8, x19\n\t fmov d9, x20\n\t fmov d10, x21\n\t fmov d11, x22\n\t"
                     "fmov d12, x23\n\t fmov d13, x24\n\t fmov d14, x25\n\t fmov d15, x26\n\t"
                     "blr x1\n\t"
                     "mov x1, #0\n\t mov x2, x29\n\t ldp x29, x0, [sp], #16\n\t"
                     "sub x2, x2, x0\n\t sub x2, x2, #29\n\t orr x1, x1, x2\n\t"
                     "fmov x2, d8\n\t sub x2, x2, x19\n\t orr x1, x1, x2\n\t"
                     "fmov x2, d9\n\t sub x2, x2, x20\n\t orr x1, x1, x2\n\t"
                     "fmov x2, d10\n\t sub x2, x2, x21\n\t orr x1, x1, x2\n\t"
                     "fmov x2, d11\n\t sub x2, x2, x22\n\t orr x1, x1, x2\n\t"
                     "fmov x2, d12\n\t sub x2, x2, x23\n\t orr x1, x1, x2\n\t"
                     "fmov x2, d13\n\t sub x2, x2, x24\n\t orr x1, x1, x2\n\t"
                     "fmov x2, d14\n\t sub x2, x2, x25\n\t orr x1, x1, x2\n\t"
                     "fmov x2, d15\n\t sub x2, x2, x26\n\t orr x1, x1, x2\n\t"
                     "sub x19, x19, #19\n\t sub x19, x19, x0\n\t orr x1, x1, x19\n\t"
                     "sub x20, x20, #20\n\t sub x20, x20, x0\n\t orr x1, x1, x20\n\t"
                     "sub x21, x21, #21\n\t sub x21, x21, x0\n\t orr x1, x1, x21\n\t"
                     "sub x22, x22, #22\n\t sub x22, x22, x0\n\t orr x1, x1, x22\n\t"
                     "sub x23, x23, #23\n\t sub x23, x23, x0\n\t orr x1, x1, x23\n\t"
                     "sub x24, x24, #24\n\t sub x24, x24, x0\n\t orr x1, x1, x24\n\t"
                     "sub x25, x25, #25\n\t sub x25, x25, x0\n\t orr x1, x1, x25\n\t"
                     "sub x26, x26, #26\n\t sub x26, x26, x0\n\t orr x1, x1, x26\n\t"
                     "sub x27, x27, #27\n\t sub x27, x27, x0\n\t orr x1, x1, x27\n\t"
                     "sub x28, x28, #28\n\t sub x28, x28, x0\n\t orr x1, x1, x28\n\t"
                     "cmp x1, #0\n\t cset %w[wrong], ne\n\t"
                     : [wrong] "=r"(wrong), "+r"(in), "+r"(yield)
                     :
                     : "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
                       "x14", "x15", "x16", "x17", "x19", "x20", "x21", "x22", "x23", "x24", "x25",
                       "x26", "x27", "x28", "x30", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7",
                       "v8", "v9", "v10", "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18",
                       "v19", "v20", "v21", "v22", "v23", "v24", "v25", "v26", "v27", "v28", "v29",
                       "v30", "v31", "memory", "cc");
#endif
    return wrong;
}

static void spoil_registers(co_t *self)
{
    for (uint64_t i = 1;; i++) {
        registers_peer = self->resumer;
        CHECK(registers_survive(i << 32) == 0);
    }
}

static void keeps_every_register(void)
{
    co_t other;

    co_init(&other, spoil_registers, NULL);
    other.resumer = co_current;
    for (uint64_t i = 1; i < 100; i++) {
        registers_peer = &other;
        CHECK(registers_survive(i << 48) == 0);
    }
    co_drop(&other);
}
#endif

/* --- floating point --------------------------------------------------------------------------- */

static void print_numbers(co_t *self)
{
    char text[128];
    double x = 1.0 / 3;

    for (int i = 0; i < 3; i++) {
        __attribute__((aligned(16))) char aligned[16];

        /* Aligned vector stores in the library crash on a stack that is not. */
        CHECK((uintptr_t)aligned % 16 == 0);
        snprintf(text, sizeof(text), "%.3f %Lg %d", x, (long double)i / 2, i);
        CHECK(strncmp(text, "0.333 ", 6) == 0);
        co_suspend(self);
    }
}

static void aligns_the_stack(void)
{
    for (size_t below = 0; below < 2048; below += 192) {
        co_t co;
        char *stack;

        co_init(&co, print_numbers, NULL);
        stack = co.stack;
        aiort__fiber_destroy(&co.fiber);
        co_init_at(&co, stack, below, print_numbers, NULL);
        while (!co.finished) {
            co_resume(&co);
        }
        munmap(stack, STACK_SIZE);
    }
}

#if !defined(AIORT_CONTEXT_UCONTEXT) /* there, the library decides */
static void round_upward(co_t *self)
{
    CHECK(fegetround() == FE_TONEAREST);
    fesetround(FE_UPWARD);
    co_suspend(self);
#if defined(AIORT_CONTEXT_FPU)
    CHECK(fegetround() == FE_UPWARD);
#else
    CHECK(fegetround() == FE_DOWNWARD);
#endif
}

/* Rounding belongs to the thread, or with -DAIORT_CONTEXT_FPU to the context. */
static void keeps_control_words_as_built(void)
{
    co_t co;

    co_init(&co, round_upward, NULL);
    co_resume(&co);
#if defined(AIORT_CONTEXT_FPU)
    CHECK(fegetround() == FE_TONEAREST);
#else
    CHECK(fegetround() == FE_UPWARD);
#endif
    fesetround(FE_DOWNWARD);
    co_resume(&co);
    CHECK(co.finished);
#if defined(AIORT_CONTEXT_FPU)
    CHECK(fegetround() == FE_DOWNWARD);
#endif
}
#endif

/* --- depth and reuse -------------------------------------------------------------------------- */

NOINLINE static int sum_up_to(co_t *self, int n)
{
    volatile char frame[128];
    int sum;

    frame[n % 128] = (char)n;
    if (n == 0) {
        return 0;
    }
    co_suspend(self);
    sum = n + sum_up_to(self, n - 1);
    CHECK(frame[n % 128] == (char)n);
    return sum;
}

static void recurse(co_t *self)
{
    CHECK(sum_up_to(self, 100) == 5050);
}

static void switches_at_any_depth(void)
{
    co_t a, b;

    co_init(&a, recurse, NULL);
    co_init(&b, recurse, NULL);
    while (!a.finished || !b.finished) {
        if (!a.finished) {
            co_resume(&a);
        }
        if (!b.finished) {
            co_resume(&b);
        }
    }
}

static void reuses_a_stack(void)
{
    co_t co;
    char *stack;

    co_init(&co, recurse, NULL);
    stack = co.stack;
    for (int i = 0; i < 200; i++) {
        while (!co.finished) {
            co_resume(&co);
        }
        co_init_at(&co, stack, (size_t)i * 16 % 1024, recurse, NULL);
    }
    co_drop(&co);
}

/* --- what an unwinder sees -------------------------------------------------------------------- */

enum { MAX_FRAMES = 32 };

typedef struct {
    uintptr_t functions[MAX_FRAMES]; /* where each frame's function starts, innermost first */
    int count;
    _Unwind_Reason_Code code;
} frames_t;

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
    frames_t *frames = arg;
    uintptr_t address = _Unwind_GetIP(context);

    if (frames->count == MAX_FRAMES) {
        return _URC_NORMAL_STOP;
    }
    if (address != 0) { /* libgcc shows an empty frame past the outermost */
        frames->functions[frames->count++] =
            (uintptr_t)_Unwind_FindEnclosingFunction((void *)address); /* looks one byte before */
    }
    return _URC_NO_REASON;
}

NOINLINE static void collect(void *arg)
{
    frames_t *frames = arg;

    frames->count = 0;
    frames->code = _Unwind_Backtrace(on_frame, frames);
}

static int index_of(const frames_t *frames, uintptr_t function)
{
    for (int i = 0; i < frames->count; i++) {
        if (frames->functions[i] == function) {
            return i;
        }
    }
    return -1;
}

static frames_t seen;

NOINLINE static void leaf(co_t *self)
{
    collect(&seen);
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
    middle(self);
    __asm__ volatile("");
}

/* leaf, middle, body and co_entry in a row; then one frame at most, of ours, and the end. */
static void check_chain(const frames_t *frames, int at, bool to_the_end)
{
    CHECK(at >= 0 && at + 3 < frames->count);
    CHECK(frames->functions[at] == (uintptr_t)leaf);
    CHECK(frames->functions[at + 1] == (uintptr_t)middle);
    CHECK(frames->functions[at + 2] == (uintptr_t)body);
    CHECK(frames->functions[at + 3] == (uintptr_t)co_entry);
    if (to_the_end) {
        CHECK(frames->count <= at + 6);
        CHECK(frames->code == _URC_END_OF_STACK);
    }
}

static void ends_a_backtrace_at_the_entry(void)
{
    co_t co;

    co_init(&co, body, NULL);
    co_resume(&co);
    check_chain(&seen, index_of(&seen, (uintptr_t)leaf), true);
#if !defined(AIORT_CONTEXT_UCONTEXT)
    CHECK(seen.count == index_of(&seen, (uintptr_t)leaf) + 5);
#endif
    co_resume(&co);
    CHECK(co.finished);
}

NOINLINE static void walk(co_t *co, frames_t *frames)
{
    aiort__context_walk(co->sp, collect, frames);
    __asm__ volatile("");
}

/* Of a suspended context; none when checkers mind that what lies between the variables is read. */
static size_t comparable_bytes(const co_t *co)
{
#if defined(AIORT__FIBER_ASAN)
    (void)co;
    return 0;
#else
#if defined(RUNNING_ON_VALGRIND)
    if (RUNNING_ON_VALGRIND) {
        return 0;
    }
#endif
    return (size_t)(co->stack + STACK_SIZE - (char *)co->sp);
#endif
}

/* The suspended frames follow those of the stub; those of who asks do not appear. */
static void walks_a_suspended_context(void)
{
    static char before[STACK_SIZE];
    frames_t frames;
    size_t size;
    co_t co;
    int at;

    co_init(&co, body, NULL);
    co_resume(&co);
    size = comparable_bytes(&co);
    memcpy(before, co.sp, size);
    walk(&co, &frames);
    CHECK(memcmp(before, co.sp, size) == 0);
    at = index_of(&frames, (uintptr_t)aiort__context_walk);
    CHECK(at > 0);
#if defined(AIORT_CONTEXT_UCONTEXT)
    CHECK(frames.functions[at + 1] == (uintptr_t)walk);
#else
    CHECK(index_of(&frames, (uintptr_t)walk) < 0);
    CHECK(frames.functions[at + 1] == (uintptr_t)co_switch);
    while (at < frames.count && frames.functions[at] != (uintptr_t)leaf) {
        at++;
    }
    check_chain(&frames, at, true);
    CHECK(frames.count == at + 5);
#endif
    co_resume(&co);
    CHECK(co.finished);
}

#if !defined(AIORT_CONTEXT_UCONTEXT)
static void walks_a_context_not_started(void)
{
    frames_t frames;
    co_t co;
    int at;

    co_init(&co, body, NULL);
    walk(&co, &frames);
    at = index_of(&frames, (uintptr_t)aiort__context_walk);
    CHECK(at > 0 && frames.count == at + 2 && frames.code == _URC_END_OF_STACK);
    co_drop(&co);
}
#endif

int main(void)
{
    aiort__fiber_adopt(&co_main.fiber);
    CHECK_RUN(takes_turns);
    CHECK_RUN(nests);
    CHECK_RUN(keeps_the_values_of_many);
#if defined(__x86_64__) || defined(__aarch64__)
    CHECK_RUN(keeps_every_register);
#endif
    CHECK_RUN(aligns_the_stack);
#if !defined(AIORT_CONTEXT_UCONTEXT)
    CHECK_RUN(keeps_control_words_as_built);
#endif
    CHECK_RUN(switches_at_any_depth);
    CHECK_RUN(reuses_a_stack);
    CHECK_RUN(ends_a_backtrace_at_the_entry);
    CHECK_RUN(walks_a_suspended_context);
#if !defined(AIORT_CONTEXT_UCONTEXT)
    CHECK_RUN(walks_a_context_not_started);
#endif
    return check_done("test_switch");
}
