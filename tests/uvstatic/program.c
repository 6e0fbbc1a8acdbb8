/* SPDX-License-Identifier: MIT */
/* A turn of 0.3 s in one callback (with an argument: of a millisecond), after an event. */
#include <unistd.h>
#include <uv.h>

static unsigned microseconds = 300000;

static void wake(uv_async_t *async)
{
    usleep(microseconds);
    uv_close((uv_handle_t *)async, NULL);
}

static void tick(uv_timer_t *timer)
{
    uv_close((uv_handle_t *)timer, NULL);
}

int main(int argc, char **argv)
{
    uv_async_t async;
    uv_timer_t timer;
    (void)argv;
    if (argc > 1) {
        microseconds = 1000;
    }
    uv_async_init(uv_default_loop(), &async, wake);
    uv_async_send(&async);
    uv_timer_init(uv_default_loop(), &timer);
    uv_timer_start(&timer, tick, 400, 0); /* one more poll */
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    return uv_loop_close(uv_default_loop()) != 0;
}
