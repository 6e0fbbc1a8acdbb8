/* SPDX-License-Identifier: MIT */
/*
 * What a program says and how it dies when a coroutine runs over its stack; and that every other
 * SIGSEGV goes where it would have gone. Each scenario is a process of its own, whose standard
 * error and status are compared.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>

#include "check.h"
#include "context/context.h"
#include "stack.h"

#define MESSAGE "CRITICAL:aiort:Stack overflow in coroutine 'deep' (64 KiB)\n"

static aiort__stack_pool_t pool;
static void *main_sp;
static aiort__stack_t *current;

/* --- coroutines ------------------------------------------------------------------------------- */

static const char *name_of(const void *stack)
{
    return ((const aiort__stack_t *)stack)->owner;
}

static bool is_current(const void *stack)
{
    return stack == current;
}

static void (*body)(void *);

static void *enter(void *arg)
{
    body(arg);
    return main_sp;
}

static void run_on(aiort__stack_t *stack, void (*entry)(void *), void *arg)
{
    current = stack;
    body = entry;
    aiort__context_switch(&main_sp, aiort__context_init(stack->top, enter, arg));
    current = NULL;
}

static void leave(void)
{
    void *unused;

    aiort__context_switch(&unused, main_sp);
}

static aiort__stack_t *named_stack(const char *name)
{
    aiort__stack_t *stack = aiort__stack_acquire(&pool, 0);

    CHECK(stack);
    stack->owner = (void *)(uintptr_t)name;
    return stack;
}

static volatile int zero, deepest = INT32_MAX;

__attribute__((noinline)) static int recurse(int n)
{
    volatile char frame[200];

    frame[0] = (char)n;
    return n == deepest ? 0 : recurse(n + 1) + frame[0];
}

/* For the compiler: all of the array is needed. */
#define USE(array) __asm__ volatile("" : : "r"(array) : "memory")

static void go_deep(void *arg)
{
    (void)arg;
    zero += recurse(0);
    leave();
}

/* A frame larger than the guard, touched from its low end: the stack pointer is beyond the guard.
 */
__attribute__((noinline)) static void touch_far_below(size_t bytes)
{
    char frame[64 * 1024];

    USE(frame);
    *(volatile char *)&frame[bytes] = 1;
    USE(frame);
}

static void go_far(void *arg)
{
    char used[24 * 1024];

    (void)arg;
    USE(used);
    touch_far_below(16 * 1024);
    USE(used);
    leave();
}

static void touch_address(void *arg)
{
    *(volatile char *)arg = 1;
    leave();
}

static void jump_deep(void)
{
    run_on(named_stack("deep"), go_deep, NULL);
}

static void start_pool(void)
{
    aiort__stack_owner_name = name_of;
    aiort__stack_is_current = is_current;
    aiort__stack_pool_init(&pool, 0);
    CHECK(aiort__stack_thread_init() == 0);
}

/* --- processes -------------------------------------------------------------------------------- */

/* Runs the scenario in a child; what it wrote to stderr, and its status. */
static const char *outcome(void (*scenario)(void), int *status)
{
    static char text[4096];
    size_t length = 0;
    ssize_t n;
    int pipes[2];
    pid_t child;

    CHECK(pipe(pipes) == 0);
    fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        dup2(pipes[1], STDERR_FILENO);
        close(pipes[0]);
        close(pipes[1]);
        scenario();
        _exit(0);
    }
    close(pipes[1]);
    while ((n = read(pipes[0], text + length, sizeof(text) - 1 - length)) > 0) {
        length += (size_t)n;
    }
    close(pipes[0]);
    text[length] = '\0';
    CHECK(waitpid(child, status, 0) == child);
    return text;
}

static void expect_death(void (*scenario)(void), const char *said)
{
    int status;
    const char *text = outcome(scenario, &status);

    if (strcmp(text, said) != 0 || !WIFSIGNALED(status) || WTERMSIG(status) != SIGSEGV) {
        fprintf(stderr, "status %#x, said: %s\n", (unsigned)status, text);
        CHECK(!"the death and the words expected");
    }
}

static void expect_exit(void (*scenario)(void), const char *said, int code)
{
    int status;
    const char *text = outcome(scenario, &status);

    if (strcmp(text, said) != 0 || !WIFEXITED(status) || WEXITSTATUS(status) != code) {
        fprintf(stderr, "status %#x, said: %s\n", (unsigned)status, text);
        CHECK(!"the exit and the words expected");
    }
}

static void say(const char *text)
{
    CHECK(write(STDERR_FILENO, text, strlen(text)) == (ssize_t)strlen(text));
}

/* --- overflows -------------------------------------------------------------------------------- */

static void overflow(void)
{
    start_pool();
    jump_deep();
}

static void overflow_one_of_many(void)
{
    start_pool();
    for (int i = 0; i < 500; i++) {
        named_stack("other");
    }
    jump_deep();
}

static void overflow_unnamed(void)
{
    start_pool();
    run_on(named_stack(NULL), go_deep, NULL);
}

static void overflow_a_large_one(void)
{
    aiort__stack_t *stack;

    start_pool();
    stack = aiort__stack_acquire(&pool, (size_t)1 << 20);
    CHECK(stack);
    stack->owner = "large";
    run_on(stack, go_deep, NULL);
}

static void on_overflow(const char *name, size_t size, const void *ucontext)
{
    CHECK(strcmp(name, "deep") == 0 && size == 64 * 1024);
#if defined(__x86_64__)
    uintptr_t sp = (uintptr_t)((const ucontext_t *)ucontext)->uc_mcontext.gregs[REG_RSP];

    CHECK(sp < (uintptr_t)aiort__stack_base(current) + 128);
#endif
    CHECK(ucontext);
    say("hook\n");
}

static void overflow_with_hook(void)
{
    aiort__stack_overflow_hook = on_overflow;
    start_pool();
    jump_deep();
}

static void overflow_without_hooks(void)
{
    aiort__stack_pool_init(&pool, 0);
    aiort__stack_thread_init();
    jump_deep();
}

static void overflow_with_a_long_name(void)
{
    static char name[2000];

    memset(name, 'n', sizeof(name) - 1);
    start_pool();
    run_on(named_stack(name), go_deep, NULL);
}

static void overflow_in_a_child(void)
{
    int status;
    pid_t child;

    start_pool();
    named_stack("other");
    child = fork();
    if (child == 0) {
        jump_deep();
    }
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
    say("parent\n");
    jump_deep();
}

static void *overflow_in_this_thread(void *arg)
{
    (void)arg;
    CHECK(aiort__stack_thread_init() == 0);
    aiort__stack_pool_init(&pool, 0);
    jump_deep();
    return NULL;
}

static void overflow_in_a_thread(void)
{
    pthread_t thread;

    start_pool();
    pthread_create(&thread, NULL, overflow_in_this_thread, NULL);
    pthread_join(thread, NULL);
}

static void overflow_without_alternate_stack(void)
{
    start_pool();
    aiort__stack_thread_fini();
    jump_deep();
}

static void overflow_far(void)
{
    aiort__stack_t *below, *stack;

    start_pool();
    below = named_stack("below");
    stack = named_stack("deep");
    CHECK(below->slab == stack->slab && below < stack);
    run_on(stack, go_far, NULL);
}

static void says_who_overflowed(void)
{
    char long_message[600] = "CRITICAL:aiort:Stack overflow in coroutine '";
    int status;
    const char *text;

    expect_death(overflow, MESSAGE);
    expect_death(overflow_one_of_many, MESSAGE);
    expect_death(overflow_unnamed, "CRITICAL:aiort:Stack overflow in coroutine '?' (64 KiB)\n");
    expect_death(overflow_without_hooks,
                 "CRITICAL:aiort:Stack overflow in coroutine '?' (64 KiB)\n");
    expect_death(overflow_a_large_one,
                 "CRITICAL:aiort:Stack overflow in coroutine 'large' (1024 KiB)\n");
    expect_death(overflow_with_hook, MESSAGE "hook\n");
    expect_death(overflow_in_a_child, MESSAGE "parent\n" MESSAGE);
    expect_death(overflow_in_a_thread, MESSAGE);
    expect_death(overflow_without_alternate_stack, "");
    text = outcome(overflow_with_a_long_name, &status);
    CHECK(strncmp(text, long_message, strlen(long_message)) == 0);
    CHECK(strlen(text) <= 512 && strcmp(text + strlen(text) - 12, "n' (64 KiB)\n") == 0);
}

static void says_so_beyond_a_large_frame(void)
{
    expect_death(overflow_far, MESSAGE);
}

/* --- other faults ----------------------------------------------------------------------------- */

static void touch_nothing(void)
{
    start_pool();
    run_on(named_stack("deep"), touch_address, NULL);
}

static void touch_other_guard(void)
{
    aiort__stack_t *other, *mine;

    start_pool();
    other = named_stack("other");
    mine = named_stack("deep");
    run_on(mine, touch_address, aiort__stack_base(other) - 1);
}

/* As an overrun array at the top of the stack beneath does. */
static void touch_the_guard_above(void)
{
    aiort__stack_t *mine, *above;

    start_pool();
    mine = named_stack("deep");
    above = named_stack("above");
    run_on(mine, touch_address, aiort__stack_base(above) - aiort__stack_size(above) / 8);
}

static void touch_a_guard_from_main(void)
{
    start_pool();
    *(volatile char *)(aiort__stack_base(named_stack("deep")) - 1) = 1;
}

static void touch_a_guard_that_was(void)
{
    char *guard;

    start_pool();
    guard = aiort__stack_base(named_stack("deep")) - 1;
    aiort__stack_pool_destroy(&pool);
    *(volatile char *)guard = 1;
}

static void send_signal(void)
{
    start_pool();
    kill(getpid(), SIGSEGV);
    say("survived\n");
}

static void send_to_thread(void)
{
    start_pool();
    raise(SIGSEGV);
    say("survived\n");
}

static void dies_silently_of_other_faults(void)
{
    expect_death(touch_nothing, "");
    expect_death(touch_other_guard, "");
    expect_death(touch_the_guard_above, "");
    expect_death(touch_a_guard_from_main, "");
    expect_death(touch_a_guard_that_was, "");
    expect_death(send_signal, "");
    expect_death(send_to_thread, "");
}

/* --- handlers of the program ------------------------------------------------------------------ */

static sigjmp_buf recovery;

static void on_signal(int signal)
{
    CHECK(signal == SIGSEGV);
    say("old style\n");
    _exit(7);
}

static void on_info(int signal, siginfo_t *info, void *context)
{
    sigset_t mask;

    CHECK(signal == SIGSEGV && info && context);
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    CHECK(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGSEGV));
    say(info->si_code > 0 && !info->si_addr ? "null\n" : "info\n");
    _exit(7);
}

static void on_fault_recover(int signal)
{
    (void)signal;
    siglongjmp(recovery, 1);
}

static void on_fault_say(int signal)
{
    (void)signal;
    say("once\n");
}

static void install(void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
}

static void install_info(void)
{
    struct sigaction action = {.sa_sigaction = on_info, .sa_flags = SA_SIGINFO};

    sigaddset(&action.sa_mask, SIGUSR1);
    CHECK(sigaction(SIGSEGV, &action, NULL) == 0);
}

static void handler_before_old_style(void)
{
    install(on_signal, 0);
    overflow();
}

static void handler_before_with_info(void)
{
    install_info();
    overflow();
}

static void handler_before_and_null(void)
{
    install_info();
    touch_nothing();
}

static void handler_after(void)
{
    start_pool();
    install(on_signal, SA_ONSTACK);
    jump_deep();
}

static void handler_after_second_pool(void)
{
    aiort__stack_pool_t other;

    start_pool();
    install(on_signal, SA_ONSTACK);
    aiort__stack_pool_init(&other, 0);
    aiort__stack_pool_destroy(&other);
    jump_deep();
}

static void handler_that_recovers(void)
{
    static volatile int recovered;

    install(on_fault_recover, 0);
    start_pool();
    if (sigsetjmp(recovery, 1) != 0) {
        recovered++;
    }
    if (recovered < 3) {
        *(volatile char *)(uintptr_t)zero = 1;
    }
    say("recovered\n");
}

static void handler_that_resets(void)
{
    install(on_fault_say, (int)SA_RESETHAND);
    start_pool();
    *(volatile char *)(uintptr_t)zero = 1;
}

static void handler_that_ignores(void)
{
    install(SIG_IGN, 0);
    send_signal();
    jump_deep();
}

static void leaves_the_rest_to_the_program(void)
{
    expect_exit(handler_before_old_style, MESSAGE "old style\n", 7);
    expect_exit(handler_before_with_info, MESSAGE "info\n", 7);
    expect_exit(handler_before_and_null, "null\n", 7);
    expect_exit(handler_after, "old style\n", 7);
    expect_exit(handler_after_second_pool, "old style\n", 7);
    expect_exit(handler_that_recovers, "recovered\n", 0);
    expect_death(handler_that_resets, "once\n");
    expect_death(handler_that_ignores, "survived\n" MESSAGE);
}

/* --- the alternate stack ---------------------------------------------------------------------- */

static stack_t alternate_now(void)
{
    stack_t now;

    CHECK(sigaltstack(NULL, &now) == 0);
    return now;
}

static void borrows_the_alternate_stack(void)
{
    static char memory[64 * 1024];
    stack_t own = {.ss_sp = memory, .ss_size = sizeof(memory)}, none = {.ss_flags = SS_DISABLE};

    CHECK(alternate_now().ss_flags & SS_DISABLE);
    CHECK(aiort__stack_thread_init() == 0 && aiort__stack_thread_init() == 0);
    CHECK(!(alternate_now().ss_flags & SS_DISABLE));
    aiort__stack_thread_fini();
    CHECK(!(alternate_now().ss_flags & SS_DISABLE));
    aiort__stack_thread_fini();
    CHECK(alternate_now().ss_flags & SS_DISABLE);
    /* One that is there already is used as it is. */
    CHECK(sigaltstack(&own, NULL) == 0 && aiort__stack_thread_init() == 0);
    CHECK(alternate_now().ss_sp == memory);
    aiort__stack_thread_fini();
    CHECK(alternate_now().ss_sp == memory);
    /* One that came later stays. */
    CHECK(sigaltstack(&none, NULL) == 0 && aiort__stack_thread_init() == 0);
    CHECK(sigaltstack(&own, NULL) == 0);
    aiort__stack_thread_fini();
    CHECK(alternate_now().ss_sp == memory);
}

/* --- the kernel, and stacks without a guard --------------------------------------------------- */

static void gives_efault_to_system_calls(void)
{
    int pipes[2];
    aiort__stack_t *stack;

    start_pool();
    stack = named_stack("deep");
    CHECK(pipe(pipes) == 0 && write(pipes[1], "x", 1) == 1);
    CHECK(read(pipes[0], aiort__stack_base(stack) - 1, 1) == -1 && errno == EFAULT);
}

/* As below a stack whose guard could not be made. */
static void overflow_unguarded(void)
{
    aiort__stack_t *stack;

    start_pool();
    pool.guard = AIORT__GUARD_CANARY;
    stack = named_stack("deep");
    CHECK(stack->slab->guarded == 0);
    aiort__stack_base(stack)[-100] = 1;
    aiort__stack_owner_name = name_of;
    aiort__stack_release(&pool, stack);
    say("survived\n");
}

static void use_unguarded(void)
{
    aiort__stack_t *stack;

    start_pool();
    pool.guard = AIORT__GUARD_CANARY;
    stack = named_stack("deep");
    memset(aiort__stack_base(stack), 1, aiort__stack_size(stack));
    aiort__stack_release(&pool, stack);
    say("survived\n");
}

static void notices_an_overflow_afterwards(void)
{
    expect_death(overflow_unguarded, MESSAGE);
    expect_exit(use_unguarded, "survived\n", 0);
}

int main(void)
{
    CHECK_RUN(says_who_overflowed);
    CHECK_RUN(says_so_beyond_a_large_frame);
    CHECK_RUN(dies_silently_of_other_faults);
    CHECK_RUN(leaves_the_rest_to_the_program);
    CHECK_RUN(borrows_the_alternate_stack);
    CHECK_RUN(gives_efault_to_system_calls);
    CHECK_RUN(notices_an_overflow_afterwards);
    return check_done("test_overflow");
}
