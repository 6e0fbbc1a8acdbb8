/* SPDX-License-Identifier: MIT */
/*
 * The same mistake from the same place is printed a few times in full, then only counted. Under
 * the reporter's lock.
 */
#ifndef AIODEBUG_REPORT_GROUP_H
#define AIODEBUG_REPORT_GROUP_H

#include "entry.h"

enum { AIODEBUG_GROUP_SHOWN = 3, AIODEBUG_GROUPS_MAX = 4096 };

/* Counts the record. True: print it. */
bool aiodebug_group_admit(const aiodebug_record_t *r);

/* Calls print() with a brief record for each mistake that was repeated since the last time. */
void aiodebug_group_summary(void (*print)(aiodebug_record_t *));

/* In the child after fork(): what was counted is the parent's to tell. Async-signal-safe. */
void aiodebug_group_after_fork_child(void);

#endif
