/* SPDX-License-Identifier: MIT */
/*
 * stacks.c - the table of distinct stacks.
 *
 * Memory. Stacks are records in chunks of 64 Ki words that are mapped one by one and neither move
 * nor go away: one header word (tag << 32 | n), then n return addresses. A stack's id is the number
 * of its header word, counted over all chunks; word 0 is never used, so id 0 is none.
 *
 * Lookup. A table of 64-bit slots, open addressing, linear probing, at most half full. A slot is
 * 0 (empty) or tag << 32 | id, the tag being 32 bits of the hash, whose low bits are also the place
 * where probing starts: so a table twice as large is filled from the slots alone.
 *
 * Protocol. Writers hold `lock`; readers hold nothing.
 *   1. A record is written completely, behind everything in use;
 *   2. `used` moves behind it;
 *   3. its slot is stored with release order: who loads the slot (acquire) sees the whole record.
 * Slots are written once, 0 to their value, so a reader sees either. To grow, a writer fills a new
 * table and stores the pointer with release order. A reader that still holds the old table may miss
 * what is new; a miss always looks again under the lock before it inserts. The old table's pages
 * are given back but stay mapped, and read as empty: a miss too.
 * A fork() in the middle of 1 to 3 leaves the child with a few words that nothing refers to.
 *
 * Whoever looks up or inserts carries the "in the unwinder" mark, so a signal handler on the same
 * thread that captures gets 0 instead of waiting for a lock that it holds itself.
 */
#include "track/stacks.h"
#include "track/other_stack.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>

#include "track/again.h"
#include "track/threads.h"
#include "track/unwind.h"
#include "track/unwind_ops.h"

#if __has_include(<valgrind/memcheck.h>)
#include <valgrind/memcheck.h>
#define HAS_VALGRIND 1
#endif

enum {
    CHUNK_BITS = 16,
    CHUNK_WORDS = 1 << CHUNK_BITS,
    CHUNKS = 1024,
    FIRST_SLOTS = 1024,
    RANGES = 8,
    SLACK_FIRST = 1, /* internal frames allowed for before more were seen: capture itself */
    SLACK_MAX = 32,
};

typedef struct {
    uint32_t mask;
    size_t bytes;
    _Atomic uint64_t slots[];
} table_t;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static table_t *_Atomic table;
static uint64_t *_Atomic chunks[CHUNKS];
static uint32_t used = 1; /* words, over all chunks; under the lock */
static _Atomic uint32_t count;
static _Atomic size_t mapped;
static _Atomic uint64_t refused;
static atomic_bool full;
static uint32_t max_count = 1u << 20;
static size_t max_bytes = (size_t)256 << 20;

void *(*aiodebug_stack_elsewhere)(void);

#if defined(HAS_VALGRIND)
static bool on_valgrind;
#endif

static atomic_int depth = 16;
static atomic_int slack = SLACK_FIRST;

static struct {
    uintptr_t start, size;
} ranges[RANGES];
static atomic_int range_count;

/* ------------------------------------------------------------------------------------- records */

static uint64_t *record_of(uint32_t id)
{
    uint64_t *chunk = atomic_load_explicit(&chunks[id >> CHUNK_BITS], memory_order_acquire);
    return chunk + (id & (CHUNK_WORDS - 1));
}

__extension__ typedef unsigned __int128 wide_t;

/* 64 x 64 to 128 bits, both halves folded: every bit of the input reaches every bit. */
static inline uint64_t mix(uint64_t a, uint64_t b)
{
    wide_t product = (wide_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Two chains of multiplications, so that one does not wait for the other. Not for hostile input:
 * the keys are a program's own return addresses. */
static inline uint32_t tag_of(void *const *pcs, int n)
{
    uint64_t a = 0x9e3779b97f4a7c15u ^ (uint64_t)n, b = 0xd1b54a32d192ed03u;
    int i = 0;
    for (; i + 4 <= n; i += 4) {
        a = mix(a ^ (uintptr_t)pcs[i], 0xa0761d6478bd642fu ^ (uintptr_t)pcs[i + 1]);
        b = mix(b ^ (uintptr_t)pcs[i + 2], 0xe7037ed1a0b428dbu ^ (uintptr_t)pcs[i + 3]);
    }
    for (; i < n; i++)
        a = mix(a ^ (uintptr_t)pcs[i], 0x8ebc6af09c88c6e3u);
    uint64_t h = mix(a ^ 0x589965cc75374cc3u, b ^ 0x1d8e4e27c47d124fu);
    return (uint32_t)(h ^ h >> 32);
}

static inline bool same(const uint64_t *record, uint64_t header, void *const *pcs, int n)
{
    if (record[0] != header)
        return false;
    uint64_t difference = 0;
    for (int i = 0; i < n; i++)
        difference |= record[1 + i] ^ (uintptr_t)pcs[i];
    return difference == 0;
}

static inline uint32_t find(const table_t *in, uint32_t tag, void *const *pcs, int n)
{
    uint64_t header = (uint64_t)tag << 32 | (uint32_t)n;
    for (uint32_t i = tag;; i++) {
        uint64_t slot = atomic_load_explicit(&in->slots[i & in->mask], memory_order_acquire);
        if (slot == 0)
            return 0;
        if (slot >> 32 == tag && same(record_of((uint32_t)slot), header, pcs, n))
            return (uint32_t)slot;
    }
}

/* ----------------------------------------------------------------------- growth, under the lock */

static void *map_pages(size_t bytes)
{
    if (bytes > max_bytes || atomic_load(&mapped) > max_bytes - bytes)
        return NULL;
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    atomic_fetch_add(&mapped, bytes);
    return pages;
}

static void put(table_t *in, uint64_t slot)
{
    uint32_t i = (uint32_t)(slot >> 32);
    while (atomic_load_explicit(&in->slots[i & in->mask], memory_order_relaxed) != 0)
        i++;
    atomic_store_explicit(&in->slots[i & in->mask], slot, memory_order_release);
}

/* The table, with room for one more; NULL: no memory. */
static table_t *roomy_table(void)
{
    table_t *old = atomic_load_explicit(&table, memory_order_relaxed);
    if (old != NULL && atomic_load(&count) <= old->mask / 2)
        return old;
    uint32_t slots = old == NULL ? FIRST_SLOTS : (old->mask + 1) * 2;
    size_t bytes = sizeof(table_t) + slots * sizeof(uint64_t);
    table_t *new = map_pages(bytes);
    if (new == NULL)
        return NULL;
    new->mask = slots - 1;
    new->bytes = bytes;
    if (old != NULL) {
        for (uint32_t i = 0; i <= old->mask; i++) {
            uint64_t slot = atomic_load_explicit(&old->slots[i], memory_order_relaxed);
            if (slot != 0)
                put(new, slot);
        }
    }
    atomic_store_explicit(&table, new, memory_order_release);
    if (old != NULL) {
        /* All but the first page, which holds the mask that a late reader still needs. */
        size_t bytes_back = old->bytes & ~(size_t)4095;
        if (bytes_back > 65536 &&
            madvise((char *)old + 65536, bytes_back - 65536, MADV_DONTNEED) == 0)
            atomic_fetch_sub(&mapped, bytes_back - 65536);
    }
    return new;
}

/* A place for n + 1 words, all in one chunk; 0: no memory. */
static uint32_t place_for(int n)
{
    uint32_t id = used, words = (uint32_t)n + 1;
    if ((id & (CHUNK_WORDS - 1)) + words > CHUNK_WORDS)
        id = (id | (CHUNK_WORDS - 1)) + 1;
    uint32_t chunk = id >> CHUNK_BITS;
    if (chunk >= CHUNKS)
        return 0;
    if (atomic_load_explicit(&chunks[chunk], memory_order_relaxed) == NULL) {
        uint64_t *pages = map_pages(CHUNK_WORDS * sizeof(uint64_t));
        if (pages == NULL)
            return 0;
        atomic_store_explicit(&chunks[chunk], pages, memory_order_release);
    }
    return id;
}

static uint32_t insert_locked(uint32_t tag, void *const *pcs, int n)
{
    table_t *in = atomic_load_explicit(&table, memory_order_relaxed);
    uint32_t id = in == NULL ? 0 : find(in, tag, pcs, n);
    if (id != 0)
        return id;
    if (atomic_load(&count) >= max_count || (in = roomy_table()) == NULL ||
        (id = place_for(n)) == 0) {
        atomic_store(&full, true);
        return 0;
    }
    uint64_t *record = record_of(id);
    record[0] = (uint64_t)tag << 32 | (uint32_t)n;
    for (int i = 0; i < n; i++)
        record[1 + i] = (uintptr_t)pcs[i];
    used = id + (uint32_t)n + 1;
    put(in, (uint64_t)tag << 32 | id);
    atomic_fetch_add(&count, 1);
    return id;
}

__attribute__((noinline)) static uint32_t insert(uint32_t tag, void *const *pcs, int n)
{
    uint32_t id = 0;
    if (!atomic_load_explicit(&full, memory_order_relaxed)) {
        int saved = errno;
        pthread_mutex_lock(&lock);
        id = insert_locked(tag, pcs, n);
        pthread_mutex_unlock(&lock);
        errno = saved;
    }
    if (id == 0)
        atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
    return id;
}

/* --------------------------------------------------------------------------------- looking up */

static inline uint32_t intern(void *const *pcs, int n)
{
    uint32_t tag = tag_of(pcs, n);
    table_t *in = atomic_load_explicit(&table, memory_order_acquire);
    uint32_t id = in == NULL ? 0 : find(in, tag, pcs, n);
    return id != 0 ? id : insert(tag, pcs, n);
}

aiodebug_stack_t aiodebug_stack_intern(void *const *pcs, int n)
{
    if (n <= 0 || !aiodebug_unwind_enter())
        return 0;
    uint32_t id = intern(pcs, n < AIODEBUG_STACK_DEPTH_MAX ? n : AIODEBUG_STACK_DEPTH_MAX);
    aiodebug_unwind_leave();
    return id;
}

int aiodebug_stack_frames(aiodebug_stack_t id, void **pcs, int max)
{
    uint32_t chunk = id >> CHUNK_BITS, word = id & (CHUNK_WORDS - 1);
    if (id == 0 || chunk >= CHUNKS ||
        atomic_load_explicit(&chunks[chunk], memory_order_acquire) == NULL)
        return 0;
    const uint64_t *record = record_of(id);
    uint32_t n = (uint32_t)record[0];
    if (n > AIODEBUG_STACK_DEPTH_MAX || word + n >= CHUNK_WORDS)
        return 0; /* no id of ours */
    if ((int)n > max)
        n = max > 0 ? (uint32_t)max : 0;
    for (uint32_t i = 0; i < n; i++)
        pcs[i] = (void *)(uintptr_t)record[1 + i];
    return (int)n;
}

/* ----------------------------------------------------------------------------- internal frames */

static inline int internal_prefix(void *const *pcs, int n)
{
    int known = atomic_load_explicit(&range_count, memory_order_acquire), i = 0;
    for (; i < n; i++) {
        int r = 0;
        while (r < known && (uintptr_t)pcs[i] - ranges[r].start >= ranges[r].size)
            r++;
        if (r == known)
            break;
    }
    return i;
}

int aiodebug_stack_internal_prefix(void *const *pcs, int n)
{
    return internal_prefix(pcs, n);
}

void aiodebug_stack_add_internal_range(uintptr_t lo, uintptr_t hi)
{
    int n = atomic_load(&range_count);
    for (int i = 0; i < n; i++) {
        if (ranges[i].start == lo && ranges[i].size == hi - lo)
            return;
    }
    if (n == RANGES || hi <= lo)
        return;
    ranges[n].start = lo;
    ranges[n].size = hi - lo;
    atomic_store_explicit(&range_count, n + 1, memory_order_release);
    aiodebug_again_forget();
}

static int add_object_of(struct dl_phdr_info *info, size_t size, void *address)
{
    (void)size;
    bool found = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && (uintptr_t)address - start < header->p_memsz)
            found = true;
    }
    /* Linked into a program, the shim's (or the runtime's) code is not to be told from its own. */
    if (!found || info->dlpi_name == NULL || info->dlpi_name[0] == '\0')
        return found;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type == PT_LOAD && (header->p_flags & PF_X))
            aiodebug_stack_add_internal_range(start, start + header->p_memsz);
    }
    return 1;
}

void aiodebug_stack_add_internal_object(const void *address)
{
    dl_iterate_phdr(add_object_of, (void *)(uintptr_t)address);
}

/* ---------------------------------------------------------------------------------- capturing */

bool aiodebug_stack_init(void (*warn)(const char *line))
{
#if defined(HAS_VALGRIND)
    on_valgrind = RUNNING_ON_VALGRIND != 0;
#endif
    bool there = aiodebug_unwind_init(warn);
    if (there)
        aiodebug_stack_add_internal_object(&lock);
    return there;
}

void aiodebug_stack_set_depth(int frames)
{
    int most = AIODEBUG_STACK_DEPTH_MAX;
    atomic_store(&depth, frames < 0 ? 0 : frames > most ? most : frames);
    aiodebug_again_forget();
}

int aiodebug_stack_depth(void)
{
    return atomic_load_explicit(&depth, memory_order_relaxed);
}

void aiodebug_stack_set_limits(uint32_t stacks, size_t bytes)
{
    if (stacks != 0)
        max_count = stacks;
    if (bytes != 0)
        max_bytes = bytes;
    atomic_store(&full, false);
}

/*
 * The depth counts the program's frames, and frames of ours lie inside them: so a little more is
 * captured than is kept. How much is learned: the first stack that has more internal frames than
 * were allowed for is captured again, with more.
 */
__attribute__((always_inline)) static inline int capture_raw(void **pcs, void *elsewhere, int keep,
                                                             int *skip)
{
    for (;;) {
        int extra = atomic_load_explicit(&slack, memory_order_relaxed);
        int n = elsewhere ? aiodebug_on_other_stack(aiodebug_unwind_ops.backtrace, pcs,
                                                    keep + extra, elsewhere)
                          : aiodebug_unwind_ops.backtrace(pcs, keep + extra);
        *skip = internal_prefix(pcs, n);
        if (*skip <= extra || n < keep + extra || extra == SLACK_MAX)
            return n;
        int more = *skip < SLACK_MAX ? *skip : SLACK_MAX;
        atomic_store_explicit(&slack, more, memory_order_relaxed);
    }
}

enum { CAPTURE_MAX = AIODEBUG_STACK_DEPTH_MAX + SLACK_MAX };

/* `frame` is that of aiodebug_stack_capture(), two frames further out than what unwinds: the first
 * return address is in the stub or in capture_here(). */
__attribute__((always_inline)) static inline uint32_t capture(void **pcs, void *elsewhere, int keep,
                                                              const uintptr_t *frame)
{
    int skip;
    int all = capture_raw(pcs, elsewhere, keep, &skip), n = all - skip;
    uint32_t id = n <= 0 ? 0 : intern(pcs + skip, n < keep ? n : keep);

    aiodebug_again_note(frame, pcs + 1, all - 1, id);
    return id;
}

/* On a stack that is large enough. */
__attribute__((noinline)) static uint32_t capture_here(int keep, const uintptr_t *frame)
{
    void *pcs[CAPTURE_MAX];

    return capture(pcs, NULL, keep, frame);
}

/* To Valgrind, what lies below the stack pointer of the loop is not to be touched. It sees what is
 * pushed there from now on, but neither the array nor the first return address. */
static void made_ready(void **elsewhere)
{
#if defined(HAS_VALGRIND)
    if (on_valgrind)
        (void)VALGRIND_MAKE_MEM_UNDEFINED(elsewhere - CAPTURE_MAX - 1,
                                          (CAPTURE_MAX + 1) * sizeof(*elsewhere));
#else
    (void)elsewhere;
#endif
}

__attribute__((noinline)) aiodebug_stack_t aiodebug_stack_capture(void)
{
    int keep = aiodebug_stack_depth();
    const uintptr_t *frame = __builtin_frame_address(0);
    uint32_t id = 0;
    if (keep == 0 || aiodebug_unwind_ops.backtrace == NULL)
        return 0;
    if ((id = aiodebug_again_find(frame)) != 0)
        return id;
    if (!aiodebug_unwind_enter())
        return 0;
    int saved = errno;
    void **elsewhere = aiodebug_stack_elsewhere ? aiodebug_stack_elsewhere() : NULL;
    if (elsewhere) {
        made_ready(elsewhere);
        id = capture(elsewhere - CAPTURE_MAX, elsewhere - CAPTURE_MAX, keep, frame);
    } else {
        id = capture_here(keep, frame);
    }
    errno = saved;
    aiodebug_unwind_leave();
    return id;
}

/* --------------------------------------------------------------------------------------- others */

void aiodebug_stack_stats(aiodebug_stack_stats_t *out)
{
    out->stacks = atomic_load(&count);
    out->bytes = atomic_load(&mapped);
    out->refused = atomic_load(&refused);
}

void aiodebug_stack_after_fork_child(void)
{
    pthread_mutex_init(&lock, NULL);
    /* The forking thread cannot have been in here, unless a signal handler forked. */
    aiodebug_unwind_mark = false;
    aiodebug_threads_after_fork_child();
}
