/* SPDX-License-Identifier: MIT */
/*
 * luvit/luv#437 "It's possible for Luv to call into Lua with an unusable state": a collector frees
 * a handle because uv_is_closing() says it is closing. Closing is not closed.
 *
 * @expect handle-destroyed-active created closed freed
 */
#include "program.h"

typedef struct {
    long references[8];
    uv_pipe_t pipe;
} userdata_t;

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}
#else
static void collect(uv_handle_t *handle, void *arg)
{
    (void)arg;
    if (uv_is_closing(handle)) {
        free(handle->data); /* @freed */
    }
}
#endif

int main(void)
{
    uv_loop_t loop;
    userdata_t *userdata = malloc(sizeof(*userdata));
    must(uv_loop_init(&loop));
    must(uv_pipe_init(&loop, &userdata->pipe, 0)); /* @created */
    userdata->pipe.data = userdata;
#ifdef FIXED
    uv_close((uv_handle_t *)&userdata->pipe, on_close);
#else
    uv_close((uv_handle_t *)&userdata->pipe, NULL); /* @closed */
    uv_walk(&loop, collect, NULL);
#endif
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
