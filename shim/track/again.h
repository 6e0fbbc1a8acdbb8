/* SPDX-License-Identifier: MIT */
/*
 * Stacks that are captured again and again, by the same call from the same place: recognised
 * without unwinding. For stacks.c only. On x86-64; elsewhere nothing is ever recognised.
 */
#ifndef AIODEBUG_TRACK_AGAIN_H
#define AIODEBUG_TRACK_AGAIN_H

#include <stdint.h>

#include "track/stacks.h"

/* `frame`: the frame address of the function that captures: [0] is its caller's rbp, [1] its return
 * address. The id of the stack as it is now, 0: not known. */
aiodebug_stack_t aiodebug_again_find(const uintptr_t *frame);

/* It was not known, and is this: pcs[1] is frame[1]. All n were unwound, with the mark set. */
void aiodebug_again_note(const uintptr_t *frame, void *const *pcs, int n, aiodebug_stack_t id);

/* Another depth, other internal frames: what was learned says nothing any more. */
void aiodebug_again_forget(void);

#endif
