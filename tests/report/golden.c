/* SPDX-License-Identifier: MIT */
/* One record of each shape, from stacks with names a reader of golden.txt recognises. */
#include "produce.h"

static uint32_t stack, inner, outer;

static void tick(void)
{
    stack = produce_stack();
    __asm__ volatile("");
}

static void create_task(void)
{
    inner = produce_stack();
    __asm__ volatile("");
}

static void fetch(int depth)
{
    if (depth > 0)
        fetch(depth - 1);
    else
        outer = produce_stack();
    __asm__ volatile("");
}

int main(void)
{
    if (!produce_start())
        return 1;
    tick();
    create_task();
    fetch(6);
    produce_task_error(inner, stack, outer);
    produce_wrong_thread(inner, outer, tick);
    produce_coroutine(stack);
    produce_busy_loop(stack, inner);
    for (int i = 0; i < 5; i++)
        produce_with_stack("handle-closed-twice", "created", stack, "Handle was closed twice!");
    return 0;
}
