/* SPDX-License-Identifier: MIT */
/*
 * Captured stacks against call chains that are known. run.sh builds this with both compilers, with
 * and without optimisation and frame pointers.
 */
#include "check.h"

#include <alloca.h>
#include <errno.h>
#include <link.h>
#include <stdalign.h>
#include <ucontext.h>
#include <unistd.h>

#include "track/stacks.h"
#include "track/unwind.h"

static void *frames[AIODEBUG_STACK_DEPTH_MAX];
static int count;
static aiodebug_stack_t (*leaf)(void);
static volatile int zero;

static void expect(const char *name, const char *names, aiodebug_stack_t id)
{
    count = aiodebug_stack_frames(id, frames, AIODEBUG_STACK_DEPTH_MAX);
    const char *have = names_of(frames, count);
    check(strncmp(have, names, strlen(names)) == 0, name, "%s, not %s", have, names);
}

NOINLINE aiodebug_stack_t chain_1(void)
{
    aiodebug_stack_t id = leaf();
    STAY();
    return id;
}

NOINLINE aiodebug_stack_t chain_2(void)
{
    aiodebug_stack_t id = chain_1();
    STAY();
    return id;
}

NOINLINE aiodebug_stack_t chain_3(void)
{
    aiodebug_stack_t id = chain_2();
    STAY();
    return id;
}

/* Its frame's size is known at run time only: rbp is needed to leave it. */
NOINLINE aiodebug_stack_t moving(int bytes)
{
    volatile char *room = alloca((size_t)bytes);
    room[0] = 1;
    aiodebug_stack_t id = chain_1();
    room[1] = 2;
    return id;
}

/* Aligns the stack pointer in its prologue. */
NOINLINE aiodebug_stack_t aligned(int a, int b, int c, int d, int e, int f, int g)
{
    alignas(64) volatile char room[64];
    room[0] = (char)(a + b + c + d + e + f + g);
    aiodebug_stack_t id = chain_1();
    return room[0] == 0 && zero ? 0 : id;
}

NOINLINE aiodebug_stack_t deep(int n)
{
    aiodebug_stack_t id = n > 0 ? deep(n - 1) : leaf();
    STAY();
    return id;
}

static aiodebug_stack_t compared;

NOINLINE int compare(const void *a, const void *b)
{
    (void)a;
    (void)b;
    compared = chain_1();
    return 0;
}

NOINLINE aiodebug_stack_t sort_something(void)
{
    int two[2] = {1, 2};
    qsort(two, 2, sizeof(two[0]), compare);
    STAY();
    return compared;
}

NOINLINE void known_chains(void)
{
    leaf = aiodebug_stack_capture;
    expect("straight chain", "chain_1<-chain_2<-chain_3<-known_chains<-main", chain_3());
    expect("frame of unknown size", "chain_1<-moving<-known_chains<-main", moving(100 + zero));
    expect("aligned frame", "chain_1<-aligned<-known_chains<-main", aligned(1, 2, 3, 4, 5, 6, 7));
    aiodebug_stack_t id = sort_something();
    count = aiodebug_stack_frames(id, frames, AIODEBUG_STACK_DEPTH_MAX);
    const char *have = names_of(frames, count);
    check(strncmp(have, "chain_1<-compare<-", 18) == 0 &&
              strstr(have, "<-sort_something<-known_chains<-main") != NULL,
          "through libc", "%s", have);
}

NOINLINE void identity(void)
{
    aiodebug_stack_t ids[3];
    for (volatile int i = 0; i < 2; i++) /* volatile: one call site, not unrolled into two */
        ids[i] = chain_3();
    ids[2] = chain_3();
    check(ids[0] != 0 && ids[0] == ids[1], "same place, same id", "%u %u", ids[0], ids[1]);
    check(ids[2] != ids[0], "other line, other id", "%u %u", ids[2], ids[0]);
    errno = EXDEV;
    chain_3();
    check(errno == EXDEV, "errno is kept", "%d", errno);
}

NOINLINE void depths(void)
{
    for (int depth = 1; depth <= 64; depth = depth * 2 + 1) {
        char name[32];
        aiodebug_stack_set_depth(depth);
        aiodebug_stack_t id = deep(80);
        count = aiodebug_stack_frames(id, frames, AIODEBUG_STACK_DEPTH_MAX);
        snprintf(name, sizeof(name), "depth %d", depth);
        check(count == depth && strcmp(function_at(frames[0]), "deep") == 0, name, "%d of %s",
              count, names_of(frames, count));
    }
    aiodebug_stack_set_depth(0);
    check(chain_3() == 0, "depth 0 is none", "captured");
    aiodebug_stack_set_depth(-5);
    check(chain_3() == 0, "negative depth is 0", "captured");
    aiodebug_stack_set_depth(1000);
    count = aiodebug_stack_frames(deep(80), frames, AIODEBUG_STACK_DEPTH_MAX);
    check(count == 64, "depth is 64 at most", "%d", count);
    aiodebug_stack_set_depth(16);
}

static size_t size_of(uintptr_t function)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    if (dladdr1((void *)function, &info, (void **)&symbol, RTLD_DL_SYMENT) == 0 || symbol == NULL)
        abort();
    return symbol->st_size;
}

/* Runs after depths(): chain_1 to chain_3 count as the shim's from now on. */
NOINLINE void internal_frames(void)
{
    const uintptr_t ours[] = {(uintptr_t)chain_1, (uintptr_t)chain_2, (uintptr_t)chain_3,
                              (uintptr_t)deep};
    for (int i = 0; i < 4; i++) {
        aiodebug_stack_add_internal_range(ours[i], ours[i] + size_of(ours[i]));
    }
    expect("internal frames are left out", "internal_frames<-main", chain_3());
    expect("only the innermost ones", "compare<-", sort_something());
    aiodebug_stack_set_depth(2);
    count = aiodebug_stack_frames(chain_3(), frames, AIODEBUG_STACK_DEPTH_MAX);
    check(count == 2, "depth counts the program's frames", "%d", count);
    count = aiodebug_stack_frames(deep(20), frames, AIODEBUG_STACK_DEPTH_MAX);
    check(count == 2, "even behind twenty of ours", "%d", count);
    check(deep(100) == 0, "only ours is none", "captured");
    aiodebug_stack_set_depth(16);
}

static aiodebug_stack_t walk_here(void)
{
    count = aiodebug_unwind_here(frames, 3);
    STAY();
    return 0;
}

NOINLINE void from_here(void)
{
    leaf = walk_here;
    chain_3();
    check(count == 3 && strcmp(function_at(frames[1]), "chain_1") == 0 &&
              strcmp(function_at(frames[2]), "chain_2") == 0,
          "unwind_here begins with its caller", "%s", names_of(frames, count));
    leaf = aiodebug_stack_capture;
}

static ucontext_t outside, inside;
static aiodebug_stack_t on_other_stack;

NOINLINE void other_stack(void)
{
    on_other_stack = deep(0);
    STAY();
}

NOINLINE void another_stack(void)
{
    static char room[64 * 1024];
    getcontext(&inside);
    inside.uc_stack.ss_sp = room;
    inside.uc_stack.ss_size = sizeof(room);
    inside.uc_link = &outside;
    makecontext(&inside, other_stack, 0);
    swapcontext(&outside, &inside);
    count = aiodebug_stack_frames(on_other_stack, frames, AIODEBUG_STACK_DEPTH_MAX);
    const char *have = names_of(frames, count);
    check(count >= 2 && count <= 4 && strncmp(have, "deep<-other_stack", 17) == 0,
          "a stack of its own ends where it ends", "%s", have);
}

int main(void)
{
    if (!aiodebug_stack_init(NULL)) {
        skip("chain", "no libunwind");
        return 0;
    }
    leaf = aiodebug_stack_capture;
    known_chains();
    identity();
    another_stack();
    depths();
    from_here();
    internal_frames();
    STAY();
    return check_failures != 0;
}
