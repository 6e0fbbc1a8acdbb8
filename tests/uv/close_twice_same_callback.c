/* SPDX-License-Identifier: MIT */
/*
 * HaxeFoundation/hashlink#408 "[libuv]close socket error" ("Maybe it's a double close?"): the write
 * fails, its callback closes the stream, and so does the function that had started it.
 *
 * @expect handle-closed-twice created closed call
 * @signal 6
 */
#include "program.h"

static void close_stream(uv_stream_t *stream)
{
#ifdef FIXED
    if (uv_is_closing((uv_handle_t *)stream)) {
        return;
    }
#endif
    uv_close((uv_handle_t *)stream, NULL); /* @closed @call */
}

static void on_write(uv_write_t *req, int status)
{
    if (status < 0) {
        close_stream(req->handle);
    }
}

static void send_greeting(uv_write_t *req, uv_stream_t *stream)
{
    uv_buf_t buf = greeting();
    must(uv_write(req, stream, &buf, 1, on_write));
    uv_run(stream->loop, UV_RUN_NOWAIT);
    close_stream(stream);
}

int main(void)
{
    uv_loop_t loop;
    uv_pipe_t mine, theirs;
    uv_write_t req;
    signal(SIGPIPE, SIG_IGN);
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &mine, 0)); /* @created */
    must(uv_pipe_init(&loop, &theirs, 0));
    connect_pair(&mine, &theirs);
    uv_close((uv_handle_t *)&theirs, NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    send_greeting(&req, (uv_stream_t *)&mine);
    finish(&loop);
    return 0;
}
