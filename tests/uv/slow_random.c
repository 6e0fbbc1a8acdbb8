/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#4196 "Main thread hang detection": the random bytes come from the pool, the key is
 * computed from them in the callback.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_random(uv_random_t *req, int status, void *bytes, size_t length)
{
    (void)req;
    (void)bytes;
    (void)length;
    must(status);
    uv_sleep(TAKES);
}

int main(void)
{
    uv_loop_t loop;
    uv_random_t req;
    char bytes[16];
    must(uv_loop_init(&loop));
    must(uv_random(&loop, &req, bytes, sizeof(bytes), 0, on_random)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
