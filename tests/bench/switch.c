/* SPDX-License-Identifier: MIT */
/* libs: runtime/context/x86_64.S runtime/context/aarch64.S runtime/context/ucontext.c -Iruntime */
/* The bare switch of libaiort, and a coroutine on a kept stack, without a scheduler. See bench.h.
 */
#include "context/context.h"

#include "bench.h"

static void *main_sp, *other_sp;

/* Both sides switch at one place, as tasks do in the scheduler: so the processor foresees where
 * each switch returns to. */
__attribute__((noinline)) static void spin(void **save, void *const *to, long n)
{
    while (n-- > 0) {
        aiort__context_switch(save, *to);
    }
}

static void *other(void *arg)
{
    (void)arg;
    spin(&other_sp, &main_sp, INT64_MAX);
    return main_sp;
}

static void *once(void *arg)
{
    (void)arg;
    return main_sp;
}

int main(void)
{
    enum { STACK = 64 * 1024 };
    long n = scaled(20000000);
    char *stack = aligned_alloc(4096, STACK);

    other_sp = aiort__context_init(stack + STACK, other, NULL);
    uint64_t start = cpu_ns();
    spin(&main_sp, &other_sp, n);
    result("switch", (double)(cpu_ns() - start) / (2.0 * (double)n));
    start = cpu_ns();
    for (long i = 0; i < n / 10; i++) {
        aiort__context_switch(&main_sp, aiort__context_init(stack + STACK, once, NULL));
    }
    result("context", (double)(cpu_ns() - start) / (double)(n / 10));
    free(stack);
    return 0;
}
