/* SPDX-License-Identifier: MIT */
/*
 * Trap 7: libuv is used before the shim's constructor runs, from those of a library, and after the
 * destructors: by an atexit handler, a destructor, and by libuv's own end, uv_library_shutdown().
 *
 * @library early
 * @log slow-callback 4
 * @env AIODEBUG_SLOW_CALLBACK=20ms
 */
#include "../program.h"

static void slow(uv_timer_t *timer)
{
    puts(timer->data);
    uv_sleep(40);
    uv_close((uv_handle_t *)timer, NULL);
}

static void once(const char *when)
{
    uv_loop_t loop;
    uv_timer_t timer;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    timer.data = (void *)(uintptr_t)when;
    must(uv_timer_start(&timer, slow, 0, 0));
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
}

static void at_exit(void)
{
    once("atexit");
}

#ifdef LIBRARY

/* Of the library, whose constructors run before the program's. */
__attribute__((constructor)) static void construct(void)
{
    once("constructor");
}

#else

__attribute__((destructor)) static void destruct(void)
{
    once("destructor");
    fflush(stdout);
}

int main(void)
{
    uv_fs_t req;
    atexit(at_exit);
    once("main");
    must(uv_fs_stat(uv_default_loop(), &req, ".",
                    NULL)); /* threads, for uv_library_shutdown() to end */
    uv_fs_req_cleanup(&req);
    return 0;
}

#endif
