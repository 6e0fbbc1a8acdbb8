/* SPDX-License-Identifier: MIT */
/*
 * Trap 23: longjmp() leaves a callback, and uv_run() with it; no clean-up runs. The loop is then
 * run again, by the same function and by one further out and further in, and from another thread.
 *
 * @silent
 */
#include "../program.h"

#include <setjmp.h>

static jmp_buf out;
static uv_loop_t loop;
static int jumps, ticks;

static void jump(uv_timer_t *timer)
{
    if (++jumps < 20) {
        must(uv_timer_start(timer, jump, 0, 0));
        longjmp(out, 1);
    }
    uv_close((uv_handle_t *)timer, NULL);
}

static void tick(uv_idle_t *idle)
{
    if (++ticks == 100) {
        uv_close((uv_handle_t *)idle, NULL);
    }
}

static __attribute__((noinline)) void further_in(int depth)
{
    volatile char room[200];
    room[0] = (char)depth;
    if (depth > 0) {
        further_in(depth - 1);
    } else {
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    room[1] = room[0];
}

static void elsewhere(void *arg)
{
    (void)arg;
    uv_run(&loop, UV_RUN_DEFAULT);
}

int main(void)
{
    uv_timer_t timer;
    uv_idle_t idle;
    uv_thread_t thread;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, jump, 0, 0));
    setjmp(out);
    /* Where the shim stands by the address of its frame: deeper, then less deep. */
    further_in(jumps % 3 * 5);
    must(uv_idle_init(&loop, &idle));
    must(uv_idle_start(&idle, tick));
    uv_sleep(2);
    must(uv_thread_create(&thread, elsewhere, NULL));
    must(uv_thread_join(&thread));
    printf("jumps %d, ticks %d, loop %d\n", jumps, ticks, uv_loop_close(&loop));
    return 0;
}
