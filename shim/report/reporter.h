/* SPDX-License-Identifier: MIT */
/* The reporter's thread, as the rest of the shim sees it. */
#ifndef AIODEBUG_REPORT_REPORTER_H
#define AIODEBUG_REPORT_REPORTER_H

#include <stdbool.h>

/* Starts the thread now and for good, instead of at the first record and for as long as there are
 * any: for a check whose record is built in a signal handler, where no thread may be started.
 * False when there is none to be had. */
bool aiodebug_report_start(void);

/* The thread, if it runs or is started later, never ends by itself. */
void aiodebug_report_stay(void);

/* Waits until everything submitted so far has been written, `seconds` at most. Where the thread
 * cannot be started, writes it on the calling one. Async-signal-safe while the thread runs. */
bool aiodebug_report_flush(double seconds);

/* The same, and the counts of what was repeated. Two seconds at most; at once when nothing was ever
 * reported. What is reported later is written all the same. */
void aiodebug_report_finish(void);

/* Whether anything at WARNING or above was logged. */
bool aiodebug_report_logged(void);

/* The main thread is about to call pthread_exit(): the process now ends with its last thread, so
 * the reporter must not be one that lingers. */
void aiodebug_report_main_exits(void);

/* Whether this is the reporter's thread, or one that does its work. */
bool aiodebug_report_is_reporter(void);

/* In the child after fork(). Async-signal-safe. */
void aiodebug_report_after_fork_child(void);

#endif
