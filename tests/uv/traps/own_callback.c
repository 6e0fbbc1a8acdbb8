/* SPDX-License-Identifier: MIT */
/*
 * Trap 3: libuv and programs start a handle anew with the callbacks that they find in it. Those are
 * the shim's trampolines, which must not call themselves.
 *
 * @silent
 */
#include "../program.h"

static int ticks, reads, allocations;

static void tick(uv_timer_t *timer)
{
    if (++ticks < 10) {
        must(uv_timer_start(timer, timer->timer_cb, 1, 1));
    } else {
        uv_close((uv_handle_t *)timer, NULL);
    }
}

static void give(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    static char memory[4];
    (void)size;
    (void)handle;
    allocations++;
    *buf = uv_buf_init(memory, sizeof memory);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n < 0) {
        uv_close((uv_handle_t *)stream, NULL);
        return;
    }
    reads++;
    uv_alloc_cb alloc_cb = stream->alloc_cb;
    uv_read_cb read_cb = stream->read_cb;
    must(uv_read_stop(stream));
    must(uv_read_start(stream, alloc_cb, read_cb));
}

static void on_idle(uv_idle_t *idle)
{
    static int turns;
    must(uv_idle_stop(idle));
    if (++turns < 5) {
        must(uv_idle_start(idle, idle->idle_cb));
    } else {
        uv_close((uv_handle_t *)idle, NULL);
    }
}

static void on_written(uv_write_t *req, int status)
{
    must(status);
    uv_close((uv_handle_t *)req->handle, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_timer_t timer;
    uv_idle_t idle;
    uv_pipe_t from, to;
    uv_write_t req;
    uv_buf_t buf = uv_buf_init((char *)"0123456789", 10);
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &timer));
    must(uv_timer_start(&timer, tick, 1, 1));
    must(uv_idle_init(&loop, &idle));
    must(uv_idle_start(&idle, on_idle));
    must(uv_pipe_init(&loop, &from, 0));
    must(uv_pipe_init(&loop, &to, 0));
    connect_pair(&from, &to);
    must(uv_read_start((uv_stream_t *)&to, give, on_read));
    must(uv_write(&req, (uv_stream_t *)&from, &buf, 1, on_written));
    uv_run(&loop, UV_RUN_DEFAULT);
    printf("%d ticks, %d bytes in %d reads, allocations %s\n", ticks, 10, reads,
           allocations >= reads ? "before each" : "missing");
    must(uv_loop_close(&loop));
    return 0;
}
