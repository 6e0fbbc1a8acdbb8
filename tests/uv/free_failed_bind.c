/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#410 "How good is to free a handle without using uv_close()?": the address cannot be
 * bound, so the handle is thrown away; but uv_udp_init() had registered it already.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle);
}
#endif

static uv_udp_t *open_socket(uv_loop_t *loop, const char *ip)
{
    struct sockaddr_in addr;
    uv_udp_t *udp = malloc(sizeof(*udp));
    must(uv_udp_init(loop, udp)); /* @created */
    must(uv_ip4_addr(ip, 1234, &addr));
    if (uv_udp_bind(udp, as_sockaddr(&addr), 0) != 0) {
#ifdef FIXED
        uv_close((uv_handle_t *)udp, on_close);
#else
        free(udp); /* @freed */
#endif
        return NULL;
    }
    return udp;
}

int main(void)
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    /* An address for documentation (RFC 5737): no machine has it. */
    if (open_socket(&loop, "192.0.2.1")) {
        return 4;
    }
#ifdef FIXED
    finish(&loop);
#endif
    return 0;
}
