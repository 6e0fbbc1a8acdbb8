/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#758 "unix, windows: make uv_run() re-entrant?": callbacks leave uv_run() in every way
 * there is: by an exception, one out of a loop inside a callback, one out of uv_walk(), longjmp(),
 * the thread's end. None of them was slow, and what follows outside of uv_run() is not theirs.
 *
 * @silent
 * @without valgrind: it takes the stack that longjmp() and exceptions leave for one that is in use
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

#include <csetjmp>
#include <pthread.h>

static uv_loop_t loop;
static std::jmp_buf out;
static int thrown;

static void throws(uv_timer_t *)
{
    throw ++thrown;
}

static void walker(uv_handle_t *, void *)
{
    throw 'w';
}

static void outer(uv_timer_t *timer)
{
    uv_loop_t inner;
    uv_timer_t other;
    must(uv_loop_init(&inner));
    must(uv_timer_init(&inner, &other));
    must(uv_timer_start(&other, throws, 1, 0));
    try {
        uv_run(&inner, UV_RUN_DEFAULT);
    } catch (int) {
    }
    uv_close(reinterpret_cast<uv_handle_t *>(&other), nullptr);
    finish(&inner);
    try {
        uv_walk(&loop, walker, nullptr);
    } catch (char) {
        thrown++;
    }
    uv_close(reinterpret_cast<uv_handle_t *>(timer), nullptr);
}

static void jumps(uv_timer_t *timer)
{
    uv_close(reinterpret_cast<uv_handle_t *>(timer), nullptr);
    std::longjmp(out, 1);
}

static void ends_thread(uv_timer_t *timer)
{
    uv_close(reinterpret_cast<uv_handle_t *>(timer), nullptr);
    pthread_exit(nullptr);
}

static void *thread(void *)
{
    uv_run(&loop, UV_RUN_DEFAULT);
    return nullptr;
}

/* A frame with room that nothing is written to; and a larger one, in which what lay there, uv_run()'s
 * return address say, lies still. */
static __attribute__((noinline)) void run_far_below()
{
    char room[2048];
    __asm__ volatile("" : : "r"(room));
    uv_run(&loop, UV_RUN_DEFAULT);
    __asm__ volatile("" : : "r"(room));
}

static __attribute__((noinline)) void join_farther_below(pthread_t id)
{
    char room[8192];
    __asm__ volatile("" : : "r"(room));
    must(pthread_join(id, nullptr));
    __asm__ volatile("" : : "r"(room));
}

/* What is left in this way, and then a while in which nothing runs. */
static void leave(uv_timer_cb cb)
{
    static uv_timer_t timers[4];
    static int n;
    uv_timer_t *timer = &timers[n++];
    must(uv_timer_init(&loop, timer));
    must(uv_timer_start(timer, cb, 1, 0));
    if (cb == ends_thread) {
        pthread_t id;
        must(pthread_create(&id, nullptr, thread, nullptr));
        join_farther_below(id);
    } else if (cb == throws) {
        try {
            uv_run(&loop, UV_RUN_DEFAULT);
        } catch (int) {
        }
        uv_close(reinterpret_cast<uv_handle_t *>(timer), nullptr);
    } else if (setjmp(out) == 0) {
        run_far_below();
    }
    uv_sleep(TAKES);
}

int main()
{
    must(uv_loop_init(&loop));
    leave(throws);
    leave(outer);
    leave(jumps);
    leave(ends_thread);
    finish(&loop);
    return thrown == 3 ? 0 : 4;
}
