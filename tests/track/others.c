/* SPDX-License-Identifier: MIT */
/*
 * Other threads' stacks: running, asleep in several calls, deaf to signals, gone.
 */
#include "check.h"

#include <alloca.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include "track/stacks.h"
#include "track/threads.h"

typedef struct {
    void (*sleep)(void);
    const char *name;
    void (*through)(void (*)(void)); /* the chain that leads there */
    _Atomic pid_t tid;
} job_t;

static atomic_bool stop;
static int pipe_ends[2];
static int results;
static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
static double slept;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void pause_ms(int ms)
{
    struct timespec t = {.tv_nsec = ms * 1000000L};
    nanosleep(&t, NULL);
}

/* ---------------------------------------------------------------- what a thread may be doing */

NOINLINE void spin(void)
{
    while (!atomic_load(&stop))
        STAY();
}

NOINLINE void in_nanosleep(void)
{
    struct timespec t = {.tv_nsec = 400000000};
    double begin = now();
    results = nanosleep(&t, NULL);
    slept = now() - begin;
}

NOINLINE void in_poll(void)
{
    struct pollfd one = {.fd = pipe_ends[0], .events = POLLIN};
    results = poll(&one, 1, 10000);
}

NOINLINE void in_read(void)
{
    char byte;
    results = (int)read(pipe_ends[0], &byte, 1);
}

NOINLINE void in_mutex(void)
{
    pthread_mutex_lock(&held);
    pthread_mutex_unlock(&held);
    STAY();
}

NOINLINE void in_condition(void)
{
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 1;
    pthread_mutex_lock(&own);
    results = pthread_cond_timedwait(&never, &own, &end);
    pthread_mutex_unlock(&own);
}

/* ------------------------------------------------------------------------- how it got there */

NOINLINE void plain_1(void (*what)(void))
{
    what();
    STAY();
}

NOINLINE void plain_2(void (*what)(void))
{
    plain_1(what);
    STAY();
}

/* rbp is needed to leave this frame, built as it may be. */
NOINLINE void moving_1(void (*what)(void))
{
    volatile char *room = alloca(64 + (size_t)(getpid() & 63) + 1000);
    room[0] = 1;
    what();
    room[1] = 1;
}

NOINLINE void moving_2(void (*what)(void))
{
    volatile char *room = alloca(64 + (size_t)(getpid() & 63));
    room[0] = 1;
    moving_1(what);
    room[1] = 1;
}

/* Through code without unwind information, but with a frame record, as compilers at run time make.
 */
NOINLINE void made_1(void (*what)(void))
{
    static const unsigned char code[] = {
        0x55,             /* push %rbp */
        0x48, 0x89, 0xe5, /* mov %rsp, %rbp */
        0xff, 0xd7,       /* call *%rdi */
        0x5d,             /* pop %rbp */
        0xc3,             /* ret */
    };
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    void (*made)(void (*)(void));
    memcpy(page, code, sizeof(code));
    mprotect(page, 4096, PROT_READ | PROT_EXEC);
    *(void **)&made = page;
    made(what);
    munmap(page, 4096);
}

static void (*going)(void);
static ucontext_t outside, inside;

NOINLINE void on_own_stack(void)
{
    plain_2(going);
    STAY();
}

enum { ROOM = 32 * 1024 };

NOINLINE void on_this_stack(char *room, void (*what)(void))
{
    going = what;
    getcontext(&inside);
    inside.uc_stack.ss_sp = room;
    inside.uc_stack.ss_size = ROOM;
    inside.uc_link = &outside;
    makecontext(&inside, on_own_stack, 0);
    swapcontext(&outside, &inside);
}

/* A small stack, as coroutines have, with a fence at its end. */
NOINLINE void own_stack(void (*what)(void))
{
    char *room =
        mmap(NULL, ROOM + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    mprotect(room + 4096, ROOM, PROT_READ | PROT_WRITE);
    on_this_stack(room + 4096, what);
    munmap(room, ROOM + 8192);
}

/* A stack right below the code that the return addresses are in, as it happens to threads' stacks
 * and libraries. */
NOINLINE void below_code(void (*what)(void))
{
    extern char __executable_start[];
    char *end = (char *)((uintptr_t)__executable_start & ~(uintptr_t)4095);
    char *room = mmap(end - ROOM, ROOM, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    check(room == end - ROOM, "room below the program", "%s", strerror(errno));
    if (room == end - ROOM) {
        on_this_stack(room, what);
        munmap(room, ROOM);
    }
}

NOINLINE void *run_job(void *arg)
{
    job_t *job = arg;
    atomic_store(&job->tid, (pid_t)syscall(SYS_gettid));
    job->through(job->sleep);
    STAY();
    return NULL;
}

static pid_t started(pthread_t *thread, job_t *job)
{
    atomic_store(&job->tid, 0);
    atomic_store(&stop, false);
    pthread_create(thread, NULL, run_job, job);
    while (atomic_load(&job->tid) == 0)
        pause_ms(1);
    pause_ms(20); /* to get where it is going */
    return atomic_load(&job->tid);
}

static bool has_chain(void *const *pcs, int n, const char *chain)
{
    return strstr(names_of(pcs, n), chain) != NULL;
}

/* --------------------------------------------------------------------------------- the cases */

static const char *chain_of(const job_t *job)
{
    static char text[256];
    const char *chain = job->through == plain_2    ? "plain_1<-plain_2<-run_job"
                        : job->through == moving_2 ? "moving_1<-moving_2<-run_job"
                        : job->through == own_stack || job->through == below_code
                            ? "plain_1<-plain_2<-on_own_stack"
                        : job->through == made_1 ? "?<-made_1<-run_job"
                                                 : "?";
    snprintf(text, sizeof(text), "%s<-%s", job->name, chain);
    return text;
}

static void look_at(job_t *job, aiodebug_thread_state_t state, const char *how)
{
    pthread_t thread;
    void *pcs[64];
    char name[128];
    int good = 0, wrong = 0, n = 0;
    aiodebug_thread_look_t look;
    pid_t tid = started(&thread, job);
    for (int i = 0; i < 20; i++) {
        n = aiodebug_thread_walk(tid, pcs, 64, &look);
        bool right = has_chain(pcs, n, chain_of(job)) && look.state == state;
        good += right;
        wrong += !right && n > 0;
    }
    snprintf(name, sizeof(name), "%s, %s", job->name, how);
    /* None at all is an answer when the machine is busy, a wrong one never is. */
    check(good >= 15 && wrong == 0, name, "%d of 20 right, %d wrong, last %s", good, wrong,
          names_of(pcs, n));
    aiodebug_stack_t id = aiodebug_stack_of_thread(tid);
    n = aiodebug_stack_frames(id, pcs, 64);
    check(id != 0 && n <= 16 && has_chain(pcs, n, job->name), "its id", "%u: %s", id,
          names_of(pcs, n));
    atomic_store(&stop, true);
    if (job->sleep == in_poll || job->sleep == in_read)
        check(write(pipe_ends[1], "x", 1) == 1, "wakes up", "%d", errno);
    if (job->sleep == in_mutex)
        pthread_mutex_unlock(&held);
    pthread_join(thread, NULL);
    if (job->sleep == in_mutex)
        pthread_mutex_lock(&held);
    if (job->sleep == in_poll) {
        char byte;
        check(read(pipe_ends[0], &byte, 1) == 1, "poll saw it", "%d", errno);
    }
}

static void all_ways(void)
{
    static const struct {
        void (*function)(void (*)(void));
        const char *name;
    } ways[] = {{plain_2, "plain"},
                {moving_2, "moving frames"},
                {own_stack, "a stack of its own"},
                {below_code, "a stack right below code"}};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        job_t running = {spin, "spin", ways[i].function, 0};
        job_t jobs[] = {{in_nanosleep, "in_nanosleep", ways[i].function, 0},
                        {in_poll, "in_poll", ways[i].function, 0},
                        {in_read, "in_read", ways[i].function, 0},
                        {in_mutex, "in_mutex", ways[i].function, 0},
                        {in_condition, "in_condition", ways[i].function, 0}};
        look_at(&running, AIODEBUG_THREAD_RUNNING, ways[i].name);
        for (size_t j = 0; j < sizeof(jobs) / sizeof(jobs[0]); j++) {
            results = -2;
            look_at(&jobs[j], AIODEBUG_THREAD_ASLEEP, ways[i].name);
            if (jobs[j].sleep == in_nanosleep)
                check(results == 0 && slept >= 0.4, "its sleep is whole", "%d, %g s", results,
                      slept);
            if (jobs[j].sleep == in_poll || jobs[j].sleep == in_read)
                check(results == 1, "its call is not interrupted", "%d", results);
            if (jobs[j].sleep == in_condition)
                check(results == ETIMEDOUT, "its wait is whole", "%d", results);
        }
    }
}

static void state_of_sleep(void)
{
    pthread_t thread;
    job_t job = {in_read, "in_read", plain_2, 0};
    pid_t tid = started(&thread, &job);
    aiodebug_thread_look_t look;
    aiodebug_thread_look(tid, &look);
    check(look.state == AIODEBUG_THREAD_ASLEEP && look.syscall == SYS_read &&
              look.arguments[0] == (unsigned long)pipe_ends[0] && look.arguments[2] == 1,
          "a look tells call and descriptor", "state %d, call %ld", (int)look.state, look.syscall);
    check(write(pipe_ends[1], "x", 1) == 1, "wakes up", "%d", errno);
    pthread_join(thread, NULL);
}

NOINLINE void deaf_spin(void)
{
    sigset_t all, pending;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    spin();
    sigpending(&pending);
    results = sigisemptyset(&pending);
    pthread_sigmask(SIG_UNBLOCK, &all, NULL);
}

NOINLINE void deaf_sleep(void)
{
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL);
    in_nanosleep();
    STAY();
}

static void deaf(void)
{
    pthread_t thread;
    void *pcs[64];
    job_t job = {deaf_spin, "deaf_spin", plain_2, 0};
    pid_t tid = started(&thread, &job);
    double begin = now();
    int n = aiodebug_thread_walk(tid, pcs, 64, NULL);
    double took = now() - begin;
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    check(n == 0 && took < 0.2, "running and deaf: none", "%d frames, %g s", n, took);
    check(results == 1, "no signal is left pending", "one is");
    job_t asleep = {deaf_sleep, "in_nanosleep<-deaf_sleep", plain_2, 0};
    look_at(&asleep, AIODEBUG_THREAD_ASLEEP, "deaf");
}

static void *nothing(void *arg)
{
    atomic_store((_Atomic pid_t *)arg, (pid_t)syscall(SYS_gettid));
    return NULL;
}

static void gone(void)
{
    void *pcs[64];
    int bad = 0;
    for (int i = 0; i < 200; i++) {
        _Atomic pid_t tid = 0;
        pthread_t thread;
        pthread_create(&thread, NULL, nothing, &tid);
        while (atomic_load(&tid) == 0) {}
        aiodebug_thread_walk(atomic_load(&tid), pcs, 64, NULL); /* on its way out */
        pthread_join(thread, NULL);
        bad += aiodebug_thread_walk(atomic_load(&tid), pcs, 64, NULL) != 0;
    }
    check(bad == 0, "a thread that is gone has none", "%d of 200", bad);
    check(aiodebug_thread_walk(getppid(), pcs, 64, NULL) == 0, "nor has another process", "has");
    check(aiodebug_thread_walk(0, pcs, 64, NULL) == 0, "nor has thread 0", "has");
    check(aiodebug_thread_walk(-1, pcs, 64, NULL) == 0, "nor has thread -1", "has");
}

NOINLINE void own(void)
{
    void *pcs[64];
    int n = aiodebug_thread_walk((pid_t)syscall(SYS_gettid), pcs, 64, NULL);
    check(has_chain(pcs, n, "own<-main"), "one's own", "%s", names_of(pcs, n));
}

static atomic_int theirs;

static void their_handler(int sig)
{
    (void)sig;
    atomic_fetch_add(&theirs, 1);
}

/* The program takes all real-time signals, the one in use among them; then lets some go. */
static void program_takes_signals(void)
{
    pthread_t thread;
    void *pcs[64];
    job_t job = {spin, "spin", plain_2, 0};
    pid_t tid = started(&thread, &job);
    int before = aiodebug_thread_walk(tid, pcs, 64, NULL);
    for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig++)
        signal(sig, their_handler);
    int without = aiodebug_thread_walk(tid, pcs, 64, NULL);
    for (int sig = SIGRTMIN; sig <= SIGRTMAX; sig += 2)
        signal(sig, SIG_DFL);
    int after = aiodebug_thread_walk(tid, pcs, 64, NULL);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    check(before > 0 && without == 0 && after > 0, "signals taken by the program",
          "%d, %d, %d frames", before, without, after);
    check(atomic_load(&theirs) == 0, "no handler of the program runs", "%d times",
          atomic_load(&theirs));
}

NOINLINE void bare_spin(void)
{
    sigset_t all;
    sigfillset(&all);
    stack_t alternate = {.ss_size = 32768};
    alternate.ss_sp = malloc(alternate.ss_size);
    sigaltstack(&alternate, NULL);
    spin();
    alternate.ss_flags = SS_DISABLE;
    sigaltstack(&alternate, NULL);
    free(alternate.ss_sp);
}

int main(void)
{
#if !defined(__x86_64__)
    skip("others", "only x86-64 walks other threads");
    return 0;
#endif
    if (!aiodebug_stack_init(NULL)) {
        skip("others", "no libunwind");
        return 0;
    }
    if (pipe(pipe_ends) != 0)
        return 2;
    pthread_mutex_lock(&held);
    own();
    all_ways();
    state_of_sleep();
    job_t alternate = {bare_spin, "spin<-bare_spin", plain_2, 0};
    look_at(&alternate, AIODEBUG_THREAD_RUNNING, "alternate stack");
    job_t unknown = {spin, "spin", made_1, 0};
    look_at(&unknown, AIODEBUG_THREAD_RUNNING, "through unknown code");
    deaf();
    gone();
    program_takes_signals();
    STAY();
    return check_failures != 0;
}
