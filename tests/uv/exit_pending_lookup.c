/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#364 "Delayed process exit when dns query is in progress": the program exits while a
 * name is being looked up.
 *
 * @expect request-pending-at-exit created
 * @env AIODEBUG_RESOURCE=1
 */
#include "program.h"

static uv_loop_t loop;
static uv_getaddrinfo_t req;

static void on_resolved(uv_getaddrinfo_t *lookup, int status, struct addrinfo *result)
{
    (void)lookup;
    (void)status;
    uv_freeaddrinfo(result);
}

int main(void)
{
    struct addrinfo hints = {0};
    hints.ai_flags = AI_NUMERICHOST;
    must(uv_loop_init(&loop));
    must(uv_getaddrinfo(&loop, &req, on_resolved, "127.0.0.1", NULL, &hints)); /* @created */
#ifdef FIXED
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
#endif
    exit(0);
}
