/* SPDX-License-Identifier: MIT */
/*
 * The tables behind uv.h. Memory comes from mmap() and is never given back; records and loop
 * entries are used again. Threads take records from the common list in batches, so that the usual
 * init and close take no lock.
 */
#include "uv.h"

#include <errno.h>
#include <link.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "../config.h"
#include "../init.h"
#include "clock.h"
#include "coarse.h"
#include "memory.h"
#include "threads.h"

_Thread_local aiodebug_uv_thread_t aiodebug_uv_self __attribute__((aligned(64)));

int64_t aiodebug_uv_slow = INT64_MAX, aiodebug_uv_slow_turn = INT64_MAX;
int64_t aiodebug_uv_sure = INT64_MAX, aiodebug_uv_fine = INT64_MAX;
int64_t aiodebug_uv_notable = INT64_MAX, aiodebug_uv_notable_poll = INT64_MAX;
bool aiodebug_uv_exact_polls;
uint32_t aiodebug_uv_unread;
aiodebug_uv_code_t aiodebug_uv_code, aiodebug_uv_own_code, aiodebug_uv_runtime_code;

/* ------------------------------------------------------------------------------------- locking */

/* Held for some instructions, and not across a call that may wait. */
typedef _Atomic bool lock_t;

static void lock(lock_t *held)
{
    while (atomic_exchange_explicit(held, true, memory_order_acquire)) {
        while (atomic_load_explicit(held, memory_order_relaxed)) {
            sched_yield();
        }
    }
}

static void unlock(lock_t *held)
{
    atomic_store_explicit(held, false, memory_order_release);
}

static lock_t loops_lock, records_lock;

static void *pages(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}


/* --------------------------------------------------------------------------------------- loops */

enum { LOOP_BUCKETS = 1024, LOOPS_A_BATCH = 64 };

static aiodebug_uv_loop_t *loops[LOOP_BUCKETS], *unused_loops;
static _Atomic uint32_t loops_seen;

static aiodebug_uv_loop_t **bucket_of(const uv_loop_t *uv)
{
    return &loops[((uintptr_t)uv >> 4) * 0x9e3779b97f4a7c15u >> 54];
}

static aiodebug_uv_loop_t *find_loop(const uv_loop_t *uv)
{
    aiodebug_uv_loop_t *loop = *bucket_of(uv);
    while (loop && loop->uv != uv) {
        loop = loop->next;
    }
    return loop;
}

static aiodebug_uv_loop_t *make_loop(const uv_loop_t *uv)
{
    if (!unused_loops) {
        aiodebug_uv_loop_t *batch = pages(LOOPS_A_BATCH * sizeof *batch);
        for (int i = 0; batch && i < LOOPS_A_BATCH; i++) {
            batch[i].next = unused_loops;
            unused_loops = &batch[i];
        }
    }
    aiodebug_uv_loop_t *loop = unused_loops;
    if (loop) {
        unused_loops = loop->next;
        loop->owner = NULL;
        loop->owner_tid = 0;
        loop->handles = 0;
        loop->created = 0;
        loop->uv = uv;
        aiodebug_uv_loop_t **bucket = bucket_of(uv);
        loop->next = *bucket;
        *bucket = loop;
        loops_seen++;
    }
    return loop;
}

uint32_t aiodebug_uv_loops_seen(void)
{
    return loops_seen;
}

aiodebug_uv_loop_t *aiodebug_uv_loop_of(const uv_loop_t *uv)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    if (self->cached_uv == uv && uv && self->cached_loop &&
        atomic_load_explicit(&self->cached_loop->uv, memory_order_relaxed) == uv) {
        return self->cached_loop;
    }
    if (!uv) {
        return NULL;
    }
    lock(&loops_lock);
    aiodebug_uv_loop_t *loop = find_loop(uv);
    if (!loop) {
        loop = make_loop(uv);
    }
    unlock(&loops_lock);
    self->cached_uv = uv;
    self->cached_loop = loop;
    return loop;
}

static void drop_if_of(aiodebug_uv_record_t *record, void *loop)
{
    if (record->loop == loop) {
        aiodebug_uv_drop(record);
    }
}

aiodebug_uv_loop_t *aiodebug_uv_loop_new(const uv_loop_t *uv, uint32_t created)
{
    aiodebug_uv_loop_gone(uv);
    aiodebug_uv_loop_t *loop = aiodebug_uv_loop_of(uv);
    if (loop) {
        loop->created = created;
    }
    return loop;
}

void aiodebug_uv_loop_gone(const uv_loop_t *uv)
{
    lock(&loops_lock);
    aiodebug_uv_loop_t *loop = find_loop(uv);
    unlock(&loops_lock);
    if (!loop) {
        return;
    }
    if (loop->handles > 0) {
        aiodebug_uv_each(drop_if_of, loop);
    }
    lock(&loops_lock);
    for (aiodebug_uv_loop_t **link = bucket_of(uv); *link; link = &(*link)->next) {
        if (*link == loop) {
            *link = loop->next;
            loop->uv = NULL;
            loop->next = unused_loops;
            unused_loops = loop;
            break;
        }
    }
    unlock(&loops_lock);
}


/* One system call a thread. In a forked child the number is another:
 * aiodebug_uv_after_fork_child(). */
static _Thread_local pid_t own_tid;

static pid_t gettid_cached(void)
{
    if (own_tid == 0) {
        own_tid = gettid();
    }
    return own_tid;
}


/* ------------------------------------------------------------------------------------- records */

enum {
    BATCH = 32, /* what a thread takes at a time */
};

_Static_assert(sizeof(aiodebug_uv_record_t) == 64, "a cache line");

_Atomic(aiodebug_uv_record_t *) aiodebug_uv_chunks[AIODEBUG_UV_CHUNKS];
static _Atomic uint32_t chunk_count;
static uint32_t common, common_count; /* unused records */
static pthread_key_t thread_key;
static bool have_thread_key;

static uint32_t next_unused(const aiodebug_uv_record_t *record)
{
    return (uint32_t)(uintptr_t)record->cb[0];
}

static void set_next_unused(aiodebug_uv_record_t *record, uint32_t next)
{
    record->cb[0] = (aiodebug_uv_function_t)(uintptr_t)next;
}

/* Under the lock. Number 0 stays unused. */
static bool add_chunk(void)
{
    uint32_t index = chunk_count;
    aiodebug_uv_record_t *chunk =
        index < AIODEBUG_UV_CHUNKS ? pages(AIODEBUG_UV_CHUNK * sizeof *chunk) : NULL;
    if (!chunk) {
        return false;
    }
    for (int i = AIODEBUG_UV_CHUNK - 1; i >= (index == 0); i--) {
        chunk[i].number = index * AIODEBUG_UV_CHUNK + (uint32_t)i;
        set_next_unused(&chunk[i], common);
        common = chunk[i].number;
        common_count++;
    }
    atomic_store_explicit(&aiodebug_uv_chunks[index], chunk, memory_order_release);
    chunk_count = index + 1;
    return true;
}

static void remember_thread(aiodebug_uv_thread_t *self);

static void refill(aiodebug_uv_thread_t *self)
{
    lock(&records_lock);
    if (common_count < BATCH) {
        add_chunk();
    }
    /* The first BATCH of the common list, as they are chained. */
    for (int i = 0; i < BATCH && common; i++) {
        aiodebug_uv_record_t *record = aiodebug_uv_record(common);
        common = next_unused(record);
        common_count--;
        aiodebug_uv_put(record);
    }
    unlock(&records_lock);
    remember_thread(self);
}

static void give_back(aiodebug_uv_thread_t *self, uint32_t keep)
{
    lock(&records_lock);
    while (self->unused_count > keep) {
        aiodebug_uv_record_t *record = aiodebug_uv_take();
        set_next_unused(record, common);
        common = record->number;
        common_count++;
    }
    unlock(&records_lock);
}

enum { CLOSED_BITS = 10 };

static size_t closed_size(void)
{
    return sizeof(aiodebug_uv_closed_t) << CLOSED_BITS;
}

static void thread_ends(void *arg)
{
    aiodebug_uv_thread_t *self = arg;
    give_back(self, 0);
    if (self->closed) {
        munmap(self->closed, closed_size());
        self->closed = NULL;
    }
    while (self->run) {
        aiodebug_uv_run_end(self->run); /* longjmp() left it behind */
    }
    if (self->runs) {
        munmap(self->runs, AIODEBUG_UV_RUNS * sizeof *self->runs);
        self->runs = NULL;
    }
}

static void remember_thread(aiodebug_uv_thread_t *self)
{
    if (have_thread_key && !pthread_getspecific(thread_key)) {
        pthread_setspecific(thread_key, self);
    }
}

static void make_ready(void)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    if (__builtin_expect(self->unused == 0, 0)) {
        refill(self);
    }
}

uint32_t aiodebug_uv_number_at(const uv_handle_t *handle)
{
    return aiodebug_memory_find(handle);
}

aiodebug_uv_record_t *aiodebug_uv_handle_lost(const uv_handle_t *handle)
{
    return aiodebug_uv_record(aiodebug_memory_find(handle));
}

typedef struct {
    const void *object;
    aiodebug_uv_record_t *found;
} search_t;

static void compare(aiodebug_uv_record_t *record, void *arg)
{
    search_t *search = arg;
    if (record->object == search->object && record->flags & AIODEBUG_UV_REQUEST) {
        search->found = record;
    }
}

aiodebug_uv_record_t *aiodebug_uv_request_lost(const uv_req_t *request)
{
    search_t search = {.object = request};
    aiodebug_uv_each(compare, &search);
    return search.found;
}

aiodebug_uv_record_t *aiodebug_uv_handle_add(uv_handle_t *handle, size_t size, uint32_t created,
                                             unsigned flags)
{
    aiodebug_uv_loop_t *loop = aiodebug_uv_loop_of(handle->loop);
    make_ready();
    aiodebug_uv_record_t *record = loop ? aiodebug_uv_take() : NULL;
    if (record) {
        aiodebug_uv_fill(record, handle, loop, handle->type, NULL, created, flags, size);
        handle->u.reserved[3] = aiodebug_uv_mark(record);
        atomic_fetch_add_explicit(&loop->handles, 1, memory_order_relaxed);
        aiodebug_memory_watch(handle, size, record->number);
    }
    return record;
}

aiodebug_uv_record_t *aiodebug_uv_request_add(uv_req_t *request, aiodebug_uv_loop_t *loop,
                                              uv_req_type type, aiodebug_uv_function_t cb,
                                              uint32_t created, unsigned flags)
{
    make_ready();
    return aiodebug_uv_request_begin(request, loop, type, cb, created, flags);
}

void aiodebug_uv_drop(aiodebug_uv_record_t *record)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    const void *object = atomic_exchange_explicit(&record->object, NULL, memory_order_relaxed);
    if (!object) {
        return; /* another thread was first: it freed the memory, say */
    }
    if (!(record->flags & AIODEBUG_UV_REQUEST)) {
        atomic_fetch_sub_explicit(&record->loop->handles, 1, memory_order_relaxed);
        aiodebug_memory_unwatch(object);
    }
    aiodebug_uv_put(record);
    if (self->unused_count > AIODEBUG_UV_KEPT) {
        give_back(self, AIODEBUG_UV_KEPT / 2);
    }
}

void aiodebug_uv_each(void (*fn)(aiodebug_uv_record_t *record, void *arg), void *arg)
{
    uint32_t n = chunk_count;
    for (uint32_t c = 0; c < n; c++) {
        aiodebug_uv_record_t *chunk = aiodebug_uv_chunks[c];
        for (int i = 0; i < AIODEBUG_UV_CHUNK; i++) {
            if (atomic_load_explicit(&chunk[i].object, memory_order_acquire)) {
                fn(&chunk[i], arg);
            }
        }
    }
}


/* ------------------------------------------------------------------------------ closed lately */

static aiodebug_uv_closed_t *closed_slot(const void *object)
{
    aiodebug_uv_closed_t *table = aiodebug_uv_self.closed;
    return table ? &table[((uintptr_t)object >> 3) * 0x9e3779b97f4a7c15u >> (64 - CLOSED_BITS)]
                 : NULL;
}

void aiodebug_uv_closed_note(const aiodebug_uv_record_t *record)
{
    if (!aiodebug_uv_self.closed) {
        aiodebug_uv_self.closed = pages(closed_size());
        remember_thread(&aiodebug_uv_self);
    }
    aiodebug_uv_closed_t *slot = closed_slot(record->object);
    if (slot) {
        *slot = (aiodebug_uv_closed_t){.object = record->object,
                                       .created = record->created,
                                       .closed = record->closed,
                                       .type = record->type};
    }
}

void aiodebug_uv_closed_forget(const void *object)
{
    aiodebug_uv_closed_t *slot = closed_slot(object);
    if (slot && slot->object == object) {
        slot->object = NULL;
    }
}

const aiodebug_uv_closed_t *aiodebug_uv_closed_find(const void *object)
{
    aiodebug_uv_closed_t *slot = closed_slot(object);
    return slot && slot->object == object ? slot : NULL;
}


/* ---------------------------------------------------------------------------------------- runs */

void aiodebug_uv_run_end(aiodebug_uv_run_t *run)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    aiodebug_uv_loop_t *loop = run->loop;
    if (loop->owner == self) {
        if (run->owner_before) {
            loop->owner_tid = run->owner_tid_before;
            loop->frame = run->frame_before;
            loop->caller = run->caller_before;
        }
        atomic_store_explicit(&loop->owner, run->owner_before, memory_order_release);
    }
    if (run->in_callback) {
        self->now = run->outer;
    } else {
        self->now.call.cb = NULL;
        self->now.back = NULL;
    }
    self->callbacks = run->callbacks_before;
    self->run = run > self->runs ? run - 1 : NULL;
}

/* Whether the wrapper with this frame is still on the stack: it has a return address where there
 * was one. By a system call, because the stack may be a coroutine's and gone. */
static bool stands(uintptr_t frame, const void *return_address)
{
#ifdef __x86_64__
    const void *found;
    struct iovec here = {.iov_base = &found, .iov_len = sizeof found};
    struct iovec there = {.iov_base = (void *)(frame + sizeof found), .iov_len = sizeof found};
    long got = syscall(SYS_process_vm_readv, (long)getpid(), &here, 1L, &there, 1L, 0L);
    return got < 0 ? errno != EFAULT : got == sizeof found && found == return_address;
#else
    (void)frame, (void)return_address;
    return true;
#endif
}

void aiodebug_uv_runs_left(uintptr_t frame)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    int saved = errno;
    while (self->run &&
           (self->run->frame <= frame || !stands(self->run->frame, self->run->caller))) {
        aiodebug_uv_run_end(self->run);
    }
    errno = saved;
}

aiodebug_uv_run_t *aiodebug_uv_run_begin(aiodebug_uv_loop_t *loop, uintptr_t frame,
                                         const void *caller)
{
    aiodebug_uv_thread_t *self = &aiodebug_uv_self;
    if (!self->runs) {
        self->runs = pages(AIODEBUG_UV_RUNS * sizeof *self->runs);
        remember_thread(self);
    }
    aiodebug_uv_run_t *run = self->run ? self->run + 1 : self->runs;
    if (!self->runs || run == self->runs + AIODEBUG_UV_RUNS) {
        return NULL;
    }
    run->frame = frame;
    run->loop = loop;
    run->caller = caller;
    run->in_callback = self->now.call.cb || self->now.back;
    if (run->in_callback) {
        run->outer = self->now;
        self->now.call.cb = NULL;
    }
    run->owner_before = loop->owner;
    if (run->owner_before) {
        run->owner_tid_before = loop->owner_tid;
        run->frame_before = loop->frame;
        run->caller_before = loop->caller;
    }
    run->callbacks_before = self->callbacks;
    self->callbacks = 0;
    run->excused = self->excused;
    run->dears = 0;
    loop->owner_tid = gettid_cached();
    loop->frame = frame;
    loop->caller = caller;
    loop->found = 0;
    atomic_store_explicit(&loop->owner, self, memory_order_release);
    self->run = run;
    return run;
}


enum {
    STACK = 64 << 20,
    WALKED = 256,                /* frames */
    FOUND_NS = 100 * 1000 * 1000 /* so long the stack is not looked at again */
};

/* The stack pointer is above the frame, in what may be the same stack. */
static bool above(uintptr_t sp, uintptr_t frame)
{
    return sp > frame && sp - frame < STACK;
}

/* Whether the thread's stack does not go down to this frame, or has a part there that does not
 * return to its caller: the return address may still lie there, in what a newer frame leaves
 * unused. What cannot be walked so far has not left. */
static bool walks_past(pid_t tid, uintptr_t frame, const void *caller)
{
    void *pcs[WALKED];
    aiodebug_thread_look_t look;
    int n = aiodebug_thread_walk(tid, pcs, WALKED, &look);
    for (int i = 0; i < n; i++) {
        if (pcs[i] == caller) {
            return false;
        }
    }
    return n > 0 && (above(look.sp, frame) || (look.sp <= frame && look.reached > frame));
}

/* The owner sleeps, and its stack pointer is above the frame, in what may be the same stack; or the
 * frame is there no more. A thread that sleeps in another stack, a coroutine's, is taken to be
 * there still, or not, as that happens to lie. */
bool aiodebug_uv_loop_left(aiodebug_uv_loop_t *loop)
{
    aiodebug_uv_thread_t *owner = loop->owner;
    uintptr_t frame = loop->frame;
    const void *caller = loop->caller;
    pid_t tid = loop->owner_tid;
    aiodebug_thread_look_t look;
    int saved = errno;
    if (owner == &aiodebug_uv_self || !owner || tid <= 0) {
        return false;
    }
    bool left = syscall(SYS_tgkill, (long)getpid(), (long)tid, 0L) != 0 && errno == ESRCH;
    if (!left) {
        uint64_t now = aiodebug_monotonic_ns();
        aiodebug_thread_look(tid, &look);
        left = look.state == AIODEBUG_THREAD_ASLEEP &&
               (above(look.sp, frame) || !stands(frame, caller));
        if (!left && now - loop->found > FOUND_NS) {
            left = walks_past(tid, frame, caller);
            loop->found = left ? 0 : now;
        }
    }
    errno = saved;
    return left && loop->frame == frame &&
           atomic_compare_exchange_strong(&loop->owner, &owner, NULL);
}


/* ------------------------------------------------------------------------------------- the rest */

typedef struct {
    uintptr_t address;
    aiodebug_uv_code_t code;
} range_t;

static int find_range(struct dl_phdr_info *info, size_t size, void *arg)
{
    (void)size;
    range_t *range = arg;
    uintptr_t low = UINTPTR_MAX, high = 0;
    bool found = false;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr, end = start + segment->p_memsz;
        if (segment->p_type != PT_LOAD) {
            continue;
        }
        found |= range->address >= start && range->address < end;
        if (segment->p_flags & PF_X) {
            low = start < low ? start : low;
            high = end > high ? end : high;
        }
    }
    if (found && low < high) {
        range->code = (aiodebug_uv_code_t){low, high - low};
    }
    return found;
}

aiodebug_uv_code_t aiodebug_uv_code_at(const void *address)
{
    range_t range = {.address = (uintptr_t)address};
    dl_iterate_phdr(find_range, &range);
    return range.code;
}

void aiodebug_uv_runtime_at(const void *address)
{
    aiodebug_uv_set_code(&aiodebug_uv_runtime_code, aiodebug_uv_code_at(address));
}

enum { UNREAD = 63 }; /* of 64 callbacks */

static int64_t ticks(double seconds)
{
    uint64_t n = aiodebug_ticks_from_seconds(seconds);
    return n < INT64_MAX ? (int64_t)n : INT64_MAX;
}

void aiodebug_uv_start(void)
{
    const aiodebug_config_t *config = &aiodebug_config;
    if (aiodebug_config_wants(AIODEBUG_CHECK_SLOW_CALLBACK, AIODEBUG_LEVEL_WARNING)) {
        aiodebug_uv_slow = ticks(config->slow_callback);
    }
    if (aiodebug_config_wants(AIODEBUG_CHECK_SLOW_ITERATION, AIODEBUG_LEVEL_WARNING)) {
        aiodebug_uv_slow_turn = ticks(config->slow_iteration);
    }
    /* Three of a turn's callbacks are remembered; a thousandth of the threshold is no help. */
    int64_t notable = aiodebug_uv_slow_turn == INT64_MAX ? INT64_MAX : aiodebug_uv_slow_turn / 1000;
    aiodebug_uv_notable = notable < aiodebug_uv_slow ? notable : aiodebug_uv_slow;
    if (aiodebug_config_wants(AIODEBUG_CHECK_SLOW_POLL, AIODEBUG_LEVEL_DEBUG)) {
        aiodebug_uv_notable_poll = 0;
    } else if (aiodebug_config_wants(AIODEBUG_CHECK_SLOW_POLL, AIODEBUG_LEVEL_WARNING)) {
        aiodebug_uv_notable_poll = ticks(config->slow_poll < 1 ? config->slow_poll : 1);
    }
    int64_t stands = (int64_t)aiodebug_coarse_ticks();
    aiodebug_uv_fine = 16 * stands;
    aiodebug_uv_sure = 4 * stands;
    bool coarse = aiodebug_uv_slow >= aiodebug_uv_fine && aiodebug_uv_slow_turn >= aiodebug_uv_fine;
    aiodebug_uv_unread = coarse ? UNREAD : 0;
    aiodebug_uv_exact_polls = aiodebug_uv_notable_poll < aiodebug_uv_fine;
    have_thread_key = pthread_key_create(&thread_key, thread_ends) == 0;
    aiodebug_at_fork_child(aiodebug_uv_after_fork_child);
    aiodebug_at_fork_child(aiodebug_coarse_after_fork_child);
}

bool aiodebug_uv_exact_from(uint64_t now, uint64_t turn_start, int64_t took, uint64_t stood)
{
    if (aiodebug_uv_slow_turn != INT64_MAX &&
        (int64_t)(now - turn_start) >= aiodebug_uv_slow_turn / 8) {
        return true;
    }
    if (__builtin_expect(took >= aiodebug_uv_sure, 0) && stood == aiodebug_coarse()) {
        aiodebug_coarse_doubt();
    }
    return false;
}

/* Only this thread lives on. What it has open stays open; its loop, when it is inside uv_run(),
 * stays its own. */
void aiodebug_uv_after_fork_child(void)
{
    own_tid = getpid();
    unlock(&loops_lock);
    unlock(&records_lock);
    for (int i = 0; i < LOOP_BUCKETS; i++) {
        for (aiodebug_uv_loop_t *loop = loops[i]; loop; loop = loop->next) {
            if (loop->owner == &aiodebug_uv_self) {
                loop->owner_tid = getpid();
            } else {
                loop->owner = NULL;
                loop->owner_tid = 0;
            }
        }
    }
}
