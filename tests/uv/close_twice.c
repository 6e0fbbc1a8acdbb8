/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#133 "About TCP server closing socket exception": the client's end of file and the
 * server's timeout both close the connection. libuv's assertion ends the program.
 *
 * @expect handle-closed-twice created closed call
 * @signal 6
 */
#include "program.h"

typedef struct {
    uv_pipe_t client, peer;
    uv_timer_t timeout;
} session_t;

static session_t session;

static void on_timeout(uv_timer_t *timer)
{
    (void)timer;
#ifdef FIXED
    if (uv_is_closing((uv_handle_t *)&session.client)) {
        return;
    }
#endif
    uv_close((uv_handle_t *)&session.client, NULL); /* @call */
}

static void on_read(uv_stream_t *client, ssize_t nread, const uv_buf_t *buf)
{
    (void)buf;
    if (nread == UV_EOF) {
        uv_close((uv_handle_t *)client, NULL); /* @closed */
        must(uv_timer_start(&session.timeout, on_timeout, 0, 0));
    }
}

int main(void)
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    must(uv_timer_init(&loop, &session.timeout));
    must(uv_pipe_init(&loop, &session.client, 0)); /* @created */
    must(uv_pipe_init(&loop, &session.peer, 0));
    connect_pair(&session.client, &session.peer);
    must(uv_read_start((uv_stream_t *)&session.client, give_buffer, on_read));
    uv_close((uv_handle_t *)&session.peer, NULL);
    must(uv_timer_start(&session.timeout, on_timeout, 60000, 0)); /* on_read() brings it forward */
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
