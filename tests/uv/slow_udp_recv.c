/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#50 "libuv udp on windows loopback" ("udpCb in main thread doesn't get called soon
 * enough", datagrams are lost): the datagram is worked on where it arrives.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_datagram(uv_udp_t *udp, ssize_t nread, const uv_buf_t *buf,
                        const struct sockaddr *from, unsigned flags)
{
    (void)buf;
    (void)from;
    (void)flags;
    if (nread > 0) {
        uv_sleep(TAKES);
        uv_udp_recv_stop(udp);
    }
}

int main(void)
{
    uv_loop_t loop;
    uv_udp_t udp;
    uv_buf_t buf = greeting();
    struct sockaddr_in addr = any_port();
    must(uv_loop_init(&loop));
    must(uv_udp_init(&loop, &udp)); /* @created */
    must(uv_udp_bind(&udp, as_sockaddr(&addr), 0));
    must(uv_udp_recv_start(&udp, give_buffer, on_datagram));
    addr = udp_address(&udp);
    if (uv_udp_try_send(&udp, &buf, 1, as_sockaddr(&addr)) != 5) {
        return 4;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
    return 0;
}
