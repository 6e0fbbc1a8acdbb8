/* SPDX-License-Identifier: MIT */
/*
 * Trap 2: a callback that ends in a call of libuv's jumps there, so that this call seems to come
 * from uv_run() itself. All closes are the program's and are seen: nothing is left open, and the
 * last handle, which is used after its close, is found out. And libuv's functions jump to each
 * other (uv_try_write() to uv_try_write2()), which is one call, and one mistake.
 *
 * @log handle-used-after-close 2
 */
#include "../program.h"

enum { HANDLES = 1000 };

static uv_timer_t timers[HANDLES];
static uv_pipe_t pipe_end;
static int closed;

static void on_close(uv_handle_t *handle)
{
    (void)handle;
    closed++;
}

static void tail_close(uv_timer_t *timer)
{
    return uv_close((uv_handle_t *)timer, on_close);
}

static int tail_start(uv_timer_t *timer)
{
    return uv_timer_start(timer, tail_close, 1, 0);
}

static void use_the_last(uv_prepare_t *prepare)
{
    uv_prepare_stop(prepare);
    uv_close((uv_handle_t *)prepare, NULL);
    uv_close((uv_handle_t *)&timers[0], on_close);
    printf("started: %d\n", tail_start(&timers[0]));
    uv_buf_t buf = uv_buf_init((char *)"x", 1);
    uv_close((uv_handle_t *)&pipe_end, on_close);
    printf("written: %d\n", uv_try_write((uv_stream_t *)&pipe_end, &buf, 1));
}

int main(void)
{
    uv_loop_t loop;
    uv_prepare_t prepare;
    must(uv_loop_init(&loop));
    for (int i = 0; i < HANDLES; i++) {
        must(uv_timer_init(&loop, &timers[i]));
        must(i == 0 ? 0 : tail_start(&timers[i]));
    }
    must(uv_pipe_init(&loop, &pipe_end, 0));
    must(uv_prepare_init(&loop, &prepare));
    must(uv_prepare_start(&prepare, use_the_last));
    uv_run(&loop, UV_RUN_DEFAULT);
    printf("closed: %d, loop: %d\n", closed, uv_loop_close(&loop));
    return 0;
}
