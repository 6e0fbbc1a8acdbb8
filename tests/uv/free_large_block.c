/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#3266, a block so large that malloc() maps it by itself: a connection with its
 * buffers, freed whole.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

typedef struct {
    char input[1 << 20];
    uv_pipe_t pipe;
    char output[1 << 20];
} connection_t;

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}
#endif

int main(void)
{
    uv_loop_t loop;
    connection_t *connection = malloc(sizeof(*connection));
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &connection->pipe, 0)); /* @created */
    connection->pipe.data = connection;
#ifdef FIXED
    uv_close((uv_handle_t *)&connection->pipe, on_close);
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
#else
    free(connection); /* @freed */
#endif
    return 0;
}
