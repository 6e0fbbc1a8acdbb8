/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3503, its other half: the handle is bound after uv_close() and its answer is not
 * looked at.
 *
 * @expect handle-used-after-close created closed call
 */
#include "program.h"

int main(void)
{
    uv_loop_t loop;
    uv_tcp_t tcp;
    struct sockaddr_in addr = any_port();
    must(uv_loop_init(&loop));
    must(uv_tcp_init(&loop, &tcp)); /* @created */
#ifdef FIXED
    must(uv_tcp_bind(&tcp, as_sockaddr(&addr), 0));
    uv_close((uv_handle_t *)&tcp, NULL);
#else
    uv_close((uv_handle_t *)&tcp, NULL);      /* @closed */
    uv_tcp_bind(&tcp, as_sockaddr(&addr), 0); /* @call */
#endif
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
