/* SPDX-License-Identifier: MIT */
/*
 * ecewo/ecewo#10 "Fix segfault when bind or listen fails": the port is taken, and the error path
 * gives the server's memory back with free() instead of uv_close().
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

static void on_connection(uv_stream_t *server, int status)
{
    (void)server;
    (void)status;
}

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle);
}
#endif

int main(void)
{
    uv_loop_t *loop = uv_default_loop();
    struct sockaddr_in addr = any_port();
    uv_tcp_t first;
    uv_tcp_t *second = malloc(sizeof(*second));

    must(uv_tcp_init(loop, &first));
    must(uv_tcp_bind(&first, as_sockaddr(&addr), 0));
    must(uv_listen((uv_stream_t *)&first, 8, on_connection));

    addr = tcp_address(&first);
    must(uv_tcp_init(loop, second)); /* @created */
    int err = uv_tcp_bind(second, as_sockaddr(&addr), 0);
    if (err == 0) {
        err = uv_listen((uv_stream_t *)second, 8, on_connection);
    }
    if (err == 0) {
        return 4;
    }
#ifdef FIXED
    uv_close((uv_handle_t *)second, on_close);
    finish(loop);
#else
    free(second); /* @freed */
#endif
    return 0;
}
