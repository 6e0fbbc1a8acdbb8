/* SPDX-License-Identifier: MIT */
/*
 * joyent/libuv#1584 "Invalid write when closing process handle": the child has ended, so its handle
 * is freed in the exit callback; the loop still holds it, and whoever closes all handles later
 * writes into freed memory.
 *
 * @expect handle-destroyed-active created freed
 */
#include "program.h"

#ifdef FIXED
static void on_close(uv_handle_t *handle)
{
    free(handle);
}
#endif

static void on_exit_of_child(uv_process_t *process, int64_t status, int signal)
{
    (void)status;
    (void)signal;
#ifdef FIXED
    uv_close((uv_handle_t *)process, on_close);
#else
    free(process); /* @freed */
#endif
}

int main(void)
{
    uv_loop_t loop;
    char *args[] = {"/bin/true", NULL};
    uv_process_options_t options = {0};
    options.file = args[0];
    options.args = args;
    options.exit_cb = on_exit_of_child;
    uv_process_t *process = malloc(sizeof(*process));
    must(uv_loop_init(&loop));
    must(uv_spawn(&loop, process, &options)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
#ifdef FIXED
    finish(&loop);
#endif
    return 0;
}
