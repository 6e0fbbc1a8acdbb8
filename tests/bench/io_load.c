/* SPDX-License-Identifier: MIT */
/*
 * The client of the echo servers: to each so many connections, each of which sends 1 KiB, waits for
 * all of it to come back, and sends again. The servers have their turns, one after the other, many
 * times: what disturbs the machine for longer than a turn disturbs all alike. Prints what a request
 * of each turn cost. AIORT_BENCH_SCALE=10 takes a tenth of the rounds.
 *
 *      io_load CONNECTIONS REQUESTS ROUNDS PORT:PID...
 *      -> SERVER CPU WALL      a line a turn: the server's place, ns of its CPU time, ns of the wall's
 *
 * The server's clock is read from here, before and after the requests that count: a quarter more are
 * sent before, for caches and buffers to grow warm, and when those that count are over the answers
 * that are under way are waited for, so that a server that has no turn has nothing to do.
 *
 * Where there are two processors the client takes one and the servers another: which of them share one
 * by chance would decide what a request costs.
 */
#define _GNU_SOURCE
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 1024, MOST = 16384 };

typedef struct {
    int epoll, n;
    int *fds;
    int pid;
    clockid_t clock;
} server_t;

static char message[SIZE], answer[65536];
static int left[MOST]; /* of the answer, by descriptor */

static void must(int ok, const char *what)
{
    if (!ok) {
        perror(what);
        exit(1);
    }
}

static void ask(int fd)
{
    left[fd] = SIZE;
    must(write(fd, message, SIZE) == SIZE, "write");
}

static void open_all(server_t *server, int port, int n)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    int yes = 1;

    server->n = n;
    server->epoll = epoll_create1(0);
    server->fds = calloc((size_t)n, sizeof(int));
    must(server->epoll >= 0 && server->fds, "epoll_create1");
    for (int i = 0; i < n; i++) {
        int fd = server->fds[i] = socket(AF_INET, SOCK_STREAM, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        must(fd >= 0 && fd < MOST, "socket");
        must(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        must(epoll_ctl(server->epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
    }
}

/* So many answers, or some more: how many. on: each is followed by the next request. */
static long answers(const server_t *server, long n, int on)
{
    struct epoll_event events[256];
    long got_all = 0;

    while (got_all < n) {
        int ready = epoll_wait(server->epoll, events, 256, 10000);
        must(ready > 0, "no answer");
        for (int i = 0; i < ready; i++) {
            int fd = events[i].data.fd;
            ssize_t got = read(fd, answer, sizeof(answer));
            must(got > 0, "read");
            left[fd] -= (int)got;
            if (left[fd] == 0) {
                got_all++;
                if (on) {
                    ask(fd);
                }
            }
        }
    }
    return got_all;
}

static void turn(const server_t *server, int place, long requests)
{
    for (int i = 0; i < server->n; i++) {
        ask(server->fds[i]);
    }
    answers(server, requests / 4 + 1, 1);
    uint64_t cpu = clock_ns(server->clock), wall = clock_ns(CLOCK_MONOTONIC);
    requests = answers(server, requests, 1);
    cpu = clock_ns(server->clock) - cpu;
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    answers(server, server->n, 0);
    printf("%d %.1f %.1f\n", place, (double)cpu / (double)requests, (double)wall / (double)requests);
}

static void take_processors(const server_t *servers, int n)
{
    cpu_set_t all, one;
    int mine = -1, theirs = -1;

    if (sched_getaffinity(0, sizeof(all), &all)) {
        return;
    }
    for (int i = 0; i < CPU_SETSIZE && theirs < 0; i++) {
        if (CPU_ISSET(i, &all)) {
            *(mine < 0 ? &mine : &theirs) = i;
        }
    }
    if (theirs < 0) {
        return;
    }
    CPU_ZERO(&one);
    CPU_SET(mine, &one);
    sched_setaffinity(0, sizeof(one), &one);
    CPU_ZERO(&one);
    CPU_SET(theirs, &one);
    for (int i = 0; i < n; i++) {
        sched_setaffinity(servers[i].pid, sizeof(one), &one);
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        return 2;
    }
    int n = argc - 4;
    long requests = atol(argv[2]), rounds = scaled(atol(argv[3]));
    server_t *servers = calloc((size_t)n, sizeof(*servers));
    struct rlimit limit;

    must(servers != NULL, "calloc");
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    memset(message, 'x', sizeof(message));
    for (int i = 0; i < n; i++) {
        int port;
        must(sscanf(argv[4 + i], "%d:%d", &port, &servers[i].pid) == 2, "PORT:PID");
        must(clock_getcpuclockid(servers[i].pid, &servers[i].clock) == 0, "clock_getcpuclockid");
        open_all(&servers[i], port, atoi(argv[1]));
    }
    take_processors(servers, n);
    for (long round = 0; round < rounds; round++) {
        for (int i = 0; i < n; i++) {
            int place = round % 2 ? n - 1 - i : i; /* there and back */
            turn(&servers[place], place, requests);
        }
    }
    return 0;
}
