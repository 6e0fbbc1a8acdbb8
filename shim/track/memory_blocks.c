/* SPDX-License-Identifier: MIT */
/*
 * memory_blocks.c - what happens to watched objects when their memory is given back, or moved.
 *
 * Objects are visited under the table's locks, marked as given back, so that each is reported once,
 * and collected; they are reported in batches, with no lock held. While a block may be about to
 * move they carry another mark: whoever gets the old memory, and watches an object there before we
 * come to report, replaces the entry or makes one without the mark.
 */
#include <errno.h>

#include "track/memory_table.h"

enum { BATCH = 32 };

typedef enum { REPORT, LIFT, SETTLE } action_t;

/* One pass over the objects in a stretch of memory. */
typedef struct {
    action_t action;
    uintptr_t first, end; /* the stretch */
    uintptr_t from;       /* where an object that reaches into it may begin */
    uintptr_t kept;       /* SETTLE: what ends until here has stayed */
    size_t lifted;
    int n;
    struct {
        uintptr_t object;
        uint32_t record;
    } batch[BATCH];
} pass_t;

typedef struct {
    const void *block;
    size_t size;
    aiodebug_freed_t how;
    aiodebug_memory_report_t *report;
} block_t;

/* Whether to report it. Changes its marks, but for the one that it was given back. */
static bool decide(pass_t *pass, uint32_t *size, uintptr_t start, uintptr_t end)
{
    switch (pass->action) {
    case LIFT:
        *size |= AIODEBUG_OBJECT_LIFTED;
        pass->lifted++;
        return false;
    case SETTLE:
        if (!(*size & AIODEBUG_OBJECT_LIFTED)) {
            return false;
        }
        *size &= ~AIODEBUG_OBJECT_LIFTED;
        return end > pass->kept || start < pass->first;
    default:
        return true;
    }
}

static bool meet(void *arg, aiodebug_memory_entry_t *entry, uintptr_t start)
{
    pass_t *pass = arg;
    uint32_t size = atomic_load_explicit(&entry->size, memory_order_relaxed);
    uintptr_t end = start + (size & AIODEBUG_OBJECT_MAX);
    if (size & AIODEBUG_OBJECT_GIVEN_BACK || start < pass->from || start >= pass->end ||
        (start < pass->first && end <= pass->first)) {
        return true;
    }
    if (pass->n == BATCH) {
        return false;
    }
    if (decide(pass, &size, start, end)) {
        size |= AIODEBUG_OBJECT_GIVEN_BACK;
        pass->batch[pass->n].object = start;
        pass->batch[pass->n++].record = atomic_load_explicit(&entry->record, memory_order_relaxed);
    }
    atomic_store_explicit(&entry->size, size, memory_order_relaxed);
    return true;
}

/* With no lock held. */
static void report_batch(pass_t *pass, const block_t *block)
{
    for (int i = 0; i < pass->n; i++) {
        const void *object = (const void *)pass->batch[i].object;
        block->report(pass->batch[i].record, object, block->block, block->size, block->how);
    }
    pass->n = 0;
}

/* Where a granule of the filter stands for several of the stretch, the table is shorter. */
static void make(pass_t *pass, const block_t *block)
{
    int saved = errno;
    uintptr_t at = pass->from >> AIODEBUG_GRANULE_BITS;
    uintptr_t last = (pass->end - 1) >> AIODEBUG_GRANULE_BITS;
    if (last - at > AIODEBUG_WINDOW_MASK) {
        bool all = false;
        while (!all) {
            all = aiodebug_memory_visit_everything(meet, pass);
            report_batch(pass, block);
        }
    } else {
        while (at <= last) {
            at = aiodebug_memory_visit(at, last, meet, pass);
            report_batch(pass, block);
        }
    }
    errno = saved;
}

/* False: there is nothing to be met. */
static bool begin(pass_t *pass, action_t action, const void *block, size_t size, bool pages)
{
    uintptr_t first = (uintptr_t)block, before = pages ? aiodebug_memory_largest() : 0;
    size = size ? size : 1;
    if (!atomic_load_explicit(&aiodebug_memory_map, memory_order_acquire) || first == 0 ||
        first + size < first) {
        return false;
    }
    pass->action = action;
    pass->first = first;
    pass->end = first + size;
    pass->from = before < first ? first - before : 1;
    pass->kept = 0;
    pass->lifted = 0;
    pass->n = 0;
    return true;
}

static void give_back(const block_t *block, bool pages)
{
    pass_t pass;
    if (begin(&pass, REPORT, block->block, block->size, pages)) {
        make(&pass, block);
    }
}

void aiodebug_memory_give_back(const void *block, size_t size, aiodebug_freed_t how,
                               aiodebug_memory_report_t *report)
{
    give_back(&(block_t){block, size, how, report}, false);
}

void aiodebug_memory_give_back_pages(const void *pages, size_t size, aiodebug_freed_t how,
                                     aiodebug_memory_report_t *report)
{
    give_back(&(block_t){pages, size, how, report}, true);
}

bool aiodebug_memory_lift(const void *block, size_t size, bool pages)
{
    pass_t pass;
    if (!begin(&pass, LIFT, block, size, pages)) {
        return false;
    }
    make(&pass, &(block_t){.block = block});
    return pass.lifted > 0;
}

void aiodebug_memory_settle(const void *block, size_t size, bool pages, size_t kept,
                            aiodebug_freed_t how, aiodebug_memory_report_t *report)
{
    pass_t pass;
    if (begin(&pass, SETTLE, block, size, pages)) {
        uintptr_t first = (uintptr_t)block;
        pass.kept = kept > UINTPTR_MAX - first ? UINTPTR_MAX : first + kept;
        make(&pass, &(block_t){block, size, how, report});
    }
}
