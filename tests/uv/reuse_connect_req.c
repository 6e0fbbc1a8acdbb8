/* SPDX-License-Identifier: MIT */
/*
 * openziti/tlsuv#29 "avoid simultaneous connect requests": two connections are begun with one
 * uv_connect_t, whose `handle` can only name one of them.
 *
 * @expect request-reused scheduled call
 */
#include "program.h"

static void on_connection(uv_stream_t *server, int status)
{
    (void)server;
    (void)status;
}

static void on_connect(uv_connect_t *req, int status)
{
    (void)req;
    (void)status;
}

int main(void)
{
    uv_loop_t loop;
    uv_tcp_t server, client[2];
    uv_connect_t reqs[2];
    struct sockaddr_in addr = any_port();
    must(uv_loop_init(&loop));
    must(uv_tcp_init(&loop, &server));
    must(uv_tcp_bind(&server, as_sockaddr(&addr), 0));
    must(uv_listen((uv_stream_t *)&server, 8, on_connection));
    addr = tcp_address(&server);
    must(uv_tcp_init(&loop, &client[0]));
    must(uv_tcp_init(&loop, &client[1]));
    must(uv_tcp_connect(&reqs[0], &client[0], as_sockaddr(&addr), on_connect)); /* @scheduled */
#ifdef FIXED
    must(uv_tcp_connect(&reqs[1], &client[1], as_sockaddr(&addr), on_connect));
    finish(&loop);
    return 0;
#else
    must(uv_tcp_connect(&reqs[0], &client[1], as_sockaddr(&addr), on_connect)); /* @call */
    _exit(0);
#endif
}
