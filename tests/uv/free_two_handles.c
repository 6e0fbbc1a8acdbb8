/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#2089 "How to close a tcp connection with a timer properly?": a session with a
 * connection and a timer is freed in the connection's close callback, when the timer is only
 * closing: one record for each handle in the block.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

typedef struct {
    char id[40];
    uv_tcp_t tcp;
    uv_timer_t activity;
    uv_idle_t flush;
    int open;
} session_t;

static void on_close(uv_handle_t *handle)
{
    session_t *session = handle->data;
#ifdef FIXED
    if (--session->open > 0) {
        return;
    }
#endif
    free(session); /* @freed */
}

int main(void)
{
    uv_loop_t loop;
    session_t *session = calloc(1, sizeof(*session));
    must(uv_loop_init(&loop));
    must(uv_tcp_init(&loop, &session->tcp));
    must(uv_timer_init(&loop, &session->activity)); /* @created */
    must(uv_idle_init(&loop, &session->flush));
    session->tcp.data = session->activity.data = session->flush.data = session;
    session->open = 3;
    uv_close((uv_handle_t *)&session->tcp, on_close);
#ifdef FIXED
    uv_close((uv_handle_t *)&session->activity, on_close);
    uv_close((uv_handle_t *)&session->flush, on_close);
#endif
    uv_run(&loop, UV_RUN_DEFAULT);
#ifdef FIXED
    must(uv_loop_close(&loop));
#endif
    return 0;
}
