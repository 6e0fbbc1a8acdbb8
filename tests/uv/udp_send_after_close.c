/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#1406 "Assertion error in uv__udp_finish_close()": a datagram is sent from a handle
 * that is closing, which opens a new socket for it.
 *
 * @expect handle-used-after-close created closed call
 * @signal 6
 */
#include "program.h"

int main(void)
{
    uv_loop_t loop;
    uv_udp_t udp;
    uv_udp_send_t req;
    uv_buf_t buf = greeting();
    struct sockaddr_in addr;
    must(uv_ip4_addr("127.0.0.1", 9, &addr));
    must(uv_loop_init(&loop));
    must(uv_udp_init(&loop, &udp)); /* @created */
#ifdef FIXED
    must(uv_udp_send(&req, &udp, &buf, 1, as_sockaddr(&addr), NULL));
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_close((uv_handle_t *)&udp, NULL);
#else
    uv_close((uv_handle_t *)&udp, NULL);                              /* @closed */
    must(uv_udp_send(&req, &udp, &buf, 1, as_sockaddr(&addr), NULL)); /* @call */
#endif
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
