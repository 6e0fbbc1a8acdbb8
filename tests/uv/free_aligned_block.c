/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3266 for memory of posix_memalign(): free() of a block whose handle lies in its
 * middle.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

typedef struct {
    char cache_line[256];
    uv_udp_t udp;
} worker_t;

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}
#endif

int main(void)
{
    uv_loop_t loop;
    void *memory;
    must(uv_loop_init(&loop));
    if (posix_memalign(&memory, 64, sizeof(worker_t)) != 0) {
        return 3;
    }
    worker_t *worker = memory;
    must(uv_udp_init(&loop, &worker->udp)); /* @created */
    worker->udp.data = worker;
#ifdef FIXED
    uv_close((uv_handle_t *)&worker->udp, on_close);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
#else
    free(worker); /* @freed */
#endif
    return 0;
}
