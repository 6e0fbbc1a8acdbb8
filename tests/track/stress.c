/* SPDX-License-Identifier: MIT */
/*
 * Everything at once, for some seconds: threads that allocate, load and unload libraries and
 * capture at ever new places, while others are looked at. run.sh gives it a time limit: it must not
 * hang. Arguments: seconds, the library to load.
 */
#include "check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "track/stacks.h"
#include "track/threads.h"

static atomic_bool stop;
static atomic_ulong captures, loads, naps;
static atomic_int short_naps;
static const char *libraries[2];
static atomic_int loaders;
static aiodebug_stack_t (*volatile capture)(void) = aiodebug_stack_capture;

NOINLINE void *allocate(void *arg)
{
    atomic_store((_Atomic pid_t *)arg, (pid_t)syscall(SYS_gettid));
    void *blocks[64] = {NULL};
    for (unsigned i = 0; !atomic_load(&stop); i++) {
        free(blocks[i % 64]);
        blocks[i % 64] = malloc(i * 7919 % 100000);
    }
    for (int i = 0; i < 64; i++)
        free(blocks[i]);
    return NULL;
}

NOINLINE void *load_and_unload(void *arg)
{
    atomic_store((_Atomic pid_t *)arg, (pid_t)syscall(SYS_gettid));
    const char *library = libraries[atomic_fetch_add(&loaders, 1) % 2];
    while (!atomic_load(&stop)) {
        void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
        void (*call)(void (*)(void)) = NULL;
        *(void **)&call = handle == NULL ? NULL : dlsym(handle, "call_back");
        if (call != NULL) {
            /* The frames of the library are new to the unwinder each time. */
            call((void (*)(void))(uintptr_t)capture);
            atomic_fetch_add(&loads, 1);
        }
        if (handle != NULL)
            dlclose(handle);
    }
    return NULL;
}

NOINLINE void deeper(int n)
{
    if (n > 0)
        deeper(n - 1);
    else if (capture() != 0)
        atomic_fetch_add(&captures, 1);
    STAY();
}

NOINLINE void *capture_on(void *arg)
{
    atomic_store((_Atomic pid_t *)arg, (pid_t)syscall(SYS_gettid));
    for (int i = 0; !atomic_load(&stop); i++)
        deeper(i % 40);
    return NULL;
}

/* Threads that come and go: each makes and frees what the unwinder keeps per thread. */
NOINLINE void *short_lived(void *arg)
{
    deeper(3);
    return arg;
}

NOINLINE void *spawn(void *arg)
{
    atomic_store((_Atomic pid_t *)arg, (pid_t)syscall(SYS_gettid));
    while (!atomic_load(&stop)) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, short_lived, NULL) == 0)
            pthread_join(thread, NULL);
    }
    return NULL;
}

/* Asleep nearly all the time: its naps must not be cut short. It may be caught between two
 * naps, so a nap that another one follows at once is not proof; a long one is. */
NOINLINE void *nap(void *arg)
{
    atomic_store((_Atomic pid_t *)arg, (pid_t)syscall(SYS_gettid));
    while (!atomic_load(&stop)) {
        struct timespec t = {.tv_nsec = 100000000};
        if (nanosleep(&t, NULL) != 0)
            atomic_fetch_add(&short_naps, 1);
        atomic_fetch_add(&naps, 1);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    enum { THREADS = 6 };
    void *(*const jobs[THREADS])(void *) = {allocate,        load_and_unload, capture_on,
                                            load_and_unload, spawn,           nap};
    _Atomic pid_t tids[THREADS] = {0};
    pthread_t threads[THREADS];
    unsigned long asked = 0, got = 0;
    double seconds = argc > 1 ? atof(argv[1]) : 10;
    for (int i = 0; i < 2; i++)
        libraries[i] = argc > 2 + i ? argv[2 + i] : "";
    if (!aiodebug_stack_init(NULL)) {
        skip("stress", "no libunwind");
        return 0;
    }
    aiodebug_stack_set_depth(32);
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, jobs[i], &tids[i]);
    struct timespec begin, t;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    do {
        for (int i = 0; i < THREADS; i++) {
            pid_t tid = atomic_load(&tids[i]);
            if (tid != 0) {
                asked++;
                got += aiodebug_stack_of_thread(tid) != 0;
            }
        }
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
        clock_gettime(CLOCK_MONOTONIC, &t);
    } while ((double)(t.tv_sec - begin.tv_sec) + (double)(t.tv_nsec - begin.tv_nsec) * 1e-9 <
             seconds);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("# %lu of %lu stacks of other threads, %lu captures, %lu loads, %lu naps\n", got, asked,
           (unsigned long)captures, (unsigned long)loads, (unsigned long)naps);
    check(got > asked / 2, "stress: others' stacks", "%lu of %lu", got, asked);
    check(atomic_load(&captures) > 1000, "stress: captures", "%lu", (unsigned long)captures);
    check(atomic_load(&loads) > 10, "stress: libraries", "%lu", (unsigned long)loads);
    /* A thread that falls asleep in the microseconds between the look at it and the signal is the
     * one case left (threads.c). Were sleepers signalled, all of the naps would be cut short: each
     * is looked at some hundred times. */
    check(atomic_load(&short_naps) <= 2, "stress: sleeps are not cut short", "%d of %lu",
          atomic_load(&short_naps), (unsigned long)naps);
    return check_failures != 0;
}
