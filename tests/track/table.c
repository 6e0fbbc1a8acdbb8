/* SPDX-License-Identifier: MIT */
/*
 * The table of stacks: equal lists have equal ids on all threads while it grows, what an id names
 * stays, and its bounds hold. "bounded" as argument runs the part that needs small bounds.
 */
#include "check.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "track/stacks.h"

enum { THREADS = 8, STACKS = 30000, LONGEST = 24 };

static aiodebug_stack_t ids[THREADS][STACKS];

/* Stack `k`: 1 to LONGEST frames, many of them shared with other stacks. */
static int make(uint32_t k, void **pcs)
{
    int n = 1 + (int)(k % LONGEST);
    for (int i = 0; i < n; i++)
        pcs[i] = (void *)(uintptr_t)(0x400000 + (k * 2654435761u >> (i % 7)) % 5000 * 16);
    pcs[0] = (void *)(uintptr_t)(0x500000 + k);
    return n;
}

static void *intern_all(void *arg)
{
    void *pcs[LONGEST];
    uint32_t thread = (uint32_t)(uintptr_t)arg;
    for (uint32_t i = 0; i < STACKS; i++) {
        uint32_t k = (i * 7919 + thread * (STACKS / THREADS)) % STACKS; /* each its own order */
        ids[thread][k] = aiodebug_stack_intern(pcs, make(k, pcs));
    }
    return NULL;
}

static bool reads_back(uint32_t k, aiodebug_stack_t id)
{
    void *want[LONGEST], *have[LONGEST + 1];
    int n = make(k, want);
    return aiodebug_stack_frames(id, have, LONGEST + 1) == n &&
           memcmp(want, have, (size_t)n * sizeof(want[0])) == 0;
}

static void on_eight_threads(void)
{
    pthread_t threads[THREADS];
    int missing = 0, different = 0, wrong = 0;
    for (uintptr_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, intern_all, (void *)i);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (uint32_t k = 0; k < STACKS; k++) {
        missing += ids[0][k] == 0;
        wrong += !reads_back(k, ids[0][k]);
        for (int i = 1; i < THREADS; i++)
            different += ids[i][k] != ids[0][k];
    }
    check(missing == 0, "eight threads: every stack has an id", "%d have none", missing);
    check(different == 0, "eight threads: one id a stack", "%d differ", different);
    check(wrong == 0, "eight threads: ids name their stacks", "%d do not", wrong);
    aiodebug_stack_stats_t stats;
    aiodebug_stack_stats(&stats);
    check(stats.stacks == STACKS && stats.refused == 0, "eight threads: stored once",
          "%u stored, %lu refused", stats.stacks, (unsigned long)stats.refused);
}

static void small_things(void)
{
    void *pcs[100], *back[100];
    for (uintptr_t i = 0; i < 100; i++)
        pcs[i] = (void *)(0x700000 + i);
    check(aiodebug_stack_intern(pcs, 0) == 0, "no frames, no id", "an id");
    check(aiodebug_stack_intern(pcs, -1) == 0, "minus one frame, no id", "an id");
    aiodebug_stack_t id = aiodebug_stack_intern(pcs, 100);
    int n = aiodebug_stack_frames(id, back, 100);
    check(n == 64 && back[63] == pcs[63], "64 frames at most", "%d", n);
    check(aiodebug_stack_frames(id, back, 3) == 3, "as many as asked for", "others");
    check(aiodebug_stack_frames(id, back, 0) == 0, "none when none asked for", "some");
    check(aiodebug_stack_frames(0, back, 100) == 0, "id 0 has none", "some");
    check(aiodebug_stack_frames(UINT32_MAX, back, 100) == 0, "unknown id has none", "some");
    check(aiodebug_stack_intern(pcs, 5) != aiodebug_stack_intern(pcs, 6), "a prefix is another",
          "the same");
}

static atomic_bool enough;

static void *intern_on(void *arg)
{
    void *pcs[LONGEST];
    uint32_t first = (uint32_t)(uintptr_t)arg; /* both together stay below the table's bounds */
    for (uint32_t k = first; k < first + 400000 && !atomic_load(&enough); k++)
        aiodebug_stack_intern(pcs, make(k, pcs));
    return NULL;
}

/* Children are made while other threads insert, so that some are born with the lock held. */
static void forks(void)
{
    pthread_t threads[2];
    int bad = 0;
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, intern_on, (void *)(uintptr_t)(1000000 + 500000 * i));
    for (uint32_t i = 0; i < 150; i++) {
        pid_t child = fork();
        if (child == 0) {
            void *pcs[LONGEST];
            alarm(10);
            aiodebug_stack_after_fork_child();
            aiodebug_stack_t new = aiodebug_stack_intern(pcs, make(900000 + i, pcs));
            _exit(new != 0 && reads_back(900000 + i, new) && reads_back(i, ids[0][i]) ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        bad += status != 0;
    }
    atomic_store(&enough, true);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    check(bad == 0, "children of fork look up and insert", "%d of 150 do not", bad);
}

static void bounded(void)
{
    void *pcs[LONGEST];
    uint32_t stored = 0;
    aiodebug_stack_stats_t stats;
    aiodebug_stack_set_limits(1000, 0);
    for (uint32_t k = 0; k < 5000; k++)
        stored += aiodebug_stack_intern(pcs, make(k, pcs)) != 0;
    aiodebug_stack_stats(&stats);
    check(stored == 1000 && stats.stacks == 1000, "bounded number", "%u stored", stored);
    check(stats.refused == 4000, "refusals are counted", "%lu", (unsigned long)stats.refused);
    uint32_t known = 0;
    for (uint32_t k = 0; k < 1000; k++)
        known += aiodebug_stack_intern(pcs, make(k, pcs)) != 0;
    check(known == 1000, "a full table still knows what it has", "%u of 1000", known);
    aiodebug_stack_set_limits(1u << 20, 2 << 20);
    for (uint32_t k = 0; k < 100000; k++)
        aiodebug_stack_intern(pcs, make(k, pcs));
    aiodebug_stack_stats(&stats);
    check(stats.bytes <= 2 << 20 && stats.bytes > 1 << 20 && stats.stacks < 100000,
          "bounded memory", "%zu bytes, %u stacks", stats.bytes, stats.stacks);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "bounded") == 0) {
        bounded();
    } else {
        on_eight_threads();
        small_things();
        forks();
    }
    return check_failures != 0;
}
