/* SPDX-License-Identifier: MIT */
/*
 * The transports and servers of libaiort that are open, so that those nobody closed can be told at
 * exit. Only with AIODEBUG_RESOURCE=1. An object's memory stays as long as it is in here.
 */
#ifndef AIODEBUG_TRACK_OPENED_H
#define AIODEBUG_TRACK_OPENED_H

#include <stdbool.h>

#include <aiort.h>

void aiodebug_opened_add(aiort_loop_t *loop, void *object);
/* Forgets it; true when it was there. */
bool aiodebug_opened_remove(void *object);
/* Calls fn for each, in no order. */
void aiodebug_opened_each(void (*fn)(aiort_loop_t *loop, void *object));
void aiodebug_opened_after_fork_child(void);

#endif
