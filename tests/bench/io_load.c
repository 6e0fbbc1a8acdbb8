/* SPDX-License-Identifier: MIT */
/*
 * The client of the echo servers: so many connections, each of which sends 1 KiB, waits for all of
 * it to come back, and sends again. Prints what a request cost the server in CPU time, and the
 * wall's.
 *
 *      io_load PORT PID CONNECTIONS REQUESTS
 *
 * The server's clock is read from here, before and after the requests that count: a tenth of them
 * is sent before, for caches and buffers to grow warm.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SIZE = 1024 };

static char message[SIZE], answer[65536];
static int left[4096]; /* of the answer, by descriptor */

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

static void open_all(int epoll, int port, int n)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)port)};
    int yes = 1;

    for (int i = 0; i < n; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        must(fd >= 0 && fd < (int)(sizeof(left) / sizeof(left[0])), "socket");
        must(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
        must(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0, "epoll_ctl");
        ask(fd);
    }
}

/* So many answers. */
static void serve(int epoll, long answers)
{
    struct epoll_event events[256];

    while (answers > 0) {
        int n = epoll_wait(epoll, events, 256, 10000);
        must(n > 0, "no answer");
        for (int i = 0; i < n; i++) {
            int fd = events[i].data.fd;
            ssize_t got = read(fd, answer, sizeof(answer));
            must(got > 0, "read");
            left[fd] -= (int)got;
            if (left[fd] == 0) {
                answers--;
                ask(fd);
            }
        }
    }
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        return 2;
    }
    int epoll = epoll_create1(0), n = atoi(argv[3]);
    long requests = scaled(atol(argv[4]));
    clockid_t server;

    memset(message, 'x', sizeof(message));
    must(clock_getcpuclockid(atoi(argv[2]), &server) == 0, "clock_getcpuclockid");
    open_all(epoll, atoi(argv[1]), n);
    serve(epoll, requests / 10 + n);
    uint64_t cpu = clock_ns(server), wall = clock_ns(CLOCK_MONOTONIC);
    serve(epoll, requests);
    result("cpu", (double)(clock_ns(server) - cpu) / (double)requests);
    result("wall", (double)(clock_ns(CLOCK_MONOTONIC) - wall) / (double)requests);
    return 0;
}
