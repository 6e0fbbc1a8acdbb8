/* SPDX-License-Identifier: MIT */
/*
 * What the programs of this directory share: checking a return value, tearing a loop down properly,
 * connected streams. Nothing here makes a mistake; what a program is about stands in its own file.
 */
#ifndef TESTS_UV_PROGRAM_H
#define TESTS_UV_PROGRAM_H

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <uv.h>

/* How long the callback of a slow_*.c takes, in ms: a wrong one longer than AIODEBUG_SLOW_CALLBACK.
 */
#ifdef FIXED
enum { TAKES = 1 };
#else
enum { TAKES = 150 };
#endif

#define must(call) must_be_0((call), #call)

static inline void must_be_0(int err, const char *call)
{
    if (err != 0) {
        fprintf(stderr, "%s: %s\n", call, uv_strerror(err));
        exit(3);
    }
}

static inline void close_unless_closing(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (!uv_is_closing(handle)) {
        uv_close(handle, NULL);
    }
}

/* Closes what is open, lets the close callbacks run, closes the loop. */
static inline void finish(uv_loop_t *loop)
{
    uv_walk(loop, close_unless_closing, NULL);
    uv_run(loop, UV_RUN_DEFAULT);
    must(uv_loop_close(loop));
}

static inline struct sockaddr *as_sockaddr(struct sockaddr_in *addr)
{
    return (struct sockaddr *)addr;
}

/* 127.0.0.1 with a port that the kernel chooses at bind. */
static inline struct sockaddr_in any_port(void)
{
    struct sockaddr_in addr;
    must(uv_ip4_addr("127.0.0.1", 0, &addr));
    return addr;
}

/* Where a bound handle is to be reached. */
static inline struct sockaddr_in tcp_address(const uv_tcp_t *tcp)
{
    struct sockaddr_in addr;
    int length = sizeof(addr);
    must(uv_tcp_getsockname(tcp, as_sockaddr(&addr), &length));
    return addr;
}

static inline struct sockaddr_in udp_address(const uv_udp_t *udp)
{
    struct sockaddr_in addr;
    int length = sizeof(addr);
    must(uv_udp_getsockname(udp, as_sockaddr(&addr), &length));
    return addr;
}

/* Connects two pipe handles that are initialised already with each other. */
static inline void connect_pair(uv_pipe_t *a, uv_pipe_t *b)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) {
        perror("socketpair");
        exit(3);
    }
    must(uv_pipe_open(a, fds[0]));
    must(uv_pipe_open(b, fds[1]));
}

static inline void post_and_close(uv_timer_t *timer)
{
    uv_sem_post((uv_sem_t *)timer->data);
    uv_close((uv_handle_t *)timer, NULL);
}

/* The semaphore is posted as soon as the loop runs. */
static inline void tell_when_running(uv_loop_t *loop, uv_sem_t *semaphore)
{
    static uv_timer_t timer;
    must(uv_sem_init(semaphore, 0));
    must(uv_timer_init(loop, &timer));
    timer.data = semaphore;
    must(uv_timer_start(&timer, post_and_close, 0, 0));
}

static inline void give_buffer(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    static char memory[1024];
    (void)handle;
    (void)size;
    *buf = uv_buf_init(memory, sizeof(memory));
}

static inline uv_buf_t greeting(void)
{
    static char text[] = "hello";
    return uv_buf_init(text, 5);
}

#endif
