/* SPDX-License-Identifier: MIT */
/*
 * Trap 6: dlsym() on libuv's own handle gives its functions and not the shim's. What is begun there
 * may be ended through the shim, and the other way round.
 *
 * @silent
 */
#include "../program.h"

#include <dlfcn.h>

static void *libuv;
static int fired, closed;

#define DIRECT(name) ((__typeof__(&(name)))(uintptr_t)dlsym(libuv, #name))

static void on_close(uv_handle_t *handle)
{
    (void)handle;
    closed++;
}

static void fire(uv_timer_t *timer)
{
    fired++;
    if (timer->data) {
        DIRECT(uv_close)((uv_handle_t *)timer, on_close);
    } else {
        uv_close((uv_handle_t *)timer, on_close);
    }
}

static void after_work(uv_work_t *req, int status)
{
    (void)req;
    must(status);
    fired++;
}

static void work(uv_work_t *req)
{
    (void)req;
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timers[8];
    uv_work_t req;
    libuv = dlopen("libuv.so.1", RTLD_NOW);
    must(DIRECT(uv_loop_init)(&loop));
    for (int i = 0; i < 8; i++) {
        must((i & 1 ? uv_timer_init : DIRECT(uv_timer_init))(&loop, &timers[i]));
        must((i & 2 ? uv_timer_start : DIRECT(uv_timer_start))(&timers[i], fire, 1, 0));
        timers[i].data = i & 4 ? &timers[i] : NULL;
    }
    must(uv_queue_work(&loop, &req, work, after_work));
    DIRECT(uv_run)(&loop, UV_RUN_ONCE);
    uv_run(&loop, UV_RUN_DEFAULT);
    DIRECT(uv_run)(&loop, UV_RUN_DEFAULT);
    printf("fired %d, closed %d\n", fired, closed);
    must(DIRECT(uv_loop_close)(&loop));
    must(uv_loop_init(&loop));
    must(uv_loop_close(&loop));
    return 0;
}
