/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3296 "uv_udp_send did not send the packet until he receive two packets" is a question
 * of latency; the send callback that takes long adds to it.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_send(uv_udp_send_t *req, int status)
{
    (void)req;
    must(status);
    uv_sleep(TAKES);
}

int main(void)
{
    uv_loop_t loop;
    uv_udp_t udp;
    uv_udp_send_t req;
    uv_buf_t buf = greeting();
    struct sockaddr_in addr = any_port();
    must(uv_loop_init(&loop));
    must(uv_udp_init(&loop, &udp));
    must(uv_udp_bind(&udp, as_sockaddr(&addr), 0));
    addr = udp_address(&udp);
    must(uv_udp_send(&req, &udp, &buf, 1, as_sockaddr(&addr), on_send)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
