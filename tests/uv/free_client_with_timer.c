/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#214 "Segfault in uv_tcp_init()": the client's structure holds a connection and a
 * timer. Only the connection is closed; its close callback frees both.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

typedef struct {
    uv_tcp_t tcp;
    uv_timer_t timeout;
    int open;
} client_t;

static void on_timeout(uv_timer_t *timer)
{
    (void)timer;
}

static void on_close(uv_handle_t *handle)
{
    client_t *client = handle->data;
#ifdef FIXED
    if (--client->open > 0) {
        return;
    }
#endif
    free(client); /* @freed */
}

static void close_client(client_t *client)
{
    uv_timer_stop(&client->timeout);
    uv_close((uv_handle_t *)&client->tcp, on_close);
#ifdef FIXED
    uv_close((uv_handle_t *)&client->timeout, on_close);
#endif
}

int main(void)
{
    uv_loop_t loop;
    client_t *client = malloc(sizeof(*client));
    must(uv_loop_init(&loop));
    must(uv_tcp_init(&loop, &client->tcp));
    must(uv_timer_init(&loop, &client->timeout)); /* @created */
    must(uv_timer_start(&client->timeout, on_timeout, 10000, 0));
    client->tcp.data = client->timeout.data = client;
    client->open = 2;
    close_client(client);
    uv_run(&loop, UV_RUN_DEFAULT);
#ifdef FIXED
    must(uv_loop_close(&loop));
#endif
    return 0;
}
