/* SPDX-License-Identifier: MIT */
/*
 * memory.c - the table of watched objects.
 *
 * Memory. One mapping at the first watch: the filter (memory_map.h; only touched pages count), and
 * a page for each of 16 shards to begin with. A shard is a table with open addressing and linear
 * probing, at most three quarters full, which grows by half; entries are 16 bytes. An address's
 * granule, modulo the filter's window, decides everything: its region gives the shard, and itself
 * the place where probing begins. So all that shares a word of the filter shares a lock, and all
 * that shares a bit of it is met in one probe: the bit is cleared by whoever takes the last away.
 *
 * Locks. Writers hold their shard's; find() holds nothing and looks again when the shard's sequence
 * number was odd or has changed. No lock is held while anything foreign is called.
 *   - A signal handler that interrupts us on the same thread finds `inside` set and does nothing.
 *   - Nobody waits for more than a second: after that (the holder was put aside by a handler that
 *     does not return, say) the call does nothing, as if there were no memory.
 *   - A child of fork() has its parent's other threads' changes in part, and not in the order in
 *     which they were made, for the kernel copies page by page while they go on. So a shard says
 *     whose process used it last, and the first who locks it in another one makes it anew from its
 *     entries: what was there twice, what could not be reached. An object that another thread was
 *     busy with at that moment may be lost; the child has no such thread.
 *
 * Tables that were outgrown stay mapped, without their pages, for the sake of late readers.
 */
#include "track/memory_table.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "init.h"

enum {
    REGION_BITS = 12, /* granules, the bits of one word of words */
    SHARD_BITS = 4,
    SHARDS = 1 << SHARD_BITS,
    PAGE = 4096,
    SPINS = 200,
    YIELDS = 200,
    NAPS = 10 * 1000, /* a second, with what the kernel adds */
    NAP_NS = 50 * 1000,
    READS = SPINS / 2,
};

/* No object: a place whose entry is being replaced. */
#define NOWHERE ((uintptr_t)1)

typedef struct {
    _Alignas(16) uint32_t capacity; /* so that no entry lies in two pages */
    aiodebug_memory_entry_t entries[];
} table_t;

typedef struct {
    _Alignas(64) _Atomic pid_t lock; /* 0, or the process whose thread holds it */
    _Atomic pid_t process;           /* that of the last holder; 0: there was none yet */
    _Atomic uint32_t sequence;       /* odd: entries are being changed */
    table_t *_Atomic table;
    _Atomic uint32_t count;
    _Atomic bool hopeless; /* somebody has waited in vain */
} shard_t;

typedef struct {
    aiodebug_memory_map_t filter;
    _Alignas(PAGE) unsigned char first[SHARDS][PAGE];
} mapping_t;

aiodebug_memory_map_t *_Atomic aiodebug_memory_map;
static shard_t shards[SHARDS];
static _Atomic uint32_t largest; /* of all objects so far */
static _Atomic size_t table_bytes;

static __thread volatile sig_atomic_t inside;

static inline uintptr_t granule_of(uintptr_t address)
{
    return address >> AIODEBUG_GRANULE_BITS;
}

static inline uint32_t index_of(uintptr_t granule)
{
    return (uint32_t)granule & AIODEBUG_WINDOW_MASK;
}

static inline shard_t *shard_of(uint32_t index)
{
    return &shards[(index >> REGION_BITS) * 0x9e3779b1u >> (32 - SHARD_BITS)];
}

static inline uint32_t home_of(const table_t *table, uint32_t index)
{
    return (uint32_t)((uint64_t)(index * 0x9e3779b1u) * table->capacity >> 32);
}

static inline uint32_t after(const table_t *table, uint32_t i)
{
    return i + 1 == table->capacity ? 0 : i + 1;
}

static inline uintptr_t start_at(const table_t *table, uint32_t i)
{
    return atomic_load_explicit(&table->entries[i].start, memory_order_acquire);
}


/* ---------------------------------------------------------------------------------------- locks */

static void leave(void)
{
    atomic_signal_fence(memory_order_seq_cst);
    inside = 0;
}

static void inherit(shard_t *shard);

static void pause_for(int attempt)
{
    if (attempt < SPINS) {
#if defined(__x86_64__) || defined(__i386__)
        __builtin_ia32_pause();
#endif
    } else if (attempt < SPINS + YIELDS) {
        sched_yield();
    } else {
        nanosleep(&(struct timespec){.tv_nsec = NAP_NS}, NULL);
    }
}

static inline pid_t own_process(void)
{
    pid_t own = atomic_load_explicit(&aiodebug_pid, memory_order_relaxed);
    return own ? own : 1;
}

/* Whoever holds it in the name of another process is not there any more. */
static __attribute__((noinline)) bool lock_slowly(shard_t *shard, pid_t own)
{
    int saved = errno;
    int attempts = atomic_load(&shard->hopeless) ? SPINS : SPINS + YIELDS + NAPS;
    bool got = false;
    for (int i = 0; i < attempts && !got; i++) {
        pid_t holder = 0;
        got = atomic_compare_exchange_strong(&shard->lock, &holder, own) ||
              (holder != own && atomic_compare_exchange_strong(&shard->lock, &holder, own));
        if (!got) {
            pause_for(i);
        }
    }
    atomic_store(&shard->hopeless, !got);
    errno = saved;
    return got;
}

/* Without a lock when false. */
static inline bool lock(shard_t *shard)
{
    if (inside) {
        return false;
    }
    inside = 1;
    atomic_signal_fence(memory_order_seq_cst);
    pid_t nobody = 0, own = own_process();
    if (!__builtin_expect(atomic_compare_exchange_strong_explicit(&shard->lock, &nobody, own,
                                                                  memory_order_acquire,
                                                                  memory_order_relaxed),
                          1) &&
        !lock_slowly(shard, own)) {
        leave();
        return false;
    }
    if (__builtin_expect(atomic_load_explicit(&shard->process, memory_order_relaxed) != own, 0)) {
        inherit(shard);
        atomic_store_explicit(&shard->process, own, memory_order_release);
    }
    return true;
}

static inline void unlock(shard_t *shard)
{
    atomic_store_explicit(&shard->lock, 0, memory_order_release);
    leave();
}

static inline void begin_change(shard_t *shard)
{
    uint32_t sequence = atomic_load_explicit(&shard->sequence, memory_order_relaxed);
    atomic_store_explicit(&shard->sequence, sequence + 1, memory_order_relaxed);
}

static inline void end_change(shard_t *shard)
{
    uint32_t sequence = atomic_load_explicit(&shard->sequence, memory_order_relaxed);
    atomic_store_explicit(&shard->sequence, sequence + 1, memory_order_release);
}


/* --------------------------------------------------------------------------------------- filter */

static uint64_t change(_Atomic uint64_t *words, uint32_t i, bool set)
{
    uint64_t bit = (uint64_t)1 << (i & 63);
    uint64_t bits = atomic_load_explicit(&words[i >> 6], memory_order_relaxed);
    bits = set ? bits | bit : bits & ~bit;
    atomic_store_explicit(&words[i >> 6], bits, memory_order_relaxed);
    return bits;
}

static inline void change_bit(aiodebug_memory_map_t *map, uint32_t index, bool set)
{
    uint64_t bits = change(map->bits, index, set);
    if (set || bits == 0) {
        change(map->words, index >> 6, set);
    }
    if (index >> 6 == 0) {
        atomic_store_explicit(&map->bits[AIODEBUG_WORDS], bits, memory_order_relaxed);
    }
}

/* The first set bit from `at` to `last`, counted without end; `last` + 1: none. */
static uintptr_t next_bit(const _Atomic uint64_t *words, size_t mask, uintptr_t at, uintptr_t last)
{
    while (at <= last) {
        uint64_t bits = atomic_load_explicit(&words[(at & mask) >> 6], memory_order_relaxed);
        bits >>= at & 63;
        if (bits != 0) {
            at += (uintptr_t)__builtin_ctzll(bits);
            break;
        }
        at = (at | 63) + 1;
    }
    return at <= last ? at : last + 1;
}

/* The granule `at`, or the first one after it, whose bit is set; `last` + 1: none until there. */
static uintptr_t next_granule(const aiodebug_memory_map_t *map, uintptr_t at, uintptr_t last)
{
    while (at <= last) {
        uintptr_t word = next_bit(map->words, AIODEBUG_WINDOW_MASK >> 6, at >> 6, last >> 6);
        at = word == at >> 6 ? at : word << 6;
        uintptr_t end = at | 63, in_word = end < last ? end : last;
        uintptr_t found = next_bit(map->bits, AIODEBUG_WINDOW_MASK, at, in_word);
        if (found <= in_word) {
            return found;
        }
        at = end + 1;
    }
    return last + 1;
}


/* -------------------------------------------------------------------------------------- memory */

static void *map_pages(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return pages == MAP_FAILED ? NULL : pages;
}

static __attribute__((noinline)) aiodebug_memory_map_t *make_map(void)
{
    mapping_t *mapping = map_pages(sizeof(*mapping));
    if (!mapping) {
        return NULL;
    }
    /* A huge page for the filter would cost 2 MiB where some words are meant. */
    madvise(mapping, sizeof(*mapping), MADV_NOHUGEPAGE);
    aiodebug_memory_map_t *map = NULL;
    if (atomic_compare_exchange_strong(&aiodebug_memory_map, &map, &mapping->filter)) {
        atomic_fetch_add(&table_bytes, sizeof(mapping->first));
        if (aiodebug_memory_watched) {
            aiodebug_memory_watched();
        }
        return &mapping->filter;
    }
    munmap(mapping, sizeof(*mapping));
    return map;
}

static inline aiodebug_memory_map_t *load_map(void)
{
    return atomic_load_explicit(&aiodebug_memory_map, memory_order_acquire);
}

static table_t *new_table(size_t bytes, void *pages)
{
    table_t *table = pages;
    if (table) {
        table->capacity =
            (uint32_t)((bytes - offsetof(table_t, entries)) / sizeof(aiodebug_memory_entry_t));
    }
    return table;
}

static size_t bytes_of(const table_t *table)
{
    size_t bytes = offsetof(table_t, entries) + table->capacity * sizeof(aiodebug_memory_entry_t);
    return (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
}

/* All but the first page, whose capacity a late reader still needs. */
static void retire(table_t *table)
{
    size_t bytes = bytes_of(table);
    if (bytes > PAGE) {
        madvise((char *)table + PAGE, bytes - PAGE, MADV_DONTNEED);
        atomic_fetch_sub(&table_bytes, bytes - PAGE);
    }
}


/* ------------------------------------------------------------------- entries, with the lock held
 */

static inline void write_entry(aiodebug_memory_entry_t *entry, uintptr_t start, uint32_t record,
                               uint32_t size)
{
    atomic_store_explicit(&entry->start, NOWHERE, memory_order_release);
    atomic_store_explicit(&entry->record, record, memory_order_release);
    atomic_store_explicit(&entry->size, size, memory_order_release);
    atomic_store_explicit(&entry->start, start, memory_order_release);
}

static void copy_entry(aiodebug_memory_entry_t *to, const aiodebug_memory_entry_t *from)
{
    write_entry(to, atomic_load_explicit(&from->start, memory_order_relaxed),
                atomic_load_explicit(&from->record, memory_order_relaxed),
                atomic_load_explicit(&from->size, memory_order_relaxed));
}

/* The object's place, or the empty one where its probe ends. */
static inline uint32_t place_of(const table_t *table, uint32_t index, uintptr_t start)
{
    uint32_t i = home_of(table, index);
    for (uintptr_t at = start_at(table, i); at != 0 && at != start; at = start_at(table, i)) {
        i = after(table, i);
    }
    return i;
}

/* All entries, each once, in a table of that many bytes; NULL: no memory. */
static table_t *copy_table(shard_t *shard, const table_t *old, size_t bytes)
{
    table_t *table = new_table(bytes, map_pages(bytes));
    if (!table) {
        return NULL;
    }
    uint32_t count = 0;
    for (uint32_t i = 0; i < old->capacity; i++) {
        uintptr_t start = start_at(old, i);
        if (start > NOWHERE) {
            uint32_t place = place_of(table, index_of(granule_of(start)), start);
            count += start_at(table, place) == 0;
            copy_entry(&table->entries[place], &old->entries[i]);
        }
    }
    atomic_fetch_add(&table_bytes, bytes);
    atomic_store_explicit(&shard->count, count, memory_order_relaxed);
    return table;
}

static table_t *replace_table(shard_t *shard, table_t *old, size_t bytes)
{
    table_t *table = copy_table(shard, old, bytes);
    if (table) {
        begin_change(shard);
        atomic_store_explicit(&shard->table, table, memory_order_release);
        retire(old);
        end_change(shard);
    }
    return table;
}

/* With a clean table and at least the bits that it needs. Without memory for one it stays as it
 * is. */
static __attribute__((noinline)) void inherit(shard_t *shard)
{
    aiodebug_memory_map_t *map = load_map();
    table_t *table = atomic_load_explicit(&shard->table, memory_order_relaxed);
    if (atomic_load(&shard->sequence) & 1) {
        end_change(shard);
    }
    if (!table || !map || !(table = replace_table(shard, table, bytes_of(table)))) {
        return;
    }
    for (uint32_t i = 0; i < table->capacity; i++) {
        uintptr_t start = start_at(table, i);
        if (start != 0) {
            change_bit(map, index_of(granule_of(start)), true);
        }
    }
}

/* The table with room for one more; NULL: no memory. */
static inline table_t *roomy_table(shard_t *shard, aiodebug_memory_map_t *map)
{
    table_t *table = atomic_load_explicit(&shard->table, memory_order_relaxed);
    if (__builtin_expect(!table, 0)) {
        mapping_t *mapping = (mapping_t *)(void *)map;
        table = new_table(PAGE, mapping->first[shard - shards]);
        atomic_store_explicit(&shard->table, table, memory_order_release);
    }
    uint32_t count = atomic_load_explicit(&shard->count, memory_order_relaxed);
    if (__builtin_expect(count + 1 > table->capacity / 4 * 3, 0)) {
        size_t bytes = bytes_of(table);
        bytes += (bytes / 2 + PAGE - 1) & ~(size_t)(PAGE - 1);
        return replace_table(shard, table, bytes);
    }
    return table;
}

/* Empties the place; whoever has probed past it moves up. True: an entry of the same index is left.
 * `i` may be any place of its probe. */
static bool take_out(table_t *table, uint32_t i, uint32_t index)
{
    bool left = false;
    for (uint32_t j = home_of(table, index); j != i; j = after(table, j)) {
        left |= index_of(granule_of(start_at(table, j))) == index;
    }
    for (uint32_t j = after(table, i);; j = after(table, j)) {
        uintptr_t start = start_at(table, j);
        if (start == 0) {
            atomic_store_explicit(&table->entries[i].start, 0, memory_order_release);
            return left;
        }
        uint32_t its = index_of(granule_of(start)), home = home_of(table, its);
        left |= its == index;
        /* It may move to i if its home is not between i (excluded) and j, cyclically. */
        bool stays = i < j ? home > i && home <= j : home > i || home <= j;
        if (!stays) {
            copy_entry(&table->entries[i], &table->entries[j]);
            i = j;
        }
    }
}


/* ------------------------------------------------------------------------------ watch and forget
 */

void aiodebug_memory_watch(const void *start, size_t size, uint32_t record)
{
    uintptr_t address = (uintptr_t)start;
    uint32_t index = index_of(granule_of(address));
    shard_t *shard = shard_of(index);
    aiodebug_memory_map_t *map = load_map();
    if (address <= NOWHERE || record == 0 || (!map && !(map = make_map())) || !lock(shard)) {
        return;
    }
    uint32_t known = size < AIODEBUG_OBJECT_MAX ? (uint32_t)size : AIODEBUG_OBJECT_MAX;
    if (atomic_load_explicit(&largest, memory_order_relaxed) < known) {
        atomic_store(&largest, known);
    }
    table_t *table = roomy_table(shard, map);
    if (table) {
        uint32_t i = place_of(table, index, address);
        if (start_at(table, i) == 0) {
            uint32_t count = atomic_load_explicit(&shard->count, memory_order_relaxed);
            atomic_store_explicit(&shard->count, count + 1, memory_order_relaxed);
            change_bit(map, index, true);
        }
        begin_change(shard);
        write_entry(&table->entries[i], address, record, known);
        end_change(shard);
    }
    unlock(shard);
}

void aiodebug_memory_unwatch(const void *start)
{
    uintptr_t address = (uintptr_t)start;
    uint32_t index = index_of(granule_of(address));
    shard_t *shard = shard_of(index);
    aiodebug_memory_map_t *map = load_map();
    if (!map || address <= NOWHERE || !lock(shard)) {
        return;
    }
    table_t *table = atomic_load_explicit(&shard->table, memory_order_relaxed);
    uint32_t i = table ? place_of(table, index, address) : 0;
    if (table && start_at(table, i) == address) {
        begin_change(shard);
        bool left = take_out(table, i, index);
        end_change(shard);
        if (!left) {
            change_bit(map, index, false);
        }
        uint32_t count = atomic_load_explicit(&shard->count, memory_order_relaxed);
        atomic_store_explicit(&shard->count, count - 1, memory_order_relaxed);
    }
    unlock(shard);
}

static uint32_t look_up(const table_t *table, uint32_t index, uintptr_t address)
{
    /* Bounded: without a lock it may be the old table, or a new one, or pages that were taken. */
    uint32_t i = home_of(table, index);
    for (uint32_t steps = 0; steps < table->capacity; steps++) {
        uintptr_t start = start_at(table, i);
        if (start == address || start == 0) {
            return start ? atomic_load_explicit(&table->entries[i].record, memory_order_acquire)
                         : 0;
        }
        i = after(table, i);
    }
    return 0;
}

/* By lock, when others are always changing it, or when this is a new process. */
static __attribute__((noinline)) uint32_t find_slowly(shard_t *shard, uint32_t index,
                                                      uintptr_t address)
{
    uint32_t record = 0;
    if (lock(shard)) {
        const table_t *table = atomic_load_explicit(&shard->table, memory_order_relaxed);
        record = table ? look_up(table, index, address) : 0;
        unlock(shard);
    }
    return record;
}

uint32_t aiodebug_memory_find(const void *start)
{
    uintptr_t address = (uintptr_t)start;
    const aiodebug_memory_map_t *map = load_map();
    if (!map || address <= NOWHERE || aiodebug_memory_surely_none(map, granule_of(address), 1)) {
        return 0;
    }
    uint32_t index = index_of(granule_of(address));
    shard_t *shard = shard_of(index);
    pid_t process = atomic_load_explicit(&shard->process, memory_order_acquire);
    for (int tries = 0; tries < READS && process == own_process(); tries++) {
        uint32_t before = atomic_load_explicit(&shard->sequence, memory_order_acquire);
        const table_t *table = atomic_load_explicit(&shard->table, memory_order_acquire);
        if (before & 1 || !table) {
            pause_for(tries);
            continue;
        }
        uint32_t record = look_up(table, index, address);
        if (atomic_load_explicit(&shard->sequence, memory_order_relaxed) == before) {
            return record;
        }
    }
    return find_slowly(shard, index, address);
}


/* --------------------------------------------------------------------------------------- visits */

bool aiodebug_memory_may_begin(const aiodebug_memory_map_t *map, const void *block, size_t size)
{
    uintptr_t first = (uintptr_t)block;
    if (size == 0 || first + size < first) {
        return false;
    }
    uintptr_t last = granule_of(first + size - 1);
    return last - granule_of(first) > AIODEBUG_WINDOW_MASK ||
           next_granule(map, granule_of(first), last) <= last;
}

/* Without its lock nothing is seen, and that is the end. */
uintptr_t aiodebug_memory_visit(uintptr_t at, uintptr_t last, aiodebug_memory_visitor_t *visitor,
                                void *arg)
{
    const aiodebug_memory_map_t *map = load_map();
    at = next_granule(map, at, last);
    uintptr_t region_last = at | (((uintptr_t)1 << REGION_BITS) - 1);
    region_last = region_last < last ? region_last : last;
    shard_t *shard = shard_of(index_of(at));
    if (at > last || !lock(shard)) {
        return last + 1;
    }
    table_t *table = atomic_load_explicit(&shard->table, memory_order_relaxed);
    bool more = true;
    while (at <= region_last) {
        uint32_t i = home_of(table, index_of(at));
        for (uintptr_t start = start_at(table, i); start != 0 && more; start = start_at(table, i)) {
            more = granule_of(start) != at || visitor(arg, &table->entries[i], start);
            i = after(table, i);
        }
        if (!more) {
            break;
        }
        at = next_granule(map, at + 1, region_last);
    }
    unlock(shard);
    return at;
}

bool aiodebug_memory_visit_everything(aiodebug_memory_visitor_t *visitor, void *arg)
{
    bool more = true;
    for (shard_t *shard = shards; shard < shards + SHARDS && more; shard++) {
        if (!lock(shard)) {
            continue;
        }
        table_t *table = atomic_load_explicit(&shard->table, memory_order_relaxed);
        for (uint32_t i = 0; table && i < table->capacity && more; i++) {
            uintptr_t start = start_at(table, i);
            more = start <= NOWHERE || visitor(arg, &table->entries[i], start);
        }
        unlock(shard);
    }
    return more;
}

uint32_t aiodebug_memory_largest(void)
{
    return atomic_load(&largest);
}

size_t aiodebug_memory_table_bytes(void)
{
    return atomic_load(&table_bytes);
}
