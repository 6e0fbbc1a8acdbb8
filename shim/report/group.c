/* SPDX-License-Identifier: MIT */
/*
 * A table of what was reported, by check, stacks (created and call), format of the message and the
 * record's own key.
 *
 * The threads that report do the counting, so that a loop that makes one mistake a million times
 * neither fills the queue nor keeps the reporter busy. The table is open addressing over hashes,
 * without locks and without removal: a slot is taken by changing its hash from 0, and its index is
 * then written to `order`, which the summary and the child of a fork walk. hash, records, repeats,
 * objects and the times are counters only, nothing else is published through them. What the summary
 * says is kept beside them by the reporter alone.
 *
 * Bounded: what is new when the table is full shares one slot per check, so that neither memory nor
 * the log grows without end.
 *
 * Records below WARNING are not grouped: whoever lowers the level wants to see each. Nor is
 * loop-hang, which says how long it has been and spaces itself out.
 */
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "group.h"
#include "names.h"

enum {
    SLOTS = AIODEBUG_GROUPS_MAX * 2,
    USED_MAX = AIODEBUG_GROUPS_MAX + AIODEBUG_CHECK_COUNT,
    STACKS_KEPT = 4
};

/* What the summary says of a mistake. */
typedef struct {
    aiodebug_check_t check;
    aiodebug_level_t level;
    pid_t tid;
    int stack_count;
    aiodebug_shown_stack_t stacks[STACKS_KEPT];
    char message[]; /* of the first record printed, names filled in */
} first_t;

typedef struct {
    _Atomic uint64_t hash;    /* 0: free */
    _Atomic uint64_t records; /* those let in and those only counted */
    _Atomic uint64_t objects; /* what they stand for */
    /* Of those only counted, since the last summary: */
    _Atomic uint64_t repeats;
    _Atomic uint64_t total_ns, max_ns; /* how long they took, where they say; 0: they do not */
    first_t *first;                    /* the reporter's; NULL: none was printed yet */
} slot_t;

static slot_t slots[SLOTS];
static _Atomic uint32_t order[USED_MAX]; /* index + 1 of the slots in use; 0: being written */
static _Atomic uint32_t used;
static aiodebug_buffer_t scratch;

static uint64_t mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

static bool is_key(const aiodebug_shown_stack_t *shown)
{
    return shown->role == AIODEBUG_ROLE_CREATED || shown->role == AIODEBUG_ROLE_CALL;
}

static uint64_t hash_of(const aiodebug_record_t *r)
{
    uint64_t hash = mix(r->check + 1, r->format_hash);
    hash = mix(hash, r->key);
    for (int i = 0; i < r->stack_count; i++) {
        if (is_key(&r->stacks[i])) {
            hash = mix(hash, (uint64_t)r->stacks[i].role << 32 | r->stacks[i].stack);
        }
    }
    return hash ? hash : 1;
}

/* The slot of this hash, taken now if it is new and there may be `limit` in use; NULL: no. */
static slot_t *take_slot(uint64_t hash, uint32_t limit)
{
    for (size_t i = hash % SLOTS;; i = (i + 1) % SLOTS) {
        uint64_t there = atomic_load(&slots[i].hash);
        if (there == hash) {
            return &slots[i];
        }
        if (there) {
            continue;
        }
        uint32_t index = atomic_load(&used);
        do {
            if (index >= limit) {
                return NULL;
            }
        } while (!atomic_compare_exchange_weak(&used, &index, index + 1));
        /* The place in `order` is ours for good; should another take this slot first, the search
         * goes on and ends in that one or in another, and `order` may name a slot twice. */
        uint64_t none = 0;
        bool ours = atomic_compare_exchange_strong(&slots[i].hash, &none, hash);
        atomic_store(&order[index], (uint32_t)i + 1);
        if (ours || none == hash) {
            return &slots[i];
        }
    }
}

static slot_t *slot_of(const aiodebug_record_t *r)
{
    slot_t *slot = take_slot(hash_of(r), AIODEBUG_GROUPS_MAX);
    return slot ? slot : take_slot(mix(UINT64_MAX, r->check), USED_MAX);
}

static void add_time(slot_t *slot, const aiodebug_record_t *r)
{
    if (!r->has_seconds || !(r->seconds > 0 && r->seconds < 1e9)) {
        return;
    }
    uint64_t ns = (uint64_t)(r->seconds * 1e9), most = atomic_load(&slot->max_ns);
    atomic_fetch_add(&slot->total_ns, ns);
    while (ns > most && !atomic_compare_exchange_weak(&slot->max_ns, &most, ns)) {}
}

bool aiodebug_group_enter(aiodebug_record_t *r)
{
    r->group = NULL;
    if (r->level < AIODEBUG_LEVEL_WARNING || r->check == AIODEBUG_CHECK_LOOP_HANG) {
        return true;
    }
    slot_t *slot = slot_of(r);
    if (!slot) {
        return true;
    }
    r->group = slot;
    atomic_fetch_add(&slot->objects, r->count);
    if (atomic_fetch_add(&slot->records, 1) < AIODEBUG_GROUP_SHOWN) {
        return true;
    }
    add_time(slot, r);
    atomic_fetch_add(&slot->repeats, 1);
    return false;
}

void aiodebug_group_leave(const aiodebug_record_t *r)
{
    slot_t *slot = r->group;
    if (slot) {
        atomic_fetch_sub(&slot->objects, r->count);
        atomic_fetch_sub(&slot->records, 1);
    }
}

void aiodebug_group_printed(const aiodebug_record_t *r)
{
    slot_t *slot = r->group;
    if (!slot || slot->first) {
        return;
    }
    aiodebug_buffer_clear(&scratch);
    aiodebug_names_expand(&scratch, aiodebug_record_text(r, r->message));
    aiodebug_buffer_putc(&scratch, '\0');
    first_t *first = scratch.failed ? NULL : malloc(sizeof *first + scratch.length);
    if (!first) {
        return;
    }
    *first = (first_t){.check = r->check, .level = r->level, .tid = r->tid};
    memcpy(first->message, scratch.data, scratch.length);
    for (int i = 0; i < r->stack_count && first->stack_count < STACKS_KEPT; i++) {
        if (is_key(&r->stacks[i])) {
            first->stacks[first->stack_count++] =
                (aiodebug_shown_stack_t){.role = r->stacks[i].role, .stack = r->stacks[i].stack};
        }
    }
    slot->first = first;
}

static void tell(slot_t *slot, void (*print)(aiodebug_record_t *))
{
    const first_t *first = slot->first;
    aiodebug_record_t *r = first && atomic_load(&slot->repeats)
                               ? aiodebug_record_make(first->check, first->level)
                               : NULL;
    if (!r) {
        return;
    }
    unsigned long long repeats = atomic_exchange(&slot->repeats, 0);
    uint64_t total = atomic_exchange(&slot->total_ns, 0), most = atomic_exchange(&slot->max_ns, 0);
    unsigned long long records = atomic_load(&slot->records);
    const char *times = repeats == 1 ? "time" : "times";
    r->repeats = true;
    r->has_total = most > 0;
    r->total_seconds = (double)total / 1e9;
    r->max_seconds = (double)most / 1e9;
    if (r->has_total) {
        aiodebug_record_message(r,
                                "%s ... repeated %llu more %s, together %.3f seconds, at most "
                                "%.3f seconds (%llu in all)",
                                first->message, repeats, times, r->total_seconds, r->max_seconds,
                                records);
    } else {
        aiodebug_record_message(r, "%s ... repeated %llu more %s (%llu in all)", first->message,
                                repeats, times, records);
    }
    aiodebug_record_count(r, atomic_load(&slot->objects));
    aiodebug_record_thread(r, first->tid);
    for (int i = 0; i < first->stack_count; i++) {
        aiodebug_record_stack(r, first->stacks[i].role, first->stacks[i].stack, NULL);
    }
    r->brief = true;
    print(r);
    aiodebug_record_free(r);
}

void aiodebug_group_summary(void (*print)(aiodebug_record_t *))
{
    uint32_t n = atomic_load(&used);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = atomic_load(&order[i]);
        if (index) {
            tell(&slots[index - 1], print);
        }
    }
}

void aiodebug_group_after_fork_child(void)
{
    uint32_t n = atomic_load(&used);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = atomic_exchange(&order[i], 0);
        if (index) {
            slot_t *slot = &slots[index - 1];
            atomic_store(&slot->hash, 0);
            atomic_store(&slot->records, 0);
            atomic_store(&slot->objects, 0);
            atomic_store(&slot->repeats, 0);
            atomic_store(&slot->total_ns, 0);
            atomic_store(&slot->max_ns, 0);
            slot->first = NULL; /* not freed: malloc() is not for a child of fork() */
        }
    }
    atomic_store(&used, 0);
    scratch = (aiodebug_buffer_t){0};
}
