/* SPDX-License-Identifier: MIT */
/* Where the log goes: stderr, a descriptor, a file. Under the reporter's lock, unless said. */
#ifndef AIODEBUG_REPORT_SINK_H
#define AIODEBUG_REPORT_SINK_H

#include <stddef.h>

/* Remembers what the configured descriptors are, before the program can close them. */
void aiodebug_sink_remember(void);

/* One line on stderr when AIODEBUG_LOG=fd:N names no open descriptor. At the shim's start. */
void aiodebug_sink_complain(void);

/* Writes one record. 0, or the errno value with which it was lost. */
int aiodebug_sink_write(const char *data, size_t length);

/* In the child after fork(); async-signal-safe. */
void aiodebug_sink_after_fork_child(void);

#endif
