/* SPDX-License-Identifier: MIT */
/*
 * Names for the program's own use: when it prints a repr itself, there is no record and no
 * reporter's thread between. Reading DWARF needs more stack than a coroutine has, so a caller on a
 * coroutine's stack is served by a thread made for the purpose.
 *
 * Each writes at most size bytes with the NUL, and returns the length, 0 when nothing is known.
 */
#ifndef AIODEBUG_REPORT_LOOKUP_H
#define AIODEBUG_REPORT_LOOKUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* " created at FILE:LINE": the innermost of the program's own frames. */
size_t aiodebug_lookup_created(uint32_t trace, bool small_stack, char *buf, size_t size);
/* A function's name; FILE:LINE of its definition. */
size_t aiodebug_lookup_name(uintptr_t function, bool small_stack, char *buf, size_t size);
size_t aiodebug_lookup_line(uintptr_t function, bool small_stack, char *buf, size_t size);
/* `File "FILE", line LINE, in FUNCTION` and the source line below, of a return address; nothing for
 * the library's own frames and libc's way into main(). */
size_t aiodebug_lookup_frame(uintptr_t address, bool small_stack, char *buf, size_t size);

#endif
