/* SPDX-License-Identifier: MIT */
/*
 * Trap 4: the handles that libuv makes for itself in a loop, an fs_poll and for its children are
 * nobody's to close; they are in no list of what was left open, nor in that of a loop that is busy.
 *
 * @log loop-busy-at-close 1
 * @log unclosed-handle 1
 */
#include "../program.h"

static int polled, ended;

static void on_exit_of_child(uv_process_t *process, int64_t status, int signal_number)
{
    printf("child: %d %d\n", (int)status, signal_number);
    ended = 1;
    uv_close((uv_handle_t *)process, NULL);
}

static void on_poll(uv_fs_poll_t *poll, int status, const uv_stat_t *before, const uv_stat_t *now)
{
    (void)status;
    (void)before;
    (void)now;
    polled = 1;
    uv_fs_poll_stop(poll);
    uv_close((uv_handle_t *)poll, NULL);
}

int main(void)
{
    static uv_timer_t left; /* the one handle that is the program's */
    uv_fs_poll_t poll;
    uv_process_t process;
    char *arguments[] = {(char *)"true", NULL};
    uv_process_options_t options = {.file = "true", .args = arguments, .exit_cb = on_exit_of_child};
    uv_loop_t *loop = uv_default_loop();
    must(uv_fs_poll_init(loop, &poll));
    must(uv_fs_poll_start(&poll, on_poll, "no such file", 10));
    must(uv_spawn(loop, &process, &options));
    uv_run(loop, UV_RUN_DEFAULT);
    must(uv_timer_init(loop, &left));
    printf("polled %d, ended %d, busy %d\n", polled, ended, uv_loop_close(loop) == UV_EBUSY);
    return 0;
}
