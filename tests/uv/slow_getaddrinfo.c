/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#709 "uv_close failing to close uv_listen thread" binds and listens in the resolver's
 * callback; a lookup runs in the pool, its callback does not.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_resolved(uv_getaddrinfo_t *req, int status, struct addrinfo *result)
{
    (void)req;
    must(status);
    uv_freeaddrinfo(result);
    uv_sleep(TAKES);
}

int main(void)
{
    uv_loop_t loop;
    uv_getaddrinfo_t req;
    struct addrinfo hints = {0};
    hints.ai_flags = AI_NUMERICHOST;
    must(uv_loop_init(&loop));
    must(uv_getaddrinfo(&loop, &req, on_resolved, "127.0.0.1", NULL, &hints)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
