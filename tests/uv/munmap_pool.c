/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3266: "Freeing memory before close callback" in the shape of a pool in a mapping of
 * its own that is unmapped at the end of a session with a handle still in it.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

#include <sys/mman.h>

enum { POOL = 64 * 1024 };

typedef struct {
    char arena[5000];
    uv_idle_t idle;
} session_t;

int main(void)
{
    uv_loop_t loop;
    must(uv_loop_init(&loop));
    void *pool = mmap(NULL, POOL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pool == MAP_FAILED) {
        return 3;
    }
    session_t *session = pool;
    must(uv_idle_init(&loop, &session->idle)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
#ifdef FIXED
    finish(&loop);
#endif
    munmap(pool, POOL); /* @freed */
    return 0;
}
