/* SPDX-License-Identifier: MIT */
/*
 * What run.sh shows to gdb: main() resumes a coroutine, which stops in here(), four calls deep.
 */
#include "coroutine.h"

NOINLINE void here(void);

NOINLINE void here(void)
{
    __asm__ volatile("");
}

NOINLINE static void leaf(co_t *self)
{
    here();
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

int main(void)
{
    co_t co;

    aiort__fiber_adopt(&co_main.fiber);
    co_init(&co, body, NULL);
    co_resume(&co);
    co_resume(&co);
    return co.finished ? 0 : 1;
}
