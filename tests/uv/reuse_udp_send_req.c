/* SPDX-License-Identifier: MIT */
/*
 * libuv/help#87 "Is it possible to reuse uv_udp_send_t req to send a request to multiple
 * receivers?": one request for a loop over peers. The callback of each comes in a later turn.
 *
 * @expect request-reused scheduled call
 */
#include "program.h"

enum { PEERS = 3 };

static void on_send(uv_udp_send_t *req, int status)
{
    (void)req;
    (void)status;
}

int main(void)
{
    uv_loop_t loop;
    uv_udp_t sender, receiver;
    uv_buf_t buf = greeting();
    struct sockaddr_in addr = any_port();
    const struct sockaddr *peer = as_sockaddr(&addr);
    must(uv_loop_init(&loop));
    must(uv_udp_init(&loop, &sender));
    must(uv_udp_init(&loop, &receiver));
    must(uv_udp_bind(&receiver, peer, 0));
    addr = udp_address(&receiver);
#ifdef FIXED
    uv_udp_send_t reqs[PEERS];
    for (int i = 0; i < PEERS; i++) {
        must(uv_udp_send(&reqs[i], &sender, &buf, 1, peer, on_send));
    }
    finish(&loop);
    return 0;
#else
    uv_udp_send_t req;
    for (int i = 0; i < PEERS; i++) {
        must(uv_udp_send(&req, &sender, &buf, 1, peer, on_send)); /* @scheduled @call */
    }
    _exit(0); /* what the queue of sent datagrams is now would not end */
#endif
}
