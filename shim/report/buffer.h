/* SPDX-License-Identifier: MIT */
/*
 * Text that grows. When memory runs out the buffer is marked and stays as it was; whoever uses
 * it looks once, at the end. The data are not terminated.
 */
#ifndef AIODEBUG_REPORT_BUFFER_H
#define AIODEBUG_REPORT_BUFFER_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct {
    char *data;
    size_t length, capacity;
    bool failed;
} aiodebug_buffer_t;

/* Empty again; memory beyond what records normally need is given back. */
void aiodebug_buffer_clear(aiodebug_buffer_t *buffer);

void aiodebug_buffer_add(aiodebug_buffer_t *buffer, const char *data, size_t length);
void aiodebug_buffer_puts(aiodebug_buffer_t *buffer, const char *text);
void aiodebug_buffer_putc(aiodebug_buffer_t *buffer, char c);

/* For numbers; floating point only on the reporter's thread, see aiodebug_format(). */
void aiodebug_buffer_printf(aiodebug_buffer_t *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* vsnprintf() with a decimal point whatever the program's locale; errno stays as it is. */
int aiodebug_format(char *out, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#endif
