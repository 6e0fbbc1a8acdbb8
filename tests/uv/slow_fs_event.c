/* SPDX-License-Identifier: MIT */
/*
 * fibjs/fibjs#576 "fixup crash when trying to close FSWatcher" is about a watcher's callback that
 * does too much: so does this one, with every change of a file.
 *
 * @expect slow-callback created
 * @env AIODEBUG_SLOW_CALLBACK=0.1
 */
#include "program.h"

static void on_change(uv_fs_event_t *event, const char *name, int events, int status)
{
    (void)name;
    (void)events;
    must(status);
    uv_sleep(TAKES);
    uv_close((uv_handle_t *)event, NULL);
}

int main(void)
{
    uv_loop_t loop;
    uv_fs_event_t event;
    char path[] = "/tmp/uv-change-XXXXXX";
    int fd = mkstemp(path);
    must(uv_loop_init(&loop));
    must(uv_fs_event_init(&loop, &event)); /* @created */
    must(uv_fs_event_start(&event, on_change, path, 0));
    if (write(fd, "x", 1) != 1) {
        return 4;
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    must(uv_loop_close(&loop));
    unlink(path);
    return 0;
}
