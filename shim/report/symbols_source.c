/* SPDX-License-Identifier: MIT */
/*
 * Strings that live for the process, the names of source files, and lines out of them.
 *
 * A string is kept once. They are never freed: records, caches and the program's own reprs point at
 * them, and there are no more of them than the code has functions, files and lines that were in a
 * stack.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols_internal.h"

enum { CHUNK = 32 * 1024, SOURCE_MAX = 1024 * 1024, SOURCES = 4, LINE_MAX_SHOWN = 400 };

/* -------------------------------------------------------------------------------------------
 * strings */

static pthread_mutex_t text_lock = PTHREAD_MUTEX_INITIALIZER;
static const char **texts; /* open addressing, a power of two, at most half full */
static size_t text_count, text_capacity;
static char *chunk;
static size_t chunk_left;

static uint64_t hash_bytes(const char *bytes, size_t length)
{
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * 1099511628211U;
    return hash ^ (hash >> 32);
}

static const char **text_slot(const char **table, size_t capacity, const char *bytes, size_t length)
{
    size_t i = hash_bytes(bytes, length) & (capacity - 1);
    while (table[i] && (strncmp(table[i], bytes, length) != 0 || table[i][length] != 0))
        i = (i + 1) & (capacity - 1);
    return &table[i];
}

static bool grow_texts(void)
{
    size_t capacity = text_capacity ? 2 * text_capacity : 1024;
    const char **table = calloc(capacity, sizeof *table);
    if (!table)
        return false;
    for (size_t i = 0; i < text_capacity; i++) {
        if (texts[i])
            *text_slot(table, capacity, texts[i], strlen(texts[i])) = texts[i];
    }
    free(texts);
    texts = table;
    text_capacity = capacity;
    return true;
}

static char *keep_bytes(const char *bytes, size_t length)
{
    char *copy;
    if (length >= CHUNK / 4) {
        copy = malloc(length + 1);
    } else {
        if (length >= chunk_left) {
            chunk = malloc(CHUNK);
            chunk_left = chunk ? CHUNK : 0;
        }
        copy = chunk;
        if (copy) {
            chunk += length + 1;
            chunk_left -= length + 1;
        }
    }
    if (copy) {
        memcpy(copy, bytes, length);
        copy[length] = 0;
    }
    return copy;
}

/* The one copy of these bytes, which hold no 0; NULL only without memory. */
const char *aiodebug_text_n(const char *bytes, size_t length)
{
    const char *found = NULL;
    pthread_mutex_lock(&text_lock);
    if (2 * text_count < text_capacity || grow_texts()) {
        const char **slot = text_slot(texts, text_capacity, bytes, length);
        if (!*slot) {
            *slot = keep_bytes(bytes, length);
            text_count += *slot != NULL;
        }
        found = *slot;
    }
    pthread_mutex_unlock(&text_lock);
    return found;
}

const char *aiodebug_text(const char *string)
{
    return aiodebug_text_n(string, strlen(string));
}

/* In a child of fork(): a table that was being changed is given up, the strings stay where they
 * are. */
void aiodebug_text_reset(void)
{
    if (!aiodebug_lock_in_child(&text_lock))
        return;
    texts = NULL;
    text_count = text_capacity = 0;
    chunk = NULL;
    chunk_left = 0;
}

/* ----------------------------------------------------------------------------------------- file
 * names */

/* `shown` points into `whole`, so that two files shown alike are still two pointers. */
typedef struct {
    const char *whole, *shown;
    time_t built; /* when the oldest module that names it was */
} source_name_t;

static source_name_t *names;
static size_t name_count, name_capacity;

static const char *below(const char *path, const char *directory)
{
    size_t length = directory ? strlen(directory) : 0;
    while (length > 0 && directory[length - 1] == '/')
        length--;
    if (length == 0 || strncmp(path, directory, length) != 0 || path[length] != '/')
        return path;
    const char *rest = path + length;
    for (;;) {
        if (*rest == '/')
            rest++;
        else if (rest[0] == '.' && rest[1] == '/')
            rest += 2;
        else
            return *rest ? rest : path;
    }
}

/* The name to show for `path`, of a unit compiled in `directory`; `*whole` is the one to open. */
const char *aiodebug_file_name(const char *path, const char *directory, time_t built,
                               const char **whole)
{
    *whole = aiodebug_text(path);
    if (!*whole)
        return NULL;
    const char *shown = below(*whole, directory);
    for (size_t i = name_count; i-- > 0;) {
        if (names[i].shown == shown) {
            if (built < names[i].built)
                names[i].built = built;
            return shown;
        }
    }
    if (name_count == name_capacity) {
        size_t capacity = name_capacity ? 2 * name_capacity : 64;
        source_name_t *grown = realloc(names, capacity * sizeof *grown);
        if (!grown)
            return shown;
        names = grown;
        name_capacity = capacity;
    }
    names[name_count++] = (source_name_t){.whole = *whole, .shown = shown, .built = built};
    return shown;
}

/* By pointer, else by what it says where only one file says that. */
static const source_name_t *find_name(const char *file)
{
    const source_name_t *found = NULL;
    for (size_t i = 0; i < name_count; i++) {
        if (names[i].shown == file)
            return &names[i];
    }
    for (size_t i = 0; i < name_count; i++) {
        if (strcmp(names[i].shown, file) != 0 && strcmp(names[i].whole, file) != 0)
            continue;
        if (found && found->whole != names[i].whole)
            return NULL;
        found = &names[i];
    }
    return found;
}

/* -------------------------------------------------------------------------------------- lines of
 * source */

typedef struct {
    char *path;
    char *text; /* NULL: cannot be read */
    size_t size;
    time_t modified;
} source_t;

static source_t sources[SOURCES];
static size_t next_source; /* the one to be replaced next */

static void read_source(source_t *source)
{
    struct stat st;
    int fd = open(source->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size <= SOURCE_MAX &&
        (source->text = malloc((size_t)st.st_size))) {
        ssize_t n = 1;
        while (n > 0 && source->size < (size_t)st.st_size) {
            n = read(fd, source->text + source->size, (size_t)st.st_size - source->size);
            source->size += n > 0 ? (size_t)n : 0;
        }
        source->modified = st.st_mtime;
        if (memchr(source->text, 0, source->size))
            source->size = 0; /* not text */
    }
    close(fd);
}

static const source_t *get_source(const char *path)
{
    for (size_t i = 0; i < SOURCES; i++) {
        if (sources[i].path && strcmp(sources[i].path, path) == 0)
            return &sources[i];
    }
    source_t *source = &sources[next_source++ % SOURCES];
    free(source->path);
    free(source->text);
    *source = (source_t){.path = strdup(path)};
    if (source->path)
        read_source(source);
    return source;
}

static bool blank(char c)
{
    return (unsigned char)c <= ' ' || c == 127;
}

/* Without the white space around it, control characters as blanks, and not cut inside a character.
 */
static const char *tidy(const char *line, size_t length)
{
    char text[LINE_MAX_SHOWN];
    while (length > 0 && blank(*line)) {
        line++;
        length--;
    }
    while (length > 0 && blank(line[length - 1]))
        length--;
    if (length > sizeof text) {
        length = sizeof text;
        while (length > 0 && ((unsigned char)line[length] & 0xc0) == 0x80)
            length--;
    }
    for (size_t i = 0; i < length; i++)
        text[i] = blank(line[i]) ? ' ' : line[i];
    return length ? aiodebug_text_n(text, length) : NULL;
}

const char *aiodebug_source_line(const char *file, int line)
{
    const source_name_t *name = file ? find_name(file) : NULL;
    const char *path = name ? name->whole : file;
    if (!path || path[0] != '/' || line < 1)
        return NULL;
    const source_t *source = get_source(path);
    /* Where builds are reproducible every file is of 1970 or 1980, which says nothing. */
    const time_t meaningless = 2 * 365 * 86400 + 10 * 365 * 86400;
    if (name && name->built > meaningless && source->modified > name->built)
        return NULL;
    if (!source->text)
        return NULL;
    const char *at = source->text, *end = source->text + source->size;
    for (; at && at < end && line > 1; line--) {
        at = memchr(at, '\n', (size_t)(end - at));
        at = at ? at + 1 : NULL;
    }
    if (!at || at >= end)
        return NULL;
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    return tidy(at, (size_t)((stop ? stop : end) - at));
}

/* In a child of fork() when another thread was at work here. */
void aiodebug_source_reset(void)
{
    names = NULL;
    name_count = name_capacity = 0;
    memset(sources, 0, sizeof sources);
}
