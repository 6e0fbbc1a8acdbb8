/* SPDX-License-Identifier: MIT */
/*
 * Trap 14: programs clear, copy and compare the structures in which handles and requests are, and
 * find their own by the pointer that a callback gets. Fields that libuv reserves are copied with
 * them.
 *
 * @silent
 */
#include "../program.h"

typedef struct {
    int id;
    uv_timer_t timer;
    uv_write_t req;
    uv_pipe_t pipe;
} session_t;

static uv_loop_t loop;
static int fired, written;

static void fire(uv_timer_t *timer)
{
    session_t *session = (session_t *)((char *)timer - offsetof(session_t, timer));
    fired += session->id;
    uv_close((uv_handle_t *)timer, NULL);
}

static void on_written(uv_write_t *req, int status)
{
    session_t *session = (session_t *)((char *)req - offsetof(session_t, req));
    static uv_buf_t buf = {(char *)"y", 1};
    must(status);
    written += session->id;
    if (written < 100) {
        memset(req, 0xff, sizeof *req);
        must(uv_write(req, (uv_stream_t *)&session->pipe, &buf, 1, on_written));
    } else {
        uv_close((uv_handle_t *)&session->pipe, NULL);
    }
}

int main(void)
{
    static session_t first, second, third;
    uv_pipe_t peer;
    uv_buf_t buf = uv_buf_init((char *)"x", 1);
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &first.timer));
    must(uv_timer_start(&first.timer, fire, 1, 0));
    first.id = 1;
    /* As a template for others; what is in the copy is made anew. */
    second = first;
    second.id = 10;
    must(uv_timer_init(&loop, &second.timer));
    must(uv_timer_start(&second.timer, fire, 1, 0));
    memset(&third, 0xff, sizeof third);
    third.id = 50;
    must(uv_timer_init(&loop, &third.timer));
    must(uv_timer_start(&third.timer, fire, 1, 0));
    must(uv_pipe_init(&loop, &third.pipe, 0));
    must(uv_pipe_init(&loop, &peer, 0));
    connect_pair(&third.pipe, &peer);
    must(uv_write(&third.req, (uv_stream_t *)&third.pipe, &buf, 1, on_written));
    must(uv_timer_start(&first.timer, first.timer.timer_cb, 2, 0));
    uv_unref((uv_handle_t *)&peer);
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_DEFAULT);
    printf("fired %d, written %d\n", fired, written);
    uv_walk(&loop, close_unless_closing, NULL);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
