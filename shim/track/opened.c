/* SPDX-License-Identifier: MIT */
/* The open transports and servers: a table with open addressing, keyed by address. See opened.h. */
#include "opened.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

typedef struct {
    void *object; /* NULL: free */
    aiort_loop_t *loop;
} entry_t;

static struct {
    pthread_mutex_t lock;
    entry_t *entries;
    size_t room, used; /* room: a power of two */
} opened = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t slot_of(const void *object)
{
    return (size_t)(((uintptr_t)object >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20) &
           (opened.room - 1);
}

static void put(void *object, aiort_loop_t *loop)
{
    size_t i = slot_of(object);

    while (opened.entries[i].object) {
        i = (i + 1) & (opened.room - 1);
    }
    opened.entries[i] = (entry_t){object, loop};
}

/* At most half full. false: there is no memory. */
static bool grow(void)
{
    entry_t *old = opened.entries;
    size_t room = opened.room;
    entry_t *entries = calloc(room ? room * 2 : 64, sizeof(*entries));

    if (!entries) {
        return false;
    }
    opened.entries = entries;
    opened.room = room ? room * 2 : 64;
    for (size_t i = 0; i < room; i++) {
        if (old[i].object) {
            put(old[i].object, old[i].loop);
        }
    }
    free(old);
    return true;
}

void aiodebug_opened_add(aiort_loop_t *loop, void *object)
{
    pthread_mutex_lock(&opened.lock);
    if (opened.used * 2 < opened.room || grow()) {
        put(object, loop);
        opened.used++;
    }
    pthread_mutex_unlock(&opened.lock);
}

/* What follows without a gap moves up, so that a search never ends too early. */
static void close_gap(size_t gap)
{
    for (size_t i = (gap + 1) & (opened.room - 1); opened.entries[i].object;
         i = (i + 1) & (opened.room - 1)) {
        size_t home = slot_of(opened.entries[i].object);
        if (((i - home) & (opened.room - 1)) >= ((i - gap) & (opened.room - 1))) {
            opened.entries[gap] = opened.entries[i];
            gap = i;
        }
    }
    opened.entries[gap].object = NULL;
}

bool aiodebug_opened_remove(void *object)
{
    bool found = false;

    pthread_mutex_lock(&opened.lock);
    for (size_t i = opened.room ? slot_of(object) : 0; opened.room && opened.entries[i].object;
         i = (i + 1) & (opened.room - 1)) {
        if (opened.entries[i].object == object) {
            close_gap(i);
            opened.used--;
            found = true;
            break;
        }
    }
    pthread_mutex_unlock(&opened.lock);
    return found;
}

void aiodebug_opened_each(void (*fn)(aiort_loop_t *loop, void *object))
{
    pthread_mutex_lock(&opened.lock);
    for (size_t i = 0; i < opened.room; i++) {
        if (opened.entries[i].object) {
            fn(opened.entries[i].loop, opened.entries[i].object);
        }
    }
    pthread_mutex_unlock(&opened.lock);
}

/* A lock that another thread held is nobody's now; the table may be in the middle of a change, and
 * is the parent's affair. */
void aiodebug_opened_after_fork_child(void)
{
    opened.lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    opened.entries = NULL;
    opened.room = opened.used = 0;
}
