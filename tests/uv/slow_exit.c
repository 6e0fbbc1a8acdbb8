/* SPDX-License-Identifier: MIT */
/*
 * libuv/libuv#4196 "Main thread hang detection": a process's exit callback reads through all that
 * the child has left.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_exit_of_child(uv_process_t *process, int64_t status, int signal)
{
    (void)status;
    (void)signal;
    uv_sleep(TAKES);
    uv_close((uv_handle_t *)process, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_process_t process;
    char *args[] = {"/bin/true", NULL};
    uv_process_options_t options = {0};
    options.file = args[0];
    options.args = args;
    options.exit_cb = on_exit_of_child;
    must(uv_loop_init(&loop));
    must(uv_spawn(&loop, &process, &options)); /* @created */
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    return 0;
}
