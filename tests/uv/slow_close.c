/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#2089 "How to close a tcp connection with a timer properly?" looks its sessions up in
 * the close callback; this close callback searches long, and all that closes waits behind it.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_close(uv_handle_t *handle)
{
    free(handle);
    uv_sleep(TAKES);
}

int main(void)
{
    uv_loop_t loop;
    uv_tcp_t *tcp = malloc(sizeof(*tcp));
    must(uv_loop_init(&loop));
    must(uv_tcp_init(&loop, tcp)); /* @created */
    uv_close((uv_handle_t *)tcp, on_close);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
