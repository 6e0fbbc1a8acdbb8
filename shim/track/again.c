/* SPDX-License-Identifier: MIT */
/*
 * again.c - a loop's callbacks call the same functions from the same place, at the same depth of
 * the same stack, and unwinding would find each time what it found before.
 *
 * What an unwinder finds is decided by some words on the stack: each frame's size follows from its
 * return address, so where the next return address lies is known, and so on; but for frames that
 * are measured by rbp, where the word counts from which rbp is restored. A stack that is seen a
 * second time is walked with the cursor, and those words are noted, place and value, innermost
 * first. When all of them are as they were, so is the stack. No word is read before the ones that
 * say that it is there have been found right; and a walk that finds anything else than
 * unw_backtrace() did, or a signal's frame, is not believed.
 *
 * The walk takes some ten microseconds, so it must be worth it: each time that an entry turns out
 * wrong for its place twice as many equal stacks in a row are asked for.
 *
 * Entries are found by the frame's address and its return address, four to a set, and are shared by
 * all threads (whose stacks differ): a sequence number is odd while one is written. A writer that
 * finds it odd leaves; so one that a fork() or a signal handler has cut short is lost, that is all.
 */
#include "track/again.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "track/unwind_ops.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define RUNNING_ON_VALGRIND 0
#endif

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#endif

/* It reads other functions' frames, which is what the sanitizers look for. */
#if defined(__x86_64__) && !defined(SANITIZED)

enum {
    SET_BITS = 8,
    WAYS = 4,
    WORDS = 68,
    NEEDED_FIRST = 2,
    NEEDED_MAX = 1 << 20,
    ALIGNED_KEEPS = 64, /* bytes */
    STEPS = 16,         /* frames of ours above the one that captures */
};

typedef struct {
    _Atomic uintptr_t word;
    _Atomic uint32_t place; /* in words, from the frame's address */
} word_t;

/* What is compared lies together: after a system call little of it is in the cache. */
typedef struct {
    _Alignas(64) _Atomic uint32_t sequence;
    _Atomic uint32_t id;
    _Atomic uint32_t generation;
    _Atomic uint32_t count; /* of words; 0: nothing learned */
    _Atomic uintptr_t frame, caller;
    uint32_t repeated, needed;
    word_t words[WORDS];
} entry_t;

typedef struct {
    entry_t ways[WAYS];
    _Atomic uint32_t turn;
} set_t;

static set_t *_Atomic sets;
static _Atomic uint32_t generation = 1;

#define GET(field) atomic_load_explicit(&(field), memory_order_relaxed)
#define SET(field, value) atomic_store_explicit(&(field), value, memory_order_relaxed)

static set_t *set_of(set_t *all, const uintptr_t *frame)
{
    uintptr_t key = (uintptr_t)frame ^ frame[1] * 0x9e3779b97f4a7c15u;
    return &all[key * 0x9e3779b97f4a7c15u >> (64 - SET_BITS)];
}

static inline bool is_of(const entry_t *entry, const uintptr_t *frame)
{
    return GET(entry->frame) == (uintptr_t)frame && GET(entry->caller) == frame[1] &&
           GET(entry->generation) == GET(generation);
}

/* The words of this stack are those of the entry. */
static inline bool same(const entry_t *entry, const uintptr_t *frame)
{
    uint32_t count = GET(entry->count);
    for (uint32_t i = 0; i < count; i++) {
        if (frame[GET(entry->words[i].place)] != GET(entry->words[i].word)) {
            return false;
        }
    }
    return count != 0;
}

aiodebug_stack_t aiodebug_again_find(const uintptr_t *frame)
{
    set_t *all = atomic_load_explicit(&sets, memory_order_acquire);
    if (!all) {
        return 0;
    }
    const set_t *set = set_of(all, frame);
    for (int i = 0; i < WAYS; i++) {
        const entry_t *entry = &set->ways[i];
        uint32_t before = atomic_load_explicit(&entry->sequence, memory_order_acquire);
        if (is_of(entry, frame) && !(before & 1) && same(entry, frame)) {
            uint32_t id = GET(entry->id);
            atomic_thread_fence(memory_order_acquire);
            if (GET(entry->sequence) == before) {
                return id;
            }
        }
    }
    return 0;
}


/* ----------------------------------------------------------------------------------- learning */

typedef struct {
    unw_context_t context;
    unw_cursor_t cursor;
    unw_word_t ip, sp, rbp;
} walk_t;

static bool look(walk_t *walk)
{
    const aiodebug_unwind_ops_t *ops = &aiodebug_unwind_ops;
    return ops->get_reg(&walk->cursor, UNW_REG_IP, &walk->ip) >= 0 &&
           ops->get_reg(&walk->cursor, UNW_REG_SP, &walk->sp) >= 0 &&
           ops->get_reg(&walk->cursor, UNW_X86_64_RBP, &walk->rbp) >= 0 &&
           ops->is_signal_frame(&walk->cursor) <= 0;
}

static bool step(walk_t *walk)
{
    return aiodebug_unwind_ops.step(&walk->cursor) > 0 && look(walk);
}

static bool add(entry_t *entry, uint32_t *count, const uintptr_t *frame, uintptr_t address,
                uintptr_t word)
{
    uintptr_t place = (address - (uintptr_t)frame) / sizeof *frame;
    if (*count == WORDS || address < (uintptr_t)frame || place > UINT32_MAX ||
        address % sizeof *frame || *(const uintptr_t *)address != word) {
        return false;
    }
    SET(entry->words[*count].place, (uint32_t)place);
    SET(entry->words[*count].word, word);
    ++*count;
    return true;
}

/* A frame whose rbp points into itself is taken to be measured by it: so the word counts from which
 * that rbp will come, which lies in a frame further in. A function that has aligned its stack keeps
 * where the frame ends among the first words below the rbp; wherever that stands, it counts. */
static bool add_rbp(entry_t *entry, uint32_t *count, const uintptr_t *frame, uintptr_t rbp,
                    uintptr_t from, uintptr_t sp, uintptr_t end)
{
    if (rbp < sp || rbp > end) {
        return true;
    }
    if (rbp % sizeof *frame != 0 || from == 0 || from >= sp ||
        !add(entry, count, frame, from, rbp)) {
        return false;
    }
    uintptr_t lowest = rbp - sp < ALIGNED_KEEPS ? sp : rbp - ALIGNED_KEEPS;
    for (uintptr_t at = rbp - sizeof *frame; end != rbp + 2 * sizeof *frame && at >= lowest;
         at -= sizeof *frame) {
        if (*(const uintptr_t *)at == end && !add(entry, count, frame, at, end)) {
            return false;
        }
    }
    return true;
}

static uintptr_t rbp_comes_from(walk_t *walk)
{
    unw_save_loc_t where;
    if (!aiodebug_unwind_ops.get_save_loc ||
        aiodebug_unwind_ops.get_save_loc(&walk->cursor, UNW_X86_64_RBP, &where) < 0 ||
        where.type != UNW_SLT_MEMORY) {
        return 0;
    }
    return where.u.addr;
}

/* The frame of the one that captures, whose caller is pcs[1]. */
static bool walk_to(walk_t *walk, const uintptr_t *frame)
{
    if (getcontext(&walk->context) != 0 ||
        aiodebug_unwind_ops.init_local2(&walk->cursor, &walk->context, 0) != 0) {
        return false;
    }
    for (int i = 0; i < STEPS && step(walk); i++) {
        if (walk->sp == (uintptr_t)(frame + 2)) {
            return walk->ip == frame[1];
        }
    }
    return false;
}

/* Not inlined: its own frame is where the walk begins. Returns how many words; 0: not to be
 * learned. */
static __attribute__((noinline)) uint32_t learn(entry_t *entry, const uintptr_t *frame,
                                                void *const *pcs, int n)
{
    walk_t walk;
    uint32_t count = 0;
    if (!aiodebug_unwind_ops.init_local2 || n < 2 || !walk_to(&walk, frame) ||
        !add(entry, &count, frame, (uintptr_t)(frame + 1), (uintptr_t)pcs[1])) {
        return 0;
    }
    for (int i = 2; i < n; i++) {
        uintptr_t sp = walk.sp, rbp = walk.rbp, from = rbp_comes_from(&walk);
        if (!step(&walk) || walk.ip != (uintptr_t)pcs[i] || walk.sp <= sp ||
            !add_rbp(entry, &count, frame, rbp, from, sp, walk.sp) ||
            !add(entry, &count, frame, walk.sp - sizeof *frame, walk.ip)) {
            return 0;
        }
    }
    return count;
}

static set_t *make_sets(void)
{
    if (RUNNING_ON_VALGRIND) {
        return NULL; /* it would not like what add_rbp() reads, either */
    }
    size_t bytes = sizeof(set_t) << SET_BITS;
    set_t *mine = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
          *none = NULL;
    if (mine == MAP_FAILED) {
        return NULL;
    }
    if (atomic_compare_exchange_strong(&sets, &none, mine)) {
        return mine;
    }
    munmap(mine, bytes);
    return none;
}

/* The entry that waits for this very stack, or one that may be used for it. */
static entry_t *entry_for(set_t *set, const uintptr_t *frame, aiodebug_stack_t id)
{
    entry_t *found = NULL;
    for (int i = 0; i < WAYS; i++) {
        entry_t *entry = &set->ways[i];
        if (is_of(entry, frame) && GET(entry->id) == id) {
            return entry;
        }
        if (GET(entry->count) == 0) {
            found = entry;
        }
    }
    /* All have learned something: now and then one has to go. */
    uint32_t turn = atomic_fetch_add_explicit(&set->turn, 1, memory_order_relaxed);
    return found ? found : turn % 64 == 0 ? &set->ways[turn / 64 % WAYS] : NULL;
}

static void note(entry_t *entry, const uintptr_t *frame, void *const *pcs, int n,
                 aiodebug_stack_t id)
{
    bool waits = is_of(entry, frame) && GET(entry->id) == id;
    if (!waits || GET(entry->count) != 0) {
        /* Something else was here, or it was here and looked otherwise. */
        bool was_learned = GET(entry->count) != 0;
        entry->needed = entry->needed == 0                          ? NEEDED_FIRST
                        : was_learned && entry->needed < NEEDED_MAX ? entry->needed * 2
                                                                    : entry->needed;
        entry->repeated = 0;
        SET(entry->count, 0);
        SET(entry->frame, (uintptr_t)frame);
        SET(entry->caller, frame[1]);
        SET(entry->id, id);
        SET(entry->generation, GET(generation));
    } else if (++entry->repeated >= entry->needed) {
        uint32_t count = learn(entry, frame, pcs, n);
        SET(entry->count, count);
        if (count == 0) {
            entry->repeated = 0;
            entry->needed = NEEDED_MAX;
        }
    }
}

void aiodebug_again_note(const uintptr_t *frame, void *const *pcs, int n, aiodebug_stack_t id)
{
    set_t *all = atomic_load_explicit(&sets, memory_order_acquire);
    if (id == 0 || n < 2 || (uintptr_t)pcs[1] != frame[1] || (!all && !(all = make_sets()))) {
        return;
    }
    entry_t *entry = entry_for(set_of(all, frame), frame, id);
    uint32_t sequence = entry ? GET(entry->sequence) : 1;
    if (sequence & 1 ||
        !atomic_compare_exchange_strong(&entry->sequence, &sequence, sequence + 1)) {
        return;
    }
    atomic_thread_fence(memory_order_release);
    note(entry, frame, pcs, n, id);
    atomic_store_explicit(&entry->sequence, sequence + 2, memory_order_release);
}

void aiodebug_again_forget(void)
{
    atomic_fetch_add(&generation, 1);
}

#else

aiodebug_stack_t aiodebug_again_find(const uintptr_t *frame)
{
    (void)frame;
    return 0;
}

void aiodebug_again_note(const uintptr_t *frame, void *const *pcs, int n, aiodebug_stack_t id)
{
    (void)frame, (void)pcs, (void)n, (void)id;
}

void aiodebug_again_forget(void) {}

#endif
