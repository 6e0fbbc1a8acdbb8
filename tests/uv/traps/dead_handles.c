/* SPDX-License-Identifier: MIT */
/*
 * Trap 10: handles that cannot be read any more are still in a loop's list when the program ends:
 * what is said of them comes from the shim's own records. Here in memory without any access, and on
 * the stack of a function that returned.
 *
 * @log unclosed-handle 3
 */
#include "../program.h"

#include <sys/mman.h>

static void tick(uv_timer_t *timer)
{
    (void)timer;
}

static __attribute__((noinline)) void make_on_stack(uv_loop_t *loop)
{
    uv_idle_t idle;
    must(uv_idle_init(loop, &idle));
}

static __attribute__((noinline)) void overwrite(void)
{
    volatile char stack[8192];
    for (size_t i = 0; i < sizeof stack; i++) {
        stack[i] = (char)0xee;
    }
}

int main(void)
{
    static uv_loop_t loop;
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uv_timer_t *timer = (uv_timer_t *)page;
    uv_udp_t *udp = (uv_udp_t *)(page + 2048);
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, timer));
    must(uv_timer_start(timer, tick, 1000, 0));
    must(uv_udp_init(&loop, udp));
    uv_run(&loop, UV_RUN_NOWAIT);
    make_on_stack(&loop);
    overwrite();
    must(mprotect(page, 4096, PROT_NONE));
    puts("the end");
    return 0;
}
