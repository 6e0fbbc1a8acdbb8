/* SPDX-License-Identifier: MIT */
/*
 * Unwinds with libunwind at every single instruction of the switch, the entry and the walk stub, as
 * a profiler's signal may: the trap flag is set, and the SIGTRAP handler looks at where it came
 * from.
 *
 * What is to be seen does not depend on how the code is written: as long as the stack pointer is on
 * main()'s stack it is main()'s callers, and from then on the coroutine's, down to its end. In the
 * walk stub it is the suspended coroutine's inside the called function, and one of the two all
 * through. Also: what unw_backtrace(), libunwind's fast trace, says of the same. x86-64 only.
 *
 * Prints "stepped FUNCTION N" for each, N distinct instructions, for run.sh to compare with the
 * code.
 */
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <signal.h>
#include <ucontext.h>

#include "coroutine.h"

enum { MAX_DEPTH = 16, MAX_INSTRUCTIONS = 128 };

static co_t co;

/* --- what is unwound -------------------------------------------------------------------------- */

/*
 * Functions that call another one with known values in every register that a callee must keep: what
 * the unwinder says of these, in their frames, is checked too. void outer(void (*call)(void))
 * stands on main()'s side and void middle(co_t *self) on the coroutine's.
 */
#define OUTER_VALUE 0x10000000
#define MIDDLE_VALUE 0x20000000

#define STRING(x) #x
#define NUMBER(x) STRING(x)
#define PUSH(reg) "pushq %" reg "\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset " reg ", 0\n"
#define POP(reg) "popq %" reg "\n.cfi_adjust_cfa_offset -8\n.cfi_restore " reg "\n"
#define HOLD(name, value, call)                                                                    \
    __asm__(                                                                                       \
        ".text\n.p2align 4\n.type " name ", @function\n" name ":\n"                                \
        ".cfi_startproc\nendbr64\n" PUSH("rbp") PUSH("rbx") PUSH("r12") PUSH("r13") PUSH("r14")    \
            PUSH("r15") "subq $8, %rsp\n.cfi_adjust_cfa_offset 8\n"                                \
                        "movq $" NUMBER(value) " + 1, %rbx\nmovq $" NUMBER(                        \
                            value) " + 2, %rbp\n"                                                  \
                                   "movq $" NUMBER(value) " + 3, %r12\nmovq $" NUMBER(             \
                                       value) " + 4, %r13\n"                                       \
                                              "movq $" NUMBER(value) " + 5, %r14\nmovq $" NUMBER(  \
                                                  value) " + 6, %r15\n"                            \
                                                         "call " call "\naddq $8, "                \
                                                         "%rsp\n.cfi_adjust_cfa_offset -8\n" POP(  \
                                                             "r15") POP("r14") POP("r13")          \
                                                             POP("r12") POP("rbx")                 \
                                                                 POP("rbp") "ret\n.cfi_endproc\n." \
                                                                            "size " name           \
                                                                            ", . - " name "\n")

void outer(void (*call)(void)) __asm__("outer") __attribute__((visibility("hidden")));
void middle(co_t *self) __asm__("middle") __attribute__((visibility("hidden")));
void leaf(co_t *self) __asm__("leaf") __attribute__((visibility("hidden")));

HOLD("outer", OUTER_VALUE, "*%rdi");
HOLD("middle", MIDDLE_VALUE, "leaf");

/* Called only from the assembly above. */
__attribute__((used)) NOINLINE void leaf(co_t *self)
{
    co_suspend(self);
    __asm__ volatile("");
}

static void body(co_t *self)
{
    middle(self);
    __asm__ volatile("");
}

NOINLINE static void call_switch(void)
{
    co_resume(&co);
    __asm__ volatile("");
}

NOINLINE static void call_init(void)
{
    co.sp = aiort__context_init(co.stack + STACK_SIZE, co_entry, &co);
    __asm__ volatile("");
}

static int inside_fn;

NOINLINE static void walked(void *arg)
{
    (void)arg;
    inside_fn++;
    __asm__ volatile("" ::: "memory");
}

NOINLINE static void call_walk(void)
{
    aiort__context_walk(co.sp, walked, NULL);
    __asm__ volatile("");
}

/* --- what is seen at an instruction ----------------------------------------------------------- */

typedef struct {
    const char *name;
    uintptr_t start;
    uintptr_t seen[MAX_INSTRUCTIONS];
    int count;
} function_t;

/* The entry has no global name; it is what lies between. */
enum { SWITCH, START, INIT, WALK, FUNCTIONS };

static function_t functions[FUNCTIONS] = {
    {.name = "aiort__context_switch"},
    {.name = "aiort__context_start"},
    {.name = "aiort__context_init"},
    {.name = "aiort__context_walk"},
};

static const char *scenario;

static bool frame_is(uintptr_t function, void (*expected)(void))
{
    return function == (uintptr_t)expected;
}

#define FRAME_IS(function, expected) frame_is(function, (void (*)(void))(expected))

static void fail(const char *what, uintptr_t pc, const uintptr_t *chain, int depth)
{
    printf("%s: at %#lx, %#lx past the switch: %s\n", scenario, (unsigned long)pc,
           (unsigned long)(pc - functions[SWITCH].start), what);
    for (int i = 0; i < depth; i++) {
        printf("  frame %d starts at %#lx\n", i, (unsigned long)chain[i]);
    }
    fflush(stdout);
    _exit(1);
}

/* In the frames of the two functions above, as they were at their call. */
static bool registers_are_kept(unw_cursor_t *cursor, uintptr_t function)
{
    static const int registers[] = {UNW_X86_64_RBX, UNW_X86_64_RBP, UNW_X86_64_R12,
                                    UNW_X86_64_R13, UNW_X86_64_R14, UNW_X86_64_R15};
    unw_word_t expected, value;

    if (FRAME_IS(function, outer)) {
        expected = OUTER_VALUE;
    } else if (FRAME_IS(function, middle)) {
        expected = MIDDLE_VALUE;
    } else {
        return true;
    }
    for (int i = 0; i < 6; i++) {
        if (unw_get_reg(cursor, registers[i], &value) != 0 || value != ++expected) {
            return false;
        }
    }
    return true;
}

/* The functions of the frames, innermost first; the unwinding must end by itself. */
static int unwind(ucontext_t *context, uintptr_t pc, uintptr_t *chain)
{
    unw_cursor_t cursor;
    unw_proc_info_t info;
    int depth = 0, code;

    if (unw_init_local2(&cursor, context, UNW_INIT_SIGNAL_FRAME) < 0) {
        fail("no cursor", pc, chain, 0);
    }
    do {
        if (unw_get_proc_info(&cursor, &info) < 0 || depth == MAX_DEPTH) {
            fail("no such function", pc, chain, depth);
        }
        chain[depth++] = info.start_ip;
        if (!registers_are_kept(&cursor, info.start_ip)) {
            fail("wrong registers in the last frame", pc, chain, depth);
        }
        code = unw_step(&cursor);
    } while (code > 0);
    if (code < 0) {
        fail("no way out", pc, chain, depth);
    }
    return depth;
}

static bool is_callers(const uintptr_t *chain, int depth, void (*call)(void))
{
    return depth >= 4 && FRAME_IS(chain[0], call) && FRAME_IS(chain[1], outer);
}

static bool is_suspended(const uintptr_t *chain, int depth)
{
    return depth == 6 && FRAME_IS(chain[0], co_switch) && FRAME_IS(chain[1], leaf) &&
           FRAME_IS(chain[2], middle) && FRAME_IS(chain[3], body) && FRAME_IS(chain[4], co_entry) &&
           chain[5] == functions[START].start;
}

static bool is_main_switching(const uintptr_t *chain, int depth)
{
    return FRAME_IS(chain[0], co_switch) && is_callers(chain + 1, depth - 1, call_switch);
}

static bool on_coroutine(uintptr_t sp)
{
    return sp > (uintptr_t)co.stack && sp <= (uintptr_t)co.stack + STACK_SIZE;
}

static bool finished;
static enum { NOT_YET, WALKING, WALKED } walk_phase;

/* chain[0] is the switch itself. */
static void check_switch(uintptr_t pc, uintptr_t sp, const uintptr_t *chain, int depth)
{
    if (!on_coroutine(sp)) {
        if (!is_main_switching(chain + 1, depth - 1)) {
            fail("not main's callers", pc, chain, depth);
        }
    } else if (!is_suspended(chain + 1, depth - 1) &&
               !(depth == 2 && chain[1] == functions[START].start)) {
        fail("not the coroutine's callers", pc, chain, depth);
    }
}

/* Nobody's callee on its own stack; once it has left that, the context it goes on with. */
static void check_start(uintptr_t pc, uintptr_t sp, const uintptr_t *chain, int depth)
{
    if (on_coroutine(sp)) {
        if (depth != 1) {
            fail("the entry has callers", pc, chain, depth);
        }
    } else if (!co.finished || !is_main_switching(chain + 1, depth - 1)) {
        fail("not the context to go on with", pc, chain, depth);
    } else {
        finished = true;
    }
}

/* Callers, then the suspended ones from before fn until after it, then callers again. */
static void check_walk(uintptr_t pc, const uintptr_t *chain, int depth)
{
    bool suspended = is_suspended(chain + 1, depth - 1);

    if (!suspended && !is_callers(chain + 1, depth - 1, call_walk)) {
        fail("neither the callers nor the suspended context", pc, chain, depth);
    }
    if (suspended != (walk_phase == WALKING)) {
        walk_phase++;
    }
    if (suspended != (walk_phase == WALKING) ||
        (walk_phase == WALKED) != (inside_fn && !suspended)) {
        fail("one before or after the other's turn", pc, chain, depth);
    }
}

static function_t *find_function(uintptr_t pc)
{
    for (int i = FUNCTIONS; i-- > 0;) {
        if (pc >= functions[i].start) {
            return pc < functions[WALK].start + MAX_INSTRUCTIONS ? &functions[i] : NULL;
        }
    }
    return NULL;
}

static void remember(function_t *function, uintptr_t pc)
{
    for (int i = 0; i < function->count; i++) {
        if (function->seen[i] == pc) {
            return;
        }
    }
    if (function->count == MAX_INSTRUCTIONS) {
        fail("more instructions than expected", pc, NULL, 0);
    }
    function->seen[function->count++] = pc;
}

static void on_step(int signal, siginfo_t *info, void *arg)
{
    ucontext_t *context = arg;
    uintptr_t pc = (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
    uintptr_t sp = (uintptr_t)context->uc_mcontext.gregs[REG_RSP];
    function_t *function = find_function(pc);
    uintptr_t chain[MAX_DEPTH] = {0};
    int depth;

    (void)signal;
    (void)info;
    if (!function && !FRAME_IS(pc, walked)) {
        return;
    }
    depth = unwind(context, pc, chain);
    if (!function) {
        if (chain[1] != functions[WALK].start || !is_suspended(chain + 2, depth - 2)) {
            fail("in fn: not the suspended context", pc, chain, depth);
        }
        return;
    }
    if (chain[0] != function->start) {
        fail("in another function", pc, chain, depth);
    }
    remember(function, pc);
    if (function == &functions[SWITCH]) {
        check_switch(pc, sp, chain, depth);
    } else if (function == &functions[START]) {
        check_start(pc, sp, chain, depth);
    } else if (function == &functions[INIT] && !is_callers(chain + 1, depth - 1, call_init)) {
        fail("not its callers", pc, chain, depth);
    } else if (function == &functions[WALK]) {
        check_walk(pc, chain, depth);
    }
}

/* --- stepping --------------------------------------------------------------------------------- */

#define TRAP_FLAG 0x100UL

static void step(const char *name, void (*call)(void))
{
    scenario = name;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | TRAP_FLAG);
    outer(call);
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~TRAP_FLAG);
}

static void find_functions(void)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_proc_info_t info;

    functions[SWITCH].start = (uintptr_t)aiort__context_switch;
    functions[INIT].start = (uintptr_t)aiort__context_init;
    functions[WALK].start = (uintptr_t)aiort__context_walk;
    /* What a context not started yet would return to. */
    CHECK(unw_getcontext(&context) == 0 && unw_init_local(&cursor, &context) == 0);
    CHECK(unw_set_reg(&cursor, UNW_REG_IP, *((unw_word_t *)(co.stack + STACK_SIZE) - 3)) == 0);
    CHECK(unw_get_proc_info(&cursor, &info) == 0);
    functions[START].start = info.start_ip;
    for (int i = 1; i < FUNCTIONS; i++) {
        CHECK(functions[i].start > functions[i - 1].start);
    }
}

static void steps_through_everything(void)
{
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    static char alternate[256 * 1024];
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof(alternate)};

    co_init(&co, body, NULL);
    find_functions();
    CHECK(sigaltstack(&stack, NULL) == 0);
    CHECK(sigaction(SIGTRAP, &action, NULL) == 0);
    step("init", call_init);
    step("first switch", call_switch);
    CHECK(!co.finished);
    step("walk", call_walk);
    CHECK(inside_fn == 1 && walk_phase == WALKED);
    step("second switch", call_switch);
    CHECK(co.finished && finished);
    for (int i = 0; i < FUNCTIONS; i++) {
        CHECK(functions[i].count > 0);
        printf("stepped %s %d\n", functions[i].name, functions[i].count);
    }
}

/* --- the fast trace --------------------------------------------------------------------------- */

typedef struct {
    void *addresses[MAX_DEPTH];
    int count;
} backtrace_t;

NOINLINE static void trace(void *arg)
{
    backtrace_t *backtrace = arg;

    backtrace->count = unw_backtrace(backtrace->addresses, MAX_DEPTH);
}

static uintptr_t function_of(const void *return_address)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_proc_info_t info;

    CHECK(unw_getcontext(&context) == 0 && unw_init_local(&cursor, &context) == 0);
    CHECK(unw_set_reg(&cursor, UNW_REG_IP, (unw_word_t)return_address - 1) == 0);
    CHECK(unw_get_proc_info(&cursor, &info) == 0);
    return info.start_ip;
}

/* Twice: the first one fills libunwind's cache of frames the slow way. */
static void traces_a_suspended_context(void)
{
    backtrace_t backtrace;
    uintptr_t chain[MAX_DEPTH];

    co_init(&co, body, NULL);
    find_functions();
    co_resume(&co);
    for (int i = 0; i < 3; i++) {
        aiort__context_walk(co.sp, trace, &backtrace);
        for (int j = 0; j < backtrace.count; j++) {
            chain[j] = function_of(backtrace.addresses[j]);
        }
        /* Whether trace() itself is shown depends on how it was compiled. */
        int at = FRAME_IS(chain[0], trace) ? 1 : 0;
        CHECK(chain[at] == functions[WALK].start);
        CHECK(is_suspended(chain + at + 1, backtrace.count - at - 1));
    }
    co_resume(&co);
    CHECK(co.finished);
}

int main(void)
{
    aiort__fiber_adopt(&co_main.fiber);
    CHECK_RUN(steps_through_everything);
    CHECK_RUN(traces_a_suspended_context);
    return check_done("test_step");
}
