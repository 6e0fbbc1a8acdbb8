/* SPDX-License-Identifier: MIT */
/*
 * stackcopy.c - copies a stretch of a stack and walks the copy with libunwind's cursor.
 *
 * Making a copy walkable. A cursor follows rsp and rbp, so it walks a copy if those point into it.
 * Every word in the copy (and every register) that is an address within the copied stretch is
 * therefore moved by the distance between stack and copy: saved frame pointers, and with them
 * everything the unwinder follows. Return addresses lie elsewhere and stay.
 *
 * Guessing rbp. Of a sleeping thread the kernel tells pc and sp, not rbp, and callers that were
 * built with frame pointers cannot be left without it. The walk starts with an rbp that points into
 * a small area of its own (`bait`): where a step ends up in there, that frame is the first that
 * needs rbp, whose value then is the address of a slot on the stack that has a return address above
 * it. Stacks are littered with old frames, so the slot is chosen by two signs: the return address
 * is behind a call of that very function, and the slot is as far from the frame's end as the
 * function's first instructions say. Both signs are best; the distance alone will do (the function
 * called may have jumped on to this one), and so will the call alone (the frame may have grown).
 * Where neither is to be seen the walk ends: a short stack is better than a wrong one.
 *
 * Libraries that go. The thread runs on while its copy is walked, and may unload what it was in. So
 * the walk is made inside dl_iterate_phdr(), whose lock dlclose() waits for, and libunwind is shown
 * only code that is in a loaded object then. Nothing else may be waited for under that lock: see
 * switch_cache_off() in unwind.c.
 */
#include "track/stackcopy.h"

#include <errno.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "track/unwind_ops.h"

#if defined(__x86_64__)

enum {
    PAGE = 4096,
    RED_ZONE = 128,
    FENCE = 64 * 1024,
    RANGES = 1024,
    GUESS_REACH = 64 * 1024, /* bytes a frame may have */
};

typedef struct {
    uintptr_t lo, hi; /* the copy, in the copy's own addresses */
    intptr_t moved;   /* copy - stack */
    unw_context_t context;
    unw_cursor_t cursor;
    bool rbp_known;
} walk_t;

static struct {
    uintptr_t start, size;
} code[RANGES]; /* executable segments, gathered for a walk; used by one walk at a time */
static int codes;
static uintptr_t above; /* the lowest address above the stack pointer at which an object begins */

static uintptr_t bait[64];

bool aiodebug_stackcopy_supported(void)
{
    return aiodebug_unwind_ops.init_local2 != NULL;
}

bool aiodebug_stackcopy_prepare(aiodebug_stackcopy_t *copy)
{
    if (copy->memory != NULL)
        return true;
    size_t bytes = AIODEBUG_STACKCOPY_BYTES;
    char *memory = mmap(NULL, bytes + 2 * FENCE, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    if (mprotect(memory + FENCE, bytes, PROT_READ | PROT_WRITE) != 0) {
        munmap(memory, bytes + 2 * FENCE);
        return false;
    }
    copy->memory = memory + FENCE;
    return true;
}

void aiodebug_stackcopy_take(aiodebug_stackcopy_t *copy, uintptr_t sp,
                             aiodebug_stackcopy_scratch_t *scratch)
{
    /* A piece a page: where the stack ends, the kernel copies the pieces before. The copy begins at
     * the same offset from a page, for the sake of alignment. */
    uintptr_t at = (sp - RED_ZONE) & ~(uintptr_t)15, left = AIODEBUG_STACKCOPY_BYTES - PAGE;
    struct iovec to = {.iov_base = copy->memory + at % PAGE, .iov_len = left};
    struct iovec *from = (struct iovec *)scratch->pages;
    int n = 0;
    copy->from = at;
    while (left > 0) {
        size_t piece = PAGE - at % PAGE;
        piece = piece < left ? piece : left;
        from[n].iov_base = (void *)at;
        from[n].iov_len = piece;
        n++;
        at += piece;
        left -= piece;
    }
    long got = syscall(SYS_process_vm_readv, (long)getpid(), &to, 1L, from, (long)n, 0L);
    copy->length = got > 0 ? (size_t)got & ~(size_t)7 : 0;
}

static uintptr_t relocated(uintptr_t value, const aiodebug_stackcopy_t *copy, intptr_t moved)
{
    return value - copy->from < copy->length ? value + (uintptr_t)moved : value;
}

static void start_walk(walk_t *walk, aiodebug_stackcopy_t *copy,
                       const aiodebug_stackcopy_registers_t *registers)
{
    walk->lo = (uintptr_t)copy->memory + copy->from % PAGE;
    walk->hi = walk->lo + copy->length;
    walk->moved = (intptr_t)(walk->lo - copy->from);
    for (uintptr_t *word = (uintptr_t *)walk->lo; word < (uintptr_t *)walk->hi; word++)
        *word = relocated(*word, copy, walk->moved);

    memset(&walk->context, 0, sizeof(walk->context));
    greg_t *r = walk->context.uc_mcontext.gregs;
    if (registers->complete) {
        for (int i = 0; i < NGREG; i++)
            r[i] = (greg_t)relocated((uintptr_t)registers->all.gregs[i], copy, walk->moved);
    } else {
        r[REG_RBP] = (greg_t)&bait[16];
    }
    r[REG_RIP] = (greg_t)registers->pc;
    r[REG_RSP] = (greg_t)relocated(registers->sp, copy, walk->moved);
    walk->rbp_known = registers->complete;
}

/* ------------------------------------------------------------------------------- guessing rbp */

static int add_code(struct dl_phdr_info *info, size_t size, void *sp)
{
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD)
            continue;
        if (start > *(const uintptr_t *)sp && start < above)
            above = start;
        if ((header->p_flags & PF_X) && (header->p_flags & PF_R) && codes < RANGES) {
            code[codes].start = start;
            code[codes++].size = header->p_memsz;
        }
    }
    return 0;
}

/* What lies right above the stack was copied, too. If that is a library, the addresses in it are no
 * stack's: they would be moved, return addresses among them. */
static void cut(aiodebug_stackcopy_t *copy)
{
    if (above - copy->from < copy->length)
        copy->length = (above - copy->from) & ~(size_t)7;
}

static bool in_code(uintptr_t address)
{
    for (int i = 0; i < codes; i++) {
        if (address - code[i].start < code[i].size)
            return true;
    }
    return false;
}

/* Reads this process's memory. What it reads may be unmapped meanwhile (dlclose): then it fails. */
static bool peek(uintptr_t address, void *to, size_t size)
{
    struct iovec here = {.iov_base = to, .iov_len = size};
    struct iovec there = {.iov_base = (void *)address, .iov_len = size};
    long got = syscall(SYS_process_vm_readv, (long)getpid(), &here, 1L, &there, 1L, 0L);
    return got == (long)size;
}

static uintptr_t relative(uintptr_t next, const unsigned char *offset)
{
    int32_t distance;
    memcpy(&distance, offset, sizeof(distance));
    return next + (uintptr_t)(intptr_t)distance;
}

/* Where a stub of the procedure linkage table jumps to; 0: `address` is no such stub. */
static uintptr_t through_stub(uintptr_t address)
{
    unsigned char bytes[16];
    uintptr_t target;
    size_t i = 0;
    if (!in_code(address) || !peek(address, bytes, sizeof(bytes)))
        return 0;
    if (memcmp(bytes, "\xf3\x0f\x1e\xfa", 4) == 0) /* endbr64 */
        i = 4;
    if (bytes[i] == 0xf2) /* bnd */
        i++;
    if (bytes[i] != 0xff || bytes[i + 1] != 0x25) /* jmp *slot(%rip) */
        return 0;
    return peek(relative(address + i + 6, bytes + i + 2), &target, sizeof(target)) ? target : 0;
}

typedef enum { NO_CALL, SOME_CALL, CALL_OF_IT } match_t;

/* Is `address` behind a call, and behind one of `function`? */
static match_t call_before(uintptr_t address, uintptr_t function)
{
    unsigned char bytes[7];
    uintptr_t target;
    if (!in_code(address - 1) || !peek(address - 7, bytes, sizeof(bytes)))
        return NO_CALL;
    const unsigned char *p = bytes + 7; /* p[-1] is the byte before the address */
    if (p[-5] == 0xe8) {                /* call target */
        target = relative(address, p - 4);
        if (target == function || through_stub(target) == function)
            return CALL_OF_IT;
        if (in_code(target))
            return SOME_CALL;
    }
    if (p[-6] == 0xff && p[-5] == 0x15) { /* call *slot(%rip) */
        bool there = peek(relative(address, p - 4), &target, sizeof(target));
        return there && target == function ? CALL_OF_IT : SOME_CALL;
    }
    /* call *%reg, *(%reg), *disp8(%reg), *disp32(%reg), and the forms with an index */
    bool indirect = (p[-2] == 0xff && (p[-1] & 0xf8) == 0xd0) ||
                    (p[-2] == 0xff && (p[-1] & 0xf8) == 0x10 && (p[-1] & 7) != 4) ||
                    (p[-3] == 0xff && (p[-2] & 0xf8) == 0x50 && (p[-2] & 7) != 4) ||
                    (p[-3] == 0xff && p[-2] == 0x14) || (p[-4] == 0xff && p[-3] == 0x54) ||
                    (p[-6] == 0xff && (p[-5] & 0xf8) == 0x90) || (p[-7] == 0xff && p[-6] == 0x94);
    return indirect ? SOME_CALL : NO_CALL;
}

/* What the beginning of a function takes from rsp: by the first instruction that does so, and by
 * all (large frames are taken in steps). */
typedef struct {
    uintptr_t first, all;
} taken_t;

static taken_t prologue(const unw_proc_info_t *function)
{
    unsigned char bytes[96];
    taken_t taken = {0, 0};
    size_t length = function->end_ip - function->start_ip;
    length = length < sizeof(bytes) ? length : sizeof(bytes);
    if (!peek(function->start_ip, bytes, length))
        return taken;
    for (size_t i = 0; i + 7 <= length; i++) {
        const unsigned char *p = bytes + i;
        if (p[0] != 0x48 || (p[1] != 0x83 && p[1] != 0x81) || p[2] != 0xec) /* sub $n, %rsp */
            continue;
        uintptr_t n = p[1] == 0x83 ? p[3] : relative(0, p + 3);
        taken.first = taken.first == 0 ? n : taken.first;
        taken.all += n;
    }
    return taken;
}

/* That rbp may be this far above rsp: only pushed registers besides. */
static bool fits(taken_t taken, uintptr_t distance)
{
    enum { PUSHED = 5 * 8 + 8 };
    return distance - taken.first <= PUSHED || distance - taken.all <= PUSHED;
}

/* rbp in the frame at the cursor, as an address in the copy; 0: nothing fits. */
static uintptr_t guess_rbp(walk_t *walk, uintptr_t sp)
{
    unw_proc_info_t function;
    if (aiodebug_unwind_ops.get_proc_info(&walk->cursor, &function) < 0)
        return 0;
    taken_t taken = prologue(&function);
    uintptr_t end = walk->hi - sp > GUESS_REACH ? sp + GUESS_REACH : walk->hi;
    uintptr_t second = 0, third = 0;
    for (uintptr_t slot = (sp + 7) & ~(uintptr_t)7; slot + 16 <= end; slot += 8) {
        match_t match = call_before(((const uintptr_t *)slot)[1], function.start_ip);
        if (match == NO_CALL)
            continue;
        bool fit = fits(taken, slot - sp);
        if (match == CALL_OF_IT && fit)
            return slot;
        if (fit && second == 0)
            second = slot;
        if (match == CALL_OF_IT && third == 0)
            third = slot;
    }
    return second != 0 ? second : third;
}

/* ------------------------------------------------------------------------------------ the walk */

static bool in_bait(uintptr_t address)
{
    return address - (uintptr_t)bait < sizeof(bait);
}

static bool reg(walk_t *walk, unw_regnum_t which, uintptr_t *value)
{
    unw_word_t word;
    if (aiodebug_unwind_ops.get_reg(&walk->cursor, which, &word) < 0)
        return false;
    *value = word;
    return true;
}

/* Out of a frame with unwind information. `pc` is as the caller of the walk will see it. */
static bool step_known(walk_t *walk, uintptr_t sp, uintptr_t *pc)
{
    uintptr_t next_sp;
    bool interrupted = in_code(*pc + 16) && aiodebug_unwind_ops.is_signal_frame(&walk->cursor) > 0;
    unw_cursor_t before = walk->cursor;
    int moved = aiodebug_unwind_ops.step(&walk->cursor);
    if (!walk->rbp_known && reg(walk, UNW_REG_SP, &next_sp) && in_bait(next_sp)) {
        walk->cursor = before;
        walk->rbp_known = true;
        uintptr_t rbp = guess_rbp(walk, sp);
        if (rbp == 0)
            return false;
        /* The cursor refers to this register, since no frame so far has saved it. */
        walk->context.uc_mcontext.gregs[REG_RBP] = (greg_t)rbp;
        moved = aiodebug_unwind_ops.step(&walk->cursor);
    }
    if (moved <= 0 || !reg(walk, UNW_REG_IP, pc))
        return false;
    *pc += interrupted;
    return true;
}

/* Out of code that no loaded object has: made at run time, or of a library that is gone by now.
 * libunwind would look at it, and may not. The frame record at rbp, if rbp is one, leads on. */
static bool step_unknown(walk_t *walk, uintptr_t sp, uintptr_t *pc)
{
    uintptr_t rbp;
    greg_t *r = walk->context.uc_mcontext.gregs;
    if (!reg(walk, UNW_X86_64_RBP, &rbp) || rbp < sp || rbp > walk->hi - 16 || rbp % 8 != 0)
        return false;
    const uintptr_t *record = (const uintptr_t *)rbp;
    if (!in_code(record[1] - 1))
        return false;
    *pc = record[1];
    r[REG_RIP] = (greg_t)record[1];
    r[REG_RBP] = (greg_t)record[0];
    r[REG_RSP] = (greg_t)(rbp + 16);
    walk->rbp_known = true;
    return aiodebug_unwind_ops.init_local2(&walk->cursor, &walk->context, 0) == 0;
}

/* One frame outwards. False at the end, or where it cannot be sure. */
static bool step(walk_t *walk, uintptr_t *pc)
{
    uintptr_t sp, next_sp;
    if (!reg(walk, UNW_REG_SP, &sp) || sp >= walk->hi)
        return false;
    if (!(in_code(*pc - 1) ? step_known(walk, sp, pc) : step_unknown(walk, sp, pc)))
        return false;
    return reg(walk, UNW_REG_SP, &next_sp) && next_sp > sp && next_sp <= walk->hi && *pc >= PAGE;
}

typedef struct {
    aiodebug_stackcopy_t *copy;
    const aiodebug_stackcopy_registers_t *registers;
    void **pcs;
    int max, n;
} job_t;

/* Runs once, inside dl_iterate_phdr(): as long as it does, nobody unloads a library. */
static int walk_locked(struct dl_phdr_info *info, size_t size, void *arg)
{
    job_t *job = arg;
    const aiodebug_stackcopy_registers_t *registers = job->registers;
    uintptr_t pc = registers->pc + !registers->returns;
    walk_t walk;
    (void)info;
    (void)size;
    codes = 0;
    above = UINTPTR_MAX;
    dl_iterate_phdr(add_code, (void *)&registers->sp);
    cut(job->copy);
    /* Where a step reads the bait it must find a return address, or it might give up early. */
    for (size_t i = 0; i < sizeof(bait) / sizeof(bait[0]); i++)
        bait[i] = registers->pc;
    start_walk(&walk, job->copy, registers);
    if (aiodebug_unwind_ops.init_local2(&walk.cursor, &walk.context, UNW_INIT_SIGNAL_FRAME) == 0) {
        do {
            job->pcs[job->n++] = (void *)pc;
        } while (job->n < job->max && step(&walk, &pc));
        uintptr_t sp;
        if (reg(&walk, UNW_REG_SP, &sp) && sp - walk.lo <= walk.hi - walk.lo) {
            job->copy->reached = sp - (uintptr_t)walk.moved;
        }
    }
    return 1;
}

int aiodebug_stackcopy_walk(aiodebug_stackcopy_t *copy,
                            const aiodebug_stackcopy_registers_t *registers, void **pcs, int max)
{
    if (max <= 0 || copy->length <= RED_ZONE || registers->sp - copy->from >= copy->length ||
        !aiodebug_unwind_enter())
        return 0;
    int saved = errno;
    job_t job = {copy, registers, pcs, max, 0};
    copy->reached = 0;
    dl_iterate_phdr(walk_locked, &job);
    copy->length = 0;
    errno = saved;
    aiodebug_unwind_leave();
    return job.n;
}

#else /* not x86-64 */

bool aiodebug_stackcopy_supported(void)
{
    return false;
}

bool aiodebug_stackcopy_prepare(aiodebug_stackcopy_t *copy)
{
    (void)copy;
    return false;
}

void aiodebug_stackcopy_take(aiodebug_stackcopy_t *copy, uintptr_t sp,
                             aiodebug_stackcopy_scratch_t *scratch)
{
    (void)sp;
    (void)scratch;
    copy->length = 0;
}

int aiodebug_stackcopy_walk(aiodebug_stackcopy_t *copy,
                            const aiodebug_stackcopy_registers_t *registers, void **pcs, int max)
{
    (void)copy;
    (void)registers;
    (void)pcs;
    (void)max;
    return 0;
}

#endif
