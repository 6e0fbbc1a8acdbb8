/* SPDX-License-Identifier: MIT */
/*
 * An echo server on libuv alone, as fast as it can be written: one buffer for all reads, and each
 * answer is tried at once. Prints its port, ends with its standard input. See io_run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

static char buffer[65536];

typedef struct {
    uv_write_t request;
    char data[];
} rest_t;

static void on_close(uv_handle_t *handle)
{
    free(handle);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(buffer, sizeof(buffer));
}

static void on_written(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

static void send_rest(uv_stream_t *stream, const char *data, size_t n)
{
    rest_t *rest = malloc(sizeof(*rest) + n);

    if (!rest) {
        abort();
    }
    memcpy(rest->data, data, n);
    uv_buf_t piece = uv_buf_init(rest->data, (unsigned)n);
    uv_write(&rest->request, stream, &piece, 1, on_written);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    if (n < 0) {
        uv_close((uv_handle_t *)stream, on_close);
        return;
    }
    uv_buf_t piece = uv_buf_init(buf->base, (unsigned)n);
    int sent = n > 0 ? uv_try_write(stream, &piece, 1) : 0;
    sent = sent > 0 ? sent : 0;
    if (sent < n) {
        send_rest(stream, buf->base + sent, (size_t)(n - sent));
    }
}

static void on_connection(uv_stream_t *server, int status)
{
    uv_tcp_t *client = malloc(sizeof(*client));

    if (status || !client) {
        abort();
    }
    uv_tcp_init(server->loop, client);
    uv_accept(server, (uv_stream_t *)client);
    uv_tcp_nodelay(client, 1);
    uv_read_start((uv_stream_t *)client, on_alloc, on_read);
}

static void on_input(uv_stream_t *input, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n < 0) {
        uv_stop(input->loop);
    }
}

int main(void)
{
    struct sockaddr_in address;
    int length = sizeof(address);
    uv_loop_t *loop = uv_default_loop();
    uv_tcp_t server;
    uv_pipe_t input;

    uv_tcp_init(loop, &server);
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_bind(&server, (struct sockaddr *)&address, 0);
    if (uv_listen((uv_stream_t *)&server, 1024, on_connection)) {
        return 1;
    }
    uv_tcp_getsockname(&server, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    uv_pipe_init(loop, &input, 0);
    uv_pipe_open(&input, 0);
    uv_read_start((uv_stream_t *)&input, on_alloc, on_input);
    return uv_run(loop, UV_RUN_DEFAULT) < 0;
}
