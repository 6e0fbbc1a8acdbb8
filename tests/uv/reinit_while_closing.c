/* SPDX-License-Identifier: MIT */
/*
 * openziti/tlsuv#80 "Avoid tcp handle reuse": to connect again, the connection is closed and its
 * handle initialised at once, before the close callback has run.
 *
 * @expect handle-reinitialized created closed call
 */
#include "program.h"

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    must(uv_tcp_init(handle->loop, (uv_tcp_t *)handle)); /* now it may be used again */
}
#endif

int main(void)
{
    uv_loop_t loop;
    uv_tcp_t tcp;
    must(uv_loop_init(&loop));
    must(uv_tcp_init(&loop, &tcp)); /* @created */
#ifdef FIXED
    uv_close((uv_handle_t *)&tcp, on_close);
    uv_run(&loop, UV_RUN_DEFAULT);
    finish(&loop);
#else
    uv_close((uv_handle_t *)&tcp, NULL); /* @closed */
    must(uv_tcp_init(&loop, &tcp));      /* @call */
#endif
    return 0;
}
