/* SPDX-License-Identifier: MIT */
/* Growing text, and printing into it in the C locale. */
#include <errno.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"

enum { FIRST = 4096, KEPT = 1 << 18 };

void aiodebug_buffer_clear(aiodebug_buffer_t *buffer)
{
    if (buffer->capacity > KEPT) {
        free(buffer->data);
        buffer->data = NULL;
        buffer->capacity = 0;
    }
    buffer->length = 0;
    buffer->failed = false;
}

static bool make_room(aiodebug_buffer_t *buffer, size_t length)
{
    if (buffer->capacity - buffer->length >= length) {
        return true;
    }
    size_t capacity = buffer->capacity ? buffer->capacity : FIRST;
    while (capacity - buffer->length < length) {
        if (capacity > SIZE_MAX / 2) {
            buffer->failed = true;
            return false;
        }
        capacity *= 2;
    }
    char *data = realloc(buffer->data, capacity);
    if (!data) {
        buffer->failed = true;
        return false;
    }
    buffer->data = data;
    buffer->capacity = capacity;
    return true;
}

void aiodebug_buffer_add(aiodebug_buffer_t *buffer, const char *data, size_t length)
{
    if (length && make_room(buffer, length)) {
        memcpy(buffer->data + buffer->length, data, length);
        buffer->length += length;
    }
}

void aiodebug_buffer_puts(aiodebug_buffer_t *buffer, const char *text)
{
    aiodebug_buffer_add(buffer, text, strlen(text));
}

void aiodebug_buffer_putc(aiodebug_buffer_t *buffer, char c)
{
    aiodebug_buffer_add(buffer, &c, 1);
}

void aiodebug_buffer_printf(aiodebug_buffer_t *buffer, const char *format, ...)
{
    char text[256];
    va_list args;
    va_start(args, format);
    int length = aiodebug_format(text, sizeof text, format, args);
    va_end(args);
    if (length > 0) {
        size_t n = (size_t)length < sizeof text ? (size_t)length : sizeof text - 1;
        aiodebug_buffer_add(buffer, text, n);
    }
}

int aiodebug_format(char *out, size_t size, const char *format, va_list args)
{
    /* glibc answers newlocale("C") with a constant: nothing is allocated, nothing to be freed. */
    int saved = errno;
    locale_t plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = plain ? uselocale(plain) : (locale_t)0;
    int length = vsnprintf(out, size, format, args);
    if (plain) {
        uselocale(before);
        freelocale(plain);
    }
    errno = saved;
    return length;
}
