/* SPDX-License-Identifier: MIT */
/*
 * Trap 29: uv_replace_allocator() gives libuv the program's own functions. The shim does not use
 * them, so they are called as often as without it, and they may use libuv's synchronous calls
 * themselves.
 *
 * @silent
 */
#include "../program.h"

static int allocations, frees;

static void *count_malloc(size_t size)
{
    allocations++;
    return malloc(size);
}

static void *count_realloc(void *block, size_t size)
{
    allocations++;
    return realloc(block, size);
}

static void *count_calloc(size_t n, size_t size)
{
    allocations++;
    return calloc(n, size);
}

static void count_free(void *block)
{
    frees++;
    (void)uv_hrtime();
    free(block);
}

static void never(uv_timer_t *timer)
{
    (void)timer;
    abort();
}

static void on_scan(uv_fs_t *req)
{
    uv_fs_req_cleanup(req);
}

int main(void)
{
    uv_loop_t loop;
    uv_fs_t req;
    uv_timer_t timers[100];
    must(uv_replace_allocator(count_malloc, count_realloc, count_calloc, count_free));
    must(uv_loop_init(&loop));
    for (int i = 0; i < 100; i++) {
        must(uv_timer_init(&loop, &timers[i]));
        must(uv_timer_start(&timers[i], never, 0, 0));
        uv_timer_stop(&timers[i]);
    }
    must(uv_fs_realpath(&loop, &req, ".", on_scan));
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    printf("%d allocations, %d frees\n", allocations, frees);
    return 0;
}
