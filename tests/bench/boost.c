/* SPDX-License-Identifier: MIT */
/* libs: -lboost_context */
/* boost.context's switch, by its C entry points, and a coroutine from a kept stack. See bench.h. */
#include "bench.h"

typedef struct {
    void *context, *data;
} transfer_t;

transfer_t jump_fcontext(void *to, void *data);
void *make_fcontext(void *stack_top, size_t size, void (*fn)(transfer_t));

enum { STACK = 64 * 1024 };

static void forever(transfer_t transfer)
{
    for (;;) {
        transfer = jump_fcontext(transfer.context, NULL);
    }
}

static void once(transfer_t transfer)
{
    jump_fcontext(transfer.context, NULL);
}

int main(void)
{
    long n = scaled(20000000);
    char *stack = aligned_alloc(4096, STACK);
    transfer_t transfer = {make_fcontext(stack + STACK, STACK, forever), NULL};
    uint64_t start = cpu_ns();

    for (long i = 0; i < n; i++) {
        transfer = jump_fcontext(transfer.context, NULL);
    }
    result("switch", (double)(cpu_ns() - start) / (2.0 * (double)n));
    start = cpu_ns();
    for (long i = 0; i < n / 10; i++) {
        transfer = jump_fcontext(make_fcontext(stack + STACK, STACK, once), NULL);
    }
    result("context", (double)(cpu_ns() - start) / (double)(n / 10));
    free(stack);
    return 0;
}
