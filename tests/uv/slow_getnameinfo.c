/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#4196 "Main thread hang detection": the callback of uv_getnameinfo() writes the name
 * to a log that is slow.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_name(uv_getnameinfo_t *req, int status, const char *host, const char *service)
{
    (void)req;
    (void)status;
    (void)host;
    (void)service;
    uv_sleep(TAKES);
}

int main(void)
{
    uv_loop_t loop;
    uv_getnameinfo_t req;
    struct sockaddr_in addr = any_port();
    must(uv_loop_init(&loop));
    must(uv_getnameinfo(&loop, &req, on_name, as_sockaddr(&addr), NI_NUMERICHOST)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
