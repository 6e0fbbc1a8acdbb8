/* SPDX-License-Identifier: MIT */
/*
 * Plain libuv programs, for what the shim costs them: `make bench-uv` (uv_run, beside this file)
 * runs each without it and with it, by turns. usage: uv NAME [NUMBER]; see bench.h.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "bench.h"

enum { MESSAGE = 1024 };

static uv_loop_t *loop;
static long left;

static void per(const char *name, uint64_t started, long operations)
{
    result(name, (double)(cpu_ns() - started) / (double)operations);
}

static void *memory(size_t size)
{
    void *block = malloc(size);
    if (!block) {
        abort();
    }
    return memset(block, 1, size); /* not 0: that would be calloc(), which touches nothing */
}


/* ------------------------------------------------------------------------------------ callbacks */

enum { IDLES = 100 };
static uv_idle_t idles[IDLES];

static void on_idle(uv_idle_t *idle)
{
    if (--left < 0) {
        uv_idle_stop(idle);
    }
}

/* A hundred, so that the selector does not count. */
static void idle(void)
{
    long n = scaled(3000000);
    left = n;
    for (int i = 0; i < IDLES; i++) {
        uv_idle_init(loop, &idles[i]);
        uv_idle_start(&idles[i], on_idle);
    }
    uint64_t started = cpu_ns();
    uv_run(loop, UV_RUN_DEFAULT);
    per("idle", started, n);
}

/* One a turn of the loop. */
static void turn(void)
{
    long n = scaled(500000);
    left = n;
    uv_idle_init(loop, &idles[0]);
    uv_idle_start(&idles[0], on_idle);
    uint64_t started = cpu_ns();
    uv_run(loop, UV_RUN_DEFAULT);
    per("turn", started, n);
}

enum { TIMERS = 1000 };
static uv_timer_t timers[TIMERS];

static void on_timer(uv_timer_t *timer)
{
    (void)timer;
}

/* As a server pushes a connection's time limit into the future at each message. */
static void rearm(uv_idle_t *idle)
{
    for (int i = 0; i < TIMERS; i++) {
        uv_timer_start(&timers[i], on_timer, 100000 + (uint64_t)(left * 7919 + i) % 1000, 0);
    }
    if (--left <= 0) {
        uv_idle_stop(idle);
    }
}

static void timer(void)
{
    long n = scaled(3000);
    left = n;
    for (int i = 0; i < TIMERS; i++) {
        uv_timer_init(loop, &timers[i]);
    }
    uv_idle_init(loop, &idles[0]);
    uv_idle_start(&idles[0], rearm);
    uint64_t started = cpu_ns();
    while (left > 0) {
        uv_run(loop, UV_RUN_NOWAIT);
    }
    per("timer", started, n * TIMERS);
}


/* --------------------------------------------------------------------------- threads, the pool */

static uv_async_t here, there;

static void ping(uv_async_t *async)
{
    (void)async;
    if (--left <= 0) {
        uv_close((uv_handle_t *)&here, NULL);
    }
    uv_async_send(&there);
}

static void pong(uv_async_t *async)
{
    uv_async_send(&here);
    if (left <= 0) {
        uv_close((uv_handle_t *)async, NULL);
    }
}

static void *other_thread(void *other)
{
    uv_run(other, UV_RUN_DEFAULT);
    return NULL;
}

static void async(void)
{
    long n = scaled(20000);
    uv_loop_t other;
    pthread_t thread;
    left = n;
    uv_loop_init(&other);
    uv_async_init(loop, &here, ping);
    uv_async_init(&other, &there, pong);
    uint64_t started = cpu_ns();
    uv_async_send(&there);
    pthread_create(&thread, NULL, other_thread, &other);
    uv_run(loop, UV_RUN_DEFAULT);
    pthread_join(thread, NULL);
    per("async", started, n);
}

enum { STATS = 64 };
static uv_fs_t stats[STATS];

static void on_stat(uv_fs_t *stat)
{
    uv_fs_req_cleanup(stat);
    if (left-- > 0) {
        uv_fs_stat(loop, stat, "/", on_stat);
    }
}

static void fs_stat(void)
{
    long n = scaled(50000);
    left = n;
    uint64_t started = cpu_ns();
    for (int i = 0; i < STATS; i++) {
        uv_fs_stat(loop, &stats[i], "/", on_stat);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    per("fs_stat", started, n);
}


/* ----------------------------------------------------------------------------------------- echo */

typedef struct {
    uv_write_t write;
    uv_buf_t piece;
} answer_t;

static uv_tcp_t listener;
static long connections, echoes;

/* The connections are made and warm when the first `from` messages are through; the figures are of
 * those from there to `to`. */
static long from, to;
static uint64_t cpu_from, cpu_to, wall_from, wall_to;

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buffer)
{
    (void)handle, (void)suggested;
    *buffer = uv_buf_init(malloc(MESSAGE), MESSAGE);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
    if (--connections == 0) {
        uv_close((uv_handle_t *)&listener, NULL);
    }
}

static void on_written(uv_write_t *write, int status)
{
    answer_t *answer = (answer_t *)write;
    (void)status;
    free(answer->piece.base);
    free(answer);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buffer)
{
    if (n <= 0) {
        free(buffer->base);
        if (n < 0) {
            uv_close((uv_handle_t *)stream, on_closed);
        }
        return;
    }
    answer_t *answer = malloc(sizeof *answer);
    answer->piece = uv_buf_init(buffer->base, (unsigned)n);
    uv_write(&answer->write, stream, &answer->piece, 1, on_written);
    if (++echoes == from) {
        cpu_from = cpu_ns();
        wall_from = uv_hrtime();
    } else if (echoes == to) {
        cpu_to = cpu_ns();
        wall_to = uv_hrtime();
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    uv_tcp_t *connection = memory(sizeof *connection);
    (void)status;
    uv_tcp_init(loop, connection);
    uv_accept(server, (uv_stream_t *)connection);
    uv_read_start((uv_stream_t *)connection, on_alloc, on_read);
}

/* Each on a processor of its own: where the scheduler puts the two makes more of a difference than
 * what is measured. */
static void stay_on(int nth)
{
    cpu_set_t all, one;
    CPU_ZERO(&one);
    if (sched_getaffinity(0, sizeof all, &all) != 0 || CPU_COUNT(&all) < 2) {
        return;
    }
    for (int i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all) && nth-- == 0) {
            CPU_SET(i, &one);
            sched_setaffinity(0, sizeof one, &one);
        }
    }
}

/* The client: another process, without the shim, and without libuv's help. */
static int load(int port, int clients, long requests)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    static char message[MESSAGE];
    struct epoll_event event = {.events = EPOLLIN}, events[64];
    int epoll = epoll_create1(0), one = 1;
    stay_on(1);
    int *got = calloc((size_t)clients + 100, sizeof *got);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (int i = 0; i < clients; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd >= clients + 100 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
            return 1;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        event.data.fd = fd;
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        if (write(fd, message, MESSAGE) != MESSAGE) {
            return 1;
        }
    }
    for (long done = 0; done < requests;) {
        int n = epoll_wait(epoll, events, 64, -1);
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t size = read(fd, message, MESSAGE);
            got[fd] += size > 0 ? (int)size : 0;
            if (got[fd] == MESSAGE) {
                got[fd] = 0;
                done++;
                if (write(fd, message, MESSAGE) != MESSAGE) {
                    return 1;
                }
            }
        }
    }
    return 0;
}

extern char **environ;

static void echo(const char *name, const char *self, int clients)
{
    char number[3][32];
    struct sockaddr_in address;
    int size = sizeof address;
    pid_t child;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &listener);
    uv_tcp_bind(&listener, (struct sockaddr *)&address, 0);
    uv_listen((uv_stream_t *)&listener, 1024, on_connection);
    uv_tcp_getsockname(&listener, (struct sockaddr *)&address, &size);
    snprintf(number[0], sizeof number[0], "%d", ntohs(address.sin_port));
    snprintf(number[1], sizeof number[1], "%d", clients);
    snprintf(number[2], sizeof number[2], "%ld", scaled(60000) + 2L * clients);
    unsetenv("LD_PRELOAD");
    char *argv[] = {(char *)(uintptr_t)self, "load", number[0], number[1], number[2], NULL};
    connections = clients;
    if (posix_spawn(&child, self, NULL, NULL, argv, environ) != 0) {
        return;
    }
    stay_on(0);
    to = scaled(60000) + 2L * clients;
    from = 2L * clients;
    uv_run(loop, UV_RUN_DEFAULT);
    result(name, (double)(cpu_to - cpu_from) / (double)(to - from));
    char text[32];
    snprintf(text, sizeof text, "%s_wall", name);
    result(text, (double)(wall_to - wall_from) / (double)(to - from));
    waitpid(child, NULL, 0);
}


/* -------------------------------------------------------------------------------------- handles */

static uv_tcp_t tcps[100];

static void churn_now(long rounds)
{
    for (long i = 0; i < rounds; i++) {
        for (int j = 0; j < 100; j++) {
            uv_tcp_init(loop, &tcps[j]);
        }
        for (int j = 0; j < 100; j++) {
            uv_close((uv_handle_t *)&tcps[j], NULL);
        }
        uv_run(loop, UV_RUN_DEFAULT);
    }
}

/* Where a call is made is kept in 16 frames: so that there are as many. */
static void __attribute__((noinline)) churn_in(int frames, long rounds)
{
    if (frames == 0) {
        churn_now(rounds);
    } else {
        churn_in(frames - 1, rounds);
    }
    __asm__ volatile(""); /* no jump instead of the call */
}

static void churn(void)
{
    long n = scaled(3000);
    churn_in(1, 20);
    uint64_t started = cpu_ns();
    churn_in(16, n);
    per("churn", started, n * 100);
}

/* What the handles lie in is there, and was touched, before. */
static void live(const char *name, long n)
{
    char text[64];
    uv_timer_t *handles = memory((size_t)n * sizeof *handles);
    uv_run(loop, UV_RUN_NOWAIT);
    double before = resident();
    uint64_t started = cpu_ns();
    for (long i = 0; i < n; i++) {
        uv_timer_init(loop, &handles[i]);
    }
    result(name, (resident() - before) / (double)n);
    for (long i = 0; i < n; i++) {
        uv_close((uv_handle_t *)&handles[i], NULL);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    snprintf(text, sizeof text, "%s_ns", name);
    per(text, started, n);
}

/* malloc and free of what holds no handle, while so many are elsewhere in the heap. */
static void pairs(const char *name, long n)
{
    void *(*volatile allocate)(size_t) = malloc;
    void (*volatile release)(void *) = free;
    uv_timer_t **handles = memory((size_t)(n + 1) * sizeof *handles);
    for (long i = 0; i < n; i++) {
        handles[i] = memory(sizeof **handles);
        uv_timer_init(loop, handles[i]);
    }
    long count = scaled(10000000);
    uint64_t best = UINT64_MAX;
    for (int round = 0; round < 10; round++) {
        uint64_t started = cpu_ns();
        for (long i = 0; i < count / 10; i++) {
            release(allocate((size_t)(i & 7) * 16 + 40));
        }
        uint64_t took = cpu_ns() - started;
        best = took < best ? took : best;
    }
    result(name, (double)best / ((double)count / 10));
    fflush(stdout);
    _exit(0); /* the handles stay, on purpose */
}


/* ---------------------------------------------------------------------------------- the smallest
 */

/* Prints whether something was loaded that only reports need. */
static void smallest(void)
{
    char line[512];
    uv_timer_init(loop, &timers[0]);
    uv_timer_start(&timers[0], on_timer, 0, 0);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_close((uv_handle_t *)&timers[0], NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    if (getenv("BENCH_MAPS")) {
        int dwarf = 0;
        FILE *maps = fopen("/proc/self/maps", "r");
        while (maps && fgets(line, sizeof line, maps)) {
            dwarf |= strstr(line, "/libdw") != NULL;
        }
        result("dwarf", dwarf);
    }
}

static void counter(void)
{
    long n = scaled(10000000);
    uint64_t started = cpu_ns();
    for (long i = 0; i < n; i++) {
#if defined(__x86_64__)
        __asm__ volatile("rdtsc" ::: "rax", "rdx");
#endif
    }
    per("rdtsc", started, n);
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "load") == 0 && argc > 4) {
        return load(atoi(argv[2]), atoi(argv[3]), atol(argv[4]));
    }
    static const struct {
        const char *name;
        void (*run)(void);
    } simple[] = {{"idle", idle},         {"turn", turn},       {"timer", timer},
                  {"async", async},       {"fs_stat", fs_stat}, {"churn", churn},
                  {"smallest", smallest}, {"rdtsc", counter}};
    loop = uv_default_loop();
    for (size_t i = 0; i < sizeof simple / sizeof *simple; i++) {
        if (strcmp(name, simple[i].name) == 0) {
            simple[i].run();
            return 0;
        }
    }
    int number =
        name[0] ? atoi(strpbrk(name, "0123456789") ? strpbrk(name, "0123456789") : "0") : 0;
    if (strncmp(name, "echo", 4) == 0) {
        echo(name, argv[0], number);
    } else if (strncmp(name, "pairs", 5) == 0) {
        pairs(name, number);
    } else if (strncmp(name, "live", 4) == 0) {
        live(name, number);
    } else {
        fprintf(stderr, "usage: uv NAME\n");
        return 2;
    }
    return 0;
}
