/* SPDX-License-Identifier: MIT */
/* A program on plain libuv: turns its loop a few times, then says how many threads and descriptors it has. */
#include <dirent.h>
#include <stdio.h>
#include <uv.h>

static int turns;

static void on_timer(uv_timer_t *timer)
{
    if (++turns == 3) {
        uv_close((uv_handle_t *)timer, NULL);
    }
}

/* Without "." and "..", and without the descriptor that looks. */
static int entries(const char *path, int own)
{
    DIR *directory = opendir(path);
    int n = -2 - own;

    while (readdir(directory)) {
        n++;
    }
    closedir(directory);
    return n;
}

int main(void)
{
    uv_timer_t timer;

    uv_timer_init(uv_default_loop(), &timer);
    uv_timer_start(&timer, on_timer, 1, 1);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    printf("%d turns, %d threads, %d descriptors\n", turns, entries("/proc/self/task", 0),
           entries("/proc/self/fd", 1));
    return 0;
}
