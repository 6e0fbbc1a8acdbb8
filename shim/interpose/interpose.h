/* SPDX-License-Identifier: MIT */
/* What the files that define interposed symbols share. */
#ifndef AIODEBUG_INTERPOSE_INTERPOSE_H
#define AIODEBUG_INTERPOSE_INTERPOSE_H

/* Exported: the one kind of symbol of the shim that the rest of the process sees. */
#define AIODEBUG_INTERPOSE __attribute__((visibility("default")))

/* epoll.c: says of a libuv that the shim could not watch that there was one. */
void aiodebug_epoll_at_exit(void);

#endif
