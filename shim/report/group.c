/* SPDX-License-Identifier: MIT */
/*
 * A table of what was reported, by check, stacks (created and call), format of the message and the
 * record's own key. Bounded: what is new when the table is full shares one place per check, so
 * that neither memory nor the log grows without end.
 *
 * Records below WARNING are not grouped: whoever lowers the level wants to see each. Nor is
 * loop-hang, which says how long it has been and spaces itself out.
 */
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "group.h"
#include "names.h"

enum { SLOTS = AIODEBUG_GROUPS_MAX * 2, STACKS_KEPT = 4 };

typedef struct {
    uint64_t hash;
    aiodebug_check_t check;
    aiodebug_level_t level;
    uint64_t records, repeats; /* all; those not printed and not yet told */
    uint64_t objects;          /* as the records count them */
    pid_t tid;
    char *message; /* of the first record, names filled in */
    aiodebug_shown_stack_t stacks[STACKS_KEPT];
    int stack_count;
} group_t;

/* Open addressing over pointers, in the order found for the summary. */
typedef struct {
    group_t *slots[SLOTS];
    group_t *order[AIODEBUG_GROUPS_MAX + AIODEBUG_CHECK_COUNT];
    int count;
} table_t;

static table_t *table;
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
    return hash;
}

/* The slot that holds the hash, or the free one where it belongs. */
static group_t **find(uint64_t hash)
{
    size_t i = hash % SLOTS;
    while (table->slots[i] && table->slots[i]->hash != hash) {
        i = (i + 1) % SLOTS;
    }
    return &table->slots[i];
}

static group_t *new_group(const aiodebug_record_t *r, uint64_t hash)
{
    aiodebug_buffer_clear(&scratch);
    aiodebug_names_expand(&scratch, aiodebug_record_text(r, r->message));
    aiodebug_buffer_putc(&scratch, '\0');
    group_t *group = scratch.failed ? NULL : malloc(sizeof *group + scratch.length);
    if (!group) {
        return NULL;
    }
    *group = (group_t){.hash = hash, .check = r->check, .level = r->level, .tid = r->tid};
    group->message = memcpy(group + 1, scratch.data, scratch.length);
    for (int i = 0; i < r->stack_count && group->stack_count < STACKS_KEPT; i++) {
        if (is_key(&r->stacks[i])) {
            group->stacks[group->stack_count++] =
                (aiodebug_shown_stack_t){.role = r->stacks[i].role, .stack = r->stacks[i].stack};
        }
    }
    return group;
}

/* The group of the record, made when it is new; NULL: no memory. */
static group_t *group_of(const aiodebug_record_t *r)
{
    if (!table && !(table = calloc(1, sizeof *table))) {
        return NULL;
    }
    uint64_t hash = hash_of(r);
    group_t **slot = find(hash);
    if (!*slot && table->count >= AIODEBUG_GROUPS_MAX) {
        hash = mix(UINT64_MAX, r->check);
        slot = find(hash);
    }
    if (!*slot && table->count < AIODEBUG_GROUPS_MAX + AIODEBUG_CHECK_COUNT) {
        *slot = new_group(r, hash);
        if (*slot) {
            table->order[table->count++] = *slot;
        }
    }
    return *slot;
}

bool aiodebug_group_admit(const aiodebug_record_t *r)
{
    if (r->level < AIODEBUG_LEVEL_WARNING || r->check == AIODEBUG_CHECK_LOOP_HANG) {
        return true;
    }
    group_t *group = group_of(r);
    if (!group) {
        return true;
    }
    group->objects += r->count;
    if (group->records++ < AIODEBUG_GROUP_SHOWN) {
        return true;
    }
    group->repeats++;
    return false;
}

static void tell(group_t *group, void (*print)(aiodebug_record_t *))
{
    aiodebug_record_t *r = aiodebug_record_make(group->check, group->level);
    if (!r) {
        return;
    }
    aiodebug_record_message(r, "%s ... repeated %llu more time%s (%llu in all)", group->message,
                            (unsigned long long)group->repeats, group->repeats == 1 ? "" : "s",
                            (unsigned long long)group->records);
    aiodebug_record_count(r, group->objects);
    aiodebug_record_thread(r, group->tid);
    for (int i = 0; i < group->stack_count; i++) {
        aiodebug_record_stack(r, group->stacks[i].role, group->stacks[i].stack, NULL);
    }
    r->brief = true;
    print(r);
    aiodebug_record_free(r);
    group->repeats = 0;
}

void aiodebug_group_summary(void (*print)(aiodebug_record_t *))
{
    for (int i = 0; table && i < table->count; i++) {
        if (table->order[i]->repeats) {
            tell(table->order[i], print);
        }
    }
}

void aiodebug_group_after_fork_child(void)
{
    /* Not freed: the parent's reporter may have been changing it when the fork copied it. */
    table = NULL;
    scratch = (aiodebug_buffer_t){0};
}
