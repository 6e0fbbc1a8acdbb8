/* SPDX-License-Identifier: MIT */
/* libaiort's costs; run with and without libaiodebug preloaded. See bench.h. */
#include <aiort.h>
#include <pthread.h>
#include <unistd.h>

#include "bench.h"

#define CHECK(call)                                                                                \
    do {                                                                                           \
        if ((call) != 0) {                                                                         \
            fprintf(stderr, "%s failed: %s\n", #call, aiort_strerror(aiort_last_error()));         \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static int yielder(void *arg, void **out)
{
    (void)out;
    for (long i = (intptr_t)arg; i > 0; i--) {
        aiort_sleep(0);
    }
    return 0;
}

static void yields(const char *name, int tasks, long steps)
{
    aiort_task_t **all = calloc((size_t)tasks, sizeof(*all));

    for (int i = 0; i < tasks; i++) {
        all[i] = aiort_create_task(AIORT_CORO(yielder, (void *)(intptr_t)steps));
    }
    aiort_sleep(0);
    uint64_t start = cpu_ns();
    for (int i = 0; i < tasks; i++) {
        aiort_await(all[i], NULL);
        aiort_unref(all[i]);
    }
    result(name, (double)(cpu_ns() - start) / ((double)tasks * (double)steps));
    free(all);
}

static int nothing(void *arg, void **out)
{
    (void)arg;
    (void)out;
    return 0;
}

static void spawns(long n)
{
    uint64_t start = cpu_ns();

    for (long i = 0; i < n; i++) {
        aiort_task_t *task = aiort_create_task(AIORT_CORO(nothing, NULL));
        aiort_await(task, NULL);
        aiort_unref(task);
    }
    result("spawn", (double)(cpu_ns() - start) / (double)n);
}

/* Two tasks hand one another futures: each round completes two and waits for two. */
static aiort_future_t *ping, *pong;

static int ponger(void *arg, void **out)
{
    (void)out;
    for (long i = (intptr_t)arg; i > 0; i--) {
        aiort_future_t *mine = ping;
        aiort_await(mine, NULL);
        aiort_unref(mine);
        ping = aiort_future_new(aiort_get_running_loop());
        aiort_future_set_result(pong, NULL);
    }
    return 0;
}

static void pingpong(long n)
{
    aiort_loop_t *loop = aiort_get_running_loop();

    ping = aiort_future_new(loop);
    aiort_task_t *other = aiort_create_task(AIORT_CORO(ponger, (void *)(intptr_t)n));
    aiort_sleep(0);
    uint64_t start = cpu_ns();
    for (long i = 0; i < n; i++) {
        aiort_future_t *mine = pong = aiort_future_new(loop);
        aiort_future_set_result(ping, NULL);
        aiort_await(mine, NULL);
        aiort_unref(mine);
    }
    result("pingpong", (double)(cpu_ns() - start) / (2.0 * (double)n));
    aiort_await(other, NULL);
    aiort_unref(other);
    aiort_unref(ping);
}

/* The same with two semaphores that are made once. */
static aiort_semaphore_t *go, *come;

static int keeper(void *arg, void **out)
{
    (void)out;
    for (long i = (intptr_t)arg; i > 0; i--) {
        aiort_semaphore_acquire(go);
        aiort_semaphore_release(come);
    }
    return 0;
}

static void handover(long n)
{
    go = aiort_semaphore_new(0);
    come = aiort_semaphore_new(0);
    aiort_task_t *other = aiort_create_task(AIORT_CORO(keeper, (void *)(intptr_t)n));
    aiort_sleep(0);
    uint64_t start = cpu_ns();
    for (long i = 0; i < n; i++) {
        aiort_semaphore_release(go);
        aiort_semaphore_acquire(come);
    }
    result("handover", (double)(cpu_ns() - start) / (2.0 * (double)n));
    aiort_await(other, NULL);
    aiort_unref(other);
    aiort_unref(go);
    aiort_unref(come);
}

static long called;

static int count(void *arg)
{
    (void)arg;
    called++;
    return 0;
}

static void call_soon(long n)
{
    aiort_loop_t *loop = aiort_get_running_loop();
    enum { BURST = 100 };
    uint64_t start = cpu_ns();

    for (long i = 0; i < n / BURST; i++) {
        for (int j = 0; j < BURST; j++) {
            aiort_call_soon(loop, count, NULL, NULL);
        }
        aiort_sleep(0);
    }
    result("call_soon", (double)(cpu_ns() - start) / (double)(n / BURST * BURST));
}

static void call_later(long n)
{
    aiort_loop_t *loop = aiort_get_running_loop();
    unsigned seed = 1;

    called = 0;
    uint64_t start = cpu_ns();
    for (long i = 0; i < n; i++) {
        seed = seed * 1103515245U + 12345U;
        CHECK(
            aiort_call_later(loop, 0.001 + (double)(seed >> 8 & 0xffff) * 1e-6, count, NULL, NULL));
    }
    while (called < n) {
        aiort_sleep(0.01);
    }
    result("call_later", (double)(cpu_ns() - start) / (double)n);
}

typedef struct {
    aiort_loop_t *loop;
    long n;
    double ns;
} producer_t;

static void *produce(void *arg)
{
    producer_t *producer = arg;
    uint64_t start = clock_ns(CLOCK_THREAD_CPUTIME_ID);

    for (long i = 0; i < producer->n; i++) {
        CHECK(aiort_call_soon_threadsafe(producer->loop, count, NULL, NULL));
    }
    producer->ns = (double)(clock_ns(CLOCK_THREAD_CPUTIME_ID) - start) / (double)producer->n;
    return NULL;
}

/* The producer's side, in bursts that the loop takes when they are whole. */
static void threadsafe(long n)
{
    enum { BURST = 10000 };
    producer_t producer = {aiort_get_running_loop(), BURST, 0};
    double sum = 0;
    long bursts = n / BURST + 1;

    for (long i = 0; i < bursts; i++) {
        pthread_t thread;
        called = 0;
        CHECK(pthread_create(&thread, NULL, produce, &producer));
        pthread_join(thread, NULL);
        sum += producer.ns;
        while (called < BURST) {
            aiort_sleep(0);
        }
    }
    result("threadsafe", sum / (double)bursts);
}

static int sleeper(void *arg, void **out)
{
    (void)arg;
    (void)out;
    return aiort_sleep(3600);
}

static void sleepers(long n)
{
    double before = resident();
    uint64_t start = cpu_ns();

    for (long i = 0; i < n; i++) {
        aiort_task_t *task = aiort_create_task(AIORT_CORO(sleeper, NULL));
        if (!task) {
            fprintf(stderr, "task %ld: %s\n", i, aiort_strerror(aiort_last_error()));
            exit(1);
        }
        aiort_unref(task);
    }
    aiort_sleep(0.01);
    result("sleeping_bytes", (resident() - before) / (double)n);
    result("sleeping_ns", (double)(cpu_ns() - start) / (double)n);
}

typedef struct {
    int argc;
    char **argv;
} arguments_t;

static int run_all(void *arg, void **out)
{
    arguments_t *a = arg;

    (void)out;
    if (wanted(a->argc, a->argv, "yield2")) {
        yields("yield2", 2, scaled(5000000));
    }
    if (wanted(a->argc, a->argv, "yield1000")) {
        yields("yield1000", 1000, scaled(5000));
    }
    if (wanted(a->argc, a->argv, "spawn")) {
        spawns(scaled(2000000));
    }
    if (wanted(a->argc, a->argv, "pingpong")) {
        pingpong(scaled(2000000));
    }
    if (wanted(a->argc, a->argv, "handover")) {
        handover(scaled(2000000));
    }
    if (wanted(a->argc, a->argv, "call_soon")) {
        call_soon(scaled(10000000));
    }
    if (wanted(a->argc, a->argv, "threadsafe")) {
        threadsafe(scaled(500000));
    }
    if (wanted(a->argc, a->argv, "call_later")) {
        call_later(scaled(1000000));
    }
    if (wanted(a->argc, a->argv, "sleepers")) {
        sleepers(scaled(1000000));
        _exit(0); /* cancelling a million tasks is not what is measured */
    }
    return 0;
}

int main(int argc, char **argv)
{
    arguments_t arguments = {argc, argv};

    return aiort_run(AIORT_CORO(run_all, &arguments), NULL) == 0 ? 0 : 1;
}
