/* SPDX-License-Identifier: MIT */
/* Where the log goes: stderr, a descriptor, a file. Under the reporter's lock, unless said. */
#ifndef AIODEBUG_REPORT_SINK_H
#define AIODEBUG_REPORT_SINK_H

#include <stdbool.h>
#include <stddef.h>

/* Remembers what the configured descriptors are, before the program can close them. */
void aiodebug_sink_remember(void);

/* One line on stderr when AIODEBUG_LOG=fd:N names no open descriptor. At the shim's start. */
void aiodebug_sink_complain(void);

/* Writes one record, or holds it back while no descriptor is to be had. One that is lost is
 * counted. */
void aiodebug_sink_write(const char *data, size_t length);

/* Tries again to write what is held back. True: nothing is any more. */
bool aiodebug_sink_retry(void);

/* The process may end now: what is held back is written, to stderr if need be. */
void aiodebug_sink_finish(void);

/* In the child after fork(); async-signal-safe. */
void aiodebug_sink_after_fork_child(void);

#endif
