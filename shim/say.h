/* SPDX-License-Identifier: MIT */
/*
 * Writing where it must not be noticed: no SIGPIPE, no SIGXFSZ, errno kept, and never into a
 * file that merely has the number a log used to have. Ground floor, usable by every file of the
 * shim, on any thread.
 */
#ifndef AIODEBUG_SAY_H
#define AIODEBUG_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Which file a descriptor stands for. Programs close and reuse numbers; this tells. */
typedef struct {
    bool known;
    dev_t device;
    ino_t inode;
} aiodebug_file_t;

aiodebug_file_t aiodebug_file_of(int fd);
bool aiodebug_file_is(int fd, const aiodebug_file_t *file);

/* All of it, or an errno value; a descriptor that does not block is waited for, a second at most.
 * *written (may be NULL) tells how far it came. */
int aiodebug_write_quietly(int fd, const char *data, size_t length, size_t *written);

/* Remembers what fd 2 is. Once, as early as possible. */
void aiodebug_stderr_remember(void);

/* Writes to fd 2 if it is still what it was. 0, or an errno value (EBADF: it is not). */
int aiodebug_stderr_write(const char *data, size_t length);

/* One line on stderr, "aiodebug: " in front and a newline behind. */
void aiodebug_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
