/* SPDX-License-Identifier: MIT */
/*
 * The same mistake from the same place is printed a few times in full, then only counted, and the
 * count is told at exit.
 */
#ifndef AIODEBUG_REPORT_GROUP_H
#define AIODEBUG_REPORT_GROUP_H

#include "entry.h"

enum { AIODEBUG_GROUP_SHOWN = 3, AIODEBUG_GROUPS_MAX = 4096 };

/* Any thread, before the record is queued: counts it. False: that was all, it need not be printed.
 */
bool aiodebug_group_enter(aiodebug_record_t *r);

/* Any thread: a record that was let in is not printed after all (dropped, suppressed). */
void aiodebug_group_leave(const aiodebug_record_t *r);

/* Under the reporter's lock: the record was printed; what the summary will need is kept. */
void aiodebug_group_printed(const aiodebug_record_t *r);

/* Under the reporter's lock: calls print() with a brief record for each mistake that was repeated
 * since the last time. */
void aiodebug_group_summary(void (*print)(aiodebug_record_t *));

/* In the child after fork(): what was counted is the parent's to tell. Async-signal-safe. */
void aiodebug_group_after_fork_child(void);

#endif
