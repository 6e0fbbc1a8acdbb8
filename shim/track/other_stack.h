/* SPDX-License-Identifier: MIT */
/*
 * Calls a function on another stack of the same thread, so that an unwinder started in it goes on
 * through the caller: what is deep need not be done on a coroutine's small stack, whose second page
 * would then stay resident for as long as it sleeps.
 */
#ifndef AIODEBUG_TRACK_OTHER_STACK_H
#define AIODEBUG_TRACK_OTHER_STACK_H

/*
 * fn(where, n) with the stack pointer at top, which is aligned to 16 bytes and below which nobody has
 * anything. fn must return. Where the processor is not one of two known ones, and under
 * AddressSanitizer, which would not know what to make of it: on the caller's stack.
 */
int aiodebug_on_other_stack(int (*fn)(void **where, int n), void **where, int n, void *top);

#endif
