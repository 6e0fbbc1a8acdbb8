/* SPDX-License-Identifier: MIT */
/* What the user does not want to hear about (AIODEBUG_SUPPRESS). Under the reporter's lock. */
#ifndef AIODEBUG_REPORT_SUPPRESS_H
#define AIODEBUG_REPORT_SUPPRESS_H

#include "entry.h"

/* Whether a line of the file names the record's check and a function or module on its stacks. The
 * file is read at the first call; a line in it that cannot be understood is told on stderr. */
bool aiodebug_suppressed(const aiodebug_record_t *r);

/* In the child after fork(): a half-read file is read again. Async-signal-safe. */
void aiodebug_suppress_after_fork_child(void);

#endif
