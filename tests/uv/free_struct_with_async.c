/* SPDX-License-Identifier: MIT */
/*
 * tsl0922/ttyd#994 "Segmentation fault when closing clients by random order": the async handle is a
 * member of the structure that its own callback frees after uv_close(). The handle lies at an
 * offset in the block.
 *
 * @expect handle-destroyed-active created closed freed
 */
#include "program.h"

typedef struct {
    char name[512];
    int pid;
    uv_async_t async;
} process_t;

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle->data);
}
#endif

static void on_exit_of_child(uv_async_t *async)
{
#ifdef FIXED
    uv_close((uv_handle_t *)async, on_close);
#else
    process_t *process = async->data;
    uv_close((uv_handle_t *)async, NULL); /* @closed */
    free(process);                        /* @freed */
#endif
}

int main(void)
{
    uv_loop_t loop;
    process_t *process = calloc(1, sizeof(*process));
    must(uv_loop_init(&loop));
    must(uv_async_init(&loop, &process->async, on_exit_of_child)); /* @created */
    process->async.data = process;
    uv_async_send(&process->async);
    uv_run(&loop, UV_RUN_DEFAULT); /* goes well while nobody else is given that memory */
    must(uv_loop_close(&loop));
    return 0;
}
