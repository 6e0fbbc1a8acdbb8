/* SPDX-License-Identifier: MIT */
/*
 * Trap 16, and a program whose first use of libuv is in many threads at once: each loop is watched
 * from its first uv_run() on, though the shim is started by one of them.
 *
 * @env AIODEBUG_SLOW_CALLBACK=20ms
 * @log slow-callback 8
 */
#include "../program.h"

enum { THREADS = 8 };

static uv_barrier_t together;

static void slow(uv_timer_t *timer)
{
    uv_sleep(40);
    uv_close((uv_handle_t *)timer, NULL);
}

static void run(void *arg)
{
    uv_loop_t loop;
    uv_timer_t timer;
    (void)arg;
    uv_barrier_wait(&together);
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, slow, 1, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
}

int main(void)
{
    uv_thread_t threads[THREADS];
    must(uv_barrier_init(&together, THREADS));
    for (int i = 0; i < THREADS; i++) {
        must(uv_thread_create(&threads[i], run, NULL));
    }
    for (int i = 0; i < THREADS; i++) {
        must(uv_thread_join(&threads[i]));
    }
    return 0;
}
